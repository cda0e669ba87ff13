"""uvicorn's server with a drain before its end and a sweep of slow connections."""

import asyncio
import logging
import signal
from types import FrameType

import uvicorn

from api.lifecycle import Lifecycle
from api.server.protocol import Connection, disconnect_slowest_readers

logger = logging.getLogger("api")


class Server(uvicorn.Server):
    """On SIGTERM: not ready at once, new work is still taken for a while, then an orderly end. Ctrl-C: the end."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain first at the first SIGTERM; end at anything else."""
        drain = sig == signal.SIGTERM and not self._lifecycle.draining and self._drain_seconds > 0
        grace = self.config.timeout_graceful_shutdown or 0
        self._lifecycle.drain(grace + (self._drain_seconds if drain else 0))
        if drain and self._loop is not None:
            end = super().handle_exit
            self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_seconds, end, sig, frame)
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Once a second, close the connections of slow clients."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            host = f"[{self.config.host}]" if ":" in self.config.host else self.config.host
            logger.info("listening on http://%s:%d; Ctrl-C stops", host, self.config.port)
        if counter % 10 == 0:
            now = self._loop.time()
            connections = [found for found in self.server_state.connections if isinstance(found, Connection)]
            for connection in connections:
                connection.sweep(now)
            disconnect_slowest_readers(connections)
        return await super().on_tick(counter)
