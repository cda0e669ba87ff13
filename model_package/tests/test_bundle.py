import json
import pickle
import random
import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from model import artifacts
from model.artifacts import DataIdentity, read_bundle, write_bundle
from model.calibration import N_LENGTH_CLASSES
from model.classifier import build_classifier
from model.constants import KNOWN_FILE, METADATA_FILE, ONNX_FILE, SIMILAR_FILE, WEIGHTS_FILE
from model.data.dataset import build_dataset
from model.data.splitting import Split, split_dataset
from model.errors import BundleError, InvalidNameError, InvalidTopKError, ParityError
from model.export import check_parity, export_onnx, find_commit, load_classifier, save_bundle
from model.onnx_network import OnnxClassifier
from model.prediction import Prediction, Predictor
from model.training import TrainingConfig, TrainingResult, train

FILES = (WEIGHTS_FILE, ONNX_FILE, SIMILAR_FILE, KNOWN_FILE, METADATA_FILE)
PLOTS = ("abstention", "confusion", "labels", "learning_curve", "pairs", "reliability")
REPORT = ("report/MODEL_CARD.md", "report/metrics.json", *(f"report/{plot}.png" for plot in PLOTS))
IDENTITY = DataIdentity(fingerprint="0", names=1, split_seed=0)


def _snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_weights_survive_saving(bundle: Path, result: TrainingResult) -> None:
    loaded, trained = load_classifier(bundle).state_dict(), result.classifier.state_dict()
    assert all(torch.equal(loaded[key], trained[key]) for key in trained)


def test_a_loaded_network_does_not_keep_its_file(bundle: Path) -> None:
    onnx = (bundle / ONNX_FILE).read_bytes()
    before = sys.getrefcount(onnx)
    classifier = OnnxClassifier(onnx)
    assert sys.getrefcount(onnx) == before
    assert classifier.n_outputs > 1


def test_bundle_holds_its_files_and_no_pickle(bundle: Path) -> None:
    assert sorted(_snapshot(bundle)) == sorted([*FILES, *REPORT])
    assert not any(
        content.startswith(b"\x80\x04") or b"PK\x03\x04" in content[:4] for content in _snapshot(bundle).values()
    )


def _damaged(pristine: Path) -> Iterator[dict[str, bytes | None]]:
    """Yield a hundred ways to spoil a bundle: new contents of files; None removes one."""
    rng = random.Random(0)
    contents = _snapshot(pristine)
    for name, content in contents.items():
        for _ in range(6):
            changed = bytearray(content)
            changed[rng.randrange(len(content) - 1)] ^= 1 << rng.randrange(8)
            yield {name: bytes(changed)}
        yield {name: None}
        yield {name: content[: -2 if name == METADATA_FILE else -1]}
    metadata = json.loads(contents[METADATA_FILE])
    yield {METADATA_FILE: json.dumps(metadata | {"labels": metadata["labels"][::-1]}).encode()}
    yield {WEIGHTS_FILE: pickle.dumps({"weights": [0.0]})}
    yield {ONNX_FILE: contents[WEIGHTS_FILE], WEIGHTS_FILE: contents[ONNX_FILE]}
    yield {ONNX_FILE: b""}


def test_a_hundred_damaged_bundles_are_refused(bundle: Path) -> None:
    pristine, refused = _snapshot(bundle), 0
    for changes in _damaged(bundle):
        for name, content in (pristine | changes).items():
            (bundle / name).unlink(missing_ok=True) if content is None else (bundle / name).write_bytes(content)
        with pytest.raises(BundleError) as raised:
            Predictor.load(bundle)
        assert "\n" not in str(raised.value)
        refused += 1
    assert refused >= 100


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_cut_file_is_refused(bundle: Path, name: str) -> None:
    content = (bundle / name).read_bytes()
    (bundle / name).write_bytes(content[:-1] if name != METADATA_FILE else content[:-2])
    with pytest.raises(BundleError):
        read_bundle(bundle)
    (bundle / name).unlink()
    with pytest.raises(BundleError, match="cannot be read"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "change",
    [{"labels": ["Beta", "Alpha", "Gamma"]}, {"schema_version": 99}, {"schema_version": "1"}, {"temperature": 2.0}],
)
def test_edited_metadata_is_refused(bundle: Path, change: dict[str, object]) -> None:
    document = json.loads((bundle / METADATA_FILE).read_text())
    (bundle / METADATA_FILE).write_text(json.dumps(document | change))
    with pytest.raises(BundleError):
        read_bundle(bundle)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{}", b"\xff", b'{"schema_version": 1}'])
def test_metadata_that_is_none_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / METADATA_FILE).write_bytes(content)
    with pytest.raises(BundleError):
        read_bundle(bundle)


@contextmanager
def _file_size_limit(n_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_cannot_be_written_whole_leaves_the_old_bundle(bundle: Path) -> None:
    before, whole = _snapshot(bundle), read_bundle(bundle)
    with _file_size_limit(8192), pytest.raises(BundleError, match="File too large"):
        write_bundle(bundle, whole.metadata.model_copy(update={"version": "other"}), whole.files)
    assert _snapshot(bundle) == before


def test_a_file_that_cannot_be_replaced_leaves_the_old_bundle(
    bundle: Path, result: TrainingResult, split: Split
) -> None:
    before = _snapshot(bundle)
    (bundle / METADATA_FILE).unlink()
    (bundle / METADATA_FILE).mkdir()
    with pytest.raises(BundleError, match="cannot be written"):
        save_bundle(bundle, result, split, IDENTITY)
    assert (bundle / WEIGHTS_FILE).read_bytes() == before[WEIGHTS_FILE]
    assert (bundle / ONNX_FILE).read_bytes() == before[ONNX_FILE]


def test_other_files_in_the_folder_stay(bundle: Path, result: TrainingResult, split: Split) -> None:
    (bundle / "notes.md").write_text("mine")
    save_bundle(bundle, result, split, IDENTITY)
    assert sorted(_snapshot(bundle)) == sorted([*FILES, *REPORT, "notes.md"])


def test_a_file_in_the_way_is_one_sentence(tmp_path: Path, result: TrainingResult, split: Split) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        save_bundle(tmp_path / "file", result, split, IDENTITY)


def test_export_of_another_network_is_refused(result: TrainingResult, split: Split) -> None:
    other = export_onnx(build_classifier(result.config))
    with pytest.raises(ParityError):
        check_parity(result, other, split.test.names)


def test_probabilities_sum_to_one_and_come_best_first(bundle: Path, split: Split) -> None:
    predictor = Predictor.load(bundle)
    assert np.allclose(np.exp(predictor.log_probs(split.test.names)).sum(axis=1), 1)
    for prediction in predictor.predict(split.test.names, top_k=3):
        assert sorted(prediction.log_probs, reverse=True) == list(prediction.log_probs)
        assert sorted(prediction.labels) == list(predictor.labels)


def test_a_batch_equals_its_singles_in_order(bundle: Path, split: Split) -> None:
    predictor = Predictor.load(bundle)
    names = [*split.test.names, "Kowalski", "a" * 100]
    singles = np.concatenate([predictor.log_probs([name]) for name in names])
    assert np.abs(predictor.log_probs(names) - singles).max() < 1e-6


def test_a_name_is_answered_alike_alone_and_among_others(bundle: Path, split: Split) -> None:
    predictor = Predictor.load(bundle)
    names = [*split.test.names, "xqzkvbnm", "van der O`Kowalski", "Ковалски", "- '", "王小明", "a" * 100]
    for name, among_others in zip(names, predictor.predict(names, top_k=3), strict=True):
        (alone,) = predictor.predict([name], top_k=3)
        assert (alone.labels, alone.abstained) == (among_others.labels, among_others.abstained)
        assert alone.log_probs == pytest.approx(among_others.log_probs, abs=1e-6)


def test_case_and_diacritics_do_not_change_an_answer(bundle: Path) -> None:
    predictor = Predictor.load(bundle)
    first, *others = predictor.predict(["Rossini", "ROSSINI", "rössíni", " rossini "])
    assert all(other == first for other in others)


def test_bounds_of_a_request(bundle: Path) -> None:
    predictor = Predictor.load(bundle)
    assert predictor.predict([]) == []
    assert len(predictor.predict(["Rossini"])[0].labels) == 3
    for top_k in (0, -1, 4):
        with pytest.raises(InvalidTopKError, match="between 1 and 3"):
            predictor.predict(["Rossini"], top_k)


def test_letters_of_other_scripts_are_read_as_latin_ones(bundle: Path) -> None:
    predictor = Predictor.load(bundle)
    assert predictor.predict(["Ковалски"]) == predictor.predict(["Kovalski"])
    assert predictor.predict(["Κονταρίνι"])[0].labels == predictor.predict(["Kontarini"])[0].labels


@pytest.mark.parametrize("name", ["王小明", "王 小明", "佐々木", "123", "12 34", "😀", "!", "- '", "Ko王小明"])
def test_a_name_of_unknown_characters_is_answered_with_that_reason(bundle: Path, name: str) -> None:
    predictor = Predictor.load(bundle)
    assert predictor.predict([name, "Kovalski"])[0] == Prediction((), (), "unknown characters")
    assert predictor.predict([name, "Kovalski"])[1].labels
    assert np.exp(predictor.log_probs([name])).sum() == pytest.approx(1)  # it counts in an evaluation
    with pytest.raises(InvalidNameError, match="Most letters"):
        predictor.predict_label(name)


def test_what_is_no_name_is_unfamiliar_and_names_mostly_are_not(bundle: Path, split: Split) -> None:
    predictor = Predictor.load(bundle)
    names = predictor.predict([*split.validation.names, *split.test.names])
    assert np.mean([name.abstained is None for name in names]) > 0.85
    noise = predictor.predict(["xqzkvbnm", "zzzzzz", "qwrtplkjh", "bvcxzmnb"])
    assert [answer.abstained for answer in noise] == ["unfamiliar"] * 4
    assert all(answer.labels for answer in noise)


def test_a_name_is_compared_with_those_of_its_script_and_length(bundle: Path) -> None:
    whole, names = read_bundle(bundle), ["Tarelloni", "Tarellonitarelloni"]
    offsets = {"LATIN": (*[0.0] * (N_LENGTH_CLASSES - 1), 2.5), "GREEK": (9.0,) * N_LENGTH_CLASSES}
    plain, other = (
        Predictor(replace(whole, metadata=whole.metadata.model_copy(update={"familiarity_offsets": found})))
        for found in ({}, offsets)
    )
    assert plain.familiarity(names) - other.familiarity(names) == pytest.approx([0, 2.5])


@pytest.fixture(scope="module")
def with_outliers(tmp_path_factory: pytest.TempPathFactory, result: TrainingResult, split: Split) -> Path:
    """A bundle of a network that takes everything listed here for a name."""
    folder = tmp_path_factory.mktemp("with_outliers")
    listed = ("not a name", "kovalski", "dolini (old)", split.train.names[0])
    save_bundle(folder, result, replace(split, outliers=(listed, ("tonini",), ("bolini",))), IDENTITY)
    metadata = read_bundle(folder).metadata.model_copy(update={"abstention_threshold": -1000.0})
    write_bundle(folder, metadata, read_bundle(folder).files)
    return folder


def test_listed_outliers_are_unfamiliar_and_training_names_are_not(with_outliers: Path, split: Split) -> None:
    predictor = Predictor.load(with_outliers)
    listed = ["Not a name", "KOVÁLSKI", '"Kovalski"', "dolini (old)", "tonini", "bolini"]
    others = [split.train.names[0], "kovalskini"]
    for predict in (predictor.predict, lambda names: [predictor.predict([name])[0] for name in names]):
        assert [answer.abstained for answer in predict(listed)] == ["unfamiliar"] * len(listed)
        assert [answer.abstained for answer in predict(others)] == [None] * len(others)
    assert (predictor.familiarity(listed) < predictor.metadata.abstention_threshold).all()
    assert (predictor.familiarity(["tonini", "bolini"], lexicon=False) > predictor.metadata.abstention_threshold).all()


def test_a_bundle_without_listed_outliers_loads(with_outliers: Path) -> None:
    bundle = read_bundle(with_outliers)
    hashes = safetensors.numpy.load(bundle.files[KNOWN_FILE])["hashes"]
    older = replace(bundle, files={**bundle.files, KNOWN_FILE: safetensors.numpy.save({"hashes": hashes})})
    assert Predictor(older).predict(["kovalski"])[0].abstained is None


def test_two_labels_are_enough_for_the_default(tmp_path: Path) -> None:
    endings = [f"{a}{b}" for a in "abcd" for b in "efg"]
    dataset = build_dataset({"A": [f"xa{ending}" for ending in endings], "B": [f"yo{ending}" for ending in endings]})
    split = split_dataset(dataset, seed=0)
    save_bundle(tmp_path, train(split, TrainingConfig(epochs=1)), split, IDENTITY)
    assert sorted(Predictor.load(tmp_path).predict(["xaba"])[0].labels) == ["A", "B"]


def test_moved_bundle_still_loads(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "elsewhere")
    assert Predictor.load(tmp_path / "elsewhere").labels == ("Alpha", "Beta", "Gamma")


def test_files_in_a_folder_of_the_bundle_are_sealed_and_replaced_with_it(bundle: Path) -> None:
    old = read_bundle(bundle)
    write_bundle(bundle, old.metadata, {**old.files, "report/metrics.json": b"{}", "report/old.png": b"old"})
    assert read_bundle(bundle).files["report/metrics.json"] == b"{}"
    write_bundle(bundle, old.metadata, {**old.files, "report/metrics.json": b"[]"})
    assert read_bundle(bundle).files["report/metrics.json"] == b"[]"
    assert not (bundle / "report/old.png").exists()
    (bundle / "report/metrics.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match="does not match"):
        read_bundle(bundle)


def test_a_file_list_that_leaves_the_bundle_is_refused(bundle: Path) -> None:
    old = read_bundle(bundle)
    for path in ("../secret", "/etc/passwd", ".hidden", "a/../../b"):
        metadata = old.metadata.model_copy(update={"files": old.metadata.files | {path: "0"}})
        (bundle / METADATA_FILE).write_bytes(artifacts._seal(metadata))
        with pytest.raises(BundleError, match="not valid at files"):
            read_bundle(bundle)


def test_where_there_is_no_repository_the_environment_tells_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GIT_COMMIT", raising=False)
    assert find_commit() is None
    monkeypatch.setenv("GIT_COMMIT", "0123abc")
    assert find_commit() == "0123abc"
