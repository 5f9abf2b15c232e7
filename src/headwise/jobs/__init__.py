"""Long jobs: rows are written as they are finished, and a killed job goes on where it stopped."""

from headwise.jobs.chunks import CHUNK_ROWS, even_spans, spans_of_groups
from headwise.jobs.plain_rows import PlainRow, Row, encode_rows, plain_row
from headwise.jobs.report import JobReport
from headwise.jobs.resumable import ResumableRows
from headwise.jobs.stream import Compute, Prepare, stream_rows

__all__ = [
    "CHUNK_ROWS",
    "Compute",
    "JobReport",
    "PlainRow",
    "Prepare",
    "ResumableRows",
    "Row",
    "encode_rows",
    "even_spans",
    "plain_row",
    "spans_of_groups",
    "stream_rows",
]
