"""A `headwise serve` in a process of its own, watched from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Self

_STARTUP_SECONDS = 300.0


class ServerProcess:
    """A server on a free port of this machine.

    Args:
        arguments: What follows `headwise serve`.
        log: Where its logs go.
        port: Its port; a free one where None.
    """

    def __init__(self, arguments: Sequence[str], log: Path, port: int | None = None) -> None:
        self.port = port or _free_port()
        self._arguments = [*arguments, "--port", str(self.port), "--log-level", "warning"]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._running.pid

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("The server was not started.")
        return self._process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_up:
            self._running.terminate()
            try:
                self._running.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def start(self) -> None:
        """Starts it and waits until it takes requests.

        Raises:
            RuntimeError: It ended, or is not ready in time.
        """
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "headwise", "serve", *self._arguments],
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, "HF_HUB_OFFLINE": "1"},
            )
        deadline = time.monotonic() + _STARTUP_SECONDS
        while not self._is_ready():
            if not self.is_up or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start:\n{self._log.read_text()[-2_000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kills it with SIGKILL."""
        self._running.kill()
        self._running.wait()

    def resident_bytes(self) -> int:
        """Memory that it holds."""
        for line in Path(f"/proc/{self.pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("The system does not say how much memory a process holds.")

    def figure(self, name: str) -> float:
        """The sum of a figure of `/metrics` over its labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:  # noqa: S310
            lines = answer.read().decode().splitlines()
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
