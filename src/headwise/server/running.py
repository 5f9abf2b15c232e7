"""Runs the application, and lets it finish what it accepted before it ends."""

from __future__ import annotations

import logging
import time
from types import FrameType

import uvicorn
from fastapi import FastAPI

from headwise.server.gate import Gate
from headwise.server.logs import LOGGER, log_to_stderr

log = logging.getLogger(LOGGER)

_LONGEST_DRAIN = 120.0
# A load balancer or client that was about to send should still hear a refusal, not a closed port.
_SHORTEST_DRAIN = 0.5


class DrainingServer(uvicorn.Server):
    """uvicorn that, asked to end, first answers what it accepted and refuses what is new.

    A second signal ends it at once.

    Args:
        config: uvicorn's.
        gate: Counts requests under way, and refuses new ones.
    """

    def __init__(self, config: uvicorn.Config, gate: Gate) -> None:
        super().__init__(config)
        self._gate = gate
        self._since: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called on SIGTERM and SIGINT."""
        if self._since is None:
            self._since = time.monotonic()
            self._gate.is_draining = True
        else:
            self.should_exit = True
            self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; ends the server once nothing is under way."""
        if self._since is not None and not self.should_exit:
            waited = time.monotonic() - self._since
            is_idle = self._gate.under_way == 0 and waited >= _SHORTEST_DRAIN
            self.should_exit = is_idle or waited >= _LONGEST_DRAIN
        return await super().on_tick(counter)


def run(app: FastAPI, host: str, port: int, *, log_level: str = "info") -> None:
    """Serves until a signal ends it.

    Args:
        app: The application.
        host: The address to listen at.
        port: The port; 0 for any that is free.
        log_level: The least level that is logged.
    """
    log_to_stderr(log_level)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64 * 1024,
    )
    DrainingServer(config, app.state.gate).run()
