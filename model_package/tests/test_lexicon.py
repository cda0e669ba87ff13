from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from model.artifacts import read_bundle, write_bundle
from model.constants import KNOWN_FILE
from model.data.splitting import Split
from model.evaluation.slice_evaluation import evaluate_slice
from model.explain.contributions import explain
from model.export import save_bundle
from model.lexicon import Lexicon
from model.prediction import Predictor
from model.training import TrainingResult
from model.utils import fold

LISTED = "Kabo"  # the network takes it for a name of Gamma
VARIANT = "Qabou"  # of LISTED
UNUSUAL = ("Dr Kabu", "Kabu (note)", "Kabu, Bo", "St. Bo's Kabu", "Kabu 7", "7#", "Ωkabu", "佐藤", "'kabu'")


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory, result: TrainingResult, split: Split, exported: Path) -> Path:
    """A bundle of a network that never saw LISTED and UNUSUAL, which are listed under Alpha alone."""
    names = tuple(map(fold, (LISTED, *UNUSUAL)))
    train = replace(
        split.train,
        names=(*split.train.names, *names),
        spellings=(*split.train.spellings, *names),
        label_ids=np.append(split.train.label_ids, [split.train.labels.index("Alpha")] * len(names)),
        ranks=np.append(split.train.ranks, [np.inf] * len(names)),
        variants=(*split.train.variants, (fold(VARIANT),), *((),) * len(UNUSUAL)),
    )
    folder = tmp_path_factory.mktemp("listed")
    save_bundle(folder, result, replace(split, train=train), read_bundle(exported).metadata.data)
    return folder


@pytest.fixture(scope="module")
def predictor(listing: Path) -> Predictor:
    return Predictor.load(listing)


def _gain(predictor: Predictor, name: str) -> float:
    """Return how much the lexicon adds to the log-odds of Alpha."""
    alpha = predictor.labels.index("Alpha")
    shares = [np.exp(predictor.log_probs([name], lexicon=flag)[0, alpha]) for flag in (True, False)]
    listed, alone = (np.log(share / (1 - share)) for share in shares)
    return float(listed - alone)


@pytest.mark.parametrize("spelling", [LISTED, LISTED.upper(), "Kabó", f"Dr. {LISTED}"])
def test_a_listed_name_has_its_label_where_the_network_would_guess(predictor: Predictor, spelling: str) -> None:
    assert predictor.predict([spelling, "Tadi"], top_k=1)[0].labels == ("Alpha",)
    assert predictor.predict([spelling], top_k=1)[0].labels == ("Alpha",)
    assert predictor.log_probs([spelling], lexicon=False).argmax() == predictor.labels.index("Gamma")


@pytest.mark.parametrize("name", UNUSUAL)
def test_a_listed_name_is_known_whatever_it_is_written_with(predictor: Predictor, name: str) -> None:
    by_network = predictor.log_probs([name], lexicon=False)[0, predictor.labels.index("Alpha")]
    for prediction in (predictor.predict([name])[0], predictor.predict([name, "Tadi"])[0]):
        assert prediction.abstained is None
        assert prediction.log_probs[prediction.labels.index("Alpha")] > by_network


def test_a_variant_counts_less_than_its_name(predictor: Predictor) -> None:
    assert 0 < _gain(predictor, VARIANT) < _gain(predictor, LISTED)


def test_a_gain_is_in_nats_whatever_the_temperature(predictor: Predictor) -> None:
    assert predictor.metadata.temperature != pytest.approx(1, abs=0.05)
    ((_, gains),) = Lexicon.build([LISTED], np.array([0]), np.ones(1)).gains(LISTED)
    assert _gain(predictor, LISTED) == pytest.approx(gains[0], rel=0.01)


@pytest.mark.parametrize(("threshold", "names"), [(1000.0, ["Kabu"]), (-1000.0, [n for n in UNUSUAL if "7" in n])])
def test_the_lexicon_alone_makes_a_listed_name_familiar(listing: Path, threshold: float, names: list[str]) -> None:
    """The network would find none familiar, or all; digits that it does not know would be none of a name."""
    bundle = read_bundle(listing)
    metadata = bundle.metadata.model_copy(update={"abstention_threshold": threshold})
    predictor = Predictor(replace(bundle, metadata=metadata))
    assert (predictor.familiarity(names) >= threshold).all()
    assert (predictor.familiarity(names, lexicon=False) < threshold).all()


def test_what_cannot_be_read_and_is_not_listed_has_no_label(predictor: Predictor) -> None:
    assert {p.abstained for p in predictor.predict(["鈴木", "8#"])} == {"unknown characters"}


def test_another_lexicon_is_another_version(predictor: Predictor, exported: Path) -> None:
    same_weights = read_bundle(exported)
    assert predictor.metadata.temperature == same_weights.metadata.temperature
    assert predictor.metadata.version != same_weights.metadata.version


def test_words_of_a_full_name_count_when_the_whole_is_not_listed(predictor: Predictor) -> None:
    alone, listed = (predictor.log_probs(["Tado Kabo"], lexicon=flag)[0] for flag in (False, True))
    alpha = predictor.labels.index("Alpha")
    assert listed[alpha] > alone[alpha]


def test_one_name_and_many_have_the_same_answer(predictor: Predictor) -> None:
    (alone,) = predictor.predict([LISTED])
    among = predictor.predict(["Tadoski", LISTED, "Bo"])[1]
    assert alone.labels == among.labels
    assert alone.log_probs == pytest.approx(among.log_probs)
    assert np.exp(predictor.log_probs([LISTED, "Bo"])).sum(axis=1) == pytest.approx([1, 1])


def test_every_name_of_the_data_is_familiar_held_out_or_not(predictor: Predictor, split: Split) -> None:
    assert not any(p.abstained for part in (split.train, split.test) for p in predictor.predict(part.names))


def test_held_out_names_are_evaluated_as_if_no_list_held_them(predictor: Predictor, split: Split) -> None:
    evaluated = evaluate_slice(predictor, "test", split.test)
    network = predictor.log_probs_of_ids([predictor.encode(name) for name in split.test.names])
    accuracy = float((network.argmax(axis=1) == split.test.label_ids).mean())
    listed = float((predictor.log_probs(split.test.names).argmax(axis=1) == split.test.label_ids).mean())
    assert evaluated.metrics.accuracy == accuracy <= listed
    assert (predictor.log_probs(split.test.names) != network).any()


def test_an_explanation_tells_what_the_lexicon_adds(predictor: Predictor) -> None:
    listed, unlisted = explain(predictor, LISTED), explain(predictor, "Kabod")
    assert (listed.label, listed.log_prob) == ("Alpha", pytest.approx(predictor.predict([LISTED])[0].log_probs[0]))
    assert listed.lexicon > 1
    assert unlisted.lexicon == pytest.approx(0)


def test_a_name_of_several_labels_gains_each_by_how_often_it_is_met() -> None:
    lexicon = Lexicon.build(["lee", "lee", "lee", "de la o"], np.array([0, 2, 2, 1]), np.array([1, 0.5, 1, 1]))
    ((label_ids, gains),) = lexicon.gains("lee")
    assert label_ids.tolist() == [0, 2]
    assert gains[1] > gains[0] > 0
    assert [ids.tolist() for ids, _ in lexicon.gains("de la o")] == [[1]]
    assert [ids.tolist() for ids, _ in lexicon.gains("maria lee o")] == [[0, 2], []]  # o is a word, and no name
    assert "de" in lexicon
    assert "maria" not in lexicon


def test_a_full_name_without_spaces_gains_by_its_longest_listed_beginning() -> None:
    lexicon = Lexicon.build(["高", "高橋"], np.array([0, 1]), np.ones(2))
    ((whole, of_whole),) = lexicon.gains("高橋")
    ((beginning, of_beginning),) = lexicon.gains("高橋健一")
    assert whole.tolist() == beginning.tolist() == [1]
    assert of_whole[0] > of_beginning[0] > 0
    assert [ids.tolist() for ids, _ in lexicon.gains("高志")] == [[0]]
    assert list(lexicon.gains("田中")) == list(lexicon.gains("take")) == []


def test_a_bundle_of_before_lists_names_without_labels(bundle: Path) -> None:
    old = read_bundle(bundle)
    hashes = safetensors.numpy.load(old.files[KNOWN_FILE])["hashes"]
    write_bundle(bundle, old.metadata, {**old.files, KNOWN_FILE: safetensors.numpy.save({"hashes": hashes})})
    predictor, names = Predictor.load(bundle), ["Kaboski"]
    assert (predictor.log_probs(names) == predictor.log_probs(names, lexicon=False)).all()


def test_a_name_may_be_less_familiar_the_more_of_its_words_are_listed() -> None:
    lexicon = Lexicon.build(["lee", "ann"], np.array([0, 1]), np.ones(2), ["table"])
    everything, half = lexicon.leniency("ann lee"), lexicon.leniency("ann xyz")
    assert everything == np.inf > half > 0
    assert lexicon.leniency("xyz") == lexicon.leniency("ann xyz abc") == lexicon.leniency("table ann") == 0


def test_a_text_of_words_that_are_no_names_is_none() -> None:
    names = ["ann", "blue table"]
    lexicon = Lexicon.build(names, np.array([0, 1]), np.ones(2), ["table", "chair", "not available"])
    for text in ("table", "table chair", "not available"):
        assert lexicon.lists_as_outlier(text)
    for text in ("ann table", "blue table", "table xyz", "not", "available", "chair blue"):
        assert not lexicon.lists_as_outlier(text)
    assert lexicon.leniency("ann table chair") == 0


def test_a_marked_word_is_not_the_name_that_it_would_be_without_marks() -> None:
    lexicon = Lexicon.build(["fran", "lasa"], np.array([0, 1]), np.ones(2), ["från", "läsa", "fran", "många"])
    for text in ("från", "läsa", "många", "manga", "från många", "läsa manga"):
        assert lexicon.lists_as_outlier(text)
    for text in ("fran", "lasa", "frán", "fran lasa", "läsa lasa"):
        assert not lexicon.lists_as_outlier(text)


def test_an_empty_lexicon_holds_nothing() -> None:
    lexicon = Lexicon.build([], np.zeros(0, dtype=np.int64), np.zeros(0))
    assert "a" not in lexicon
    assert list(lexicon.gains("a b")) == []
