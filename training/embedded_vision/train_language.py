"""Stage 2: the connector and a low-rank update of the language model, on what is asked of scenes.

Run `python -m training.embedded_vision.train_language --help` from the root of the repository,
after `train_tower`. It goes on where it stopped. The tower stays as stage 1 left it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.embedded_vision.checkpoints import read_checkpoint, write_checkpoint
from training.embedded_vision.dialogues import MIXES
from training.embedded_vision.examples import (
    Shown,
    Sight,
    features,
    measured_rows,
    seen_by,
    told_in,
    training_rows,
)
from training.embedded_vision.language import Language, image_tokenizer
from training.embedded_vision.packing import Batch, Packer, batched
from training.embedded_vision.parallel import set_gradients
from training.embedded_vision.replay import Replayed, divergence, replayed_chats
from training.embedded_vision.tower import Tower, vision_config
from training.embedded_vision.train_tower import load_words

_MEASURED_AT_ONCE = 1


def main() -> None:
    """Trains the language model's side."""
    options = _options()
    torch.manual_seed(options.seed)
    folder: Path = options.folder
    tokenizer = image_tokenizer()
    packer = Packer(tokenizer)
    language, sight = _models(options, tokenizer)
    optimizer = _optimizer(language)
    state = folder / "language_state.safetensors"
    start = 0
    if state.is_file():
        start = read_checkpoint(state, language, [optimizer])
    elif options.start is not None:
        read_checkpoint(options.start, language)
    replayed = replayed_chats(packer, language, folder / "answers.json")
    held_out, began, recent = measured_rows(packer, options.measured), time.monotonic(), []
    pool = ThreadPoolExecutor(options.threads)
    for step in range(start, options.steps):
        _set_rate(optimizer, step, options.steps)
        rng = np.random.default_rng([options.seed, 2, step])
        shown = training_rows(packer, rng, options.rows, MIXES[options.mix])
        text = [replayed[step // 3 % len(replayed)]] if step % 3 == 0 else []
        recent.append(_step(language, sight, optimizer, [*shown, *text], pool))
        if (step + 1) % 20 == 0:
            print(f"step {step + 1} loss {np.mean(recent[-20:]):.3f} ", end="")
            print(f"{time.monotonic() - began:.0f} s", flush=True)
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            print(measured(language, sight, held_out), flush=True)
            write_checkpoint(state, language, [optimizer], step + 1)
    write_checkpoint(folder / "language.safetensors", language, [], options.steps)


def measured(language: Language, sight: Sight, held_out: Sequence[Shown]) -> str:
    """How often each task's whole answer is the likeliest, token by token.

    Args:
        language: The model.
        sight: What looks at the pictures.
        held_out: Rows about held-out pictures.

    Returns:
        A line of shares of right answers.
    """
    found: dict[str, list[float]] = defaultdict(list)
    with torch.no_grad():
        for at in range(0, len(held_out), _MEASURED_AT_ONCE):
            part = held_out[at : at + _MEASURED_AT_ONCE]
            batch = batched([shown.row for shown in part], language.dtype)
            hidden = language.hidden(batch, features(sight, part))
            logits, wanted, places = _predicted(language, batch, hidden)
            right = logits.argmax(-1) == wanted
            for row, segments in enumerate(batch.tasks):
                for segment, task in enumerate(segments[1:], 1):
                    own = (places[:, 0] == row) & (batch.segments[tuple(places.t())] == segment)
                    found[task].append(float(right[own].all()))
    return "held out: " + "; ".join(
        f"{task} {np.mean(values):.2f} ({len(values)})" for task, values in sorted(found.items())
    )


def _models(options: argparse.Namespace, tokenizer: object) -> tuple[Language, Sight]:
    config = vision_config(options.width, options.layers)
    tower = Tower(config, 576)
    language = Language(options.rank, tower.connector.in_features, tokenizer)
    if options.told:
        language.connector.requires_grad_(False)
        return language, told_in(load_words())
    read_checkpoint(options.folder / options.tower, tower)
    tower.requires_grad_(False).eval()
    with torch.no_grad():
        language.connector.weight.copy_(tower.connector.weight)
    return language, seen_by(tower)


def _step(
    language: Language,
    sight: Sight,
    optimizer: torch.optim.Optimizer,
    parts: list[Shown | Replayed],
    pool: ThreadPoolExecutor,
) -> float:
    """One step: rows with pictures, of which all tokens count alike, and rows without."""
    weight = sum(sum(part.row.weights) for part in parts if isinstance(part, Shown))

    def loss_of(part: Shown | Replayed) -> Tensor:
        if isinstance(part, Replayed):
            return divergence(language, part)
        batch = batched([part.row], language.dtype)
        logits, wanted, places = _predicted(
            language, batch, language.hidden(batch, features(sight, [part]))
        )
        losses = F.cross_entropy(logits, wanted, reduction="none")
        return (losses * batch.weights[tuple(places.t())]).sum() / weight

    # The longest first: the threads end together.
    parts = sorted(parts, key=lambda part: -len(part.row.tokens))
    loss = set_gradients(parts, loss_of, language.trainable(), pool)
    nn.utils.clip_grad_norm_(language.trainable(), 1.0)
    optimizer.step()
    return loss


def _predicted(language: Language, batch: Batch, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of each token that counts: all tokens' scores, which it is, and its row and column."""
    places = batch.weights.nonzero()
    # A token is predicted from the one before it in what it reads, which the row may have
    # elsewhere only for the first token of a segment; and a segment begins with a given token.
    before = hidden[places[:, 0], places[:, 1] - 1]
    logits, wanted = language.logits(before), batch.tokens[places[:, 0], places[:, 1]]
    return logits, wanted, places


def _optimizer(language: Language) -> torch.optim.Optimizer:
    """AdamW; the half of the update that starts at zero learns fastest."""
    rates: dict[str, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in language.named_parameters():
        if parameter.requires_grad:
            own = name.rsplit(".", 1)[-1] if "layers" in name else name.split(".")[0]
            rates[own].append(parameter)
    # The connector begins with words that the model knows; its weights are small, and a faster rate
    # scrambles them within a hundred steps: then nothing is ever read from the picture.
    rate = {"up": 2e-3, "down": 4e-4, "rows": 3e-4, "connector": 2e-5}
    groups = [
        {"params": parameters, "lr": rate[name], "initial": rate[name]}
        for name, parameters in rates.items()
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01)


def _set_rate(optimizer: torch.optim.Optimizer, step: int, steps: int) -> None:
    scale = min(1.0, (step + 1) / 40) * (0.03 + 0.97 * 0.5 * (1 + math.cos(math.pi * step / steps)))
    for group in optimizer.param_groups:
        group["lr"] = group["initial"] * scale


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("results/embedded_vision"))
    parser.add_argument("--tower", default="tower_fitted.safetensors", help="stage 1's weights")
    parser.add_argument(
        "--told", action="store_true", help="begin with the words that a perfect tower would say"
    )
    parser.add_argument("--start", type=Path, help="a checkpoint to begin with")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--rows", type=int, default=2, help="rows a step")
    parser.add_argument("--mix", default="all", choices=sorted(MIXES), help="what is asked")
    parser.add_argument("--rank", type=int, default=24)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--measured", type=int, default=24, help="held-out pictures")
    parser.add_argument("--every", type=int, default=150, help="steps between checkpoints")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
