"""Rows of a long job: whole, each once, in order and the same bytes, however it was interrupted."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwise.errors import HeadwiseError, InputError
from headwise.jobs import (
    ResumableRows,
    encode_rows,
    even_spans,
    plain_row,
    spans_of_groups,
    stream_rows,
)

IDENTITY = {"artifact": "a", "input": "i"}


class Counting:
    """Doubles numbers, and remembers which it was asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, items: Sequence[int]) -> list[dict[str, object]]:
        self.asked += items
        # What is computed together shows in the row, as float noise of a batch would.
        return [{"n": n, "text": "é\u2028", "with": [items[0], items[-1]]} for n in items]


def job(path: Path, **changes: object) -> ResumableRows:
    return ResumableRows(path, IDENTITY, **changes)  # type: ignore[arg-type]


def uninterrupted(folder: Path, n_items: int, size: int) -> bytes:
    path = folder / "whole.jsonl"
    job(path).run(range(n_items), Counting(), spans=even_spans(n_items, size))
    return path.read_bytes()


def test_rows_come_in_order_each_once(tmp_path):
    report = job(tmp_path / "out.jsonl").run(range(150), Counting())
    rows = list(job(tmp_path / "out.jsonl").rows())
    assert [row["n"] for row in rows] == list(range(150))
    assert (report.n_rows, report.n_resumed) == (150, 0)


def test_a_file_cut_anywhere_is_finished_to_the_same_bytes(tmp_path):
    whole = uninterrupted(tmp_path, 3, 2)
    path = tmp_path / "whole.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        job(path).run(range(3), Counting(), spans=even_spans(3, 2))
        assert path.read_bytes() == whole, f"cut at byte {cut}"


def test_rows_that_are_there_are_not_computed_again(tmp_path):
    whole = uninterrupted(tmp_path, 9, 3)
    path = tmp_path / "out.jsonl"
    job(path).run(range(9), Counting(), spans=even_spans(9, 3))
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:6]))
    compute = Counting()
    report = job(path).run(range(9), compute, spans=even_spans(9, 3))
    assert compute.asked == [6, 7, 8]
    assert report.n_resumed == 6


def test_a_complete_job_computes_nothing(tmp_path):
    whole = uninterrupted(tmp_path, 5, 2)
    compute = Counting()
    report = job(tmp_path / "whole.jsonl").run(range(5), compute)
    assert compute.asked == []
    assert report.n_resumed == report.n_rows == 5
    assert (tmp_path / "whole.jsonl").read_bytes() == whole


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_again_and_again_it_ends_with_the_same_bytes(tmp_path):
    path = tmp_path / "out.jsonl"
    moments = np.random.default_rng(0)

    def slow(items: Sequence[int]) -> list[dict[str, object]]:
        time.sleep(0.001)
        return [*Counting()(items)]

    def run() -> None:
        job(path).run(range(400), slow, spans=even_spans(400, 5))

    whole = uninterrupted(tmp_path, 400, 5)
    n_killed = 0
    for _ in range(200):
        child = os.fork()
        if child == 0:
            run()
            os._exit(0)
        time.sleep(moments.uniform(0.0, 0.03))
        os.kill(child, signal.SIGKILL)
        n_killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        if path.exists() and path.read_bytes() == whole:
            break
    run()
    assert n_killed >= 3
    assert path.read_bytes() == whole


def test_after_a_failure_the_rows_before_it_are_kept(tmp_path):
    path = tmp_path / "out.jsonl"

    def failing(items: Sequence[int]) -> list[dict[str, object]]:
        if 4 in items:
            raise InputError("4 is bad")
        return Counting()(items)

    with pytest.raises(InputError, match="4 is bad") as caught:
        job(path).run(range(6), failing, spans=even_spans(6, 2))
    assert [row["n"] for row in job(path).rows()] == [0, 1, 2, 3]
    assert "4 of 6 rows" in caught.value.__notes__[0]


def test_a_full_disk_leaves_whole_rows(tmp_path):
    path = tmp_path / "out.jsonl"
    whole = uninterrupted(tmp_path, 6, 2)
    resource = pytest.importorskip("resource")
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2 + 5, len(whole) // 2 + 5))
        try:
            # The record beside the rows is small; the rows are what does not fit.
            job(path).run(range(6), Counting(), spans=even_spans(6, 2))
        except OSError as error:
            os._exit(7 if error.filename == str(path) else 8)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert whole.startswith(path.read_bytes())
    assert path.read_bytes().endswith(b"\n")
    job(path).run(range(6), Counting(), spans=even_spans(6, 2))
    assert path.read_bytes() == whole


def test_rows_of_another_job_are_left_alone(tmp_path):
    whole = uninterrupted(tmp_path, 4, 2)
    other = ResumableRows(tmp_path / "whole.jsonl", {**IDENTITY, "input": "other"})
    with pytest.raises(InputError, match=r"differs in input\..*--overwrite"):
        other.run(range(4), Counting())
    assert (tmp_path / "whole.jsonl").read_bytes() == whole


def test_a_file_of_somebody_else_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(InputError, match="--overwrite"):
        job(path).run(range(4), Counting())
    assert path.read_text() == "mine"


def test_overwrite_begins_anew(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("mine")
    job(path, overwrite=True).run(range(3), Counting())
    assert [row["n"] for row in job(path).rows()] == [0, 1, 2]


def test_an_empty_file_is_free_to_use(tmp_path):
    path = tmp_path / "out.jsonl"
    path.touch()
    assert job(path).run(range(3), Counting()).n_resumed == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0], b"scribble\n", *lines[2:]],
        lambda lines: [*lines, lines[-1]],
    ],
    ids=["a broken row in the middle", "a row too many"],
)
def test_a_changed_file_is_refused_not_cut(tmp_path, change):
    uninterrupted(tmp_path, 4, 2)
    path = tmp_path / "whole.jsonl"
    changed = b"".join(change(path.read_bytes().splitlines(keepends=True)))
    path.write_bytes(changed)
    with pytest.raises(InputError, match="the file was changed"):
        job(path).run(range(4), Counting())
    assert path.read_bytes() == changed


@pytest.mark.parametrize("where", ["missing/out.jsonl", "."])
def test_what_is_no_place_for_a_file_is_refused(tmp_path, where):
    with pytest.raises(InputError):
        job(tmp_path / where).run(range(2), Counting())


def test_two_runs_never_write_one_file(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "out.jsonl"

    def again(items: Sequence[int]) -> list[dict[str, object]]:
        with pytest.raises(HeadwiseError, match="Another run"):
            job(path).run(range(2), Counting())
        return Counting()(items)

    job(path).run(range(2), again)
    assert [row["n"] for row in job(path).rows()] == [0, 1]


def test_nan_never_gets_into_a_file(tmp_path):
    path = tmp_path / "out.jsonl"
    with pytest.raises(HeadwiseError, match="Row 1 "):
        job(path).run(range(2), lambda items: [{"reward": 0.5}, {"reward": math.nan}])
    assert path.read_bytes() == b""


def test_an_empty_job_makes_an_empty_file(tmp_path):
    assert job(tmp_path / "out.jsonl").run([], Counting()).n_rows == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_a_stream_gets_the_same_bytes_as_a_file(tmp_path):
    with (tmp_path / "stream").open("wb") as stream:
        stream_rows(stream, range(7), Counting(), spans=even_spans(7, 3))
    assert (tmp_path / "stream").read_bytes() == uninterrupted(tmp_path, 7, 3)


@given(
    prompts=st.lists(st.sampled_from("abcdefgh"), max_size=30),
    size=st.integers(min_value=1, max_value=8),
)
def test_chunks_hold_every_row_once_and_part_no_prompt(prompts, size):
    spans = spans_of_groups(prompts, size)
    assert [row for span in spans for row in span] == list(range(len(prompts)))
    chunks = [{prompts[row] for row in span} for span in spans]
    assert sum(map(len, chunks)) == len(set(prompts))


def test_chunks_of_sorted_prompts_stay_small():
    prompts = [f"prompt {number // 4}" for number in range(400)]
    assert max(len(span) for span in spans_of_groups(prompts, 64)) == 64


def test_odd_values_become_what_json_has():
    row = plain_row(
        {
            "day": date(2026, 1, 2),
            "price": Decimal("1.10"),
            "bytes": b"\x00\x01",
            "nested": [{"x": math.inf}, (1, None, True)],
            "number": math.nan,
            "text": "é",
        }
    )
    assert row.n_replaced == 2
    assert json.loads(encode_rows([row.values])) == {
        "day": "2026-01-02",
        "price": "1.10",
        "bytes": "AAE=",
        "nested": [{"x": None}, [1, None, True]],
        "number": None,
        "text": "é",
    }
