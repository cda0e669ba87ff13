"""Half the sustainable load for a long time while models are swapped under it; each answer is checked.

Run `python benchmarks/serving/soak.py [--seconds 1440] [--swaps 288]`; prints a line a minute, then what it comes to,
and ends with 1 if an answer was wrong or missing. Sustainable is what 16 connections get that never wait. The load is
a mix of all that users ask (see questions.MIX), and goes on until the last swap is served: 300 of them take seven
minutes, because the service looks for a new model once a second.
"""

import argparse
import asyncio
import random
import re
import shutil
import statistics
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field, replace

from conversation import Conversation
from names import read_names
from probing import percentile
from processes import CLIENT_CORE, count_files, count_threads, on_core, resident_bytes
from questions import Oracle, Question, agrees, choose, make_questions
from servers import BUILD, ROOT, SERVICE, Running, running

from model.artifacts import read_bundle, write_bundle
from model.registry.store import Store

SECONDS = 24 * 60
SECONDS_PER_SWAP = 5
CONNECTIONS = 16
CALIBRATION_SECONDS = 10
WARM_SECONDS = 180
PATIENCE_SECONDS = 60
TEMPERATURES = {"a" * 12: 0.8, "b" * 12: 1.0, "c" * 12: 1.25}
_HEADINGS = ("minute", "requests", "errors", "wrong", "swaps", "MiB", "p50 ms", "p99 ms", "files", "threads")


@dataclass
class Period:
    """What was seen in a minute."""

    times: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


@dataclass
class Soak:
    """A load that goes on, and what it sees."""

    port: int
    questions: dict[str, list[Question]]
    store: Store
    periods: list[Period] = field(default_factory=lambda: [Period()])
    by_kind: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    awaited: str = ""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    async def load(self, per_second: float | None) -> None:
        """Ask from all connections until `ended`, at a rate or without a pause."""
        await asyncio.gather(*(self._ask_on(number, per_second) for number in range(CONNECTIONS)))

    async def _ask_on(self, number: int, per_second: float | None) -> None:
        conversation, rng = Conversation(self.port), random.Random(number)  # noqa: S311 - the same load in every run
        pause = CONNECTIONS / per_second if per_second else 0.0
        due = time.monotonic() + rng.random() * pause
        while not self.ended:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._ask_once(conversation, choose(self.questions, rng))
            due = max(due + pause, time.monotonic() - 1)  # after a standstill, no flood
        conversation.close()

    async def _ask_once(self, conversation: Conversation, question: Question) -> None:
        period, started = self.periods[-1], time.monotonic()
        try:
            reply = await conversation.ask(question.request)
        except (OSError, EOFError, TimeoutError) as error:
            self._complain("error", f"{question.kind}: {type(error).__name__}")
            return
        period.times.append(time.monotonic() - started)
        self.by_kind[question.kind] += 1
        version = reply.headers.get("x-model-version", "")
        if reply.status != 200:
            self._complain("error", f"{question.kind}: {reply.status} {reply.body[:200]!r}")
        elif version not in TEMPERATURES or not agrees(question, version, reply.body):
            self._complain("wrong", f"{question.kind}: not what version {version!r} answers")
        elif version == self.awaited:
            self.arrived.set()

    def _complain(self, outcome: str, sentence: str) -> None:
        self.periods[-1].outcomes[outcome] += 1
        self.complaints.append(sentence)

    async def swap(self, count: int, seconds: float) -> None:
        """Promote one version after the other, evenly over some seconds, and each only once the last is served."""
        versions, started = list(TEMPERATURES), time.monotonic()
        for number in range(1, count + 1):
            await asyncio.sleep(max(0.0, started + number * seconds / (count + 1) - time.monotonic()))
            version, before = versions[number % len(versions)], versions[(number - 1) % len(versions)]
            self.awaited, self.arrived = version, asyncio.Event()
            await asyncio.to_thread(self.store.promote, version, instead_of=before)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.arrived.wait()
            self.periods[-1].outcomes["swap"] += 1


def make_store() -> Store:
    """Return a store of the shipped bundle at several temperatures, the first of them champion."""
    place = BUILD / "soak"
    shutil.rmtree(place, ignore_errors=True)
    store, bundle = Store(place / "store"), read_bundle(ROOT / "artifacts")
    for version, temperature in TEMPERATURES.items():
        metadata = bundle.metadata.model_copy(update={"version": version, "temperature": temperature})
        write_bundle(place / version, metadata, bundle.files)
        store.add(place / version)
    store.promote(next(iter(TEMPERATURES)), instead_of=None)
    return store


async def soak(process: Running, work: Soak, swaps: int, seconds: int) -> list[tuple[float, int]]:
    """Find the rate, load and swap; print a line a minute; return resident bytes by second."""
    calibration = replace(work, periods=[Period()], by_kind=Counter())
    calibrating = asyncio.create_task(calibration.load(None))
    await asyncio.sleep(CALIBRATION_SECONDS)
    calibration.ended = True
    await calibrating
    sustainable = len(calibration.periods[0].times) / CALIBRATION_SECONDS
    print(f"sustainable {sustainable:,.0f}/s, so {sustainable / 2:,.0f}/s for {seconds} s and {swaps} swaps")
    print(" ".join(f"{heading:>8}" for heading in _HEADINGS))
    load = asyncio.create_task(work.load(sustainable / 2))
    swapping = asyncio.create_task(work.swap(swaps, seconds))
    resident, started = [], time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds or not swapping.done():
        if elapsed >= 60 * len(work.periods):
            _print_period(process, work)
            work.periods.append(Period())
        resident.append((elapsed, resident_bytes(process.process.pid)))
        await asyncio.sleep(1)
    work.ended = True
    await load
    await swapping
    _print_period(process, work)
    return resident


def _print_period(process: Running, work: Soak) -> None:
    period, pid = work.periods[-1], process.process.pid
    times = sorted(period.times) or [0.0]
    row = (
        len(work.periods),
        len(period.times),
        period.outcomes["error"],
        period.outcomes["wrong"],
        period.outcomes["swap"],
        round(resident_bytes(pid) / 2**20),
        f"{1000 * percentile(times, 50):.1f}",
        f"{1000 * percentile(times, 99):.1f}",
        count_files(pid),
        count_threads(pid),
    )
    print(" ".join(f"{cell:>8}" for cell in row), flush=True)


def print_summary(process: Running, work: Soak, resident: list[tuple[float, int]]) -> None:
    """Print what the whole run comes to."""
    outcomes = sum((period.outcomes for period in work.periods), Counter[str]())
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in work.by_kind.most_common())
    print(f"answers: {work.by_kind.total():,} ({kinds}); errors {outcomes['error']}, wrong {outcomes['wrong']}")
    with urllib.request.urlopen(f"http://127.0.0.1:{process.port}/metrics") as answer:
        reloads = dict(re.findall(r'model_reloads_total\{outcome="(\w+)"\} (\d+)', answer.read().decode()))
    print(f"swaps: {outcomes['swap']} promoted and served; by its own count the service made {reloads}")
    last = resident[-1][0]
    warm = [size for at, size in resident if at >= min(WARM_SECONDS, last / 2)]
    ends = [statistics.mean(part) / 2**20 for part in (warm[:10], warm[-10:])]
    print(f"resident MiB: {ends[0]:.1f} after {min(WARM_SECONDS, last / 2):.0f} s, {ends[1]:.1f} at the end,", end=" ")
    print(f"largest {max(size for _, size in resident) / 2**20:.1f}")
    for sentence in work.complaints[:10]:
        print(sentence)


def main() -> None:
    """Soak the service."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--swaps", type=int, help=f"one in {SECONDS_PER_SWAP} s if left out")
    arguments = parser.parse_args()
    swaps = arguments.seconds // SECONDS_PER_SWAP if arguments.swaps is None else arguments.swaps
    store = make_store()
    oracles = {version: Oracle(read_bundle(store.folder(version))) for version in TEMPERATURES}
    questions = make_questions(read_names(), oracles)
    service = replace(SERVICE, environment={**SERVICE.environment, "NAME_CLASSIFIER_BUNDLE_DIR": str(store.path)})
    with running(service) as process, on_core(CLIENT_CORE):
        work = Soak(process.port, questions, store)
        print_summary(process, work, asyncio.run(soak(process, work, swaps, arguments.seconds)))
    sys.exit(bool(work.complaints))


if __name__ == "__main__":
    main()
