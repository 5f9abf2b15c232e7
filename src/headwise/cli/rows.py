"""Where the rows of `predict` and `score` go, and by what a job knows its own unfinished output."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypedDict

from headwise.cli.console import tell, warn
from headwise.cli.inputs import Item, ItemT, Line, Lines, image_error, require_jsonl_name
from headwise.content.ahead import decoding_ahead
from headwise.errors import InputError
from headwise.examples import images_of
from headwise.jobs import (
    JobReport,
    Prepare,
    ResumableRows,
    Row,
    encode_rows,
    stream_rows,
)

if TYPE_CHECKING:
    from headwise.artifacts import ArtifactRecord
    from headwise.methods.rewards_folder import RewardsRecord


@dataclass(frozen=True, slots=True)
class Target:
    """Where rows go.

    Args:
        out: A file; None for stdout.
        overwrite: Whether to replace what the file holds.
    """

    out: Path | None
    overwrite: bool

    @classmethod
    def checked(cls, out: Path | None, source: str, *, overwrite: bool, json: bool) -> Target:
        """Reads `--out`.

        Args:
            out: What was given.
            source: The input, which must not be written over.
            overwrite: Whether to replace what is there.
            json: Whether the figures go to stdout.

        Returns:
            The target.

        Raises:
            InputError: Rows and figures would both go to stdout, or the rows to the input, or the
                file is named as what it will not be.
        """
        if out is None or str(out) == "-":
            if json:
                raise InputError(
                    "--json prints the figures on stdout, so the rows need a file: -o OUT."
                )
            return cls(None, overwrite)
        require_jsonl_name(str(out))
        if out.is_dir():
            raise InputError(f"{out} is a folder; name a file for the rows.")
        if source != "-" and out.is_file() and Path(source).exists() and out.samefile(source):
            raise InputError(f"{out} is the input itself; name another file for the output.")
        return cls(out, overwrite)

    @property
    def is_resumable(self) -> bool:
        """Whether the rows go to a file, rather than to a pipe, a terminal or a device."""
        return self.out is not None and (self.out.is_file() or not self.out.exists())


@dataclass(frozen=True, slots=True)
class Written:
    """The rows of a command, once they are written.

    Args:
        report: How it went.
        rows: All rows, those of earlier runs included; may be gone through once.
    """

    report: JobReport
    rows: Iterable[Row]


def write_rows(
    target: Target,
    lines: Lines[ItemT],
    gains: Callable[[Sequence[ItemT]], Sequence[Row]],
    identity: Mapping[str, str],
    *,
    gained: Sequence[str],
    spans: Sequence[range] | None = None,
    description: str = "",
) -> Written:
    """Computes what rows gain, and writes the rows.

    Args:
        target: Where to.
        lines: The rows of the input.
        gains: Makes the columns that some rows gain.
        identity: What makes two jobs the same.
        gained: Names of those columns. Where an image of a row cannot be decoded, they are null
            and a column `error` says why, so that the other rows are not lost.
        spans: The chunks; all of one size where None.
        description: What to call the work in a progress bar; none where empty.

    Returns:
        The rows.

    Raises:
        InputError: The file holds anything but unfinished rows of this job.
        OSError: The rows cannot be written.
    """
    kept: list[Row] = []

    def compute(chunk: Sequence[Line[ItemT]]) -> list[Row]:
        found = _gains_or_errors([line.item for line in chunk], gains, gained)
        if not target.is_resumable:
            kept.extend(found)
        return [line.gaining(gain) for line, gain in zip(chunk, found, strict=True)]

    with decoding_ahead() as ahead:
        how: _Steps[ItemT] = {
            "spans": spans,
            "prepare": lambda chunk: ahead.want(i for line in chunk for i in images_of(line.item)),
            "description": description,
        }
        if target.out is not None and target.is_resumable:
            job = ResumableRows(target.out, identity, overwrite=target.overwrite)
            report = job.run(lines.lines, compute, **how)
            if report.n_resumed == report.n_rows and description:
                tell(f"{target.out} was complete already; nothing was computed.")
            return Written(report, job.rows())
        if target.out is None:
            report = stream_rows(sys.stdout.buffer, lines.lines, compute, **how)
        else:
            with target.out.open("wb") as device:
                report = stream_rows(device, lines.lines, compute, **how)
    return Written(report, kept)


class _Steps(TypedDict, Generic[ItemT]):
    spans: Sequence[range] | None
    prepare: Prepare[Line[ItemT]]
    description: str


def _gains_or_errors(
    items: Sequence[ItemT], gains: Callable[[Sequence[ItemT]], Sequence[Row]], gained: Sequence[str]
) -> Sequence[Row]:
    """What rows gain; those with an image that cannot be decoded gain the reason."""
    reasons: dict[int, str] = {}
    found: Sequence[Row] = ()
    while len(reasons) < len(items):
        sound = [row for row in range(len(items)) if row not in reasons]
        try:
            found = gains([items[row] for row in sound])
            break
        except InputError as error:
            blamed = {row: _blame(items[row], error) for row in sound}
            fresh = {row: reason for row, reason in blamed.items() if reason is not None}
            if not fresh:
                raise
            reasons |= fresh
    others, nothing = iter(found), dict.fromkeys(gained)
    return [
        {**nothing, "error": reasons[row]} if row in reasons else next(others)
        for row in range(len(items))
    ]


def _blame(item: Item, error: InputError) -> str | None:
    """Why an item's images cannot be used; None where the error is not of them."""
    # The end of a name, so that row 1 is not blamed for row 12.
    names = (rf"{re.escape(image.name)}(?!\w)" for image in images_of(item))
    if any(re.search(name, str(error)) for name in names):
        return str(error)
    return image_error(item)


def require_all(target: Target, n_failed: int, n_rows: int, *, skip_bad: bool) -> None:
    """Ends a command as failed where rows have an error in place of a result.

    Args:
        target: Where the rows went.
        n_failed: How many have an error.
        n_rows: Out of how many.
        skip_bad: Whether that is only warned of.

    Raises:
        InputError: There are some, and they were not to be skipped.
    """
    if not n_failed:
        return
    message = (
        f"{n_failed} of {n_rows} rows of {target.out or 'the output'} have an image that could not "
        "be decoded; their column `error` says why. All other rows are complete."
    )
    if not skip_bad:
        raise InputError(f"{message} --skip-bad makes this a warning.")
    warn(message)


def job_identity(
    record: ArtifactRecord | RewardsRecord,
    lines: Lines[ItemT],
    options: Mapping[str, str | bool | None],
) -> Mapping[str, str]:
    """What makes two jobs the same: the artifact, the input with its images, the options.

    Args:
        record: The artifact.
        lines: The input.
        options: Every option that can change a row.

    Returns:
        One text each, by name.
    """
    return {"artifact": record.content_hash, **input_identity(lines, options)}


def input_identity(
    lines: Lines[ItemT], options: Mapping[str, str | bool | None]
) -> Mapping[str, str]:
    """What makes two jobs without an artifact the same: the input with its images, the options.

    Args:
        lines: The input.
        options: Every option that can change a row.

    Returns:
        One text each, by name.
    """
    identity = {
        "input": hashlib.sha256(encode_rows(line.values for line in lines.lines)).hexdigest(),
        "options": json.dumps(options, sort_keys=True),
    }
    # A file may change and keep its name.
    digests = [[image.digest for image in images_of(line.item)] for line in lines.lines]
    if any(digests):
        identity["images"] = hashlib.sha256(json.dumps(digests).encode()).hexdigest()
    return identity
