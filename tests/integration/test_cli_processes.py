"""The command line as the system sees it: killed, interrupted, piped, on a full disk."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import EXAMPLES, PAIRS, done, failed, headwise, read_jsonl, write_jsonl
from forked import start

resource = pytest.importorskip("resource")  # What has it can fork as well.

N_ROWS = 1_500


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """More rows than are done in an instant."""
    rows = [{"n": n, "text": f"animal {n} naps", "label": "cats"} for n in range(N_ROWS)]
    return write_jsonl(tmp_path_factory.mktemp("many") / "many.jsonl", rows)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, classifier_folder, many):
    """What an uninterrupted run writes for them."""
    out = tmp_path_factory.mktemp("whole") / "whole.jsonl"
    done("predict", classifier_folder, many, "-o", out)
    return out.read_bytes()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.jsonl"


def is_begun(out: Path, whole: bytes) -> bool:
    """Whether some chunks are done, so that one at least is past any doubt."""
    return out.exists() and out.stat().st_size > len(whole) // 5


def test_killed_at_any_moment_it_ends_with_the_same_bytes(
    tmp_path, classifier_folder, many, whole, out
):
    arguments = ("predict", classifier_folder, many, "-o", out)
    moments = np.random.default_rng(0)
    sizes, latest = [0], 0.4
    for _ in range(40):
        process = start(tmp_path, *arguments)
        time.sleep(moments.uniform(0.05, latest))
        process.kill(signal.SIGKILL)
        process.wait()
        content = out.read_bytes() if out.exists() else b""
        assert whole.startswith(content)
        if len(content) > sizes[-1]:
            sizes.append(len(content))
        else:
            # A machine that does other work takes longer to begin.
            latest *= 1.2
        if content == whole or len(sizes) > 5:
            break
    assert len(sizes) > 2, "no kill fell into the writing"
    process = start(tmp_path, *arguments, "--json")
    finished = process.wait()
    assert finished.exit_code == 0, finished.stderr
    assert out.read_bytes() == whole
    assert [row["n"] for row in read_jsonl(out)] == list(range(N_ROWS))
    assert json.loads(finished.stdout)["labelled_rows"] == N_ROWS


def test_an_interrupt_is_told_in_words_and_gone_on_with(
    tmp_path, classifier_folder, many, whole, out
):
    process = start(tmp_path, "predict", classifier_folder, many, "-o", out)
    process.wait_for(lambda: is_begun(out, whole))
    process.kill(signal.SIGINT)
    finished = process.wait()
    assert finished.exit_code == 130
    assert finished.stderr.startswith("Interrupted.\n")
    assert f"of {N_ROWS} rows are in {out}" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert out.read_bytes() != whole
    done("predict", classifier_folder, many, "-o", out)
    assert out.read_bytes() == whole


def test_a_reader_that_leaves_ends_the_run_without_a_fuss(tmp_path, classifier_folder, many):
    reading, writing = os.pipe()
    process = start(tmp_path, "predict", classifier_folder, many, stdout=writing)
    os.close(writing)
    assert os.read(reading, 20)
    os.close(reading)
    finished = process.wait()
    assert finished.exit_code == 1
    assert "closed it before the end" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "BrokenPipe" not in finished.stderr


def test_a_full_disk_leaves_whole_rows_and_is_gone_on_with(
    tmp_path, classifier_folder, many, whole, out
):
    limit = len(whole) // 3

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    finished = start(tmp_path, "predict", classifier_folder, many, "-o", out, before=fill).wait()
    assert finished.exit_code == 1
    assert str(out) in finished.stderr
    assert "go on from there" in finished.stderr
    assert "Traceback" not in finished.stderr
    left = out.read_bytes()
    assert left
    assert whole.startswith(left)
    assert left.endswith(b"\n")
    done("predict", classifier_folder, many, "-o", out)
    assert out.read_bytes() == whole


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_device_is_told(tmp_path, classifier_folder, many, model_folder):
    message = failed(1, "predict", classifier_folder, many, "-o", "/dev/full")
    assert "No space left on device" in message
    finished = start(tmp_path, "predict", classifier_folder, many, stdout=Path("/dev/full")).wait()
    assert finished.exit_code == 1
    assert "No space left on device" in finished.stderr
    train = write_jsonl(tmp_path / "train.jsonl", EXAMPLES)
    arguments = ("-o", tmp_path / "fitted", "--model", model_folder)
    finished = start(
        tmp_path, "fit", "classifier", train, *arguments, stdout=Path("/dev/full")
    ).wait()
    assert finished.exit_code == 1
    assert "Traceback" not in finished.stderr
    done("predict", tmp_path / "fitted", many)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no files")
def test_a_folder_that_cannot_be_written_is_told_before_the_model_is_loaded(
    tmp_path, classifier_folder, many
):
    train = write_jsonl(tmp_path / "train.jsonl", EXAMPLES)
    elsewhere = ("--model", "no/such-model")
    assert "/proc" in failed(1, "fit", "classifier", train, "-o", "/proc/fitted", *elsewhere)
    assert "/proc" in failed(1, "predict", classifier_folder, many, "-o", "/proc/rows", *elsewhere)


def test_two_runs_do_not_mix_their_rows(tmp_path, classifier_folder, many, whole, out):
    process = start(tmp_path, "predict", classifier_folder, many, "-o", out)
    process.wait_for(lambda: is_begun(out, whole))
    result = headwise("predict", classifier_folder, many, "-o", out)
    assert process.wait().exit_code == 0
    assert result.exit_code == 1
    assert "Another run" in result.stderr
    assert out.read_bytes() == whole


def test_scores_and_fits_leave_stdout_to_results(tmp_path, scalar_folder, model_folder):
    pairs = write_jsonl(tmp_path / "pairs.jsonl", PAIRS)
    finished = start(tmp_path, "score", scalar_folder, "-", stdin=pairs).wait()
    assert [json.loads(line)["prompt"] for line in finished.stdout.splitlines()] == [
        pair["prompt"] for pair in PAIRS
    ]
    arguments = ("fit", "reward", pairs, "-o", tmp_path / "judge", "--model", model_folder)
    arguments = (*arguments, "--criterion", "Good.", "--epochs", 2, "--json")
    finished = start(tmp_path, *arguments).wait()
    assert json.loads(finished.stdout)["pairs"] == len(PAIRS)
    assert finished.stderr == ""


def test_help_is_fast_because_torch_is_not_loaded():
    code = (
        "import sys; from headwise.cli.main import run; sys.argv = ['headwise', *sys.argv[1:]]\n"
        "try: run()\n"
        "finally: assert not {'torch', 'transformers', 'numpy'} & set(sys.modules)"
    )
    for arguments in ([], ["--help"], ["fit", "classifier", "--help"], ["score", "-h"]):
        result = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert "Usage" in result.stdout + result.stderr
        assert "AssertionError" not in result.stderr


@pytest.mark.parametrize(
    "command",
    [("fit", "classifier"), ("fit", "reward"), ("predict",), ("score",), ("inspect",)],
    ids=" ".join,
)
def test_every_command_shows_an_example_of_itself(command):
    text = " ".join(done(*command, "--help").stdout.split())
    assert f"Example: headwise {' '.join(command)} " in text


def test_the_version_is_told():
    import headwise

    assert done("--version").stdout == f"headwise {headwise.__version__}\n"


def test_from_the_shell_it_works_as_in_tests(tmp_path, classifier_folder, many, whole):
    command = shlex.join([sys.executable, "-m", "headwise", "predict", str(classifier_folder), "-"])
    result = subprocess.run(  # noqa: S602 - the shell's own pipe is what is tried
        f"{command} < {shlex.quote(str(many))} | head -n 3",
        shell=True,
        capture_output=True,
        check=False,
        timeout=120,
        # As many threads as tests have: another number of them adds up in another order.
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.stdout == b"".join(whole.splitlines(keepends=True)[:3])
    assert b"Traceback" not in result.stderr
    assert b"Exception ignored" not in result.stderr
