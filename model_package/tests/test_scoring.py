"""Every row of a table comes back scored or refused by its number, once, whatever kills the run that does it."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from math import exp
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from model import Predictor
from model.__main__ import app
from model.data.ingest.dialects import Dialect
from model.errors import DataError, ModelError
from model.registry.store import Store
from model.scoring import scoring, spans
from model.scoring.delimited_input import DelimitedInput
from model.scoring.inputs import Columns
from model.scoring.scorer import Options
from model.scoring.scoring import Scored, Settings

NAMES = ["Rossini", "Kovalski", "Dalton", "Müller", "Иванов", "山田", "O’Brien", "qxzvw", "Rossini"]
ROWS = [{"id": str(i), "name": name} for i, name in enumerate(NAMES)]
Row = dict[str, Any]
Run = Callable[..., Scored]


@pytest.fixture(scope="module")
def predictor(exported: Path) -> Predictor:
    return Predictor.load(exported)


@pytest.fixture
def run(exported: Path, tmp_path: Path) -> Run:
    """Scores a file of the given content, in this process."""

    def score(content: bytes | str, name: str = "in.csv", output: str = "out.csv", **options: Any) -> Scored:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        settings = Settings(
            exported,
            Columns(**{key: options.pop(key) for key in ("text", "has_header", "encoding") if key in options}),
            restart=options.pop("restart", False),
            options=Options(**options),
        )
        return scoring.score(str(tmp_path / name), str(tmp_path / output), settings)

    return score


def _csv(rows: list[Row] | list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([list(rows[0]), *(row.values() for row in rows)] if isinstance(rows[0], dict) else rows)  # type: ignore[union-attr]
    return text.getvalue()


def _parquet(rows: list[Row], row_group_size: int = 4) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(rows), file, row_group_size=row_group_size)
    return file.getvalue()


def _read(path: Path, delimiter: str = ",") -> list[Row]:
    """Return rows with None for what is empty, and numbers where they were written."""
    if path.suffix == ".parquet":
        return parquet.read_table(path).to_pylist()
    if path.suffix == ".ndjson":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    text = path.read_text(encoding="utf-8-sig")
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".tsv" else delimiter)
    return [
        {key: float(value) if "prob" in key and value else value or None for key, value in row.items()} for row in rows
    ]


def _expect(predictor: Predictor, row: Row, width: int = 3, name: str = "name", **options: Any) -> Row:
    (prediction,) = predictor.predict([row[name]], min(width, len(predictor.labels)), **options)
    labels = [*prediction.labels, *[None] * (width - len(prediction.labels))]
    values = [*map(exp, prediction.log_probs), *[None] * (width - len(prediction.labels))]
    ranks = range(1, width + 1)
    return (
        row
        | dict(zip((f"label_{rank}" for rank in ranks), labels, strict=True))
        | dict(zip((f"probability_{rank}" for rank in ranks), values, strict=True))
        | {"abstained": prediction.abstained}
    )


def _agree(rows: list[Row], expected: list[Row]) -> None:
    assert [list(row) for row in rows] == [list(row) for row in expected]
    for row, wanted in zip(rows, expected, strict=True):
        assert row == {key: pytest.approx(x, abs=1e-6) if isinstance(x, float) else x for key, x in wanted.items()}


KINDS = {
    "in.csv": _csv(ROWS),
    "in.tsv": _csv(ROWS, "\t"),
    "in.ndjson": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS),
    "in.parquet": _parquet(ROWS),
}


@pytest.mark.parametrize("suffix", ["csv", "tsv", "ndjson", "parquet"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_every_kind(
    *, run: Run, predictor: Predictor, tmp_path: Path, kind: str, suffix: str
) -> None:
    result = run(KINDS[kind], kind, f"out.{suffix}")
    expected = [_expect(predictor, row) for row in ROWS]
    _agree(_read(tmp_path / f"out.{suffix}"), expected)
    n_abstained = sum(row["abstained"] is not None for row in expected)
    assert (result.counts.scored, result.counts.abstained, result.rejected) == (9, n_abstained, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([kind, f"out.{suffix}"])


@pytest.mark.parametrize(
    "content",
    [
        _csv(ROWS, ";"),
        _csv(ROWS, "|"),
        "sep=;\r\n" + _csv(ROWS, ";"),
        _csv(ROWS).replace("\r\n", "\r").replace("id,", " ID ,"),
        _csv(ROWS).replace("id,name", "id, Name "),
        _csv(ROWS).encode("utf-8-sig"),
        _csv(ROWS).encode("utf-16"),
        _csv(ROWS)[:30].encode("cp1252"),
    ],
    ids=["semicolon", "bar", "declared", "old Mac", "case", "mark", "UTF-16", "windows-1252"],
)
def test_the_dialect_and_the_encoding_are_found_out(
    run: Run, predictor: Predictor, tmp_path: Path, content: str | bytes
) -> None:
    result = run(content, output="out.ndjson", top_k=1)
    rows = [{key.strip().lower(): value for key, value in row.items()} for row in _read(tmp_path / "out.ndjson")]
    _agree(rows, [_expect(predictor, row, 1) for row in ROWS[: len(rows)]])
    assert result.counts.scored == len(rows) >= 2


def test_a_csv_keeps_its_delimiter_and_its_byte_order_mark(run: Run, tmp_path: Path) -> None:
    run(_csv(ROWS, ";").encode("utf-8-sig"), top_k=1)
    assert (tmp_path / "out.csv").read_bytes().startswith("\ufeffid;name;label_1;".encode())


def test_options_are_those_of_predict(run: Run, predictor: Predictor, tmp_path: Path) -> None:
    run(KINDS["in.csv"], top_k=2, prior="uniform")
    _agree(_read(tmp_path / "out.csv"), [_expect(predictor, row, 2, prior="uniform") for row in ROWS])
    names = [*NAMES, "bcdfgklmnpdfg", "kkkkkkkkk", "tnmlrskdf"]
    run("\n".join(["name", *names]), abstain=True)
    abstained = [prediction.abstained for prediction in predictor.predict(names)]
    assert "unfamiliar" in abstained
    for row, why in zip(_read(tmp_path / "out.csv"), abstained, strict=True):
        assert (row["label_1"] is None, row["abstained"]) == (why is not None, why)


BROKEN = """id,name,city
1,Rossini,Orléans à l’été où naît déjà la forêt
2,Rossini
3,Rossini,Rome,Italy

4,Rossini,Rome,,
5,"Rossini,Rome
6,Rossini,Rome
id,name,city
7,,Rome
8,{long},Rome
9,Ross\ufffdni,Rome
"10","Ross
ini","Rome"
11,Rossini,Rome
"""


@pytest.mark.parametrize("suffix", ["csv", "ndjson", "parquet"])
def test_rows_that_cannot_be_scored_stand_beside_with_number_and_reason(run: Run, tmp_path: Path, suffix: str) -> None:
    result = run(BROKEN.format(long="a" * 101), output=f"out.{suffix}")
    assert [row["id"] for row in _read(tmp_path / f"out.{suffix}")] == ["1", "4", "6", "10", "11"]
    rows = _read(tmp_path / "out.rejected.csv")
    assert {int(row["row"]): row["reason"] for row in rows} == {
        3: "more or fewer cells than the first line",
        4: "more or fewer cells than the first line",
        5: "a blank line",
        7: "a quote that is not closed",
        9: "the header again",
        10: "A name needs at least one visible character.",
        11: "A name may have at most 100 characters.",
        12: "characters that are not UTF-8",
    }
    assert [row["row"] for row in rows] == sorted((row["row"] for row in rows), key=int)
    assert rows[1]["record"] == "3,Rossini,Rome,Italy"
    assert result.rejected == str(tmp_path / "out.rejected.csv")
    assert result.counts.rejected.total() == 8
    run(KINDS["in.csv"], output=f"out.{suffix}")
    assert not (tmp_path / "out.rejected.csv").exists()


def test_lines_that_are_no_objects_with_a_name_are_refused(run: Run, tmp_path: Path) -> None:
    lines = ['{"name": "Rossini"}', '"Dalton"', "", "{", "7", '{"name": 7}', '{"n": 1}', '{"name": "a", "more": 1}']
    content = "\n".join([*lines, '{"name": "Dalton", "label_1": "mine"}', '{"name": "Dalton\\ud800"}'])
    run(content, "in.ndjson", "out.ndjson")
    assert [row["name"] for row in _read(tmp_path / "out.ndjson")] == ["Rossini", "Dalton", "a"]
    assert [row["row"] for row in _read(tmp_path / "out.rejected.csv")] == ["3", "4", "5", "6", "7", "9", "10"]
    run(content, "in.ndjson", "out.csv")
    assert [row["name"] for row in _read(tmp_path / "out.csv")] == ["Rossini", "Dalton"]


def test_what_is_written_as_json_is_json(run: Run, tmp_path: Path) -> None:
    run(
        '{"name": "Rossini", "n": 1.5}\n{"name": "a", "n": NaN}\n{"name": "b", "n": 1e999}\n', "in.ndjson", "out.ndjson"
    )
    assert [row["n"] for row in _read(tmp_path / "out.ndjson")] == [1.5]
    assert [row["row"] for row in _read(tmp_path / "out.rejected.csv")] == ["2", "3"]
    run(_parquet([{"name": "Rossini", "n": float("nan"), "in": {"n": [float("inf")]}}]), "in.parquet", "out.ndjson")
    assert "NaN" not in (text := (tmp_path / "out.ndjson").read_text()) and "Infinity" not in text
    assert json.loads(text)["in"] == {"n": [None]}


def test_nested_values_become_json_in_a_cell(run: Run, tmp_path: Path) -> None:
    run(_parquet([{"name": "Rossini", "in": {"k": ["è"]}, "raw": "è".encode()}]), "in.parquet", "out.csv")
    (row,) = _read(tmp_path / "out.csv")
    assert (row["in"], row["raw"]) == ('{"k": ["è"]}', "è")


def test_a_parquet_file_keeps_its_types_and_its_nulls_are_refused(run: Run, tmp_path: Path) -> None:
    rows = [{"name": name, "n": i, "when": None} for i, name in enumerate([*NAMES, None, *NAMES])]
    run(_parquet(rows), "in.parquet", "out.parquet", top_k=1)
    table = parquet.read_table(tmp_path / "out.parquet")
    assert table.schema.field("n").type == pa.int64()
    assert table.column("n").to_pylist() == [i for i in range(19) if i != 9]
    (rejected,) = _read(tmp_path / "out.rejected.csv")
    assert (rejected["row"], rejected["reason"]) == ("10", "no text")
    run(_parquet([{"name": 7}]), "in.parquet", "out.csv")
    assert "no string" in (tmp_path / "out.rejected.csv").read_text()


def test_two_columns_make_one_name(run: Run, predictor: Predictor, tmp_path: Path) -> None:
    run("Last;First;x\nRossini;Ada ;1\nDalton;;2\n;;3\n", text="first,last", top_k=1)
    rows = _read(tmp_path / "out.csv", ";")
    assert [row["Last"] for row in rows] == ["Rossini", "Dalton"]
    for row, name in zip(rows, ("Ada Rossini", "Dalton"), strict=True):
        assert float(row["probability_1"]) == pytest.approx(exp(predictor.predict([name], 1)[0].log_probs[0]))
    run("first,last\nAda,Rossini\nAda,Rossini,x\n", text="first,last", top_k=1)
    assert [(row["first"], row["last"]) for row in _read(tmp_path / "out.csv")] == [("Ada", "Rossini")]
    run("a,b\nRossini,x\n", text="1", has_header=False, top_k=1)
    assert [row["1"] for row in _read(tmp_path / "out.csv")] == ["a", "Rossini"]


def test_columns_that_are_there_already_are_kept(run: Run, tmp_path: Path) -> None:
    run(KINDS["in.csv"], output="once.csv", top_k=1)
    run((tmp_path / "once.csv").read_bytes(), "once.csv", output="twice.csv", top_k=2)
    assert list(_read(tmp_path / "twice.csv")[0]) == [
        *("id", "name", "label_1", "probability_1", "abstained"),
        *("label_1_2", "label_2_2", "probability_1_2", "probability_2_2", "abstained_2"),
    ]


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        ("id,surname\n1,a\n", {}, "no column 'name'; the columns are: 'id', 'surname'"),
        ("name,Name\na,b\n", {"text": "NAME"}, "both called"),
        ("name,x\na,b\n", {"text": "name,name"}, "named twice"),
        ("Rossini\nDalton\n", {}, "one column only: name it with --text"),
        ("7,Rossini\n8,Dalton\n", {}, "first line seems to hold data"),
        (b"PK\x03\x04[Content_Types].xml", {}, "Excel workbook: save the sheet as CSV"),
        ("", {}, "is empty"),
        ("name\na\n", {"output": "out.xlsx"}, "must end with .csv, .tsv"),
        ("name\na\n", {"output": "in.csv"}, "same file"),
        ("name\na\n", {"top_k": 9}, "between 1 and 3"),
        ("name,x,x\na,b,c\n", {"output": "out.ndjson"}, "called 'x'"),
        ("name\na\n", {"encoding": "klingon"}, "no text encoding"),
    ],
)
def test_what_cannot_be_scored_is_told_and_leaves_nothing(
    *, run: Run, tmp_path: Path, content: str | bytes, options: Row, sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence):
        run(content, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("in.csv", "INPUT and the file of rejected rows are the same file"),
        ("file://{}/in.rejected.csv", "INPUT and OUTPUT are the same file"),
        ("folder.csv", "folder.csv is a folder"),
        ("klingon://host/out.csv", "cannot be opened: Protocol not known: klingon"),
        ("klingon://me:secret@host/out.csv", "klingon://host/out.csv cannot be opened"),
    ],
)
def test_a_result_that_has_no_place_is_refused_before_anything_is_scored(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "in.rejected.csv").write_text("name\nRossini\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=sentence):
        scoring.score("in.rejected.csv", output.format(tmp_path), Settings(exported))
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "in.rejected.csv").read_text() == "name\nRossini\n"


@pytest.mark.parametrize("change", [lambda path: path.write_text("name\nDalton\n"), Path.unlink])
def test_an_input_that_changes_meanwhile_is_told(
    exported: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    path = tmp_path / "in.csv"
    path.write_text("name\nRossini\n")
    with pytest.raises(DataError, match=r"in.csv (changed while it was scored|cannot be read: No such file)"):
        scoring.score(str(path), str(tmp_path / "out.csv"), Settings(exported), lambda *_: change(path))
    assert not (tmp_path / "out.csv").exists()


def test_urls_are_read_and_written(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/scoring/in.csv", KINDS["in.csv"].encode() + b"x\n")
    scoring.score("memory://scoring/in.csv", "memory://scoring/out.csv", Settings(exported))
    assert sorted(memory.ls("/scoring", detail=False)) == [
        *("/scoring/in.csv", "/scoring/out.csv", "/scoring/out.rejected.csv")
    ]
    assert memory.cat_file("/scoring/out.csv").count(b"\n") == 10
    assert not list(tmp_path.iterdir())


def test_the_model_is_the_one_that_is_named_else_the_champion_else_artifacts(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.csv").write_text(KINDS["in.csv"], encoding="utf-8")

    def score(*options: str) -> str:
        app(["score", "in.csv", "out.csv", *options], standalone_mode=False)
        return capsys.readouterr().out

    (tmp_path / "artifacts").symlink_to(exported)
    assert "bundle in artifacts." in score()
    version = Store(tmp_path / "store").add(exported).version
    assert "bundle in artifacts." in score()
    with pytest.raises(ModelError, match="without a champion"):
        score("--store", "store")
    Store(tmp_path / "store").promote(version, instead_of=None)
    assert f"bundle in store/{version}." in score()
    assert "bundle in artifacts." in score("--bundle", "artifacts")
    with pytest.raises(ModelError, match="no store"):
        score("--store", "elsewhere")


# --- spans


@settings(deadline=None, max_examples=200)
@given(pieces=st.lists(st.sampled_from(['"', '""', ",", "\n", "\r\n", "a", "é", 'x","', '"a\n"', "\n\n"]), max_size=40))
def test_spans_hold_the_rows_of_the_whole(tmp_path_factory: pytest.TempPathFactory, pieces: list[str]) -> None:
    path = tmp_path_factory.getbasetemp() / "spans.csv"
    path.write_bytes(("id,name\n" + "".join(pieces)).encode())
    table = DelimitedInput(path, str(path), Dialect(",", ("id", "name"), 2, (1,), is_declared=False), "utf-8", False)

    def read(n_rows: int) -> list[tuple[int, str, str]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spans, "SPAN_ROWS", n_rows)
            patch.setattr(spans, "_STRETCH", 1000)
            batches = [batch for span in table.spans() for batch in table.read(span)]
        kept = [
            (number, text, "") for batch in batches for number, text in zip(batch.numbers, batch.texts, strict=True)
        ]
        return sorted(kept + [tuple(row) for batch in batches for row in batch.rejected])  # type: ignore[arg-type]

    whole = read(1000)
    assert read(1) == read(3) == whole
    assert len({number for number, *_ in whole}) == len(whole)


# --- kills

SMALL_SPANS = (
    "import sys; from model.scoring import spans; spans.SPAN_ROWS = 200; from model.__main__ import main; main()"
)


def _write_many(path: Path, n_rows: int = 24_000) -> None:
    rows = [f'{i},"{NAMES[i % 3]}{"ab"[i % 2] * (i % 7)}"' if i % 10 else f"{i},x,y" for i in range(n_rows)]
    path.write_text("\n".join(["id,name", *rows]), encoding="utf-8")


def _start(folder: Path, bundle: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SMALL_SPANS, "score", "in.csv", "out.csv", "--bundle", str(bundle)]
    return subprocess.Popen(
        [*command, "--processes", "2", *options],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _n_parts(folder: Path) -> int:
    return len(list((folder / "out.csv.parts").glob("part-*.json")))


def _children(pid: int) -> list[Path]:
    """Return the folders under /proc of the processes that one has started."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [Path("/proc", child) for task in tasks for child in task.read_text().split()]


@pytest.mark.skipif(
    not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="Linux tells children"
)
def test_a_run_that_is_killed_goes_on_where_it_was(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "SPAN_ROWS", 200)
    _write_many(tmp_path / "in.csv")
    whole = scoring.score(str(tmp_path / "in.csv"), str(tmp_path / "whole.csv"), Settings(exported))
    assert (whole.counts.scored, whole.counts.rejected.total()) == (21_600, 2400)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # behind a shell's & it would be ignored there too
    n_before = 0
    for sent in (signal.SIGKILL, signal.SIGINT):
        process = _start(tmp_path, exported)
        _until(lambda n=n_before, running=process: _n_parts(tmp_path) > n or running.poll() is not None)  # type: ignore[misc]
        children = _children(process.pid)
        process.send_signal(sent)
        output = process.communicate(timeout=30)[0]
        assert "Traceback" not in output
        assert ("the same command goes on" in output) == (sent == signal.SIGINT)
        _until(lambda gone=children: not any(child.exists() for child in gone))  # type: ignore[misc]
        assert n_before < _n_parts(tmp_path) < 120
        n_before = _n_parts(tmp_path)
        assert not (tmp_path / "out.csv").exists()
    resumed = scoring.score(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), Settings(exported))
    assert resumed.n_resumed == 200 * n_before
    for suffix in (".csv", ".rejected.csv"):
        assert (tmp_path / f"out{suffix}").read_bytes() == (tmp_path / f"whole{suffix}").read_bytes()
    assert not (tmp_path / "out.csv.parts").exists()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def unfinished(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that failed behind its first two parts."""
    monkeypatch.setattr(spans, "SPAN_ROWS", 2)
    commit = scoring.Parts.commit

    def fail(self: scoring.Parts, index: int, *content: Any) -> None:
        if index == 2:
            raise OSError(28, "No space left on device", "parts")
        commit(self, index, *content)

    with monkeypatch.context() as context:
        context.setattr(scoring.Parts, "commit", fail)
        with pytest.raises(DataError, match="parts cannot be written: No space left"):
            run(KINDS["in.csv"])


@pytest.mark.usefixtures("unfinished")
def test_parts_of_another_run_are_refused_unless_it_is_to_start_anew(run: Run, tmp_path: Path) -> None:
    for content, options, what in (
        (KINDS["in.csv"] + "9,Dalton\n", {}, "input"),
        (KINDS["in.csv"], {"top_k": 1}, "top-k"),
        (KINDS["in.csv"], {"text": "id"}, "choice of columns"),
    ):
        with pytest.raises(DataError, match=f"another {what}: .*--restart"):
            run(content, **options)
    assert run(KINDS["in.csv"]).n_resumed == 4  # the header and three rows
    assert len(_read(tmp_path / "out.csv")) == 9


@pytest.mark.usefixtures("unfinished")
def test_a_run_may_start_anew(run: Run, tmp_path: Path) -> None:
    assert run(KINDS["in.csv"], top_k=1, restart=True).n_resumed == 0
    assert list(_read(tmp_path / "out.csv")[0]) == ["id", "name", "label_1", "probability_1", "abstained"]
    assert not (tmp_path / "out.csv.parts").exists()


def test_two_runs_do_not_write_the_same_file(run: Run, tmp_path: Path) -> None:
    from model.files import locked

    (tmp_path / "out.csv.parts").mkdir()
    with locked(tmp_path / "out.csv.parts" / ".lock"), pytest.raises(DataError, match="Another run"):
        run(KINDS["in.csv"])
