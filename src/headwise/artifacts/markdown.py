"""Markdown that shows any text as it is: nothing in the text can end the markup around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_LONGEST_SPAN = 200


def fence(text: str, language: str = "") -> str:
    """A code block.

    Args:
        text: What it shows, of any content.
        language: For syntax colours, such as `"python"`.

    Returns:
        The block, fenced by more backticks than stand in a row anywhere in the text.
    """
    marks = "`" * max(3, _longest_run(text) + 1)
    end = "" if text.endswith("\n") else "\n"
    return f"{marks}{language}\n{text}{end}{marks}"


def code_span(text: str) -> str:
    """Inline code on one line, safe in a table too.

    Args:
        text: What it shows; line breaks become spaces, and the end of a long text is left out.

    Returns:
        The span.
    """
    line = " ".join(text.split())
    if len(line) > _LONGEST_SPAN:
        line = line[: _LONGEST_SPAN - 1] + "…"
    if not line:
        return "(empty)"
    marks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{marks}{pad}{line}{pad}{marks}".replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table.

    Args:
        header: Column titles.
        rows: Cells, each already Markdown without line breaks.

    Returns:
        The table.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
