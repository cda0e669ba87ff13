"""The process's server: uvicorn that drains before it ends and closes slow connections. Knows no route."""

import signal
import time
from types import FrameType

import uvicorn

from api.server.guard import Guard
from api.server.protocol import GuardedProtocol


class Server(uvicorn.Server):
    """On SIGTERM: not ready at once, new work still taken for a while, then an orderly end. Ctrl-C: the end at once."""

    def __init__(self, config: uvicorn.Config, guard: Guard, *, drain_seconds: float) -> None:
        super().__init__(config)
        self._guard = guard
        self._drain_seconds = drain_seconds
        self._end_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Start to drain at the first SIGTERM; anything else ends it."""
        if sig == signal.SIGTERM and not self._guard.draining:
            self._guard.draining = True
            self._end_at = time.monotonic() + self._drain_seconds
            self._captured_signals.append(sig)
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is time to end; once a second, who is too slow."""
        if self._end_at is not None and time.monotonic() >= self._end_at:
            self.should_exit = True
        if counter % 10 == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, GuardedProtocol):
                    connection.sweep(connection.loop.time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """End: no connection is kept open after its answer."""
        self._guard.draining = True
        await super().shutdown(sockets)  # type: ignore[arg-type]
