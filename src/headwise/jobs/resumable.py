"""A file of rows that grows by whole chunks, and goes on where a killed run stopped.

Beside the file stands `FILE.headwise.json`, which says what the job was, so that rows of two jobs
never end up in one file.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from headwise.errors import HeadwiseError, InputError
from headwise.jobs.chunks import even_spans
from headwise.jobs.plain_rows import Row, encode_rows
from headwise.jobs.report import JobReport
from headwise.jobs.stream import Compute, Prepare, announced, rows_of
from headwise.progress import progress_bar

T = TypeVar("T")

_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class ResumableRows:
    """A file of rows that grows by whole chunks and can be gone on with after any interruption.

    Args:
        path: The file; beside it `PATH.headwise.json` says which job it belongs to.
        identity: What makes two jobs the same, such as hashes of model and input, by name.
        overwrite: Whether to begin anew where the file holds something already.
    """

    path: Path
    identity: Mapping[str, str]
    overwrite: bool = False

    @property
    def record_path(self) -> Path:
        """The file that says which job the rows belong to."""
        return self.path.with_name(f"{self.path.name}.headwise.json")

    def run(
        self,
        items: Sequence[T],
        compute: Compute[T],
        *,
        spans: Sequence[range] | None = None,
        prepare: Prepare[T] | None = None,
        description: str = "",
    ) -> JobReport:
        """Computes and appends the rows that are still missing.

        A chunk is written in one piece and is on the disk before the next one is begun. Chunks are
        the same however often the job is interrupted, so an interrupted job gives the same bytes.

        Args:
            items: All items of the job, those done before included.
            compute: Makes the rows of some items that follow each other.
            spans: The chunks, from the first item to the last; `even_spans` where None.
            prepare: Is told of each chunk that is still missing before it is computed.
            description: What to call the work in a progress bar; no bar where empty.

        Returns:
            How many rows there are and how long it took.

        Raises:
            InputError: The file holds rows of another job, or no rows at all.
            HeadwiseError: A row cannot be written as JSON, or another run writes the same file.
            OSError: The file cannot be written; what it holds is whole rows.
        """
        chunks = even_spans(len(items)) if spans is None else spans
        with self._opened(len(items)) as file:
            done = before = self._whole_rows(file, len(items))
            started = time.perf_counter()
            try:
                with progress_bar(description, len(items), enabled=bool(description)) as bar:
                    bar.advance(before)
                    missing = [span for span in chunks if span.stop > done]
                    for span in announced(items, missing, prepare):
                        rows = rows_of(items, compute, span)[done - span.start :]
                        self._append(file, encode_rows(rows, first=done))
                        bar.advance(span.stop - done)
                        done = span.stop
            except BaseException as error:
                if done:
                    error.add_note(
                        f"{done} of {len(items)} rows are in {self.path}; run the same again to "
                        "go on from there."
                    )
                raise
            seconds = time.perf_counter() - started
            self._write_record(len(items), complete=True)
        return JobReport(len(items), before, seconds)

    def rows(self) -> Iterator[Row]:
        """The rows in the file, in order.

        Yields:
            Each row.

        Raises:
            OSError: The file cannot be read.
        """
        with self.path.open("rb") as file:
            for line in file:
                yield json.loads(line)

    @contextmanager
    def _opened(self, n_items: int) -> Iterator[BinaryIO]:
        if self.path.exists() and not self.path.is_file():
            raise InputError(f"{self.path} is no file that rows can be appended to; name a file.")
        if not self.path.parent.is_dir():
            raise InputError(f"There is no folder {self.path.parent}; make it, or name another.")
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            _lock(file, self.path)
            self._claim(file, n_items)
            yield file

    def _claim(self, file: BinaryIO, n_items: int) -> None:
        """Makes sure that the file is this job's, or nobody's."""
        if self.overwrite:
            file.truncate(0)
        if os.fstat(file.fileno()).st_size:
            self._require_same_job()
        else:
            self._write_record(n_items, complete=False)

    def _require_same_job(self) -> None:
        way_out = "Name another file, or replace it: --overwrite (in Python: overwrite=True)."
        recorded = self._recorded_identity()
        if recorded is None:
            raise InputError(
                f"{self.path} exists, and is not the unfinished output of a headwise command. "
                f"{way_out}"
            )
        names = sorted({*recorded, *self.identity})
        differing = [name for name in names if recorded.get(name) != self.identity.get(name)]
        if differing:
            raise InputError(
                f"{self.path} holds rows of another job, which differs in {', '.join(differing)}. "
                f"{way_out}"
            )

    def _recorded_identity(self) -> Mapping[str, object] | None:
        try:
            recorded = json.loads(self.record_path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        identity = recorded.get("identity") if isinstance(recorded, dict) else None
        return identity if isinstance(identity, dict) else None

    def _write_record(self, n_items: int, *, complete: bool) -> None:
        record = {
            "format_version": _FORMAT_VERSION,
            "identity": dict(self.identity),
            "n_rows": n_items,
            "complete": complete,
        }
        unfinished = self.record_path.with_name(f"{self.record_path.name}.new")
        with unfinished.open("wb") as file:
            file.write(f"{json.dumps(record, indent=2)}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.record_path)

    def _append(self, file: BinaryIO, content: bytes) -> None:
        """Writes a chunk and waits until it is on the disk; takes back what cannot be finished."""
        start = file.tell()
        left = memoryview(content)
        try:
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except BaseException as error:
            with suppress(OSError):
                file.truncate(start)
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(self.path)
            raise

    def _whole_rows(self, file: BinaryIO, n_items: int) -> int:
        """Counts the rows there are, and cuts off what a killed run left behind them."""
        done, end, torn_at = 0, 0, 0
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not _is_row(line):
                    torn_at = torn_at or number
                elif torn_at:
                    raise InputError(
                        f"{self.path}:{torn_at} is no row, but rows follow it: the file was "
                        "changed. Replace it with --overwrite (in Python: overwrite=True)."
                    )
                else:
                    done, end = done + 1, end + len(line)
        if done > n_items:
            raise InputError(
                f"{self.path} has {done} rows, but the job has {n_items}: the file was changed. "
                "Replace it with --overwrite (in Python: overwrite=True)."
            )
        file.truncate(end)
        file.seek(end)
        return done


def _is_row(line: bytes) -> bool:
    try:
        return line.endswith(b"\n") and isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _lock(file: BinaryIO, path: Path) -> None:
    """Keeps a second run off the file; the lock ends with the process, however that ends."""
    try:
        import fcntl
    except ImportError:  # Windows, where a second run is not noticed.
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HeadwiseError(
            f"Another run is writing {path} at this moment. Wait for it, or name another file."
        ) from None
    except OSError:  # Some network file systems have no locks.
        return
