"""The weights that ship as checkpoints again, so that training can go on from them anywhere.

Run `python -m training.embedded_vision.reopen --help` from the root of the repository. The tower's
training heads do not ship: `train_tower --start` learns them anew in a few dozen steps.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from headwise.engines.embedded_vision import WEIGHTS


def main() -> None:
    """Writes `tower_shipped.safetensors` and `language_shipped.safetensors`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=Path("results/embedded_vision"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    tower, language = reopened(WEIGHTS)
    for name, tensors in (("tower", tower), ("language", language)):
        path = options.folder / f"{name}_shipped.safetensors"
        save_file(tensors, path, metadata={"step": "0"})
        print(f"{path}: {len(tensors)} tensors")


def reopened(weights: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What a shipped file holds, under the names that checkpoints use.

    Args:
        weights: The file that `export` wrote.

    Returns:
        The tower's tensors with the connector, and those of the language model's side without it:
        `train_language` takes the connector from the tower that it is given.
    """
    tower: dict[str, Tensor] = {}
    language: dict[str, Tensor] = {}
    for name, value in load_file(weights).items():
        wide = value.float()
        if name.startswith("vision_model."):
            tower[f"weights/vision.{name.removeprefix('vision_model.')}"] = wide
        elif name == "connector.weight":
            tower["weights/connector.weight"] = wide
        else:
            own = "rows" if name == "token_rows" else f"decoder.{name}"
            language[f"weights/{own}"] = wide
    return tower, language


if __name__ == "__main__":
    main()
