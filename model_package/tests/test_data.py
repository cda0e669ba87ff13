from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.data import Dataset, build_dataset, describe_data, load_dataset, split_dataset
from model.errors import DataError

LETTERS = "abcdefghijkl"


def _folder(tmp_path: Path, **files: bytes) -> Path:
    for label, content in files.items():
        (tmp_path / f"{label}.txt").write_bytes(content)
    return tmp_path


def _lines(prefix: str, n: int = 12) -> bytes:
    return "".join(f"{prefix}{LETTERS[i]}\n" for i in range(n)).encode()


def _distinct(first: int) -> bytes:
    return "\n".join(map(chr, range(first, first + 20))).encode()


def test_reads_utf8_with_bom_crlf_and_blank_lines(tmp_path: Path) -> None:
    dataset = load_dataset(
        _folder(tmp_path, A=b"\xef\xbb\xbf" + _lines("x").replace(b"\n", b"\r\n\r\n"), B=_lines("y"))
    )
    assert dataset.labels == ("A", "B")
    assert dataset.names[:2] == ("xa", "xb")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "0 label file"),
        ({"A": _lines("x")}, "1 label file"),
        ({"A": _lines("x"), "B": b""}, "B.txt is empty"),
        ({"A": _lines("x"), "B": b"\n \n"}, "B.txt is empty"),
        ({"A": _lines("x"), "B": b"ab\xff\n"}, "byte 2 is not UTF-8"),
        ({"A": _lines("x"), "B": b"ab\n" + b"c" * 101 + b"\n"}, "B.txt, line 2: A name may have at most 100"),
        ({"A": _lines("x"), "B": b"ab\x00\n"}, "B.txt, line 1"),
        ({"A": _lines("x"), "B": _lines("y", 9)}, "B has 9 distinct"),
        ({"A": _lines("x"), "B" * 101: _lines("y")}, "1 to 100 printable"),
        ({"A": _lines("x"), "B ": _lines("y")}, "1 to 100 printable"),
        ({"A": _distinct(0x4E00), "B": _distinct(0x5E00)}, "nothing to learn"),
    ],
)
def test_unusable_folders_are_refused_with_the_place(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    with pytest.raises(DataError, match=said):
        load_dataset(_folder(tmp_path, **files))


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        load_dataset(tmp_path / "nowhere")


def test_dedupes_by_folded_form_within_a_label_and_keeps_names_shared_by_labels(tmp_path: Path) -> None:
    dataset = load_dataset(_folder(tmp_path, A=_lines("x") + "XÁ\nxa\n".encode(), B=_lines("y") + b"xa\n"))
    assert dataset.names.count("xa") == 2
    assert len(dataset) == 12 + 13


def test_report_counts_duplicates_overlaps_and_ceiling(tmp_path: Path) -> None:
    report = describe_data(_folder(tmp_path, A=_lines("x") + b"XA\n", B=_lines("y") + b"xa\nxb\n"))
    assert [(row.lines, row.names, row.shared) for row in report.labels] == [(13, 12, 2), (14, 14, 2)]
    assert report.overlaps == (("A", "B", 2),)
    assert report.accuracy_ceiling == pytest.approx(24 / 26)


@pytest.fixture
def dataset() -> Dataset:
    rng = np.random.default_rng(0)

    def words(n: int) -> list[str]:
        return ["".join(rng.choice(list(LETTERS), 3)) for _ in range(n)]

    return build_dataset({"A": words(500), "B": words(300), "C": words(40)})


def test_no_folded_name_is_in_two_parts(dataset: Dataset) -> None:
    split = split_dataset(dataset, seed=1)
    parts = [set(part.names) for part in (split.train, split.validation, split.test)]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert sum(map(len, (split.train, split.validation, split.test))) == len(dataset)
    assert len(split.test) / len(dataset) == pytest.approx(0.1, abs=0.03)


def test_every_label_is_in_every_part(dataset: Dataset) -> None:
    split = split_dataset(dataset, seed=1)
    for part in (split.train, split.validation, split.test):
        assert set(part.label_ids.tolist()) == {0, 1, 2}


def test_split_depends_on_the_seed_only(dataset: Dataset) -> None:
    first, same, other = (split_dataset(dataset, seed).test.names for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda lines: lines[::-1], True),
        (lambda lines: [*lines, lines[0].upper()], True),
        (lambda lines: [*lines, "new"], False),
    ],
)
def test_fingerprint_follows_the_names_not_the_files(change: Callable[[list[str]], list[str]], same: bool) -> None:
    lines = [f"x{c}" for c in LETTERS]
    other = [f"y{c}" for c in LETTERS]
    before = build_dataset({"A": lines, "B": other}).fingerprint()
    changed = [line.lower() for line in change(lines)]
    assert (build_dataset({"A": changed, "B": other}).fingerprint() == before) is same
