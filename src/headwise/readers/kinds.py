"""Which noun a source holds, told from the columns of its first row."""

from __future__ import annotations

from typing import Literal

from headwise.errors import InputError
from headwise.readers.columns import CHOSEN, COMPLETION, PROMPT, REJECTED, VERDICT
from headwise.readers.result import RawRow
from headwise.readers.sources import Source, SourceLike, open_source
from headwise.readers.values import BadValueError, verdict_in

Kind = Literal["examples", "preferences", "judgements"]

_SURE_COMPLETIONS = ("completion", "response")


def detect_kind(source: SourceLike) -> Kind:
    """Tells what a source holds, without using it up.

    Two columns for a chosen and a rejected response are preferences. A prompt with a `completion`
    or `response` is a judgement; with an `answer` or `output` it is one only beside a verdict
    (true/false, yes/no, 1/0) in `label`, since such columns are also the text and label of
    examples. Everything else is examples.

    Args:
        source: A path, a Hub dataset or a `Source`. Not `"-"`: what is read from standard input
            could not be read again; give `open_source("-")` to this and to the reader.

    Returns:
        The kind.

    Raises:
        InputError: The source is not readable, or has no row that is.
    """
    if not isinstance(source, Source) and str(source) == "-":
        raise InputError(
            "Standard input can be read once only: source = open_source('-'), then give that "
            "source to detect_kind and to the reader."
        )
    opened = open_source(source)
    row = next((row for row in opened.rows() if isinstance(row, RawRow)), None)
    if row is None:
        raise InputError(f"{opened.name} has no row that can be read.")
    columns = list(row.values)
    if CHOSEN.among(columns) and REJECTED.among(columns):
        return "preferences"
    return "judgements" if _is_judgement(row, columns) else "examples"


def _is_judgement(row: RawRow, columns: list[str]) -> bool:
    prompt = PROMPT.among(columns)
    completion = COMPLETION.among(columns)
    if prompt is None or completion is None:
        return False
    if completion.strip().casefold() in _SURE_COMPLETIONS:
        return True
    label = VERDICT.among(columns)
    try:
        return label is not None and verdict_in(row, label) is not None
    except BadValueError:
        return False
