"""The process's event loop: asyncio's own, made fair, so that thousands of busy connections do not keep out a new one.

asyncio reads from all that are ready before it looks again, and a new connection needs four looks: under overload, a
second each. uvloop accepts one connection a look. Here a look takes what is new, and only then a few of the others.
"""

import asyncio
import math
import select
from collections.abc import Mapping
from contextlib import suppress
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector, DefaultSelector, SelectorKey
from typing import Any

_MOST_AT_ONCE = 64


class FairLoop(asyncio.SelectorEventLoop):
    """An event loop that can be told which connections are no longer new."""

    def __init__(self) -> None:
        self._fair = FairSelector() if hasattr(select, "epoll") else None  # elsewhere no probes are at stake
        super().__init__(self._fair or DefaultSelector())

    def put_behind(self, fd: int) -> None:
        """Let a connection wait for its turn behind those that are new."""
        if self._fair:
            self._fair.put_behind(fd)


class FairSelector(BaseSelector):
    """An epoll for what is new and one for the others, which take turns: the kernel sees to that, see epoll_wait(2)."""

    def __init__(self) -> None:
        self._keys: dict[int, SelectorKey] = {}
        self._new, self._others = select.epoll(), select.epoll()
        self._epoll_of: dict[int, select.epoll] = {}
        self._others.register(self._new.fileno(), select.EPOLLIN)  # who waits for the others waits for all

    def register(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:  # noqa: ANN401 - as in the base
        """Watch a file; it counts as new."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        if fd in self._keys:
            raise KeyError(fd)
        self._new.register(fd, _flags(events))
        self._epoll_of[fd] = self._new
        self._keys[fd] = SelectorKey(fileobj, fd, events, data)
        return self._keys[fd]

    def modify(self, fileobj: Any, events: int, data: Any = None) -> SelectorKey:  # noqa: ANN401 - as in the base
        """Watch a file for other events; it stays new or not."""
        key = self.get_key(fileobj)
        self._epoll_of[key.fd].modify(key.fd, _flags(events))
        self._keys[key.fd] = key._replace(events=events, data=data)
        return self._keys[key.fd]

    def unregister(self, fileobj: Any) -> SelectorKey:  # noqa: ANN401 - as in the base
        """Watch a file no more."""
        key = self.get_key(fileobj)
        del self._keys[key.fd]
        with suppress(OSError):  # closed before, which the kernel has noticed
            self._epoll_of.pop(key.fd).unregister(key.fd)
        return key

    def put_behind(self, fd: int) -> None:
        """Count a file among the others."""
        key = self._keys.get(fd)
        if key and self._epoll_of[fd] is self._new:
            self._new.unregister(fd)
            self._others.register(fd, _flags(key.events))
            self._epoll_of[fd] = self._others

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Wait until something is ready, at most so many seconds; return some of what is new and of the others."""
        ready = self._new.poll(0, _MOST_AT_ONCE)
        if ready or (timeout is not None and timeout <= 0):
            wait: float | None = 0
        else:
            wait = None if timeout is None else math.ceil(timeout * 1e3) * 1e-3  # at least as long, in whole ms
        ready += self._others.poll(wait, _MOST_AT_ONCE)
        found = [(self._keys.get(fd), _events(flags)) for fd, flags in ready]
        return [(key, events & key.events) for key, events in found if key]

    def get_map(self) -> Mapping[Any, SelectorKey]:
        """Return the keys by number of the file; the loop knows files by nothing else."""
        return self._keys

    def close(self) -> None:
        """Close both epolls."""
        self._new.close()
        self._others.close()


def _flags(events: int) -> int:
    return (select.EPOLLIN if events & EVENT_READ else 0) | (select.EPOLLOUT if events & EVENT_WRITE else 0)


def _events(flags: int) -> int:
    # An error or a hang-up is an event for who reads and for who writes.
    return (EVENT_READ if flags & ~select.EPOLLOUT else 0) | (EVENT_WRITE if flags & ~select.EPOLLIN else 0)
