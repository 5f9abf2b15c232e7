"""What a run of the task-vector benchmark measured: a JSON line each, so that a stop loses none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Measured:
    """One way of doing a task, on one split of its rows.

    Args:
        part: Which comparison it belongs to, such as `"selectors"`.
        task: The task's name.
        seed: Seed of the split, and of everything drawn.
        way: What was done, such as `"10-shot"` or `"attribution"`.
        accuracy: Share of the test items that are answered rightly.
        n_items: How many items those are.
        prompt_tokens: Mean tokens of the prompts that were answered.
        answer_seconds: Time to answer all items.
        fit_seconds: Time of the whole fit; 0 where nothing is fitted.
        search_seconds: Of that, time of the head search.
        n_heads: Heads that are steered.
        held_out_loss: The search's loss on the support examples that it held out; None without.
    """

    part: str
    task: str
    seed: int
    way: str
    accuracy: float
    n_items: int
    prompt_tokens: float
    answer_seconds: float
    fit_seconds: float = 0.0
    search_seconds: float = 0.0
    n_heads: int = 0
    held_out_loss: float | None = None

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from other measurements."""
        return self.part, self.task, self.seed, self.way


class Keyed(Protocol):
    """What is measured once."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What tells it from other measurements."""


Row = TypeVar("Row", bound=Keyed)


class Lines(Generic[Row]):
    """Measurements in a file, one line each, written as they are made.

    Args:
        read: Makes a measurement of a line's fields.
        path: The file; made where it is missing, gone on with where it is there.
    """

    def __init__(self, read: Callable[[Mapping[str, Any]], Row], path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_text(encoding="utf-8") if path.exists() else ""
        # What a stop cut off in the middle of a line was not measured.
        whole = whole[: whole.rfind("\n") + 1]
        path.write_text(whole, encoding="utf-8")
        self.rows = [read(json.loads(line)) for line in whole.splitlines()]

    def has(self, part: str, task: str, seed: int, way: str) -> bool:
        """Whether this was measured before."""
        return (part, task, seed, way) in {row.key for row in self.rows}

    def add(self, row: Row) -> None:
        """Writes a measurement down."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(row)) + "\n")
        self.rows.append(row)


class Ledger(Lines[Measured]):
    """What a benchmark of ways and tasks measured.

    Args:
        path: The file; made where it is missing, gone on with where it is there.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(lambda fields: Measured(**fields), path)
