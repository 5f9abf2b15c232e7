"""Stage 1: the vision tower and the connector alone, on the lines that tell a drawn scene.

Run `python -m training.embedded_vision.train_tower --help` from the root of the repository. It goes
on where it stopped: the folder given by `--folder` holds the drawn scenes and the last checkpoint.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from headwise.engines.embedded import embedded_model_path
from training.embedded_vision.checkpoints import adopt, read_checkpoint, write_checkpoint
from training.embedded_vision.drawing import BOX, LABEL, Drawn, draw
from training.embedded_vision.parallel import set_gradients
from training.embedded_vision.slots import LineWords, lines_of
from training.embedded_vision.tower import Tower, normalised, vision_config
from training.embedded_vision.tower_loss import losses, total

HELD_OUT_SEED = 9_001
"""Scenes of this seed are never trained on."""
_AT_ONCE = 8


def main() -> None:
    """Trains the tower."""
    options = _options()
    torch.manual_seed(options.seed)
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    words = load_words()
    tower = Tower(vision_config(options.width, options.layers), words.mean.numel())
    optimizers = _optimizers(tower, options.rate)
    state = folder / "tower_state.safetensors"
    start = 0
    if state.is_file():
        start = read_checkpoint(state, tower, optimizers)
    elif options.start is not None:
        print(f"{adopt(options.start, tower)} tensors of {options.start.name}", flush=True)
    held_out = _drawn(folder / "held.npz", 600, HELD_OUT_SEED)
    shard, images, began = -1, held_out, time.monotonic()
    pool = ThreadPoolExecutor(options.threads)
    for step in range(start, options.steps):
        # A new shard of scenes each pass; after the last one they come again, changed by chance.
        wanted = step * options.batch // options.shard % options.shards
        if wanted != shard:
            shard = wanted
            images = _drawn(folder / f"shard{shard}.npz", options.shard, 1 + shard)
        _set_rates(optimizers, options.rate, step, options.steps)
        rng = np.random.default_rng([options.seed, step])
        loss = _step(tower, optimizers, _batch(images, options.batch, rng), words, pool)
        if step % 25 == 0:
            print(f"step {step} loss {loss:.3f} {time.monotonic() - began:.0f} s", flush=True)
        if (step + 1) % options.every == 0 or step + 1 == options.steps:
            report(tower, held_out, words)
            write_checkpoint(state, tower, optimizers, step + 1)
    write_checkpoint(folder / "tower.safetensors", tower, [], options.steps)


def load_words() -> LineWords:
    """The words of the embedded language model."""
    path = embedded_model_path()
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    embeddings: Tensor = model.model.embed_tokens.weight.detach()
    return LineWords(embeddings.clone(), AutoTokenizer.from_pretrained(path))


def report(tower: Tower, drawn: Drawn, words: LineWords) -> dict[str, float]:
    """Prints how well the tower does on held-out scenes.

    Args:
        tower: The tower.
        drawn: The scenes.
        words: The words.

    Returns:
        Shares of right answers.
    """
    tower.eval()
    found: dict[str, list[float]] = {}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for at in range(0, len(drawn.images), 250):
            pixels = normalised(torch.from_numpy(drawn.images[at : at + 250]))
            targets = lines_of(drawn.objects[at : at + 250])
            parts, right = losses(tower, tower.tokens(pixels).float(), targets, words)
            for name, value in {**right, "words": parts["words"], "place": parts["place"]}.items():
                found.setdefault(name, []).append(float(value))
    tower.train()
    means = {name: sum(values) / len(values) for name, values in found.items()}
    print("held out:", " ".join(f"{name} {value:.3f}" for name, value in means.items()), flush=True)
    return means


def _step(
    tower: Tower,
    optimizers: list[torch.optim.Optimizer],
    batch: tuple[Tensor, np.ndarray],
    words: LineWords,
    pool: ThreadPoolExecutor,
) -> float:
    pixels, objects = batch
    count = max(1, len(pixels) // _AT_ONCE)

    def loss_of(part: int) -> Tensor:
        own = slice(part * _AT_ONCE, (part + 1) * _AT_ONCE)
        # Autocast is a setting of the thread.
        with torch.autocast("cpu", torch.bfloat16):
            joined = tower.tokens(pixels[own])
        parts, _ = losses(tower, joined.float(), lines_of(objects[own]), words)
        return total(parts) / count

    loss = set_gradients(range(count), loss_of, list(tower.parameters()), pool)
    nn.utils.clip_grad_norm_(tower.parameters(), 2.0)
    for optimizer in optimizers:
        optimizer.step()
    return loss


def _batch(drawn: Drawn, size: int, rng: np.random.Generator) -> tuple[Tensor, np.ndarray]:
    """Pictures of a shard, some mirrored, with a little change of colour and noise."""
    rows = rng.choice(len(drawn.images), size, replace=False)
    images, objects = drawn.images[rows], drawn.objects[rows].copy()
    # All shapes are their own mirror images, but letters are not.
    mirrored = (rng.random(size) < 0.5) & (objects[..., LABEL] <= 0).all(1)
    images = np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
    x = objects[..., BOX][..., 0]
    objects[..., 0] = np.where(mirrored[:, None] & (x >= 0), 1 - x, x)
    pixels = normalised(torch.from_numpy(np.ascontiguousarray(images)))
    gain = 1 + 0.03 * torch.from_numpy(rng.standard_normal((size, 3, 1, 1)).astype(np.float32))
    shift = 0.03 * torch.from_numpy(rng.standard_normal((size, 3, 1, 1)).astype(np.float32))
    noise = 0.02 * torch.from_numpy(rng.standard_normal(pixels.shape, dtype=np.float32))
    noise *= torch.from_numpy((rng.random((size, 1, 1, 1)) < 0.3).astype(np.float32))
    return (pixels * gain + shift + noise).clamp(-1, 1), objects


def _drawn(path: Path, count: int, seed: int) -> Drawn:
    if not path.is_file():
        print(f"drawing {count} scenes into {path.name}", flush=True)
        drawn = draw(count, seed)
        np.savez(path, images=drawn.images, objects=drawn.objects)
    with np.load(path) as arrays:
        return Drawn(arrays["images"], arrays["objects"])


def _optimizers(tower: Tower, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the tower's layers, AdamW for everything else."""
    matrices = [p for p in tower.vision.encoder.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in tower.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(
            matrices, lr=2 * rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw", ns_steps=4
        ),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.97), weight_decay=0.01),
    ]


def _set_rates(optimizers: list[torch.optim.Optimizer], rate: float, step: int, steps: int) -> None:
    """A short warm-up, a plateau, and a long way down to nothing: most is learned on the way."""
    share = step / steps
    scale = min(1.0, (step + 1) / 100)
    if share > 0.4:
        scale = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (share - 0.4) / 0.6))
    for optimizer, times in zip(optimizers, (2.0, 1.0), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * times * scale


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("results/embedded_vision"))
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--shard", type=int, default=16_000, help="scenes in a shard")
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--every", type=int, default=250, help="steps between checkpoints")
    parser.add_argument("--start", type=Path, help="a checkpoint to begin with, as far as it fits")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
