from dataclasses import replace

import numpy as np
import pytest

from model.data.batches import NO_LABEL, BatchSampler, SamplingConfig
from model.data.composition import ORDERS, compose, slices
from model.data.corpus import Corpus
from model.data.dataset import build_dataset
from model.data.outliers import draw_phrases, held_out_outliers, keyboard_mashes, random_strings
from model.data.splitting import Split, split_corpus
from model.utils import fold

LETTERS = "abcdefghijkl"
NAMES = build_dataset({label: [f"{label}{a}{b}" for a in LETTERS for b in LETTERS] for label in "xyz"})
# z has no given names
GIVEN = build_dataset({label: [f"{label}{a}" for a in LETTERS] for label in "xy"} | {"z": list(LETTERS)})
GIVEN = GIVEN.take(GIVEN.label_ids < 2)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def corpus_split() -> Split:
    return split_corpus(Corpus(NAMES, GIVEN, ("house", "horse", "mouse", *(f"w{i}" for i in LETTERS))), seed=0)


@pytest.mark.parametrize("order", ORDERS)
def test_full_names_join_a_given_and_another_name_of_one_label(order: str) -> None:
    full = compose(GIVEN, NAMES, np.arange(len(NAMES)), order, RNG)  # type: ignore[arg-type]
    assert len(full) == 2 * len(LETTERS) ** 2  # of the labels that have given names
    for name, label_id in zip(full.names, full.label_ids, strict=True):
        parts = name.split()
        first, last = parts if order == ORDERS[0] else reversed(parts)
        assert first in GIVEN.names
        assert last in NAMES.names
        assert first[0] == last[0] == "xyz"[label_id]


def test_full_names_that_are_too_long_are_left_out() -> None:
    long = build_dataset({label: [label * 90 + letter for letter in LETTERS] for label in "xy"})
    assert len(compose(long, long, np.arange(len(long)), ORDERS[0], RNG)) == 0


def test_slices_are_held_out_and_come_out_the_same(corpus_split: Split) -> None:
    found = slices(corpus_split)
    assert list(found) == ["test", "given names", *(f"full names, {order}" for order in ORDERS), "double given names"]
    assert found["test"] == corpus_split.test
    assert {name: dataset.names for name, dataset in slices(corpus_split).items()} == {
        name: dataset.names for name, dataset in found.items()
    }
    trained = {*corpus_split.train.names, *corpus_split.given.train.names} if corpus_split.given else set()
    assert all(
        trained.isdisjoint(name.replace("-", " ").split()) for dataset in found.values() for name in dataset.names
    )
    assert list(slices(Split(corpus_split.train, corpus_split.validation, corpus_split.test))) == ["test"]


def test_outliers_can_be_typed_and_those_held_out_are_no_names(corpus_split: Split) -> None:
    for text in (
        *random_strings(list("abc"), NAMES.names, 50, RNG),
        *keyboard_mashes(NAMES.names, 50, RNG),
        *draw_phrases(["a b", "c"], 50, RNG),
    ):
        assert fold(text) == text
    kinds = held_out_outliers(corpus_split, LETTERS)
    assert list(kinds) == ["random letters", "keyboard mashes", "listed outliers", "pairs of listed outliers"]
    assert set(kinds["listed outliers"]) == set(corpus_split.outliers[2])
    assert all(set(NAMES.names).isdisjoint(strings) for strings in kinds.values())


def _read(sampler: BatchSampler, characters: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return the names and the outliers of an epoch, in letters."""
    names: list[str] = []
    others: list[str] = []
    for batch in sampler.draw_epoch():
        assert len(batch.ids) <= 16
        for ids, label_id, weight in zip(batch.ids, batch.label_ids, batch.weights, strict=True):
            assert (weight > 0) == (label_id >= 0)
            text = "".join(characters[i - 3] if i > 2 else "?" for i in ids[1:-1])
            (others if label_id == NO_LABEL else names).append(text)
    return names, others


def test_an_epoch_holds_every_kind_in_its_share(corpus_split: Split) -> None:
    characters = tuple(sorted({*LETTERS, *"wxyzhouserm", " "}))
    ratios = {"given_names": 0.1, "full_names": 0.2, "outliers": 0.3}
    sampler = BatchSampler(corpus_split, characters, SamplingConfig(batch_size=16, character_dropout=0, **ratios))
    assert corpus_split.given
    train, given, n = set(corpus_split.train.names), set(corpus_split.given.train.names), len(corpus_split.train)
    for _ in range(2):
        names, others = _read(sampler, characters)
        assert len(others) == pytest.approx(0.3 * n, rel=0.25)
        assert (train | given).isdisjoint(others)
        assert sum(name in train for name in names) == n
        assert sum(name in given for name in names) == pytest.approx(0.09 * n, abs=1)
        double = [name for name in names if given.issuperset(name.replace("?", " ").split()) and name not in given]
        assert len(double) == pytest.approx(0.01 * n, abs=2)
        full = [name for name in names if not train.isdisjoint(name.split()) and " " in name]
        assert 0.4 * 0.2 * n < len(full) <= 0.2 * n  # a label has no given names
        assert all(set(name.split()) <= train | given for name in full)


def test_names_are_seen_in_their_variants_in_the_share_that_is_set() -> None:
    names, given = (
        replace(part, variants=tuple((f"{name}ov", f"{name}off") if name < "y" else () for name in part.names))
        for part in (NAMES, GIVEN)
    )
    split = split_corpus(Corpus(names, given), seed=0)
    characters = tuple(sorted({*LETTERS, *"xyzovf "}))
    config = SamplingConfig(
        batch_size=16, variants=0.5, given_names=0.3, full_names=0.3, outliers=0.1, character_dropout=0
    )
    of_train = {variant for variants in split.train.variants for variant in variants}
    n_varied = sum(map(bool, split.train.variants))
    sampler, seen = BatchSampler(split, characters, config), []
    for _ in range(20):
        seen += _read(sampler, characters)[0]
    assert sum(name in of_train for name in seen) == pytest.approx(20 * 0.5 * n_varied, rel=0.15)
    assert of_train <= set(seen)  # each of them, as they are drawn anew
    assert any(" " in name and name.split()[0].endswith("off") for name in seen)
    held_out = {v for part in (split.validation, split.test) for variants in part.variants for v in variants}
    assert held_out
    assert held_out.isdisjoint(word for name in seen for word in name.split())
    never = BatchSampler(split, characters, replace(config, variants=0))
    assert of_train.isdisjoint(word for name in _read(never, characters)[0] for word in name.split())
    sequences, label_ids = sampler.labelled()
    assert len(sequences) == len(label_ids) > len(never.labelled()[0])


def test_variants_of_test_names_are_a_slice() -> None:
    names = replace(NAMES, variants=tuple((f"{name}ov",) for name in NAMES.names))
    split = split_corpus(Corpus(names), seed=0)
    found = slices(split)["other romanisations"]
    assert found.names == tuple(f"{name}ov" for name in split.test.names)
    assert found.label_ids.tolist() == split.test.label_ids.tolist()


def test_listed_outliers_are_seen_as_they_are_read_and_never_one_that_is_a_variant() -> None:
    split = replace(split_corpus(Corpus(NAMES), seed=0), outliers=(("dr. mouse", "house (old)"), (), ()))
    split = replace(split, train=replace(split.train, variants=(("house",), *((),) * (len(split.train) - 1))))
    characters = tuple(sorted({*LETTERS, *"xyzmouserd.()", " "}))
    sampler = BatchSampler(split, characters, SamplingConfig(batch_size=16, character_dropout=0))
    _, others = _read(sampler, characters)
    assert "mouse" in others
    assert not any("dr." in text or "(" in text or text == "house" for text in others)
    assert 0.2 < np.mean([" " in text for text in others if "mouse" in text or "house" in text]) < 0.7


def test_outliers_held_out_are_never_trained_on(corpus_split: Split) -> None:
    characters = tuple(sorted({*LETTERS, *"wxyzhouserm", " "}))
    sampler = BatchSampler(corpus_split, characters, SamplingConfig(batch_size=16, character_dropout=0))
    held_out = {text for kind in held_out_outliers(corpus_split, characters).values() for text in kind}
    assert len(held_out) > 1000
    for _ in range(5):
        assert held_out.isdisjoint(_read(sampler, characters)[1])


def test_long_outliers_and_letterless_alphabets_do_not_end_a_training() -> None:
    long = tuple(f"{i} {'w' * 90}" for i in range(30))
    split = split_corpus(Corpus(NAMES, None, long), seed=0)
    kinds = held_out_outliers(split, tuple(" 0123"))
    assert kinds["pairs of listed outliers"]
    assert all(fold(text) for strings in kinds.values() for text in strings)


def test_a_handful_of_given_names_is_left_out() -> None:
    few = build_dataset({label: [f"{label}{a}" for a in LETTERS] for label in "xyz"})
    few = few.take(np.arange(len(few)) < 2)
    assert split_corpus(Corpus(NAMES, few), seed=0).given is None


def test_epochs_differ_and_a_seed_repeats_them(corpus_split: Split) -> None:
    def deal(seed: int) -> list[bytes]:
        sampler = BatchSampler(corpus_split, tuple(sorted({*LETTERS, *"xyz", " "})), SamplingConfig(seed=seed))
        return [b"".join(batch.ids.tobytes() for batch in sampler.draw_epoch()) for _ in range(2)]

    first, second = deal(0)
    assert first != second
    assert deal(0) == [first, second]
    assert deal(1) != [first, second]


def test_every_name_aims_at_its_label_and_is_there_for_the_language_model(corpus_split: Split) -> None:
    config = SamplingConfig(given_names=0.1, full_names=0.1, character_dropout=0)
    sampler = BatchSampler(corpus_split, tuple("xyz" + LETTERS), config)
    for batch in sampler.draw_epoch():
        for ids, label_id in zip(batch.ids, batch.label_ids, strict=True):
            assert label_id == NO_LABEL or label_id in ids - 3  # a name of each label begins with its letter
    sequences, label_ids = sampler.labelled()
    n = len(corpus_split.train)
    assert label_ids[:n].tolist() == corpus_split.train.label_ids.tolist()
    assert n < len(sequences) == len(label_ids) <= 1.2 * n + 1
