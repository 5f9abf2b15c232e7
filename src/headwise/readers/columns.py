"""Which column holds what: the usual names, and the user's own."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from headwise.errors import InputError


@dataclass(frozen=True, slots=True)
class Wanted:
    """A column that a reader looks for.

    Args:
        role: What it holds, which is also the name of the argument that names it.
        names: Its usual names, likeliest first; capitals and blanks around do not matter.
    """

    role: str
    names: tuple[str, ...]

    def among(self, columns: Sequence[str], taken: Collection[str] = ()) -> str | None:
        """The column with the likeliest of the usual names.

        Args:
            columns: The columns there are.
            taken: Columns that already hold something else.

        Returns:
            The column as it is spelt, or None.
        """
        spelt = {_plain(column): column for column in reversed(columns) if column not in taken}
        return next((spelt[name] for name in self.names if name in spelt), None)

    def find(
        self, source: str, columns: Sequence[str], given: str | None, taken: Collection[str] = ()
    ) -> str | None:
        """The column the user named, else the one with a usual name.

        Args:
            source: The name of the source, for the error.
            columns: The columns there are.
            given: The name the user gave.
            taken: Columns that already hold something else.

        Returns:
            The column, or None where none has a usual name.

        Raises:
            InputError: There is no column with the name the user gave.
        """
        if given is None:
            return self.among(columns, taken)
        if given not in columns:
            raise InputError(
                f"{source} has no column {given!r} for the {self.role}. "
                f"Columns found: {_listed(columns)}."
            )
        return given

    def require(
        self, source: str, columns: Sequence[str], given: str | None, taken: Collection[str] = ()
    ) -> str:
        """As `find`, for a column that must be there.

        Args:
            source: The name of the source, for the error.
            columns: The columns there are.
            given: The name the user gave.
            taken: Columns that already hold something else.

        Returns:
            The column.

        Raises:
            InputError: There is no such column; lists the columns found and the names looked for.
        """
        found = self.find(source, columns, given, taken)
        if found is None:
            raise InputError(
                f"{source} has no column for the {self.role}. Columns found: {_listed(columns)}. "
                f"Names looked for: {', '.join(self.names)}. Rename a column, or name yours: "
                f"{self.role}=..."
            )
        return found


TEXT = Wanted("text", ("text", "question", "input", "sentence", "prompt", "content"))
LABEL = Wanted("label", ("label", "output", "target", "answer", "class", "category"))
PROMPT = Wanted("prompt", ("prompt", "question", "instruction", "query", "input"))
CHOSEN = Wanted("chosen", ("chosen", "good", "preferred", "better"))
REJECTED = Wanted("rejected", ("rejected", "bad", "dispreferred", "worse"))
COMPLETION = Wanted("completion", ("completion", "response", "answer", "output"))
VERDICT = Wanted("label", ("label",))
IMAGE = Wanted("image", ("image", "images", "video", "frames", "image_path"))
ID = Wanted("id", ("id",))
SPLITS = (Wanted("split", ("split",)), Wanted("subset", ("subset",)))


def _plain(column: str) -> str:
    return column.strip().casefold()


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(columns) if columns else "none"
