"""Stage 3: what was trained as one float16 file in the package, with its settings.

Run `python -m training.embedded_vision.export --help` from the root of the repository.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from headwise.engines.embedded_vision import SETTINGS, WEIGHTS
from training.embedded_vision.checkpoints import read_checkpoint
from training.embedded_vision.language import Language, image_tokenizer
from training.embedded_vision.low_rank import LowRankLinear
from training.embedded_vision.tower import SHUFFLE, Tower, vision_config


def main() -> None:
    """Writes the weights and the settings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("results/embedded_vision"))
    parser.add_argument("--tower", default="tower.safetensors")
    parser.add_argument("--language", default="language.safetensors")
    parser.add_argument("--rank", type=int, default=24)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--version", type=int, default=1, help="of the folder in the cache")
    options = parser.parse_args()
    config = vision_config(options.width, options.layers)
    tower = Tower(config, 576)
    read_checkpoint(options.folder / options.tower, tower)
    language = Language(options.rank, tower.connector.in_features, image_tokenizer())
    read_checkpoint(options.folder / options.language, language)
    tensors = {
        name: value.to(torch.float16).contiguous()
        for name, value in exported(tower, language).items()
    }
    WEIGHTS.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, WEIGHTS)
    settings = {
        "folder": f"smollm2-135m-vision-v{options.version}",
        "rank": options.rank,
        "scale_factor": SHUFFLE,
        "vision": {
            name: getattr(config, name)
            for name in (
                *("hidden_size", "intermediate_size", "num_hidden_layers"),
                *("num_attention_heads", "image_size", "patch_size"),
            )
        },
    }
    SETTINGS.write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size / 1e6:.1f} MB")


def exported(tower: Tower, language: Language) -> dict[str, Tensor]:
    """What was trained, under the names that `headwise.engines.embedded_vision` reads.

    Args:
        tower: The tower.
        language: The language model's side.

    Returns:
        The tensors.
    """
    tensors = {
        f"vision_model.{name}": value.detach() for name, value in tower.vision.named_parameters()
    }
    tensors["connector.weight"] = language.connector.weight.detach()
    tensors["token_rows"] = language.rows.detach()
    for name, part in language.decoder.named_modules():
        if isinstance(part, LowRankLinear):
            tensors[f"{name}.down"] = part.down.detach()
            tensors[f"{name}.up"] = part.up.detach()
    return tensors


if __name__ == "__main__":
    main()
