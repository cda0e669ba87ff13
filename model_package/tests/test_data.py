import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.data.corpus import Corpus, load_corpus
from model.data.dataset import Dataset, build_dataset, load_dataset
from model.data.description import describe_data
from model.data.splitting import split_corpus, split_dataset
from model.errors import DataError
from model.utils import unmark

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
        ({"A": _lines("x"), "B": b""}, "B has 0 distinct"),
        ({"A": _lines("x"), "B": b"\n \n"}, "B has 0 distinct"),
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


def test_the_most_common_names_always_train(dataset: Dataset) -> None:
    for seed in range(3):
        split = split_dataset(dataset, seed)
        for label_id, head in ((0, 100), (2, 13)):
            commonest = {
                name
                for name, i, r in zip(dataset.names, dataset.label_ids, dataset.ranks, strict=True)
                if i == label_id and r < head
            }
            assert commonest <= set(split.train.names)


def test_nearly_all_held_out_names_stay_so_when_names_are_added(dataset: Dataset) -> None:
    keep = np.arange(len(dataset)) % 5 > 0
    before, after = split_dataset(dataset.take(keep), seed=1), split_dataset(dataset, seed=1)
    assert len(set(before.test.names) - set(after.train.names)) > 0.6 * len(before.test)  # dealt anew, a fifth would


def test_split_depends_on_the_seed_only(dataset: Dataset) -> None:
    first, same, other = (split_dataset(dataset, seed).test.names for seed in (1, 1, 2))
    assert first == same != other


SHUFFLED = [f"x{c}" for c in "cabfdelkihgj"]


@pytest.mark.parametrize(
    ("lines", "ranks"),
    [
        (SHUFFLED, list(range(12))),
        ([*SHUFFLED, SHUFFLED[3].upper()], list(range(12))),
        (sorted(SHUFFLED), [math.inf] * 12),
        (sorted(SHUFFLED, reverse=True), [math.inf] * 12),
    ],
)
def test_ranks_follow_the_file_unless_it_is_in_alphabetical_order(
    tmp_path: Path, lines: list[str], ranks: list[float]
) -> None:
    dataset = load_dataset(_folder(tmp_path, A="\n".join(lines).encode(), B=_lines("y")))
    rank_of = dict(zip(dataset.names, dataset.ranks, strict=True))
    assert [rank_of[line] for line in lines[:12]] == ranks
    assert list(dataset.names) == sorted(dataset.names)  # so that the order of lines does not change the split


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda lines: [*lines, lines[0].upper()], True),
        (lambda lines: [*lines, "new"], False),
        (lambda lines: lines[1:] + lines[:1], False),
    ],
)
def test_fingerprint_follows_names_and_ranks(change: Callable[[list[str]], list[str]], same: bool) -> None:
    other = [f"y{c}" for c in LETTERS]
    before = build_dataset({"A": SHUFFLED, "B": other}).fingerprint()
    changed = [line.lower() for line in change(SHUFFLED)]
    assert (build_dataset({"A": changed, "B": other}).fingerprint() == before) is same


def test_common_names_weigh_more_and_alphabetical_files_weigh_alike(dataset: Dataset) -> None:
    three = dataset.take(np.arange(len(dataset)) < 3)
    weights = replace(three, ranks=np.array([0, 100, math.inf])).weights(emphasis=4)
    assert weights / weights[2] == pytest.approx([5, 3, 1])
    assert weights.mean() == pytest.approx(1)
    assert replace(three, ranks=np.full(3, math.inf)).weights(emphasis=4) == pytest.approx([1, 1, 1])


def _corpus_folder(tmp_path: Path, **beside: dict[str, bytes]) -> Path:
    names = tmp_path / "names"
    names.mkdir(parents=True)
    _folder(names, A=_lines("x"), B=_lines("y"))
    for folder, files in beside.items():
        (tmp_path / folder).mkdir()
        _folder(tmp_path / folder, **files)
    return names


def test_given_names_and_outliers_are_read_from_beside_the_names(tmp_path: Path) -> None:
    alone = load_corpus(_corpus_folder(tmp_path))
    assert alone.given is None
    assert alone.fingerprint() == alone.names.fingerprint()
    folder = _corpus_folder(tmp_path / "more", given_names={"B": b"Zoe\nYan\n"}, outliers={"words": b"house\nxa\n"})
    corpus = load_corpus(folder)
    assert corpus.names.fingerprint() == alone.names.fingerprint() != corpus.fingerprint()
    assert corpus.given is not None
    assert corpus.given.labels == ("A", "B")
    assert [corpus.given.labels[i] for i in corpus.given.label_ids] == ["B", "B"]
    assert corpus.outliers == ("house",)  # a name is none


def test_an_outlier_keeps_its_marks_beside_a_name_that_has_none(tmp_path: Path) -> None:
    words = "xá\nyä\nyán\nhåll\n".encode()
    corpus = load_corpus(_corpus_folder(tmp_path, given_names={"B": "Yán\nYan\n".encode()}, outliers={"words": words}))
    assert corpus.outliers == ("hall", "håll", "xá", "yä")  # xa and ya are names, and so is yán
    train, _, test = split_corpus(corpus, seed=0).outliers
    assert {*train, *test} == set(corpus.outliers)
    assert not {*map(unmark, train)} & {*map(unmark, test)}


def test_a_folder_called_given_names_does_not_stand_beside_itself(tmp_path: Path) -> None:
    folder = tmp_path / "given_names"
    folder.mkdir()
    assert load_corpus(_folder(folder, A=_lines("x"), B=_lines("y"))).given is None


def test_given_names_of_no_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such label"):
        load_corpus(_corpus_folder(tmp_path, given_names={"C": b"Zoe\n"}))


def test_variants_are_read_and_change_the_fingerprint_but_not_the_split(tmp_path: Path) -> None:
    alone = load_corpus(_corpus_folder(tmp_path))
    variants = {"A": "XA\tXáh\nxa\tXah\nxa\txb\nxa\thorse\nzoé\tzoey\n".encode()}
    given = {"A": b"Zoe\nYan\n"}
    corpus = load_corpus(
        _corpus_folder(tmp_path / "more", variants=variants, given_names=given, outliers={"words": b"horse\nhouse\n"})
    )
    row = corpus.names.names.index("xa")
    assert corpus.names.variants[row] == ("xah", "xáh")  # xb is a name itself, and a horse is none
    assert corpus.given and ("zoey",) in corpus.given.variants
    assert corpus.count_variants() == 3
    assert corpus.outliers == ("horse", "house")
    assert corpus.names.fingerprint() != alone.names.fingerprint()
    assert split_corpus(corpus, seed=0).test.names == split_corpus(alone, seed=0).test.names
    variants = {"A": b"xa\txoh\n"}
    other = load_corpus(_corpus_folder(tmp_path / "other", variants=variants, given_names=given))
    assert other.fingerprint() != corpus.fingerprint()


@pytest.mark.parametrize(
    ("label", "lines", "message"),
    [
        ("A", "xa\txah\nxb xbh\n", "line 2: a line holds a name, one tab"),
        ("A", "xa\txah\txoh\n", "line 1: a line holds a name, one tab"),
        ("A", "xa\t\n", "line 1: A name needs"),
        ("A", "xa\t" + "x" * 101, "line 1: A name may have"),
        ("A", "xa\txah\nnobody\tnobodi\n", "1 of the names before the tab are no names of the label"),
        ("C", "xa\txah\n", "no such label"),
    ],
)
def test_malformed_variants_are_refused(tmp_path: Path, label: str, lines: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_corpus(_corpus_folder(tmp_path, variants={label: lines.encode()}))


def test_a_variant_is_in_the_part_of_its_name_and_in_no_other(dataset: Dataset) -> None:
    of_several = "shared"
    varied = replace(dataset, variants=tuple((f"{name}off", of_several) for name in dataset.names))
    split = split_corpus(Corpus(varied), seed=1)
    parts = (split.train, split.validation, split.test)
    found = [{variant for variants in part.variants for variant in variants} for part in parts]
    assert [{f"{name}off" for name in part.names} for part in parts] == [part - {of_several} for part in found]
    assert [of_several in part for part in found] == [True, False, False]
    given = {"A": [f"{letter}q" for letter in LETTERS]}
    both = Corpus(varied, replace(build_dataset(given | {"B": list(LETTERS)}), variants=()), ())
    assert split_corpus(both, seed=1).test.variants == split.test.variants


def test_a_string_that_is_a_name_and_a_given_name_is_in_one_part(dataset: Dataset) -> None:
    given = {"A": [*dataset.names[:200], "new"], "B": ["b" * i for i in range(1, 40)], "C": list(LETTERS)}
    corpus = Corpus(dataset, build_dataset(given))
    split = split_corpus(corpus, seed=1)
    assert split.test.names == split_dataset(dataset, seed=1).test.names
    assert split.given is not None
    for part, others in ((split.test, (split.given.train, split.given.validation)), (split.train, (split.given.test,))):
        assert all(set(part.names).isdisjoint(other.names) for other in others)


def test_of_very_many_names_the_held_out_parts_stay_bounded(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = split_dataset(dataset, seed=1)
    monkeypatch.setattr("model.data.splitting._MAX_HELD_OUT", len(dataset) // 30)
    bounded = split_dataset(dataset, seed=1)
    assert len(bounded.test) < len(whole.test) / 2
    assert set(bounded.test.names) < set(whole.test.names)
