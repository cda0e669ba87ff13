"""The event loop: nobody who is new waits for all who are not, and nobody waits forever."""

import asyncio
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from selectors import EVENT_READ, EVENT_WRITE

import pytest

from api.server.loop import FairLoop, FairSelector

pytestmark = pytest.mark.skipif(not hasattr(select, "epoll"), reason="epoll is Linux's")
N_BUSY = 300


@pytest.fixture
def selector() -> Iterator[FairSelector]:
    with FairSelector() as selector:
        yield selector


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    """One end of each pair; each has a byte to read."""
    with ExitStack() as stack:
        pairs = [socket.socketpair() for _ in range(N_BUSY + 1)]
        for pair in pairs:
            for end in pair:
                stack.enter_context(end)
            pair[1].send(b"x")
        yield [pair[0] for pair in pairs]


def ready(selector: FairSelector) -> set[int]:
    return {key.fd for key, _ in selector.select(0)}


def test_what_is_new_does_not_wait_for_the_others_and_these_take_turns(
    selector: FairSelector, sockets: list[socket.socket]
) -> None:
    *busy, new = (one.fileno() for one in sockets)
    for fd in busy:
        selector.register(fd, EVENT_READ)
        selector.put_behind(fd)
    selector.register(new, EVENT_READ)
    seen: set[int] = set()
    turns = 0
    while not seen >= set(busy):  # all stay ready: nobody reads
        found = ready(selector)
        assert new in found
        assert len(found) < N_BUSY / 2
        seen |= found
        turns += 1
        assert turns < 10


def test_waiting_ends_for_a_new_one_and_for_another(selector: FairSelector) -> None:
    for behind in (False, True):
        one, other = socket.socketpair()
        with one, other:
            selector.register(one, EVENT_READ, "data")
            if behind:
                selector.put_behind(one.fileno())
            assert selector.select(0.001) == []
            other.send(b"x")
            found = [key for _ in range(2) for key, _ in selector.select(5)]
            assert {(key.fd, key.data) for key in found} == {(one.fileno(), "data")}
            selector.unregister(one.fileno())
            assert not ready(selector)


def test_other_events_may_be_asked_for_and_a_closed_file_forgotten(selector: FairSelector) -> None:
    one, other = socket.socketpair()
    with other:
        selector.register(one.fileno(), EVENT_READ)
        selector.put_behind(one.fileno())
        selector.modify(one.fileno(), EVENT_READ | EVENT_WRITE, "data")
        assert [(key.data, events) for key, events in selector.select(5)] == [("data", EVENT_WRITE)]
        other.close()
        assert [events for _, events in selector.select(5)] == [EVENT_READ | EVENT_WRITE]
        fd = one.fileno()
        one.close()
        selector.unregister(fd)
        with pytest.raises(KeyError):
            selector.get_key(fd)
        selector.put_behind(fd)  # gone meanwhile: nothing to do


def test_a_loop_with_busy_connections_answers_a_new_one_in_a_few_turns(sockets: list[socket.socket]) -> None:
    """Those that are always ready run once a round; until the new one is served, only a part of a round passes."""
    loop = FairLoop()
    *busy, new = sockets
    runs = 0

    def count() -> None:
        nonlocal runs
        runs += 1

    async def serve_the_new_one() -> int:
        for one in busy:
            loop.add_reader(one, count)
            loop.put_behind(one.fileno())
        await asyncio.sleep(0)
        before = runs
        served = asyncio.Event()
        loop.add_reader(new, served.set)
        await served.wait()
        return runs - before

    try:
        assert loop.run_until_complete(serve_the_new_one()) < N_BUSY
    finally:
        loop.close()
