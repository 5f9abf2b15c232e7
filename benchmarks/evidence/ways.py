"""Ways of answering the same questions, item by item: a JSON line each, as they are made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.task_results import Lines


@dataclass(frozen=True, slots=True)
class Answers:
    """One way of answering, on one seed's items.

    Args:
        part: Which comparison it belongs to.
        kind: Which kind of items.
        seed: Of the items and of everything drawn.
        way: What was done.
        right: Whether each item was answered rightly, the same items for all ways.
        tokens: Mean tokens of the prompts; 0 where they were not counted.
    """

    part: str
    kind: str
    seed: int
    way: str
    right: tuple[bool, ...]
    tokens: float = 0.0

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from others."""
        return self.part, self.kind, self.seed, self.way


class Ways(Lines[Answers]):
    """All ways that were tried.

    Args:
        path: The file; made where it is missing, gone on with where it is there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(lambda row: Answers(**{**row, "right": tuple(row["right"])}), path)
