"""Files, standard input and Hub datasets -> the nouns of `headwise.examples`."""

from headwise.readers.nouns import read_examples, read_judgements, read_preferences
from headwise.readers.result import BadRow, RawRow, ReadResult
from headwise.readers.sources import Kind, Source, detect_kind, open_source

__all__ = [
    "BadRow",
    "Kind",
    "RawRow",
    "ReadResult",
    "Source",
    "detect_kind",
    "open_source",
    "read_examples",
    "read_judgements",
    "read_preferences",
]
