"""Ways of answering the same questions, item by item: a JSON line each, as they are made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


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


class Ways:
    """All ways that were tried, in a file that grows.

    Args:
        path: The file; made where it is missing, gone on with where it is there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_text(encoding="utf-8") if path.exists() else ""
        # What a stop cut off in the middle of a line was not measured.
        whole = whole[: whole.rfind("\n") + 1]
        path.write_text(whole, encoding="utf-8")
        rows = [json.loads(line) for line in whole.splitlines()]
        self.rows = [Answers(**{**row, "right": tuple(row["right"])}) for row in rows]

    def has(self, part: str, kind: str, seed: int, way: str) -> bool:
        """Whether this was measured before."""
        return (part, kind, seed, way) in {row.key for row in self.rows}

    def add(self, row: Answers) -> None:
        """Writes a measurement down."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        self.rows.append(row)


def same(given: str | None, wanted: str | None) -> bool:
    """Whether two answers are the same but for case, blanks and a full stop."""
    return (given or "").strip().rstrip(".").casefold() == (wanted or "").casefold()


def all_same(given: Sequence[str | None], wanted: Sequence[str | None]) -> tuple[bool, ...]:
    """`same`, pair by pair."""
    return tuple(same(one, other) for one, other in zip(given, wanted, strict=True))
