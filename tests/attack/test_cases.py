"""Cases that once were framed wrongly, here or elsewhere: h11 judges the answers, and their statuses are as listed."""

import asyncio
import json
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tests.attack.framing import SETTINGS, Judge, exchange, logged_errors, parse_answers
from tests.attack.generator import Case, Message
from tests.attack.judge import read
from tests.attack.service import Service, serving

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("cases.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(tmp_path_factory.mktemp("attack") / "log", SETTINGS) as running:
        yield running
        assert not logged_errors(running.log)


@pytest.mark.parametrize("data", CASES, ids=lambda data: data["name"])
def test_a_case_is_framed_as_h11_frames_it(service: Service, data: dict[str, Any]) -> None:
    segments = [segment.encode("latin-1") for segment in data["segments"]]
    cuts = tuple(accumulate(map(len, segments)))[:-1]
    case = Case((Message((b"".join(segments),)),), cuts, half_close=data.get("half_close", True))
    stream, _ = asyncio.run(exchange(service.port, case))
    answers, broken = parse_answers(stream, read(case.data))
    assert not broken
    if "answers" in data:
        assert [answer.status for answer in answers] == data["answers"]
    verdict = asyncio.run(Judge(service.port).judge(case))
    assert not verdict.disagreement
