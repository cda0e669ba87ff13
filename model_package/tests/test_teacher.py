import numpy as np
import pytest

from model.data import build_dataset
from model.splitting import Split
from model.teacher import _to_text, teach
from model.training import encode_all


def test_opinions_are_probabilities_and_mostly_right(split: Split) -> None:
    train = split.train
    sequences = encode_all(train, train.characters())
    lesson = teach(train, sequences, train.weights(0), n_invented=200, seed=0)
    for opinions in (lesson.opinions, lesson.invented_opinions):
        assert opinions.sum(axis=1) == pytest.approx(np.ones(len(opinions)), abs=1e-5)
        assert opinions.min() >= 0
    assert (lesson.opinions.argmax(axis=1) == train.label_ids).mean() > 0.8  # it never saw the name, but its ending


def test_invented_names_are_new_distinct_and_readable(split: Split) -> None:
    train = split.train
    sequences = encode_all(train, train.characters())
    lesson = teach(train, sequences, train.weights(0), n_invented=200, seed=0)
    invented = set(map(tuple, lesson.invented))
    assert len(invented) == len(lesson.invented) == len(lesson.invented_opinions) > 50
    assert invented.isdisjoint(map(tuple, sequences))
    assert all(name[0] == 1 and name[-1] == 2 and len(name) > 2 for name in invented)


def test_the_teacher_has_not_seen_the_name_that_it_judges() -> None:
    rng = np.random.default_rng(0)
    dataset = build_dataset({label: ["".join(rng.choice(list("abcdefgh"), 8)) for _ in range(200)] for label in "AB"})
    lesson = teach(dataset, encode_all(dataset, dataset.characters()), np.ones(400), n_invented=0, seed=0)
    # nothing tells these labels apart but memory, which would make nearly all of them right
    assert (lesson.opinions.argmax(axis=1) == dataset.label_ids).mean() < 0.65


def test_no_token_becomes_a_space_that_the_regression_would_drop() -> None:
    assert not any(character.isspace() for character in _to_text(range(5000)))
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = {"A": [a + b + "e" for a in letters for b in letters], "B": [a + b + "g" for a in letters for b in letters]}
    dataset = build_dataset(names)
    lesson = teach(dataset, encode_all(dataset, dataset.characters()), np.ones(len(dataset)), n_invented=0, seed=0)
    assert (lesson.opinions.argmax(axis=1) == dataset.label_ids).all()
