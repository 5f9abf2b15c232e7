"""Files, standard input and Hub datasets -> the nouns of `headwise.examples`."""

from headwise.readers.kinds import Kind, detect_kind
from headwise.readers.nouns import read_examples, read_judgements, read_preferences
from headwise.readers.result import BadRow, RawRow, ReadResult
from headwise.readers.sources import Source, SourceLike, open_source

__all__ = [
    "BadRow",
    "Kind",
    "RawRow",
    "ReadResult",
    "Source",
    "SourceLike",
    "detect_kind",
    "open_source",
    "read_examples",
    "read_judgements",
    "read_preferences",
]
