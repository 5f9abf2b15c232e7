"""The heads of an artifact as a map on the terminal: layers down, heads across."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.heads import HeadIndex

_COLOURS = ("bright_red", "bright_yellow", "bright_green", "bright_cyan", "bright_blue")


class Use(Enum):
    """What a head is used for; the value is its sign on the map."""

    READ = "●"
    STEERED = "○"
    BOTH = "◉"


def head_map(record: ArtifactRecord) -> Text:
    """Draws the heads of an artifact.

    Args:
        record: The artifact.

    Returns:
        One line a layer, one sign a head, a dot for a head that is not used; the colour goes by
        the order of the heads, the best fifth first.
    """
    uses = uses_of(record)
    place = {index: number for number, index in enumerate(record.heads)}
    widest = max(entry.n_heads for entry in record.layout.layers)
    width = len(str(record.layout.layers[-1].layer))
    drawing = Text(no_wrap=True, overflow="crop")
    drawing.append(f"layer  heads 0 to {widest - 1}\n", style="dim")
    for entry in record.layout.layers:
        drawing.append(f"  {entry.layer:>{width}}  ", style="dim")
        for head in range(entry.n_heads):
            _append_head(drawing, (entry.layer, head), uses, place)
        drawing.append("\n")
    drawing.append(_legend(uses), style="dim")
    return drawing


def uses_of(record: ArtifactRecord) -> dict[tuple[int, int], Use]:
    """What each head of an artifact is used for.

    Args:
        record: The artifact.

    Returns:
        The use by `(layer, head)`; heads that are not used are left out.
    """
    steered = set()
    listed = record.parameters.get("steered_heads")
    for item in listed if isinstance(listed, list) else ():
        steered.add((item["layer"], item["head"]))
    n_read = record.parameters.get("n_sparse_heads", len(record.heads))
    read = {_place(index) for index in record.heads.indices[: int(str(n_read))]}
    alone = dict.fromkeys(read, Use.READ) | dict.fromkeys(steered, Use.STEERED)
    return alone | dict.fromkeys(read & steered, Use.BOTH)


def _place(index: HeadIndex) -> tuple[int, int]:
    return index.layer, index.head


def _append_head(
    drawing: Text,
    head: tuple[int, int],
    uses: dict[tuple[int, int], Use],
    place: dict[HeadIndex, int],
) -> None:
    if head not in uses:
        drawing.append("·", style="dim")
        return
    ranks = {_place(index): number for index, number in place.items()}
    drawing.append(uses[head].value, style=_COLOURS[ranks[head] * len(_COLOURS) // len(ranks)])


def _legend(uses: dict[tuple[int, int], Use]) -> str:
    meanings = {Use.READ: "read", Use.STEERED: "steered", Use.BOTH: "read and steered"}
    present = set(uses.values())
    named = [f"{use.value} {meaning}" for use, meaning in meanings.items() if use in present]
    return ", ".join([*named, "· not used"])
