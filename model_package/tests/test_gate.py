"""The gate on real bundles: which names it judges by, and which criteria it adds to the comparison of answers."""

from pathlib import Path
from typing import Any

import pytest

from model.artifacts import DataIdentity, read_bundle, write_bundle
from model.classifier import ClassifierConfig, build_classifier
from model.constants import ONNX_FILE, SIMILAR_FILE
from model.data.corpus import Corpus, load_corpus
from model.data.splitting import split_corpus
from model.errors import BundleError, DataError
from model.evaluation.comparison import Criterion
from model.explain.similar_names import build_index
from model.export import export_onnx, save_bundle
from model.registry.gate import compare_bundles
from model.training import TrainingConfig, train


@pytest.fixture(scope="module")
def corpus(many_names_folder: Path) -> Corpus:
    return load_corpus(many_names_folder)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    folder = tmp_path_factory.mktemp("good")
    split = split_corpus(corpus, seed=0)
    identity = DataIdentity(fingerprint=corpus.fingerprint(), names=len(corpus.names), split_seed=0)
    save_bundle(folder, train(split, TrainingConfig(epochs=3)), split, identity)
    return folder


def _change(good: Path, folder: Path, files: dict[str, bytes] | None = None, **changes: Any) -> Path:
    """Write the bundle anew with other metadata or files."""
    bundle = read_bundle(good)
    write_bundle(folder, bundle.metadata.model_copy(update=changes), {**bundle.files, **(files or {})})
    return folder


def _by_name(criteria: list[Criterion]) -> dict[str, Criterion]:
    return {criterion.name.partition(" of ")[0]: criterion for criterion in criteria}


def test_a_bundle_passes_beside_itself(good: Path, corpus: Corpus) -> None:
    criteria = compare_bundles(good, good, corpus)
    assert all(criterion.passed for criterion in criteria), criteria
    assert {"held-out names", "top-1", "macro-F1", "calibration error", "recall", "labels", "parity"} <= set(
        _by_name(criteria)
    )
    assert _by_name(criteria)["held-out names"].challenger == len(split_corpus(corpus, seed=0).test)


def test_without_a_champion_only_parity_counts(good: Path, corpus: Corpus) -> None:
    assert [criterion.name for criterion in compare_bundles(good, None, corpus)] == ["parity of torch and ONNX Runtime"]


def test_names_that_the_champion_trained_on_are_not_judged_by(good: Path, corpus: Corpus, tmp_path: Path) -> None:
    test = split_corpus(corpus, seed=0).test

    def held_out(n_seen: int) -> dict[str, Criterion]:
        index = build_index(test.labels, test.names[:n_seen], test.label_ids[:n_seen])
        return _by_name(compare_bundles(good, _change(good, tmp_path / "champion", {SIMILAR_FILE: index}), corpus))

    assert held_out(5)["held-out names"].challenger == len(test) - 5
    criteria = held_out(len(test) - 99)
    assert not criteria["held-out names"].passed
    assert criteria["held-out names"].challenger == 99
    assert "top-1" not in criteria


def test_a_label_that_the_challenger_lacks_fails_and_only_shared_ones_are_judged(
    good: Path, corpus: Corpus, tmp_path: Path
) -> None:
    champion = _change(good, tmp_path / "champion", labels=("Alpha", "Beta", "Zeta"))
    criteria = _by_name(compare_bundles(good, champion, corpus))
    assert not criteria["labels"].passed
    assert (criteria["labels"].challenger, criteria["labels"].limit) == (2, 3)
    assert criteria["held-out names"].challenger < len(split_corpus(corpus, seed=0).test)


def test_an_export_of_another_network_fails(good: Path, corpus: Corpus, tmp_path: Path) -> None:
    config = ClassifierConfig(**read_bundle(good).metadata.config)
    challenger = _change(good, tmp_path / "challenger", {ONNX_FILE: export_onnx(build_classifier(config))})
    criteria = _by_name(compare_bundles(challenger, good, corpus))
    assert not criteria["parity"].passed
    assert not criteria["top-1"].passed


def test_a_network_that_is_larger_and_slower_fails(good: Path, corpus: Corpus, tmp_path: Path) -> None:
    old = read_bundle(good).metadata.config
    config = ClassifierConfig(**old | {"hidden_size": 4 * old["hidden_size"]})
    challenger = _change(good, tmp_path / "challenger", {ONNX_FILE: export_onnx(build_classifier(config))})
    criteria = _by_name(compare_bundles(challenger, good, corpus))
    assert not criteria["bytes that serve"].passed
    assert not criteria["microseconds a call"].passed


def test_other_data_is_refused(good: Path, names_folder: Path) -> None:
    with pytest.raises(DataError, match="not the data"):
        compare_bundles(good, good, load_corpus(names_folder))


def test_a_damaged_bundle_is_no_judgement(good: Path, bundle: Path, corpus: Corpus) -> None:
    (bundle / ONNX_FILE).write_bytes(b"")
    with pytest.raises(BundleError):
        compare_bundles(good, bundle, corpus)
