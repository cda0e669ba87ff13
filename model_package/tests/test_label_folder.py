"""What lies in a folder of lists and is no name, or not read: each is told, and refused unless it is accepted."""

import os
import random
from pathlib import Path

import pytest

from model.__main__ import app
from model.data.corpus import Reading, load_corpus
from model.data.description import describe_data
from model.data.label_folder import read_folder
from model.data.line_checks import Fault, find_fault, holds_separator_or_digit
from model.errors import DataError
from model.frames import unframe
from model.utils import fold

ROOT = Path(__file__).parents[2]


@pytest.fixture
def lists(names_folder: Path, tmp_path: Path) -> Path:
    """A folder of three good lists, to be spoilt at will."""
    folder = tmp_path / "names"
    folder.mkdir()
    for path in names_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def _add(folder: Path, file: str, text: str, *, first: bool = False) -> None:
    path = folder / file
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(text + old if first else old + text, encoding="utf-8")


TABLE = "".join(f"佐藤{c},{n}000,さとう,satou\n" for n, c in enumerate("abcdefghijklmnop", 1))


@pytest.mark.parametrize(
    ("file", "text", "first", "sentence"),
    [
        ("Japanese.txt", TABLE, True, r"Japanese.txt, line 1: most lines .* \(16 of 16\)"),
        ("Zeta.txt", "".join(f"Sato{c}\t1000\n" for c in "abcdefghijkl"), True, "Zeta.txt, line 1: most lines"),
        ("Alpha.txt", "Sato\t1000\n", False, "Alpha.txt, line 119 holds separators; 1 line"),
        ("Alpha.txt", "# from the register of 2019\n", True, "Alpha.txt, line 1 holds a comment"),
        ("Beta.txt", "Surname\n", True, "Beta.txt, line 1 holds a header"),
        ("Beta.txt", "<td>Rossi</td>\n", True, "Beta.txt, line 1 holds markup"),
        ("Beta.txt", "MÃ¼ller\n", True, "Beta.txt, line 1 holds letters garbled"),
        ("Beta.txt", "---\n", False, r"Beta.txt, line \d+ holds no letters"),
        ("LICENSE.txt", "".join(f"Permission {c}o\n" for c in "abcdefghijkl"), True, "LICENSE.txt reads like a notice"),
        ("README-de.txt", "".join(f"Notiz {c}o\n" for c in "abcdefghijkl"), True, "README-de.txt reads like a notice"),
    ],
)
def test_lines_that_are_no_names_are_refused_unless_accepted(
    lists: Path, file: str, text: str, first: bool, sentence: str
) -> None:
    _add(lists, file, text, first=first)
    with pytest.raises(DataError, match=sentence) as raised:
        load_corpus(lists)
    assert "--as-is" in str(raised.value)
    assert not any(name in str(raised.value) for name in ("Sato", "佐藤", "Rossi", "ller"))
    assert unframe(fold(text.split("\n", maxsplit=1)[0])) in load_corpus(lists, Reading(as_is=True)).names.names


def test_given_names_are_checked_too_and_outliers_are_not(lists: Path) -> None:
    (lists.parent / "outliers").mkdir()
    _add(lists.parent / "outliers", "codes.txt", "<b>\n12;34\n")
    assert load_corpus(lists).outliers == ("12;34", "<b>")
    (lists.parent / "given_names").mkdir()
    _add(lists.parent / "given_names", "Alpha.txt", "# nothing\nZoe\n")
    with pytest.raises(DataError, match=r"Alpha.txt, line 1 holds a comment"):
        load_corpus(lists)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        *(
            (name, None)
            for name in ("Ó Súilleabháin", "d'Arc", "Nguyễn", "王小明", "Úžas", "Smith, John", "John 2nd", "ß")
        ),
        *((" ", Fault.EMPTY), ("a" * 101, Fault.TOO_LONG), ("a " * 100, Fault.TOO_LONG), ("a\0b", Fault.CONTROL)),
        *(
            ("&amp;", Fault.MARKUP),
            ("see https://a", Fault.MARKUP),
            ("1 < 2", Fault.NO_LETTERS),
            ("a|b", Fault.COLUMNS),
        ),
        *(("M\ufffdller", Fault.GARBLED), ("Ð\x9cиша", Fault.CONTROL), ("é".encode().decode("cp1252"), Fault.GARBLED)),
    ],
)
def test_faults(text: str, fault: Fault | None) -> None:
    assert find_fault(text) == fault


def test_no_shipped_name_looks_like_none() -> None:
    for folder in ("names", "given_names"):
        for path in (ROOT / "data" / folder).glob("*.txt"):
            for name in path.read_text(encoding="utf-8").splitlines():
                assert find_fault(name) is None and not holds_separator_or_digit(name), path


def test_a_few_lines_with_commas_or_digits_are_only_told(lists: Path) -> None:
    _add(lists, "Alpha.txt", "Rossi, Carla\nJohn 2nd\n")
    (warning,) = load_corpus(lists).warnings
    assert "line 119: 2 line(s)" in warning


def test_names_are_read_as_they_are_when_they_are_to_be_answered(lists: Path) -> None:
    for folder, text in (("given_names", "Zoe (née Zoé)\n"), ("variants", "Dr. Rossi\tROSSY, Jr.\n")):
        (lists.parent / folder).mkdir()
        _add(lists.parent / folder, "Alpha.txt", text)
    _add(lists, "Alpha.txt", "Dr. Rossi\nBianchi, Carla\nVerdi III\n")
    corpus = load_corpus(lists)
    assert {"rossi", "carla bianchi", "verdi"} < set(corpus.names.names)
    assert corpus.given and corpus.given.names == ("zoe",)
    assert {variant for variants in corpus.names.variants for variant in variants} == {"rossy"}


def test_what_is_ignored_is_named(lists: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lists / "Delta.TXT").write_text("x\n")
    (lists / "more.csv").write_text("x\n")
    (lists / "old").mkdir()
    (lists / "Folder.txt").mkdir()
    os.mkfifo(lists / "Fifo.txt")  # would block whoever reads it
    app(["validate", str(lists)], standalone_mode=False)
    warned = capsys.readouterr().err
    names = ("Delta.TXT", "Fifo.txt", "Folder.txt", "more.csv", "old")
    assert [f"{name} is ignored" in warned for name in names] == [True] * 5
    assert warned.count("warning: ") == 5
    for i in range(30):
        (lists / f"{i}.csv").touch()
    assert len(read_folder(lists).warnings) == 21 and "15 more" in read_folder(lists).warnings[-1]


def test_what_is_ignored_is_named_where_nothing_else_is_there(lists: Path) -> None:
    for path in lists.iterdir():
        path.rename(path.with_suffix(".TXT"))
    with pytest.raises(DataError, match=r"0 label file.*Alpha.TXT is ignored: rename it to Alpha.txt"):
        load_corpus(lists)


def test_what_is_ignored_beside_the_names_is_named_too(lists: Path) -> None:
    (lists.parent / "outliers").mkdir()
    (lists.parent / "outliers" / "words.csv").touch()
    (lists.parent / "variants").write_text("Rossi\tRosi\n")
    (lists.parent / "given_names").symlink_to(lists / "nowhere")
    warned = load_corpus(lists).warnings
    names = ("given_names", "words.csv", "variants")
    assert [f"{name} is ignored" in warning for name, warning in zip(names, warned, strict=True)] == [True] * 3


def test_a_link_that_leads_nowhere_is_told(lists: Path) -> None:
    (lists / "Lost.txt").symlink_to(lists / "nowhere")
    with pytest.raises(DataError, match=r"Lost.txt cannot be read: No such file"):
        load_corpus(lists)


def test_all_small_labels_are_told_at_once_and_can_be_left_out(lists: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, n in {"Delta": 3, "Epsilon": 9}.items():
        _add(lists, f"{label}.txt", "".join(f"{label}{'abcdefghi'[i]}\n" for i in range(n)))
    (lists / "Zeta.txt").touch()
    (lists.parent / "given_names").mkdir()
    _add(lists.parent / "given_names", "Delta.txt", "Zoe\n")
    _add(lists.parent / "given_names", "Alpha.txt", "\n")
    with pytest.raises(DataError, match=r"Delta has 3, Epsilon has 9, Zeta has 0 distinct name\(s\).*--skip-small"):
        load_corpus(lists)
    app(["validate", str(lists), "--skip-small"], standalone_mode=False)
    output = capsys.readouterr()
    assert "Delta is left out: it has 3" in output.err and "Epsilon is left out: it has 9" in output.err
    assert "3 labels, " in output.out
    for path in [*lists.glob("*a.txt")]:
        path.write_text("x\ny\n")
    with pytest.raises(DataError, match=r"0 label\(s\) of 10 or more"):
        load_corpus(lists, Reading(skip_small=True))


def test_which_labels_are_ranked_is_told_and_can_be_decided(lists: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["validate", str(lists)], standalone_mode=False)
    assert "No label counts as ranked: the first hundred lines of each file are" in capsys.readouterr().out
    lines = (lists / "Alpha.txt").read_text(encoding="utf-8").splitlines()
    random.Random(0).shuffle(lines)
    (lists / "Alpha.txt").write_text("\n".join(lines))
    for arguments, sentence in (
        ([], "1 of 3 labels (Alpha) count as ranked, the most common name first: the first hundred lines"),
        (["--ranked", "yes"], "3 of 3 labels count as ranked"),
        (["--ranked", "no"], "0 of 3 labels count as ranked"),
    ):
        app(["validate", str(lists), *arguments], standalone_mode=False)
        assert sentence in capsys.readouterr().out
    assert describe_data(lists).ranked_labels == ("Alpha",)
    assert load_corpus(lists, Reading(ranked="no")).names.ranked_labels() == ()


def test_a_bundle_is_evaluated_on_the_names_as_it_read_them(lists: Path, tmp_path: Path) -> None:
    _add(lists, "Delta.txt", "Delta\n")
    bundle, config = tmp_path / "bundle", tmp_path / "config.toml"
    config.write_text('[training]\nranked = "yes"\nepochs = 1\n[shape]\narchitecture = "linear"\nngram_bits = 10\n')
    store = ["--store", str(tmp_path / "store")]
    app(["train", str(bundle), str(lists), "--skip-small", "--config", str(config), *store], standalone_mode=False)
    app(["evaluate", str(bundle), str(lists)], standalone_mode=False)
    app(["promote", str(lists), *store], standalone_mode=False)
    _add(lists, "Alpha.txt", "Newname\n", first=True)
    with pytest.raises(DataError, match="not the data"):
        app(["evaluate", str(bundle), str(lists)], standalone_mode=False)


def test_a_table_is_told_which_verb_takes_it(tmp_path: Path) -> None:
    (tmp_path / "cities.csv").write_text("name,label\n")
    with pytest.raises(DataError, match=r"model ingest .*cities.csv DATA"):
        app(["validate", str(tmp_path / "cities.csv")], standalone_mode=False)
