"""The heads of an artifact as an image, with the optional package matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from headwise.cli.head_map import Use, uses_of
from headwise.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord

_DOTS_PER_INCH = 150


def plot_heads(record: ArtifactRecord, path: Path) -> None:
    """Draws layers down and heads across; the colour is the score, a ring marks steered heads.

    Args:
        record: The artifact.
        path: The image; its ending says the format.

    Raises:
        MissingExtraError: matplotlib is not installed.
        InputError: It knows no format with that ending.
        OSError: The image cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "plot", "Drawing the heads into an image") from None
    layers = record.layout.layers
    widest = max(entry.n_heads for entry in layers)
    rows = {entry.layer: row for row, entry in enumerate(layers)}
    scores = np.full((len(layers), widest), np.nan)
    for index, score in zip(record.heads.indices, record.heads.scores, strict=True):
        scores[rows[index.layer], index.head] = score
    figure = Figure(figsize=(2.5 + 0.28 * widest, 1.8 + 0.22 * len(layers)), layout="constrained")
    if path.suffix[1:].lower() not in figure.canvas.get_supported_filetypes():
        raise InputError(f"No image format ends in '{path.suffix}'; name a .png, .svg or .pdf.")
    axes = figure.add_subplot()
    image = axes.pcolormesh(
        np.arange(widest + 1) - 0.5,
        np.arange(len(layers) + 1) - 0.5,
        np.ma.masked_invalid(scores),
        edgecolors="0.9",
        linewidth=0.5,
    )
    steered = [place for place, use in uses_of(record).items() if use is not Use.READ]
    axes.scatter(
        [head for _, head in steered],
        [rows[layer] for layer, _ in steered],
        facecolors="none",
        edgecolors="tab:red",
    )
    axes.set_yticks(range(len(layers)), [str(entry.layer) for entry in layers])
    axes.invert_yaxis()
    axes.set(xlabel="head", ylabel="layer", title=f"{record.method}\n{record.base_model.model_id}")
    figure.colorbar(image, label="score")
    figure.savefig(path, dpi=_DOTS_PER_INCH)
