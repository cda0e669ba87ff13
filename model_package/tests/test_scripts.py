"""Names in several scripts and with marks: how they are read, learnt and answered."""

import random
from pathlib import Path

import numpy as np
import pytest

from model.artifacts import DataIdentity
from model.classifier import Shape
from model.constants import SIMILAR_FILE
from model.data.composition import ORDERS, compose, slices
from model.data.corpus import Corpus
from model.data.dataset import Dataset, build_dataset
from model.data.splitting import Split, split_corpus
from model.errors import InvalidNameError
from model.explain.contributions import explain
from model.explain.similar_names import SimilarNames
from model.export import save_bundle
from model.prediction import Predictor
from model.training import TrainingConfig, train
from model.utils import main_script, normalize, script_of, unmark

CYRILLIC = {"East": ("ов", "ев"), "South": ("ић", "ски")}


def _names(n: int, ends: tuple[str, ...], letters: tuple[str, str], rng: random.Random) -> list[str]:
    consonants, vowels = letters
    return [
        "".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(rng.randint(1, 3))) + rng.choice(ends)
        for _ in range(n)
    ]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = random.Random(0)
    latin, cyrillic = ("bdfgklmnprst", "aeio"), ("бдфгклмнпрст", "аеио")
    names = {
        "East": [*_names(150, ("ov", "ev"), latin, rng), *_names(150, CYRILLIC["East"], cyrillic, rng)],
        "South": [*_names(150, ("ić", "ski"), latin, rng), *_names(150, CYRILLIC["South"], cyrillic, rng)],
        "West": _names(300, ("son", "ström", "bäck"), latin, rng),
    }
    return build_dataset(names, ranked="no")


@pytest.fixture(scope="module")
def split(dataset: Dataset) -> Split:
    return split_corpus(Corpus(dataset), seed=0)


@pytest.fixture(scope="module")
def bundle(split: Split, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    result = train(split, TrainingConfig(epochs=3, batch_size=32, outliers=0.5), Shape(ngram_bits=12))
    save_bundle(folder, result, split, DataIdentity(fingerprint="x", names=len(dataset), split_seed=0))
    return folder


@pytest.fixture(scope="module")
def predictor(bundle: Path) -> Predictor:
    return Predictor.load(bundle)


def test_marks_are_kept_beside_the_folded_name(dataset: Dataset) -> None:
    marked = {name: spelling for name, spelling in zip(dataset.names, dataset.spellings, strict=True) if name.isascii()}
    assert all(unmark(spelling) == name for name, spelling in marked.items())
    assert any(spelling.endswith("ström") for spelling in marked.values())


def test_a_script_tells_which_labels_cannot_be(predictor: Predictor) -> None:
    assert dict(predictor.metadata.scripts) == {
        "CYRILLIC": ("East", "South"),
        "LATIN": ("East", "South", "West"),
    }
    (answer,) = predictor.predict(["бадоsон".replace("s", "с")], top_k=3)
    assert answer.labels[-1] == "West"
    assert answer.log_probs[-1] < np.log(1e-3)


def test_scripts_are_answered_as_well_as_latin_letters(predictor: Predictor, split: Split) -> None:
    for title, part in slices(split).items():
        answers = predictor.log_probs(part.names).argmax(axis=1)
        assert (answers == part.label_ids).mean() > 0.8, title


def test_case_and_form_of_a_mark_change_nothing(predictor: Predictor) -> None:
    for name in ("Bädström", "БАДОВ", "Dodić"):
        same = {name, name.upper(), name.lower(), name.title()}
        assert len({predictor.predict([text])[0].log_probs for text in same}) == 1


def test_letters_never_seen_are_read_by_their_script_or_without_their_mark(predictor: Predictor) -> None:
    assert predictor.read("Bạdov") == "badov"
    assert predictor.predict(["щэю"])[0].labels[0] in CYRILLIC


@pytest.mark.parametrize("name", ["佐藤", "ქართული", "𐎠𐎼"])
def test_what_cannot_be_read_is_marked(predictor: Predictor, name: str) -> None:
    assert predictor.predict([name])[0].abstained == "unknown characters"


def test_a_lost_letter_is_refused(predictor: Predictor) -> None:
    with pytest.raises(InvalidNameError, match="lost"):
        predictor.predict(["M\ufffdller"])


def test_training_names_are_familiar_and_other_symbols_are_not(predictor: Predictor, split: Split) -> None:
    assert not any(answer.abstained for answer in predictor.predict(split.train.spellings))
    for text in ("badov@example.com", "N/A", "<b>badov</b>", "badov 2"):
        assert predictor.predict([text])[0].abstained


def test_explanations_and_neighbours_are_in_the_script_of_the_name(bundle: Path, predictor: Predictor) -> None:
    assert explain(predictor, "Бадов").characters == tuple("бадов")
    index = SimilarNames((bundle / SIMILAR_FILE).read_bytes())
    assert all(main_script(found.name) == "CYRILLIC" for found in index.nearest("Бадов", "East"))


def test_full_names_are_of_one_script_and_joined_as_it_is_done() -> None:
    names = build_dataset({"A": ["佐藤", "鈴木", *"abcdefgh"], "B": [f"b{c}" for c in "abcdefghij"]}, ranked="no")
    given = build_dataset({"A": ["健一", "花子", *"klmnopqr"], "B": [f"c{c}" for c in "abcdefghij"]}, ranked="no")
    rng = np.random.default_rng(0)
    full = compose(given, names, np.arange(len(names)), ORDERS[0], rng)
    assert len(full) == len(names)
    assert {name[:2] for name in full.names if script_of(name[0]) == "HAN"} == {"佐藤", "鈴木"}
    assert all(" " in name for name in full.names if main_script(name) == "LATIN")


@pytest.mark.parametrize(("text", "script"), [("Ωmega", "LATIN"), ("サトウ", "KANA"), ("山田", "HAN"), ("123", "")])
def test_the_script_of_a_text_is_that_of_most_of_its_letters(text: str, script: str) -> None:
    assert main_script(normalize(text)) == script


def test_names_in_other_scripts_are_a_slice_of_their_own(split: Split) -> None:
    found = slices(split)
    other = found["names in other scripts"]
    assert set(other.scripts) == set(split.test.scripts) - {"LATIN"}
    assert len(other) + len(found["Latin names"]) == len(found["test"])
