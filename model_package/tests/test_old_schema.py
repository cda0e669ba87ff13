"""A bundle that the last commit of schema 1 wrote, from 120 made-up names: stores outlive images."""

import json
import math
import shutil
from pathlib import Path

import pytest

from model.artifacts import read_bundle
from model.constants import METADATA_FILE, SCHEMA_VERSION
from model.errors import BundleError
from model.explain.contributions import explain
from model.explain.similar_names import SimilarNames
from model.export import load_classifier
from model.prediction import Predictor
from model.registry.store import Store, resolve_bundle

OLD = Path(__file__).with_name("bundle_of_schema_1")
# what the program that wrote it answered
ANSWERS = {
    "Rossini": {"Beta": -0.17276733557484641, "Gamma": -1.8424127515911446, "Alpha": -8.36895172769122},
    "Kowalski": {"Alpha": -0.0005932611153838066, "Beta": -7.540458461446043, "Gamma": -9.689487782632462},
    "Johnson": {"Gamma": -0.0002967471043127411, "Beta": -8.145434348446189, "Alpha": -11.92142909177871},
}


def test_the_kept_bundle_is_of_the_schema_before_this_one() -> None:
    assert json.loads((OLD / METADATA_FILE).read_text())["schema_version"] == SCHEMA_VERSION - 1


def test_it_answers_as_it_did() -> None:
    predictor = Predictor.load(OLD)
    for name, answer in ANSWERS.items():
        for batch in ([name], [name, *ANSWERS]):  # alone and among others
            prediction = predictor.predict(batch)[0]
            assert dict(zip(prediction.labels, prediction.log_probs, strict=True)) == pytest.approx(answer, abs=1e-5)
            assert list(prediction.log_probs) == sorted(prediction.log_probs, reverse=True)
            assert prediction.abstained is None  # it has no output that says whether a string is a name


def test_it_explains_and_finds_similar_names() -> None:
    assert all(map(math.isfinite, explain(Predictor.load(OLD), "Kowalski").contributions))
    assert SimilarNames.load(OLD).nearest("Kowalski", "Alpha")


def test_a_store_takes_it_and_serves_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    version = store.add(shutil.copytree(OLD, tmp_path / "bundle")).version
    store.promote(version, instead_of=None)
    copy = read_bundle(resolve_bundle(store.path))
    assert copy.metadata == read_bundle(OLD).metadata
    assert Predictor(copy).predict(["Kowalski"])[0].labels[0] == "Alpha"


def test_its_network_cannot_be_trained_on_and_that_is_one_sentence() -> None:
    with pytest.raises(BundleError, match="cannot build"):
        load_classifier(OLD)
