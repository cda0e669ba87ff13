"""What people bring becomes a snapshot, or is refused with its reason and leaves no trace."""

import bz2
import csv
import gzip
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from model.__main__ import app
from model.data.corpus import load_corpus
from model.data.ingest.dialects import DELIMITERS
from model.data.ingest.ingestion import Ingested, Options, ingest
from model.data.ingest.kinds import Kind
from model.data.ingest.tables import Columns, open_table
from model.data.manifest import MAX_PLACES
from model.data.snapshots import newest_snapshot, read_manifest, resolve_data
from model.errors import DataError

ROOT = Path(__file__).parents[2]
ROWS = [("Kowalska", "Polish"), ("Müller", "German"), ("Nowak", "Polish"), ("Schäfer", "German")]
LISTS = {"German": ["Müller", "Schäfer"], "Polish": ["Kowalska", "Nowak"]}


def _csv(rows: list[tuple[str, ...]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


HEADER = ("name", "label")
PLAIN = _csv([HEADER, *ROWS])


def _lists(snapshot: Path, part: str = "names") -> dict[str, list[str]]:
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted((snapshot / part).iterdir())}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


Drop = Callable[..., Ingested]


@pytest.fixture
def drop(tmp_path: Path, data: Path) -> Drop:
    """Writes a file and ingests it."""

    def run(content: str | bytes, name: str = "drop.csv", **options: object) -> Ingested:
        columns = {key: value for key, value in options.items() if key not in {"as_is", "replace"}}
        others = {key: value for key, value in options.items() if key in {"as_is", "replace"}}
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return ingest(str(path), data, Options(Columns(**columns), **others))  # type: ignore[arg-type]

    return run


def _parquet(columns: dict[str, list[object]]) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


NAMES, LABELS = ([row[i] for row in ROWS] for i in range(2))
NDJSON = "".join(json.dumps({"id": 7, "name": name, "label": label}) + "\n" for name, label in ROWS)


@pytest.mark.parametrize(
    ("content", "file"),
    [
        (PLAIN, "drop.csv"),
        (PLAIN.encode("utf-8-sig"), "drop.csv"),
        (PLAIN.encode("utf-16"), "drop.csv"),
        (PLAIN.encode("cp1252"), "drop.csv"),
        (PLAIN.replace("\r\n", "\r"), "old mac.csv"),
        (PLAIN.replace("\r\n", "\n\n"), "blank lines.csv"),
        ("sep=;\n" + _csv([HEADER, *ROWS], ";"), "excel.csv"),
        (_csv([HEADER, *ROWS], "\t"), "drop.tsv"),
        (_csv([HEADER, *ROWS], "|"), "drop.txt"),
        (_csv([(" Name ", "\ufeffLABEL"), *ROWS]), "case.csv"),
        (_csv([("n", *HEADER), *(("1,2", *row) for row in ROWS)]), "quotes.csv"),
        (NDJSON, "drop.ndjson"),
        (NDJSON, "drop"),
        (_parquet({"name": list(NAMES), "label": list(LABELS)}), "drop.parquet"),
        (_parquet({"label": list(LABELS), "NAME": list(NAMES)}), "misnamed.csv"),
    ],
)
def test_every_kind_of_file_gives_the_same_names(drop: Drop, content: str | bytes, file: str) -> None:
    ingested = drop(content, file)
    assert _lists(ingested.snapshot) == LISTS
    manifest = read_manifest(ingested.snapshot)
    assert (manifest.rows, manifest.added, manifest.refused, manifest.parent) == (4, 4, {}, None)
    assert manifest.labels["Polish"].names == 2


def test_what_was_found_out_is_told(drop: Drop, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = drop(_csv([HEADER, *ROWS], ";").encode("cp1252")).manifest.source
    assert (source.kind, source.encoding, source.delimiter) == ("delimited text", "windows-1252", ";")
    path = data.parent / "more.tsv"
    path.write_text("Surname\tlabel\nKovač\tSlovenian\nx\0\tSlovenian\n", encoding="utf-16")
    app(["ingest", str(path), str(data), "--text", "surname"], standalone_mode=False)
    output = capsys.readouterr().out
    assert "delimited text, delimiter tab, utf-16; 2 rows." in output
    assert "1 refused: control characters or unassigned code points (line 3)." in output
    assert "1 names added, 0 known before" in output and "5 names of 3 labels, after 2" in output
    assert "Kovač" not in output


@pytest.mark.parametrize(
    ("content", "options", "sentence"),
    [
        (PLAIN, {"text": "surname"}, r"no column 'surname'; the columns are: 'name', 'label'"),
        (_csv([("name", "name", "label"), *[("a", *row) for row in ROWS]]), {}, r"Columns 1 and 2 are both called"),
        (_csv([("Name", "NAME", "label"), *[("a", *row) for row in ROWS]]), {}, r"Columns 1 and 2 are both called"),
        (PLAIN, {"text": "label"}, "both name column 2"),
        (_csv([*ROWS, *ROWS]), {}, "first line seems to hold data"),
        ("Kowalska\nNowak\n", {}, "one column only"),
        (PLAIN, {"has_header": False}, "numbers of columns, from 1 to 2"),
        (PLAIN, {"encoding": "klingon"}, "no text encoding"),
        (b"", {}, "is empty"),
        (b"\n \r\n", {}, "is empty"),
        (b"<!DOCTYPE html><html><body>", {}, "HTML"),
        (b"\x89PNG\r\n\x1a\n\0\0", {}, "is an image"),
        (gzip.compress(PLAIN.encode(), mtime=0), {}, "gzip archive: unpack"),
        (bz2.compress(PLAIN.encode()), {}, "bzip2 archive: unpack"),
        (bytes(range(256)) * 9, {}, "is a binary file"),
        (PLAIN.encode("utf-16-le"), {}, "UTF-16 without a byte order mark"),
        (json.dumps([{"name": "a", "label": "b"}]), {}, "one JSON array"),
        (json.dumps({"Polish": ["Nowak"]}, indent=1), {}, "JSON over several lines: write one object a line"),
        (json.dumps({"rows": [{"name": "a"}]}, indent=1), {}, "JSON over several lines"),
        (b"{\\rtf1\\ansi name,label}", {}, "is an RTF document"),
        (b"plain.csv".ljust(257, b"\0") + b"ustar", {}, "is a tar archive: unpack"),
        (_parquet({"name": list(NAMES), "label": list(LABELS)})[:-9], {}, "Parquet file is damaged"),
        (_parquet({"label": list(LABELS)}), {}, "no column 'name'"),
        ('{"text": "a", "label": "b"}\n', {}, "no column 'name'; the columns are: 'text', 'label'"),
        ("name,label\n" + "".join(f"佐藤,{n},さとう\n" for n in range(12)), {}, "line 2 holds more or fewer cells"),
        ("name,label\n" + 'a "b;c\n' * 9, {}, "line 2 holds no text or label: 9 of 9"),
        ("name,label\n" + "<li>Rossi</li>,Italian\n" * 9, {}, "line 2 holds markup: 9 of 9 rows are no names"),
        ("name,label\n" + "Rossi 2,Italian\n" * 9, {}, "line 2 holds separators or digits"),
        (PLAIN + "Rossi\t9,Italian\n" * 6 + "\n" + "a\n", {}, "line 6 holds control|line 6 holds separators"),
        (PLAIN * 20 + "".join(f"Rossi {n},Italian\n" for n in range(12)), {}, "12 of 12 rows of Italian"),
        ("name,label\n" + "Rossi,\n" * 9, {}, "no label"),
        ("name,label\n" + "a" * 10_000 + ",Italian\n", {}, "more than 100 characters"),
        ("name,label\n", {}, "no name that can be taken"),
    ],
)
def test_sources_that_are_refused_say_why_and_write_nothing(
    drop: Drop, data: Path, content: str | bytes, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence) as raised:
        drop(content, **options)
    assert not data.exists()
    assert str(raised.value).startswith(("There is no text", str(data.parent)))
    for name in ("Kowalska", "Rossi", "佐藤"):
        assert name not in str(raised.value)


def test_a_workbook_is_refused_with_what_to_do(drop: Drop) -> None:
    for member, content, sentence in (
        ("xl/workbook.xml", "x", "Excel workbook: save the sheet as CSV"),
        ("mimetype", "application/vnd.oasis.opendocument.spreadsheet", "OpenDocument spreadsheet: save the sheet as"),
        ("mimetype", "application/vnd.oasis.opendocument.text", "OpenDocument file: write the table as CSV"),
        ("word/document.xml", "x", "Word document: write the table as CSV"),
        ("a.csv", "x", "zip archive: unpack"),
    ):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("[Content_Types].xml" if "xml" in member else "first", "x")
            archive.writestr(member, content)
        with pytest.raises(DataError, match=sentence):
            drop(file.getvalue(), "drop.xlsx")


def test_what_cannot_be_taken_is_not_said_to_be(drop: Drop) -> None:
    unreadable = _parquet({"name": [1, 2], "label": ["a", "b"]})
    for content, can_be_taken in (("name,label\n" + "Nowak 1,Polish\n" * 9, True), (unreadable, False)):
        with pytest.raises(DataError, match="nothing is taken") as raised:
            drop(content)
        assert ("--as-is" in str(raised.value)) == can_be_taken


def test_an_encoding_that_is_guessed_is_told(
    drop: Drop, tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drop(_csv([HEADER, ("Иванов", "Russian"), ("Петров", "Russian")]).encode("cp1251"))
    app(["ingest", str(tmp_path / "drop.csv"), str(tmp_path / "other")], standalone_mode=False)
    assert "warning: It is no UTF-8 and was read as windows-1252, as a guess" in capsys.readouterr().err
    drop(PLAIN.encode("cp1252"), "named.csv", encoding="cp1252")
    assert not read_manifest(newest_snapshot(data) or data).source.notes


def test_a_header_may_begin_as_another_format_does(drop: Drop) -> None:
    assert drop(_csv([("ORCID", *HEADER), *[("7", *row) for row in ROWS]])).manifest.added == len(ROWS)


@pytest.mark.skipif(sys.platform == "darwin", reason="file names there are UTF-8")
def test_names_of_files_may_be_in_any_encoding(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"list\xe9s")
    folder.mkdir()
    for name in (b"Polish.txt", b"Fran\xe7ais.txt", b"n\xf6tes.md"):
        (folder / os.fsdecode(name)).write_text("Nowak\nMazur\nLis\n" if name[0] == ord("P") else "Leroy\n")
    table = tmp_path / os.fsdecode(b"r\xe9sum\xe9.csv")
    table.write_text(PLAIN)
    for source in (folder, table):
        record = ingest(str(source), data).manifest.source
        assert "\\xe9" in record.location
    refused = read_manifest(min(data.iterdir())).refused["a label that cannot name a file"]
    assert refused.places == ("Fran\\xe7ais.txt:1",)


BAD_ROWS = [
    ("", "Polish", "nothing"),
    ("a" * 101, "Polish", "more than 100 characters"),
    ("a\x07", "Polish", "control characters or unassigned code points"),
    ("12", "Polish", "no letters"),
    ("<b>Nowak</b>", "Polish", "markup"),
    ("Nowak", " ", "no label"),
    ("Nowak", "../Polish", "a label that cannot name a file"),
    ("Nowak", ".Polish", "a label that cannot name a file"),
    ("MÃ¼ller", "German", "letters garbled by a wrong encoding"),
    ("# Nowak", "Polish", "a comment"),
    ("a;b", "Polish", "separators"),
    ("name", "label", "the header again"),
]


def test_rows_are_refused_by_reason_and_line_and_the_others_are_taken(drop: Drop) -> None:
    good = [(f"Name{a}{b}", "Polish") for a in "abcde" for b in "abcde"]
    text = _csv([HEADER, *good, *((name, label) for name, label, _ in BAD_ROWS)]) + 'Open,"Polish\nLast\na,b,c\n'
    manifest = drop(text).manifest
    expected: dict[str, list[str]] = {}
    for number, (*_, reason) in enumerate(BAD_ROWS, 2 + len(good)):
        expected.setdefault(reason, []).append(str(number))
    after = 2 + len(good) + len(BAD_ROWS)
    expected |= {
        "a quote that is not closed": [str(after)],
        "no text or label": [str(after + 1)],
        "more or fewer cells than the first line": [str(after + 2)],
    }
    assert {reason: list(refused.places) for reason, refused in manifest.refused.items()} == expected
    assert (manifest.added, manifest.rows) == (25, 25 + len(BAD_ROWS) + 3)


def test_refused_places_are_bounded(drop: Drop) -> None:
    manifest = drop("name,label\n" + "Name,Polish\n" * 100 + ",Polish\n" * 60).manifest
    assert (manifest.refused["nothing"].count, len(manifest.refused["nothing"].places)) == (60, MAX_PLACES)
    assert (manifest.added, manifest.repeated) == (1, 99)


def test_a_truncated_last_line_and_other_json_cost_those_lines_alone(drop: Drop) -> None:
    lines = [NDJSON.strip(), "[1]", '{"name": 7, "label": "Polish"}', '{"name": "Nowak"}', '{"name": "Now']
    manifest = drop("\n".join(lines), "drop.ndjson").manifest
    assert {reason: refused.places for reason, refused in manifest.refused.items()} == {
        "a line that is no JSON object": ("5",),
        "a text or label that is no string": ("6",),
        "no text or label": ("7",),
        "a line that is not JSON": ("8",),
    }
    assert manifest.added == 4


def test_without_a_header_columns_are_numbers(drop: Drop) -> None:
    assert _lists(drop(_csv([(b, "x", a) for a, b in ROWS]), text="3", label="1", has_header=False).snapshot) == LISTS


def test_lists_that_look_like_no_names_are_taken_as_they_are_where_asked(drop: Drop) -> None:
    rows = [(f"{n};A-{n}", "parts") for n in range(12)]
    with pytest.raises(DataError, match="--as-is"):
        drop(_csv([HEADER, *rows]))
    assert len(_lists(drop(_csv([HEADER, *rows]), as_is=True).snapshot)["parts"]) == 12


def test_a_drop_adds_behind_what_is_there_and_replace_stands_for_it(drop: Drop, data: Path) -> None:
    first = drop(PLAIN)
    before = {path: path.read_bytes() for path in first.snapshot.rglob("*") if path.is_file()}
    second = drop(_csv([HEADER, ("Abel", "German"), ("MULLER", "German"), ("Nguyễn", "Vietnamese")]), "more.csv")
    assert _lists(second.snapshot) == {**LISTS, "German": ["Müller", "Schäfer", "Abel"], "Vietnamese": ["Nguyễn"]}
    assert (second.manifest.added, second.manifest.known) == (2, 1)
    assert second.manifest.parent == first.snapshot.name
    assert {path: path.read_bytes() for path in before} == before
    third = drop(_csv([HEADER, ("Abel", "German")]), "other.csv", replace=True)
    assert _lists(third.snapshot) == {"German": ["Abel"]}
    assert third.manifest.replaces and third.manifest.parent == second.snapshot.name
    assert newest_snapshot(data) == third.snapshot
    assert len(list(data.iterdir())) == 3


def test_a_source_is_not_taken_twice_but_again_after_it_was_replaced(drop: Drop, data: Path) -> None:
    first = drop(PLAIN)
    again = drop(PLAIN, "renamed.csv")
    assert not again.is_new and again.snapshot == first.snapshot
    nothing = drop(_csv([HEADER, *ROWS[:2]]), "part.csv")
    assert not nothing.is_new and nothing.drop and nothing.drop.names.taken == 2
    assert len(list(data.iterdir())) == 1
    assert drop(_csv([HEADER, ("Abel", "German")]), "other.csv", replace=True).is_new
    assert drop(PLAIN).is_new
    assert drop(PLAIN, replace=True).is_new
    assert not drop(PLAIN, replace=True).is_new
    assert drop(_csv([HEADER, *reversed(ROWS)]), "ranked otherwise.csv", replace=True).is_new


def test_labels_that_differ_in_case_only_are_told(drop: Drop, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop(PLAIN)
    (data.parent / "more.csv").write_text("name,label\nAbel,german\n")
    app(["ingest", str(data.parent / "more.csv"), str(data)], standalone_mode=False)
    assert "warning: German and german differ in case only." in capsys.readouterr().err


def test_the_command_says_that_there_is_nothing_new(drop: Drop, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drop(PLAIN)
    app(["ingest", str(data.parent / "drop.csv"), str(data)], standalone_mode=False)
    assert capsys.readouterr().out.startswith("Nothing new: ")


def test_the_shipped_names_are_the_same_data_as_a_snapshot_of_them(data: Path) -> None:
    snapshot = ingest(str(ROOT / "data" / "names"), data).snapshot
    assert load_corpus(snapshot / "names").fingerprint() == load_corpus(ROOT / "data" / "names").fingerprint()


def test_a_snapshot_stands_wherever_a_folder_of_names_does(drop: Drop, data: Path) -> None:
    snapshot = drop(PLAIN).snapshot
    for path in (data, snapshot, snapshot / "names"):
        folder, manifest = resolve_data(path)
        assert folder == snapshot / "names" and manifest and manifest.snapshot == snapshot.name
    assert resolve_data(data.parent) == (data.parent, None)
    assert not ingest(str(snapshot), data).is_new


def test_lists_are_read_in_their_encodings_and_what_is_no_list_is_told(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "German.txt").write_bytes("# from a register\nMüller\nSchäfer\n".encode("cp1252"))
    (folder / "Polish.txt").write_text("Surname\nWójcik\n12\n\nNowak\n", encoding="utf-8")
    (folder / "LICENSE.txt").write_text("Permission is hereby granted\n")
    (folder / "more.csv").touch()
    (tmp_path / "given_names").mkdir()
    (tmp_path / "given_names" / "Polish.txt").write_text("Zofia\n1\n")
    (tmp_path / "given_names" / "Welsh.txt").write_text("Rhys\n")
    (tmp_path / "outliers").mkdir()
    (tmp_path / "outliers" / "words.txt").write_text("house\n12\n")
    ingested = ingest(str(folder), data)
    assert _lists(ingested.snapshot) == {"German": ["Müller", "Schäfer"], "Polish": ["Wójcik", "Nowak"]}
    assert _lists(ingested.snapshot, "given_names") == {"Polish": ["Zofia"]}
    assert _lists(ingested.snapshot, "outliers") == {"words": ["house", "12"]}
    manifest = ingested.manifest
    assert {reason: refused.places for reason, refused in manifest.refused.items()} == {
        "no letters": ("Polish.txt:3", "given_names/Polish.txt:2"),
        "a comment": ("German.txt:1",),
        "a header": ("Polish.txt:1",),
    }
    for words in ("more.csv is ignored", "LICENSE.txt is left out", "German.txt was read as windows-1252"):
        assert any(words in note for note in manifest.source.notes), words
    assert manifest.left_out == ("Welsh",)


def test_variants_come_with_a_folder_and_go_with_their_names(tmp_path: Path, data: Path) -> None:
    folder, variants = tmp_path / "lists", tmp_path / "variants"
    folder.mkdir()
    variants.mkdir()
    names = {label: [f"{label}{a}" for a in "abcdefghijkl"] for label in ("German", "Polish")}
    for label, lines in names.items():
        (folder / f"{label}.txt").write_text("\n".join(lines))
    long = "b" * 60
    (folder / "German.txt").write_text("\n".join([*names["German"], long]))
    (variants / "German.txt").write_text(f"GERMANa\tGermanna\nno pair\nGermanb\t\nNobody\tNobodi\n{long}\t{long}b\n")
    ingested = ingest(str(folder), data)
    assert _lists(ingested.snapshot, "variants") == {"German": ["GERMANa\tGermanna", f"{long}\t{long}b"]}
    assert ingested.manifest.refused["no name, tab and other spelling"].places == ("variants/German.txt:2",)
    assert load_corpus(ingested.snapshot / "names").count_variants() == 2
    (variants / "German.txt").write_text("Germanc\tGermanka\n")
    assert _lists(ingest(str(folder), data).snapshot, "variants")["German"][2:] == ["Germanc\tGermanka"]
    table = tmp_path / "table.csv"
    table.write_text("name,label\n" + "".join(f"{name},{label}\n" for label in names for name in names[label][2:]))
    replaced = ingest(str(table), data, Options(replace=True)).snapshot
    assert _lists(replaced, "variants") == {"German": ["Germanc\tGermanka"]}


def test_a_table_among_the_lists_stops_all(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "German.txt").write_text("".join(f"Name{a}{b}\n" for a in "abcdefgh" for b in "abcdefgh"))
    (folder / "Japanese.txt").write_text("".join(f"佐藤,{n},さとう,satou\n" for n in range(12)))
    with pytest.raises(DataError, match=r"line Japanese.txt:1 holds separators or digits: 12 of 12 rows of Japanese"):
        ingest(str(folder), data)
    assert not data.exists()


def test_urls_are_opened_by_fsspec_and_lose_their_credentials(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fsspec.open("memory://drops/drop.csv", "wb") as file:
        file.write(PLAIN.encode())
    ingested = ingest("memory://drops/drop.csv", data)
    assert ingested.manifest.source.location == "memory://drops/drop.csv"
    with pytest.raises(DataError, match=r"^memory://drops/other.csv cannot be read \(FileNotFoundError\).$"):
        ingest("memory://user:secret@drops/other.csv?token=x", data)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(DataError, match="fsspec, which is not installed"):
        ingest("memory://drops/drop.csv", data)


def test_parquet_without_pyarrow_is_explained(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    content = _parquet({"name": list(NAMES), "label": list(LABELS)})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="pyarrow, which is not installed"):
        drop(content)


def test_a_kill_at_any_point_leaves_the_snapshot_before_and_the_next_run_completes(
    drop: Drop, data: Path, kill_at: Callable[[int, Callable[[], object]], bool]
) -> None:
    first = drop(PLAIN).snapshot
    more = data.parent / "more.csv"
    more.write_text("name,label\nAbel,German\nZoe,Polish\n")
    step = 0
    while kill_at(step, lambda: ingest(str(more), data)):
        if newest_snapshot(data) == first:
            assert _lists(first) == LISTS
        step += 1
        assert resolve_data(data)[0].is_dir()
    assert step > 4
    expected = {"German": [*LISTS["German"], "Abel"], "Polish": [*LISTS["Polish"], "Zoe"]}
    assert _lists(ingest(str(more), data).snapshot) == expected
    assert len(list(data.iterdir())) == 2


@pytest.mark.parametrize("damage", ["edited", "added", "removed", "manifest"])
def test_a_snapshot_that_was_changed_is_refused(drop: Drop, data: Path, damage: str) -> None:
    snapshot = drop(PLAIN).snapshot
    path = snapshot / "names" / "Polish.txt"
    if damage == "edited":
        path.write_text("Other\n")
    elif damage == "added":
        (path.parent / "Other.txt").write_text("Other\n")
    elif damage == "removed":
        path.unlink()
    else:
        (snapshot / "manifest.json").write_text("{}")
    for use in (lambda: resolve_data(data), lambda: drop(PLAIN + "Abel,German\n", "more.csv")):
        with pytest.raises(DataError, match=r"was changed after|is not the manifest"):
            use()


def test_snapshots_stay_in_order_when_the_clock_goes_back(drop: Drop, data: Path) -> None:
    first = drop(PLAIN).snapshot
    later = first.rename(data / f"2999{first.name[4:]}")
    manifest = json.loads((later / "manifest.json").read_text())
    (later / "manifest.json").write_text(json.dumps(manifest | {"snapshot": later.name}))
    second = drop("name,label\nAbel,German\n", "more.csv")
    assert newest_snapshot(data) == second.snapshot and second.manifest.parent == later.name


WORDS = st.text("abcdefgßäöüéÀÑø", min_size=1, max_size=20)
NOTES = st.text(st.sampled_from("ab\",;|\t'\n é"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(NOTES, WORDS, st.sampled_from(["Alpha", "Beta"])), min_size=1, max_size=12),
    delimiter=st.sampled_from(DELIMITERS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_rows_come_back_whatever_the_dialect_and_encoding(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    encoding: str,
    quoting: int,
    line_end: str,
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=line_end)  # type: ignore[arg-type]
    writer.writerows([("note", "name", "label"), *rows])
    path = tmp_path_factory.getbasetemp() / "dialect.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    table = open_table(path, Kind.DELIMITED, Columns())
    assert [(row.text, row.label, row.problem) for row in table.rows] == [(name, label, "") for _, name, label in rows]
    assert table.delimiter == delimiter
