import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from model.artifacts import read_bundle, write_bundle
from model.constants import MAX_NEIGHBOURS, SIMILAR_FILE
from model.data.splitting import Split
from model.errors import BundleError, InvalidNameError, InvalidTopKError, UnknownLabelError
from model.explain.similar_names import Neighbour, SimilarNames, build_index, similar
from model.prediction import Predictor
from model.utils import fold

NAMES = {"Latin": ["kowalska", "kowalski", "nowak", "o", "li"], "Other": ["иванов", "nowak", "김", "δημοσ", "李小龍"]}


def _index(names_by_label: dict[str, list[str]]) -> SimilarNames:
    labels = sorted(names_by_label)
    rows = [(i, name) for i, label in enumerate(labels) for name in names_by_label[label]]
    return SimilarNames(build_index(labels, [name for _, name in rows], np.array([i for i, _ in rows])))


def _grams(name: str) -> Counter[str]:
    marked = f"^{name}$"
    return Counter(marked[i : i + n] for n in (2, 3) for i in range(len(marked) - n + 1))


def _brute_force(names: list[str], everyone: list[str], query: str) -> dict[str, float]:
    """The cosine of the query with each name, term by term as the textbook has it."""
    frequency = Counter(gram for name in everyone for gram in _grams(name))
    frequency = Counter({gram: sum(gram in _grams(name) for name in everyone) for gram in frequency})

    def vector(name: str) -> dict[str, float]:
        return {g: n * (math.log((len(everyone) + 1) / (frequency[g] + 1)) + 1) for g, n in _grams(name).items()}

    def cosine(a: dict[str, float], b: dict[str, float]) -> float:
        return sum(a[g] * b.get(g, 0) for g in a) / math.hypot(*a.values()) / math.hypot(*b.values())

    return {name: cosine(vector(query), vector(name)) for name in names}


words = st.text("abсд李\U00020000-' ", min_size=1, max_size=7).filter(lambda text: bool(text.strip())).map(fold)
lists = st.lists(words, max_size=12, unique=True)


@given(first=lists.filter(len), second=lists, query=words, n=st.integers(1, 8))
def test_it_finds_what_comparing_with_every_name_of_the_label_finds(
    first: list[str], second: list[str], query: str, n: int
) -> None:
    index = _index({"A": first, "B": second})
    for label, names in (("A", first), ("B", second)):
        expected = _brute_force(names, first + second, query)
        found = index.nearest(query, label, n)
        best = sorted((x for x in expected.values() if x > 1e-6), reverse=True)[:n]
        assert [neighbour.similarity for neighbour in found] == pytest.approx(best, abs=2e-6)
        assert len({neighbour.name for neighbour in found}) == len(found)
        assert all(neighbour.similarity == pytest.approx(expected[neighbour.name], abs=2e-6) for neighbour in found)


@pytest.mark.parametrize(("label", "name"), [(label, name) for label, names in NAMES.items() for name in names])
def test_the_same_name_comes_first_however_it_is_written(label: str, name: str) -> None:
    for spelling in (name, name.upper(), f"  {name.title()} "):
        assert _index(NAMES).nearest(spelling, label, 1) == [Neighbour(name, 1.0)]


def test_the_same_name_comes_before_one_with_the_same_letters_side_by_side() -> None:
    twins = ["abcabdab", "abdabcab"]
    for name in twins:
        found = _index({"A": twins}).nearest(name, "A")
        assert [neighbour.name for neighbour in found] == [name, *(twin for twin in twins if twin != name)]
        assert [neighbour.similarity for neighbour in found] == [1, 1]


def test_equally_similar_names_come_in_alphabetical_order_whatever_order_they_were_given_in() -> None:
    names = [f"{first}arko" for first in "zxyuwv"]
    for order in (names, names[::-1]):
        found = _index({"A": order}).nearest("marko", "A", 4)
        assert [neighbour.name for neighbour in found] == ["uarko", "varko", "warko", "xarko"]
        assert len({neighbour.similarity for neighbour in found}) == 1


def test_only_names_of_the_label_and_only_those_that_share_letters() -> None:
    index = _index(NAMES)
    assert index.nearest("nowak", "Latin")[0] == index.nearest("nowak", "Other")[0]
    assert [neighbour.name for neighbour in index.nearest("kowalska", "Other")] == ["nowak"]
    assert index.nearest("жж", "Latin") == []
    assert _index(NAMES | {"Void": []}).nearest("nowak", "Void") == []


def test_letters_that_no_training_name_has_make_a_name_less_similar() -> None:
    (neighbour, *_) = _index(NAMES).nearest("kowalskaж", "Latin")
    assert neighbour.name == "kowalska"
    assert 0 < neighbour.similarity < 1


def test_names_of_any_permitted_length() -> None:
    names = ["ab" * (length // 2) + "a" * (length % 2) for length in range(1, 101)]
    index = _index({"A": names})
    for name in names:
        found = index.nearest(name, "A", MAX_NEIGHBOURS)
        assert found[0] == Neighbour(name, 1.0)
        assert len(found) == 100


@pytest.mark.parametrize("name", ["", " ", "\ud800", "a\x00b", "a" * 101, "\u200b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError):
        _index(NAMES).nearest(name, "Latin")


@pytest.mark.parametrize("n", [-1, 0, MAX_NEIGHBOURS + 1])
def test_a_number_out_of_range_is_refused(n: int) -> None:
    with pytest.raises(InvalidTopKError, match="between 1 and 100"):
        _index(NAMES).nearest("nowak", "Latin", n)


def _malformed() -> Iterator[tuple[str, bytes]]:
    content = build_index(["A", "B"], ["ab", "cd", "ёж"], np.array([0, 1, 1]))
    tensors = safetensors.numpy.load(content)
    yield "empty", b""
    yield "cut", content[:-1]
    yield "not safetensors", b"\xff" * 100
    for key in sorted(tensors):
        yield f"no {key}", safetensors.numpy.save({k: v for k, v in tensors.items() if k != key})
        yield f"short {key}", safetensors.numpy.save(tensors | {key: tensors[key][:-1].copy()})
        yield f"no content in {key}", safetensors.numpy.save(tensors | {key: tensors[key][:0].copy()})
        yield f"{key} of floats", safetensors.numpy.save(tensors | {key: tensors[key].astype(np.float64)})
    for counts in ([1, 1], [2, 2], [4, -1], [3], [1, 1, 1], [2**63 - 1, 4 - 2**63]):
        yield f"counts {counts}", safetensors.numpy.save(tensors | {"counts": np.array(counts)})
    for key in ("names", "counts"):
        yield f"{key} in two dimensions", safetensors.numpy.save(tensors | {key: tensors[key].reshape(1, -1)})
    latin_1 = np.frombuffer("ab\ncd\nëf\n".encode("latin-1"), dtype=np.uint8)
    yield "not UTF-8", safetensors.numpy.save(tensors | {"names": latin_1})


@pytest.mark.parametrize("content", [pytest.param(content, id=what) for what, content in _malformed()])
def test_a_malformed_index_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError, match=SIMILAR_FILE):
        SimilarNames(content)


@pytest.fixture(scope="module")
def predictor(exported: Path) -> Predictor:
    return Predictor.load(exported)


def test_a_bundle_holds_its_training_names_and_no_others(exported: Path, split: Split) -> None:
    index = SimilarNames.load(exported)
    for part, there in ((split.train, True), (split.validation, False), (split.test, False)):
        for name, label_id in zip(part.names, part.label_ids, strict=True):
            assert (index.nearest(name, part.labels[label_id], 1)[0].name == name) == there


def test_the_predicted_label_or_a_given_one_is_searched(predictor: Predictor, exported: Path) -> None:
    index = SimilarNames.load(exported)
    predicted = similar(predictor, index, "Kabóski", n=3)
    assert predicted.label == predictor.predict(["Kaboski"], top_k=1)[0].labels[0]
    assert len(predicted.neighbours) == 3
    assert similar(predictor, index, "Kaboski", predicted.label, 3) == predicted
    assert similar(predictor, index, "Kaboski", "Beta").label == "Beta"
    assert similar(predictor, index, "名", "Beta").neighbours == ()
    with pytest.raises(UnknownLabelError, match="Alpha, Beta, Gamma"):
        similar(predictor, index, "Kaboski", "Delta")
    with pytest.raises(InvalidNameError):
        similar(predictor, index, "名")


def test_a_name_is_searched_as_it_is_read(predictor: Predictor, exported: Path, split: Split) -> None:
    index, bare = SimilarNames.load(exported), split.train.names[0]
    for name in (f"Dr. {bare}", f"{bare}, Jr.", f'"{bare}"'):
        assert similar(predictor, index, name, split.train.labels[0], 1).neighbours == (Neighbour(bare, 1.0),)


def test_a_bundle_without_an_index_or_with_one_of_other_labels_is_refused_in_a_sentence(bundle: Path) -> None:
    old = read_bundle(bundle)
    write_bundle(bundle, old.metadata, {**old.files, SIMILAR_FILE: build_index(["A"], ["ab"], np.array([0]))})
    with pytest.raises(BundleError, match="other labels"):
        SimilarNames.load(bundle)
    write_bundle(bundle, old.metadata, {name: old.files[name] for name in old.files if name != SIMILAR_FILE})
    with pytest.raises(BundleError, match="holds no similar"):
        SimilarNames.load(bundle)
    assert Predictor.load(bundle).labels == ("Alpha", "Beta", "Gamma")
