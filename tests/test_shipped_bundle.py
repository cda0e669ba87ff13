"""The bundle in artifacts/ belongs to the names in data/ and says what the code says."""

import math
from pathlib import Path

import numpy as np
import pytest

from model.constants import ONNX_FILE, PARITY_TOLERANCE
from model.data.corpus import Corpus, load_corpus
from model.data.splitting import Split, split_corpus
from model.evaluation.metrics import evaluate
from model.export import load_classifier
from model.networks.inference import compute_outputs
from model.onnx_network import OnnxClassifier
from model.prediction import Predictor
from model.utils import encode, log_softmax

ROOT = Path(__file__).parents[1]
BUNDLE, DATA = ROOT / "artifacts", ROOT / "data" / "names"


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.load(BUNDLE)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus(DATA)


@pytest.fixture(scope="module")
def split(predictor: Predictor, corpus: Corpus) -> Split:
    return split_corpus(corpus, predictor.metadata.data.split_seed)


def test_it_was_trained_on_these_names(predictor: Predictor, corpus: Corpus) -> None:
    assert predictor.labels == tuple(sorted(path.stem for path in DATA.glob("*.txt")))
    assert predictor.metadata.data.fingerprint == corpus.fingerprint()


def test_its_metrics_are_what_it_does(predictor: Predictor, split: Split) -> None:
    metrics = evaluate(predictor.log_probs(split.test.spellings, lexicon=False), split.test.label_ids, predictor.labels)
    stated = predictor.metadata.metrics["test"]
    assert metrics.accuracy == pytest.approx(stated["accuracy"], abs=1e-3)
    assert metrics.nll == pytest.approx(stated["nll"], abs=1e-4)


def test_torch_and_onnx_agree_on_every_test_name(predictor: Predictor, split: Split) -> None:
    names = (*split.test.spellings, *("a" * n for n in range(1, 101)))
    sequences = [encode(name, predictor.vocabulary) for name in names]
    assert len(sequences) >= 2000
    expected = compute_outputs(load_classifier(BUNDLE), sequences, len(predictor.labels) + 1)
    actual = OnnxClassifier((BUNDLE / ONNX_FILE).read_bytes()).compute_outputs(sequences)
    for part in (slice(0, -1), slice(-1, None)):
        difference = (
            log_softmax(expected[:, :-1]) - log_softmax(actual[:, :-1]) if part.stop else (expected - actual)[:, part]
        )
        assert np.abs(difference).max() <= PARITY_TOLERANCE


@pytest.mark.parametrize(
    ("name", "label"),
    [("Kowalczyk", "Polish"), ("Papadopoulos", "Greek"), ("Yamamoto", "Japanese"), ("Esposito", "Italian")],
)
def test_it_knows_names_that_nobody_doubts(predictor: Predictor, name: str, label: str) -> None:
    (prediction,) = predictor.predict([name], top_k=1)
    assert prediction.labels == (label,)
    assert math.exp(prediction.log_probs[0]) > 0.5


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("anna kowalska", "Polish"),
        ("KOWALSKA ANNA", "Polish"),
        ("Nguyễn Văn An", "Vietnamese"),
        ("O'Brien", "Irish"),
        ("Кузнецов", "Russian"),
        ("Παπαδόπουλος", "Greek"),
        ("たなか", "Japanese"),
        ("Հարությունյան", "Armenian"),
        ("さとう", "Japanese"),
        ("サトウ", "Japanese"),
        ("佐藤", "Japanese"),
        ("田中", "Japanese"),
        ("王", "Chinese"),
        ("김", "Korean"),
        ("박근혜", "Korean"),
        ("सिंह", "Hindi"),
        ("محمد", "Arabic"),
        ("בנימין נתניהו", "Hebrew"),
        ("Їжакевич", "Ukrainian"),
        ("Dr. Brown", "English"),
        ("Brown Jr.", "English"),
        ('"Clark"', "English"),
        ("Lopes, M.", "Portuguese"),
        ("O\u201bBrien", "Irish"),
        ("Jürgen", "German"),
        ("Åsa", "Swedish"),
        ("Smirnoff", "Russian"),
        ("Ignatieff", "Russian"),
        ("Merkel", "German"),
        ("Mikołaj Kopernik", "Polish"),
        ("Björn Borg", "Swedish"),
        ("Béla Bartók", "Hungarian"),
        ("Albert Einstein", "German"),
        ("LeBron James", "English"),
        ("Stephen Hawking", "English"),
        ("习近平", "Chinese"),
        ("Fran", "Croatian"),
    ],
)
def test_it_reads_names_as_people_type_them(predictor: Predictor, name: str, label: str) -> None:
    (prediction,) = predictor.predict([name], top_k=1)
    assert prediction.labels == (label,)
    assert prediction.abstained is None


def test_a_hyphen_makes_no_name_german(predictor: Predictor) -> None:
    (prediction,) = predictor.predict(["María-José"], top_k=1)
    assert prediction.labels[0] in {"Portuguese", "Spanish"}
    assert prediction.abstained is None


@pytest.mark.parametrize(
    "name",
    [
        "Brown",
        "Clark",
        "Hughes",
        "Wright",
        "Edwards",
        "Wu",
        "Xu",
        "Ng",
        "Lopes",
        "Dmitry",
        "Ewa",
        "Piotr",
    ],
)
def test_common_names_are_familiar(predictor: Predictor, name: str) -> None:
    assert predictor.predict([name])[0].abstained is None


def test_names_of_the_data_are_familiar_held_out_or_not(predictor: Predictor, split: Split) -> None:
    assert split.given
    for part in (split.train, split.test, split.given.train, split.given.validation):
        assert not any(answer.abstained for answer in predictor.predict(part.spellings[::20]))


@pytest.mark.parametrize(
    "text",
    [
        "asdfghjk",
        "qwertzuiop",
        "xkcdqpzv",
        "customer service",
        "N/A",
        "#N/A",
        "null",
        "first name",
        "Name",
        "not available",
        "nothing works",
        "with",
        "from",
        "från",
        "für",
        "très",
        "John Doe",
        "张三",
        "although",
        "a@b.org",
    ],
)
def test_it_does_not_take_everything_for_a_name(predictor: Predictor, text: str) -> None:
    assert predictor.predict([text])[0].abstained == "unfamiliar"
