"""Differential fuzzing of the framing: what the service makes of broken requests, with stock h11 as the judge.

`python -m tests.attack.framing --requests 100000 --seed 1` sends random requests over random segments, reads every
answer to the end of its connection and compares with how h11 frames the same bytes. Prints the disagreements, each kind
with a case that was shrunk and can be added to cases.json, and where the service is stricter; exits with 1 if there was
a disagreement.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import h11

from api.tests.wire import Answer, iterate
from tests.attack.generator import Case, Message, generate
from tests.attack.judge import Reading, Request, Verdict, compare, read
from tests.attack.service import ROOT, serving

CONNECTIONS = 256
CASE_SECONDS = 20.0
PAUSE_SECONDS = 0.0005
BUSY_SECONDS = 0.1
SHRINKING_SECONDS = 20
"""For each kind of disagreement."""
SETTINGS = {
    "HEAD_SECONDS": "2",  # a case that waits for the server to close must end soon
    "BODY_SECONDS": "2",
    "IDLE_SECONDS": "2",
    "KEEP_ALIVE_SECONDS": "5",  # more than a head may take: that is what ends a slow one
    "MAX_STREAMS": "1000",
    "MAX_STREAMS_PER_CALLER": "1000",
    "LOG_LEVEL": "error",
}
NO_ANSWER = Answer(0, {}, b"")
_SEMANTIC_HEADERS = (b"content-type", b"content-encoding")


async def exchange(port: int, case: Case) -> tuple[bytes, bool]:
    """Send a case on a new connection; return all that comes back, and whether the server reset the connection.

    Raises TimeoutError if that does not end.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_send(writer, case))
    received, was_reset = bytearray(), False
    try:
        async with asyncio.timeout(CASE_SECONDS):
            while chunk := await reader.read(65536):
                received += chunk
    except ConnectionError:
        was_reset = True
    finally:
        sending.cancel()
        writer.close()
    return bytes(received), was_reset


async def _send(writer: asyncio.StreamWriter, case: Case) -> None:
    with contextlib.suppress(OSError):  # the server has closed
        for segment in case.segments:
            writer.write(segment)
            await asyncio.sleep(PAUSE_SECONDS if case.cuts else 0)
        if case.half_close:
            writer.write_eof()


@dataclass
class Judge:
    """Sends cases to a service and says what differs from h11."""

    port: int
    _references: dict[bytes, asyncio.Task[Answer]] = field(default_factory=dict)

    async def judge(self, case: Case) -> Verdict:
        """Send a case and compare; where the service has more to do than it can, send it again."""
        reading = read(case.data)
        try:
            stream, was_reset = await exchange(self.port, case)
        except TimeoutError:
            return Verdict("the connection stays open")
        if was_reset and reading.surplus:  # closing on unread bytes may take an answer back
            return Verdict(stricter="reset at what follows the last request")
        answers, broken = parse_answers(stream, reading)
        if was_reset and len(answers) > len(reading.requests) and not _says_its_length(answers[-1]):
            answers, broken = answers[:-1], True
        if any(answer.status == 503 for answer in answers):
            await asyncio.sleep(BUSY_SECONDS)
            return await self.judge(case)
        references = [await self._reference(request) for request in reading.requests[: len(answers)]]
        return compare(reading, references, answers, broken=broken)

    async def _reference(self, request: Request) -> Answer:
        """Return the answer to the same request if it is sent alone, with a length, in one segment."""
        headers = [(name, value) for name, value in request.headers if name in _SEMANTIC_HEADERS]
        lines = [b"%s %s HTTP/1.1" % (request.method, request.target), b"host: x", b"x-request-id: reference"]
        lines += [b"%s: %s" % header for header in headers]
        lines += [b"content-length: %d" % len(request.body), b"connection: close", b"", b""]
        data = b"\r\n".join(lines) + request.body
        if data not in self._references:
            self._references[data] = asyncio.create_task(self._answer(data, request.method))
        return await self._references[data]

    async def _answer(self, data: bytes, method: bytes) -> Answer:
        while True:
            stream, _ = await exchange(self.port, Case((Message((data,)),), half_close=False))
            try:
                answer = next(iterate(stream, [method]), NO_ANSWER)
            except h11.RemoteProtocolError:
                return NO_ANSWER
            if answer.status != 503:
                return answer
            await asyncio.sleep(BUSY_SECONDS)


def parse_answers(stream: bytes, reading: Reading) -> tuple[list[Answer], bool]:
    """Return whole answers, and whether half an answer follows."""
    answers: list[Answer] = []
    try:
        answers.extend(iterate(stream, reading.methods))
    except h11.RemoteProtocolError:
        return answers, True
    return answers, False


def _says_its_length(answer: Answer) -> bool:
    return b"content-length" in answer.headers or b"transfer-encoding" in answer.headers


@dataclass
class Kind:
    """How often something was found, and the shortest case of it."""

    example: Case
    count: int = 0

    def note(self, case: Case) -> None:
        """Count a case."""
        self.count += 1
        if len(case.data) < len(self.example.data):
            self.example = case


@dataclass
class Findings:
    """What a run found, by kind."""

    disagreements: dict[str, Kind] = field(default_factory=dict)
    stricter: dict[str, Kind] = field(default_factory=dict)
    requests: int = 0

    def note(self, case: Case, verdict: Verdict) -> None:
        """Count a case; of those where the service is stricter, by what is odd about it if that is one thing."""
        self.requests += len(case.messages)
        if verdict.disagreement:
            self.disagreements.setdefault(verdict.disagreement, Kind(case)).note(case)
        elif verdict.stricter:
            faults = {fault for message in case.messages for fault in message.faults}
            what = f"{verdict.stricter}: {faults.pop() if len(faults) == 1 else 'several faults'}"
            self.stricter.setdefault(what, Kind(case)).note(case)


async def attack(port: int, requests: int, seed: int, findings: Findings) -> None:
    """Send about as many requests on some connections at a time."""
    judge = Judge(port)
    numbers = iter(range(requests))

    async def work() -> None:
        for number in numbers:
            if findings.requests >= requests:
                return
            case = generate(Random(f"{seed}/{number}"), number)
            findings.note(case, await judge.judge(case))

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def shrink(port: int, case: Case, disagreement: str) -> Case:
    """Return a smaller case with the same disagreement."""
    judge = Judge(port)
    deadline = time.monotonic() + SHRINKING_SECONDS
    shrinking = True
    while shrinking:
        shrinking = False
        for smaller in _smaller(case):
            if time.monotonic() > deadline:
                return case
            if (await judge.judge(smaller)).disagreement == disagreement:
                case, shrinking = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Yield cases with less in them: a message, the cuts, a line of a head, a body."""
    messages = case.messages
    for place in reversed(range(len(messages))):
        if len(messages) > 1:
            yield replace(case, messages=messages[:place] + messages[place + 1 :], cuts=())
    if case.cuts:
        yield replace(case, cuts=())
        yield replace(case, cuts=case.cuts[::2])
    if not case.half_close:
        yield replace(case, half_close=True)
    for place, message in enumerate(messages):
        for simpler in _simpler(message):
            yield replace(case, messages=(*messages[:place], simpler, *messages[place + 1 :]))


def _simpler(message: Message) -> Iterator[Message]:
    for line in range(1, len(message.lines) - 1):
        yield replace(message, lines=message.lines[:line] + message.lines[line + 1 :])
    if message.body:
        yield replace(message, body=b"")
        yield replace(message, body=message.body[: len(message.body) // 2])


def as_data(case: Case, name: str) -> dict[str, object]:
    """Return a case as it stands in cases.json."""
    segments = [segment.decode("latin-1") for segment in case.segments]
    return {"name": name, "segments": segments, "half_close": case.half_close}


def report(port: int, findings: Findings) -> None:
    """Print what was found."""
    for title, kinds in (("stricter than h11", findings.stricter), ("disagreements", findings.disagreements)):
        print(f"\n{title}: {sum(kind.count for kind in kinds.values()):,} cases")
        for what, kind in sorted(kinds.items(), key=lambda item: -item[1].count):
            print(f"  {kind.count:6,}  {what}")
            if kinds is findings.disagreements:
                example = asyncio.run(shrink(port, kind.example, what))
                print(f"          {json.dumps(as_data(example, what))}")
            elif not what.endswith("several faults"):
                print(f"          such as {bytes(kind.example.messages[0])[:200]!r}")


def logged_errors(log: Path) -> Counter[str]:
    """Return the errors that a service has logged, by message and kind."""
    errors = Counter[str]()
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = {"message": line}
        errors[" ".join(str(entry[name]) for name in ("message", "error") if name in entry).strip()] += 1
    return errors


def main() -> None:
    """Attack the service, print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    findings = Findings()
    with serving(ROOT / "build/attack/framing.log", SETTINGS) as service:
        started = time.monotonic()
        asyncio.run(attack(service.port, arguments.requests, arguments.seed, findings))
        print(f"{findings.requests:,} requests in {time.monotonic() - started:.0f} s, seed {arguments.seed}")
        errors = logged_errors(service.log)
        report(service.port, findings)
        ended = service.process.poll()
    print(f"\nerrors in the log: {errors.total()}")
    for message, count in errors.most_common():
        print(f"  {count:6,}  {message[:200]}")
    if ended is not None:
        print(f"the service ended with {ended}")
    sys.exit(bool(findings.disagreements) or bool(errors) or ended is not None)


if __name__ == "__main__":
    main()
