"""The command line in a process of its own, forked so that torch need not be imported again."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from headwise.cli.main import run


@dataclass(frozen=True, slots=True)
class Finished:
    """How a process ended.

    Args:
        exit_code: Its exit code; negative where a signal ended it.
        stdout: What it wrote to stdout, where that was not sent elsewhere.
        stderr: What it wrote to stderr.
    """

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Running:
    """A process under way.

    Args:
        pid: Its number.
        stdout: The file its stdout goes to.
        stderr: The file its stderr goes to.
    """

    pid: int
    stdout: Path
    stderr: Path

    def kill(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self.pid, number)

    def wait(self) -> Finished:
        """Waits for the end."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return Finished(code, self.stdout.read_text(), self.stderr.read_text())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Waits until something is so; fails where it takes too long."""
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, self.stderr.read_text()
            time.sleep(0.001)


def start(
    folder: Path,
    *arguments: object,
    stdin: Path = Path(os.devnull),
    stdout: Path | int | None = None,
    before: Callable[[], object] = lambda: None,
) -> Running:
    """Starts `headwise` with some arguments.

    Args:
        folder: Where the files of its output go.
        arguments: The arguments.
        stdin: What it reads.
        stdout: Where stdout goes, a path or a file descriptor; a file in the folder where None.
        before: Called in the new process first.

    Returns:
        The process.
    """
    out, err = folder / "stdout.txt", folder / "stderr.txt"
    for file in (out, err):
        file.write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Running(pid, out, err)
    try:
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        os.dup2(stdout if isinstance(stdout, int) else os.open(stdout or out, os.O_WRONLY), 1)
        os.dup2(os.open(err, os.O_WRONLY | os.O_APPEND), 2)
        os.closerange(3, 256)
        _be_headwise(arguments, before)
    finally:
        os._exit(99)


def _be_headwise(arguments: tuple[object, ...], before: Callable[[], object]) -> None:
    """As a fresh interpreter would run it: streams of its own, and a last flush of stdout."""
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    sys.argv = ["headwise", *map(str, arguments)]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 0
    try:
        before()
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 98
    try:
        sys.stdout.flush()
    except OSError:
        code = 120  # What Python exits with after "Exception ignored ... BrokenPipeError".
    sys.stderr.flush()
    os._exit(code)
