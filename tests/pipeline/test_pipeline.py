"""The pipeline: what it promotes, refuses and accepts, what a kill at any point leaves, and how answers are traced."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from api.tests.postgresql import PostgreSQL
from model.__main__ import app
from model.classifier import Shape
from model.config import read_config
from model.data.ingest.sources import hash_file
from model.data.snapshots import hash_manifest, newest_snapshot, snapshots
from model.errors import PipelineError, TraceError
from model.pipeline.chain import run_pipeline
from model.pipeline.job import Settings
from model.pipeline.runs import Result, Run, Runs, Status
from model.registry.store import Store
from model.training import Progress
from tests.attack.service import ROOT, serving
from tests.pipeline.commands import Workplace
from tests.pipeline.kills import end_state
from tests.pipeline.names import read_parts, write_csv

PARTS = read_parts(("Czech", "Italian", "Polish"), 400, 60)
RUN = "20301231T000000Z"


class _Listener:
    """Keeps what the pipeline reports."""

    def __init__(self) -> None:
        self.worked: list[str] = []
        self.ended_with: list[Result] = []

    def waiting(self) -> None:
        pass

    def opened(self, run: Run) -> None:
        pass

    @contextmanager
    def working(self, verb: str) -> Iterator[Progress | None]:
        self.worked.append(verb)
        yield None

    def ended(self, result: Result) -> None:
        self.ended_with.append(result)


def _settings(place: Workplace) -> Settings:
    shape, training = read_config(place.store.parent / "config.toml")
    return Settings(place.store, place.data, place.drops, shape=shape, training=training)


def _run(place: Workplace, run_id: str | None = None, step: str | None = None) -> _Listener:
    listener = _Listener()
    run_pipeline(_settings(place), listener, run_id=run_id, step=step)
    return listener


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A workplace with a champion, in which fresh names lie that no run has taken."""
    place = Workplace(tmp_path_factory.mktemp("pipeline") / "origin")
    write_csv(place.drops / "base.csv", PARTS.base)
    _run(place)
    write_csv(place.drops / "fresh.csv", PARTS.fresh)
    return place


@pytest.fixture(scope="module")
def judged(origin: Workplace, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The same with fresh names judged, and a bundle trained on them that no store has."""
    place = origin.copy(tmp_path_factory.mktemp("pipeline") / "judged")
    for step in ("ingest", "validate"):
        _run(place, RUN, step)
    trained = place.copy(tmp_path_factory.mktemp("pipeline") / "trained")
    _run(trained, RUN, "train")
    version = Runs(trained.store).open(RUN).facts("train")["version"]
    shutil.copytree(trained.store / version, place.store / "runs" / RUN / "bundle")
    return place


@pytest.fixture
def place(origin: Workplace, tmp_path: Path) -> Workplace:
    return origin.copy(tmp_path / "place")


def _command(place: Workplace, *options: str) -> int:
    """Run the command line in this process; return its exit code."""
    return app([*place.command[3:], *options], standalone_mode=False) or 0


def test_fresh_names_become_champion_and_are_taken_once(judged: Workplace, tmp_path: Path) -> None:
    place = judged.copy(tmp_path / "place")
    listener = _run(place)
    assert listener.worked == ["train", "evaluate", "gate", "promote"]
    assert all(result.status is Status.DONE for result in listener.ended_with)
    champion = Store(place.store).champion()
    assert champion == listener.ended_with[-1].facts["version"]
    snapshot = newest_snapshot(place.data)
    data = json.loads((place.store / champion / "metadata.json").read_text())["data"] if champion else {}
    assert snapshot and data["snapshot"] == snapshot.name and data["names"] == 1380
    assert not list(place.store.glob("runs/*/bundle"))
    assert snapshot.name in (place.store / str(champion) / "report" / "MODEL_CARD.md").read_text()
    before = place.contents()
    again = _run(place)
    assert [result.status for result in again.ended_with] == [Status.UNCHANGED]
    assert place.contents() == before
    assert len(list((place.store / "runs").glob("*/"))) == 2  # a run that finds nothing leaves nothing


def test_a_refused_drop_changes_nothing_is_not_looked_at_again_and_holds_up_no_other(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    (place.drops / "fresh.csv").unlink()
    write_csv(place.drops / "a.csv", [*PARTS.fresh, *((name, "Polski") for name in PARTS.more["Polish"][:3])])
    (place.drops / "b.csv").write_bytes(b"\x00\x01\x02" * 100)
    before = place.contents()
    assert _command(place) == 3
    said = capsys.readouterr().out
    assert "b.csv is a binary file" in said and "Polski has 3 (is it Polish?)" in said
    assert place.contents() == before
    assert not (place.data / ".candidates").exists()
    assert _command(place) == 0
    assert "Nothing new" in capsys.readouterr().out


def test_what_stands_beside_lists_comes_with_them(place: Workplace) -> None:
    (place.drops / "fresh.csv").unlink()
    os.mkfifo(place.drops / "pipe.csv")  # would block whoever reads it
    (place.drops / "given_names").mkdir()
    (place.drops / "given_names" / "Polish.txt").write_text("Zofia\n")
    alone = _run(place, RUN, "ingest")
    assert alone.ended_with[-1].status is Status.REFUSED and "goes with lists" in str(alone.ended_with[-1].reason)
    fresh = "".join(f"{name}\n" for name, label in PARTS.fresh if label == "Polish")
    for folder in (place.drops, place.drops / "whole"):
        (folder / "names").mkdir(parents=True)
        (folder / "names" / "Polish.txt").write_text(fresh, encoding="utf-8")
    shutil.copytree(place.drops / "given_names", place.drops / "whole" / "given_names")
    facts = _run(place, f"{RUN}-2", "ingest").ended_with[-1].facts
    drops = [(Path(drop["location"]).name, drop["added"], drop["known"]) for drop in facts["drops"]]
    assert drops == [("names", 60, 0), ("whole", 0, 0)]  # the same lists once more
    candidate = place.data / ".candidates" / f"{RUN}-2" / facts["snapshot"]
    assert (candidate / "given_names" / "Polish.txt").read_text() == "Zofia\n"


def test_a_second_pipeline_says_that_it_waits(place: Workplace) -> None:
    with Runs(place.store).working(lambda: None):
        second = subprocess.Popen(place.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert second.stderr and "waiting for its end" in second.stderr.readline()
        second.terminate()
        second.communicate()


def test_what_a_person_accepts_is_trained_on_and_the_reason_kept(place: Workplace) -> None:
    (place.drops / "fresh.csv").unlink()
    write_csv(place.drops / "more.csv", [(name, "Italian") for name in PARTS.more["Italian"][:320]])
    assert _command(place) == 3
    assert _command(place, "--accept", "we had few Italian names") == 0
    *_, last = Store(place.store).history()
    assert (last.event, last.reason) == ("promoted", "data accepted: we had few Italian names")
    validated = Runs(place.store).all()[-1].facts("validate")
    assert validated["accepted"] == "we had few Italian names"
    assert [finding["check"] for finding in validated["findings"]] == ["label flooded"]


def test_steps_are_run_one_by_one_in_order(origin: Workplace, place: Workplace) -> None:
    with pytest.raises(PipelineError, match="ingest has not ended in run here; run it before train"):
        _run(place, "here", "train")
    assert _run(place, "here", "ingest").worked == ["ingest"]
    assert _run(place, "here", "ingest").worked == []
    assert snapshots(place.data) == [place.data / path.name for path in snapshots(origin.data)]  # not judged yet
    assert _run(place, "here", "validate").worked == ["validate"]
    assert len(snapshots(place.data)) == 2
    with pytest.raises(PipelineError, match="cannot name a run"):
        _run(place, "../there", "ingest")


def test_names_that_are_known_already_are_looked_at_once(place: Workplace) -> None:
    (place.drops / "fresh.csv").rename(place.drops / "fresh.csv.part")
    write_csv(place.drops / "known.csv", PARTS.base[:50])
    (looked,) = _run(place).ended_with
    assert looked.status is Status.UNCHANGED and [drop["snapshot"] for drop in looked.facts["drops"]] == [None]
    (again,) = _run(place).ended_with
    assert again.status is Status.UNCHANGED and not again.facts["drops"]


def test_a_drop_that_grows_while_it_is_read_is_left_for_the_next_try(place: Workplace) -> None:
    (place.drops / "fresh.csv").rename(place.drops / "fresh.csv.part")
    assert [result.status for result in _run(place).ended_with] == [Status.UNCHANGED]


def test_a_champion_that_came_meanwhile_is_compared_with(judged: Workplace, tmp_path: Path) -> None:
    place = judged.copy(tmp_path / "place")
    for step in ("train", "evaluate", "gate"):
        _run(place, RUN, step)
    store, champion = Store(place.store), Store(place.store).champion()
    assert champion
    (place.store / "current").write_text(f"{'0' * 12}\n")
    with pytest.raises(PipelineError, match="became champion meanwhile"):
        _run(place, RUN, "promote")
    (place.store / "current").write_text(f"{champion}\n")
    assert _run(place, RUN).worked == ["gate", "promote"]
    assert store.champion() != champion


def test_a_kill_until_the_names_are_judged_leaves_nothing_behind(
    origin: Workplace, judged: Workplace, tmp_path: Path, kill_at: Callable[..., bool]
) -> None:
    expected = _snapshot_names(judged)

    def act() -> None:
        for step in ("ingest", "validate"):
            _run(place, RUN, step)

    step = 0
    place = origin.copy(tmp_path / str(step))
    while kill_at(step, act):
        act()
        assert _snapshot_names(place) == expected
        assert not (place.data / ".candidates").exists()
        shutil.rmtree(tmp_path / str(step))
        step += 2
        place = origin.copy(tmp_path / str(step))
    assert step > 20


def _snapshot_names(place: Workplace) -> list[dict[str, str]]:
    return [{path.name: path.read_text() for path in (one / "names").iterdir()} for one in snapshots(place.data)]


def test_a_kill_after_the_training_leaves_what_no_kill_does(
    judged: Workplace, tmp_path: Path, kill_at: Callable[..., bool]
) -> None:
    unkilled = judged.copy(tmp_path / "unkilled")
    _run(unkilled)
    expected, step = end_state(unkilled), 0
    place = judged.copy(tmp_path / str(step))
    while kill_at(step, partial(_run, place)):
        _run(place)
        assert end_state(place) == expected
        shutil.rmtree(tmp_path / str(step))
        step += 7
        place = judged.copy(tmp_path / str(step))
    assert step > 30


def test_watching_survives_what_is_in_the_way_and_ends_on_sigterm(place: Workplace) -> None:
    place.drops.rename(place.drops.with_name("elsewhere"))
    with subprocess.Popen([*place.command, "--watch", "1"], stderr=subprocess.PIPE, text=True) as watching:
        try:
            assert watching.stderr
            lines = [watching.stderr.readline() for _ in range(2)]
            watching.send_signal(signal.SIGTERM)
            assert watching.wait(timeout=30) == 0
        finally:
            watching.kill()
    assert [line.split("Failures so far: ")[1].strip() for line in lines] == ["1.", "2."]


def test_a_version_that_falls_short_is_recorded_once_whatever_was_killed(origin: Workplace, place: Workplace) -> None:
    settings = _settings(place)
    weak = replace(settings, shape=Shape("rnn", hidden_size=2), training=replace(settings.training, epochs=1))
    assert run_pipeline(weak, _Listener(), run_id=RUN) is Status.REFUSED
    (place.store / "runs" / RUN / "gate.json").unlink()  # as a kill between the ledger and the result leaves it
    assert run_pipeline(weak, _Listener(), run_id=RUN) is Status.REFUSED
    assert [entry.event for entry in Store(place.store).history()] == ["added", "promoted", "added", "refused"]
    assert Store(place.store).champion() == Store(origin.store).champion()


@pytest.mark.parametrize(
    "options",
    [["--accept", " "], ["--watch", "5", "--run", "x"], ["--config", "missing.toml"], ["--step", "deploy"]],
)
def test_wrong_usage_has_an_exit_code_of_its_own(place: Workplace, options: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        app([*place.command[3:], *options])
    assert raised.value.code == 2


def test_a_plain_folder_of_names_is_trained_on_once(origin: Workplace, tmp_path: Path) -> None:
    place = origin.copy(tmp_path / "place")
    names = next(iter(snapshots(origin.data))) / "names"
    settings = replace(_settings(place), data=shutil.copytree(names, tmp_path / "names"), drops=None)
    listener = _Listener()
    run_pipeline(settings, listener)
    assert listener.ended_with[-1].verb == "gate"  # the weights are those of the champion
    assert listener.ended_with[-1].status is Status.UNCHANGED
    again = _Listener()
    run_pipeline(settings, again)
    assert again.worked == ["ingest"]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    server = PostgreSQL()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _ask(store: Path, folder: Path, **settings: str) -> None:
    """Have a real service answer two names of request `traced` from a store, and write them to its log."""
    with serving(
        folder / "service.log", {"BUNDLE_DIR": str(store), "REQUEST_LOG_DIR": str(folder), **settings}
    ) as service:
        request = urllib.request.Request(
            f"http://127.0.0.1:{service.port}/v1/predict",
            data=json.dumps({"names": ["Novak", "Rossi"]}).encode(),
            headers={"content-type": "application/json", "x-request-id": "traced"},
        )
        urllib.request.urlopen(request, timeout=30).close()


def test_an_answer_is_traced_to_its_snapshot(
    origin: Workplace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _ask(origin.store, tmp_path)
    command = ["trace", "traced", "--store", str(origin.store), "--outbox", str(tmp_path / "request_log.sqlite")]
    app([*command, "--json"], standalone_mode=False)
    traced = json.loads(capsys.readouterr().out)
    (run,), (snapshot,) = Runs(origin.store).all(), snapshots(origin.data)
    assert [(found["route"], found["items"]) for found in traced["request"]] == [("/v1/predict", 2)]
    (version,) = traced["versions"]
    assert (version["version"], version["role"]) == (Store(origin.store).champion(), "champion")
    assert (version["run"], version["data"]["snapshot"]) == (run.id, snapshot.name)
    assert version["is_verified"] and version["data"]["manifest_sha256"] == hash_manifest(snapshot)
    assert [Path(source["location"]).name for source in version["sources"]] == ["base.csv"]
    assert version["sources"][0]["sha256"] == hash_file(origin.drops / "base.csv")
    assert version["git_commit"] == run.facts("train")["git_commit"]
    app(command, standalone_mode=False)
    told = capsys.readouterr().out
    assert f"run       {run.id}" in told and f"{snapshot.name}: 1200 names" in told and "unchanged" in told
    with pytest.raises(TraceError, match="No answered item of this request"):
        app([command[0], "unknown", *command[2:]], standalone_mode=False)
    with pytest.raises(TraceError, match="holds what no request's does"):
        app([command[0], os.fsdecode(b"a\xff"), *command[2:]], standalone_mode=False)


def test_an_answer_is_traced_in_the_database_it_was_shipped_to(
    origin: Workplace, tmp_path: Path, postgresql: PostgreSQL, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgresql.url(postgresql.new_database())
    environment = os.environ | {"NAME_CLASSIFIER_DATABASE_URL": url}
    subprocess.run([sys.executable, "-m", "api.request_log", "migrate"], env=environment, check=True, cwd=ROOT)
    _ask(origin.store, tmp_path, DATABASE_URL=url)  # ships what waits before it ends
    options = ["--store", str(origin.store), "--outbox", str(tmp_path / "none"), "--database", url, "--json"]
    app(["trace", "traced", *options], standalone_mode=False)
    (version,) = json.loads(capsys.readouterr().out)["versions"]
    assert version["version"] == Store(origin.store).champion()
    with pytest.raises(TraceError, match=r"PostgreSQL cannot be read \(OperationalError\)"):
        app(
            ["trace", "traced", *options[:-3], "--database", "postgresql+psycopg://a:secret@127.0.0.1:9/b"],
            standalone_mode=False,
        )


def test_a_version_is_traced_without_a_log_and_to_data_that_is_gone_or_changed(
    place: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    version, (snapshot,) = Store(place.store).champion(), snapshots(place.data)
    assert version
    app(["trace", version, "--store", str(place.store), "--data", "elsewhere"], standalone_mode=False)
    assert "not there any more" in capsys.readouterr().out
    manifest = snapshot / "manifest.json"
    manifest.write_text(manifest.read_text().replace("base.csv", "other.csv"))
    app(["trace", version, "--store", str(place.store), "--data", str(place.data)], standalone_mode=False)
    assert "changed since" in capsys.readouterr().out
