"""Bundles that verify and yet cannot serve: each is refused in one sentence when it is loaded."""

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from model.artifacts import Bundle, read_bundle, write_bundle
from model.classifier import ClassifierConfig, build_classifier
from model.constants import KNOWN_FILE, METADATA_FILE, ONNX_FILE, SIMILAR_FILE, WEIGHTS_FILE
from model.errors import BundleError
from model.explain.similar_names import SimilarNames
from model.export import export_onnx
from model.prediction import Predictor


def _load(folder: Path) -> None:
    bundle = read_bundle(folder)
    Predictor(bundle)
    SimilarNames.from_bundle(bundle)


def _assert_refused(folder: Path) -> None:
    with pytest.raises(BundleError) as raised:
        _load(folder)
    assert str(raised.value).isprintable()
    assert str(raised.value).count(". ") == 0


def _edit_weights(bundle: Bundle, value: float) -> bytes:
    weights = safetensors.numpy.load(bundle.files[WEIGHTS_FILE])
    next(tensor for tensor in weights.values() if tensor.dtype.kind == "f").flat[-1] = value
    return safetensors.numpy.save(weights)


def _edit_onnx(bundle: Bundle, edit: Callable[[onnx.ModelProto], object]) -> bytes:
    network = onnx.load_from_string(bundle.files[ONNX_FILE])
    edit(network)
    return network.SerializeToString()


def _rename(network: onnx.ModelProto, old: str, new: str) -> None:
    for values in (network.graph.input, network.graph.output):
        for value in values:
            value.name = new if value.name == old else value.name
    for node in network.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]


def _poison_readout(network: onnx.ModelProto) -> None:
    tensor = next(tensor for tensor in network.graph.initializer if tensor.data_type == TensorProto.DOUBLE)
    values = numpy_helper.to_array(tensor).copy()
    values.flat[-1] = np.nan
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def _cast_outputs(network: onnx.ModelProto) -> None:
    _rename(network, "outputs", "floats")
    network.graph.node.append(onnx.helper.make_node("Cast", ["floats"], ["outputs"], to=TensorProto.INT64))
    network.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("outputs", TensorProto.INT64, ["batch", 4]))


def _flatten_outputs(network: onnx.ModelProto) -> None:
    _rename(network, "outputs", "rows")
    network.graph.initializer.append(numpy_helper.from_array(np.array([-1]), "flat"))
    network.graph.node.append(onnx.helper.make_node("Reshape", ["rows", "flat"], ["outputs"]))
    network.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("outputs", TensorProto.DOUBLE, ["batch"]))


def _add_output(network: onnx.ModelProto) -> None:
    network.graph.node.append(onnx.helper.make_node("Identity", ["outputs"], ["more"]))
    network.graph.output.append(onnx.helper.make_tensor_value_info("more", TensorProto.DOUBLE, ["batch", 4]))


def _sum_rows(network: onnx.ModelProto) -> None:
    """Answer one row whatever was asked, which no declaration shows."""
    _rename(network, "outputs", "rows")
    network.graph.initializer.append(numpy_helper.from_array(np.array([1]), "axis"))
    network.graph.node.append(onnx.helper.make_node("ReduceSum", ["rows", "axis"], ["outputs"], keepdims=1))
    network.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("outputs", TensorProto.DOUBLE, ["batch", "x"]))


FILES: dict[str, Callable[[Bundle], Mapping[str, bytes]]] = {
    "weights cut off": lambda bundle: {WEIGHTS_FILE: bundle.files[WEIGHTS_FILE][:200]},
    "weights of nothing": lambda _: {WEIGHTS_FILE: b""},
    "weights with a header of garbage": lambda bundle: {WEIGHTS_FILE: b"\xff" * 8 + bundle.files[WEIGHTS_FILE][8:]},
    "weights not a number": lambda bundle: {WEIGHTS_FILE: _edit_weights(bundle, np.nan)},
    "weights infinite": lambda bundle: {WEIGHTS_FILE: _edit_weights(bundle, np.inf)},
    "network not a number": lambda bundle: {ONNX_FILE: _edit_onnx(bundle, _poison_readout)},
    "network cut off": lambda bundle: {ONNX_FILE: bundle.files[ONNX_FILE][:-2000]},
    "network of garbage": lambda _: {ONNX_FILE: b"\x00\xff" * 500},
    "network of nothing": lambda _: {ONNX_FILE: b""},
    "input renamed": lambda bundle: {ONNX_FILE: _edit_onnx(bundle, lambda n: _rename(n, "ids", "tokens"))},
    "output renamed": lambda bundle: {ONNX_FILE: _edit_onnx(bundle, lambda n: _rename(n, "outputs", "answers"))},
    "output of whole numbers": lambda bundle: {ONNX_FILE: _edit_onnx(bundle, _cast_outputs)},
    "output of another rank": lambda bundle: {ONNX_FILE: _edit_onnx(bundle, _flatten_outputs)},
    "output of another shape": lambda bundle: {ONNX_FILE: _edit_onnx(bundle, _sum_rows)},
    "two outputs": lambda bundle: {ONNX_FILE: _edit_onnx(bundle, _add_output)},
    "network of other labels": lambda bundle: {ONNX_FILE: export_onnx(build_classifier(_other_labels(bundle)))},
    "similar names cut off": lambda bundle: {SIMILAR_FILE: bundle.files[SIMILAR_FILE][:50]},
    "similar names of nothing": lambda _: {SIMILAR_FILE: b""},
    "known names cut off": lambda bundle: {KNOWN_FILE: bundle.files[KNOWN_FILE][:50]},
    "known names of nothing": lambda _: {KNOWN_FILE: b""},
    "known names of other labels": lambda bundle: {KNOWN_FILE: _edit_lexicon(bundle, label_ids=1000)},
    "known names that gain infinitely": lambda bundle: {KNOWN_FILE: _edit_lexicon(bundle, gains=np.inf)},
    "known names with more labels than there are": lambda bundle: {KNOWN_FILE: _edit_lexicon(bundle, counts=2)},
    "known names that cost": lambda bundle: {KNOWN_FILE: _edit_lexicon(bundle, gains=-1)},
    "known names in no order": lambda bundle: {KNOWN_FILE: _cast_lexicon(bundle, "hashes", lambda x: x[::-1])},
    "known names of no name": lambda bundle: {KNOWN_FILE: _cut_lexicon(bundle)},
    "known names in a table": lambda bundle: {KNOWN_FILE: _cast_lexicon(bundle, "hashes", lambda x: x[:, None])},
    "labels of known names in a table": lambda bundle: {
        KNOWN_FILE: _cast_lexicon(bundle, "label_ids", lambda x: x[:, None])
    },
    "labels of known names as truths": lambda bundle: {KNOWN_FILE: _cast_lexicon(bundle, "label_ids", lambda x: x > 0)},
    "gains of known names as counts": lambda bundle: {
        KNOWN_FILE: _cast_lexicon(bundle, "gains", lambda x: x.view(np.uint16))
    },
}


def _edit_lexicon(bundle: Bundle, **values: float) -> bytes:
    tensors = safetensors.numpy.load(bundle.files[KNOWN_FILE])
    for key, value in values.items():
        tensors[key][0] = value
    return safetensors.numpy.save(tensors)


def _cast_lexicon(bundle: Bundle, key: str, cast: Callable[[NDArray[Any]], NDArray[Any]]) -> bytes:
    tensors = safetensors.numpy.load(bundle.files[KNOWN_FILE])
    return safetensors.numpy.save(tensors | {key: np.ascontiguousarray(cast(tensors[key]))})


def _cut_lexicon(bundle: Bundle) -> bytes:
    tensors = safetensors.numpy.load(bundle.files[KNOWN_FILE])
    return safetensors.numpy.save({key: tensor[:0] for key, tensor in tensors.items()})


def _other_labels(bundle: Bundle) -> ClassifierConfig:
    return ClassifierConfig(**bundle.metadata.config | {"n_labels": len(bundle.metadata.labels) + 1})


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_cannot_serve_is_refused_though_its_hash_is_true(bundle: Path, kind: str) -> None:
    before = read_bundle(bundle)
    write_bundle(bundle, before.metadata, {**before.files, **FILES[kind](before)})
    _assert_refused(bundle)


def test_weights_in_another_file_are_not_read(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_bundle(bundle)
    network = onnx.load_from_string(before.files[ONNX_FILE])
    onnx.save_model(network, tmp_path / ONNX_FILE, save_as_external_data=True, location="weights.bin", size_threshold=0)
    write_bundle(bundle, before.metadata, {**before.files, ONNX_FILE: (tmp_path / ONNX_FILE).read_bytes()})
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for them
    with pytest.raises(BundleError, match="no hash covers"):
        _load(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "a\nX-Injected: yes"},
        {"version": "a\r"},
        {"version": ""},
        {"version": "é"},
        {"version": "a" * 1000},
        {"architecture": "gru\n"},
        {"git_commit": "0\x1b[31m"},
        {"labels": ("Alpha", "Be\nta", "Gamma")},
        {"labels": ("Alpha", "Beta\x00", "Gamma")},
        {"labels": ("", "Beta", "Gamma")},
        {"labels": ("Alpha", "Beta", "G" * 101)},
        {"characters": ("a\n",)},
        {"metrics": {"te\nst": {"accuracy": 1.0}}},
        {"libraries": {"torch": "2\n3"}},
        {"files": {f"{i}": "0" for i in range(101)}},
    ],
    ids=repr,
)
def test_metadata_that_would_break_a_header_a_metric_or_a_log_line_is_refused(
    bundle: Path, change: dict[str, Any]
) -> None:
    before = read_bundle(bundle)
    unchecked = before.metadata.model_copy(update=change)
    files = before.files if "files" not in change else before.files | dict.fromkeys(change["files"], b"0")
    write_bundle(bundle, unchecked, files)
    with pytest.raises(BundleError, match="not valid at") as raised:
        read_bundle(bundle)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", [METADATA_FILE, ONNX_FILE, WEIGHTS_FILE])
@pytest.mark.parametrize("kind", ["FIFO", "device", "folder", "larger than memory"])
def test_what_is_no_file_of_a_bundle_is_refused_at_once(bundle: Path, name: str, kind: str) -> None:
    path = bundle / name
    path.unlink()
    if kind == "FIFO":
        os.mkfifo(path)  # nobody writes to it: a plain read would wait for ever
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(2**40)
    reader = threading.Thread(target=_assert_refused, args=(bundle,), daemon=True)
    reader.start()
    reader.join(timeout=30)
    assert not reader.is_alive()
    _assert_refused(bundle)


def test_a_path_is_no_bundle(exported: Path) -> None:
    with pytest.raises(TypeError, match=r"Predictor\.load\(folder\) reads one"):
        Predictor(str(exported))  # type: ignore[arg-type]


def test_one_name_is_no_list_of_names(exported: Path) -> None:
    predictor = Predictor.load(exported)
    for function in (predictor.predict, predictor.log_probs, predictor.familiarity):
        with pytest.raises(TypeError, match="A list of names is wanted"):
            function("Jordan")
