"""Networks of one node, right and wrong ones, as ONNX."""

import onnx
from onnx import TensorProto, helper

_IR, _OPSET = 8, 17


def network(
    n_outputs: int, *, value: float = 0.0, ids: str = "ids", kind: int = TensorProto.INT64, rank: int = 2
) -> bytes:
    """Return a network that answers `value` to everything; with rank 3, one output too nested."""
    ones = [1] * (rank - 2)
    nodes = [
        helper.make_node("Shape", [ids], ["batch"], end=1),
        helper.make_node("Concat", ["batch", "row"], ["shape"], axis=0),
        helper.make_node(
            "ConstantOfShape", ["shape"], ["outputs"], value=helper.make_tensor("v", TensorProto.DOUBLE, [1], [value])
        ),
    ]
    row = helper.make_tensor("row", TensorProto.INT64, [1 + len(ones)], [*ones, n_outputs])
    return _pack(nodes, [row], inputs={ids: kind}, shape=["batch", *ones, n_outputs])


def batch_blind_network(n_outputs: int) -> bytes:
    """Return one that answers one row, whatever it was asked."""
    nodes = [
        helper.make_node("ReduceMean", ["numbers"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "row"], ["outputs"]),
        helper.make_node("Cast", ["ids"], ["numbers"], to=TensorProto.DOUBLE),
    ]
    row = helper.make_tensor("row", TensorProto.DOUBLE, [1, n_outputs], range(n_outputs))
    return _pack([nodes[2], nodes[0], nodes[1]], [row], inputs={"ids": TensorProto.INT64}, shape=["batch", n_outputs])


def padding_blind_network(n_outputs: int) -> bytes:
    """Return one that takes lengths and lets padding change its answers."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["numbers"], to=TensorProto.DOUBLE),
        helper.make_node("ReduceMean", ["numbers"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["mean", "row"], ["outputs"]),
    ]
    row = helper.make_tensor("row", TensorProto.DOUBLE, [1, n_outputs], range(n_outputs))
    inputs: dict[str, int] = {"ids": TensorProto.INT64, "lengths": TensorProto.INT64}
    return _pack(nodes, [row], inputs=inputs, shape=["batch", n_outputs])


def failing_network(n_outputs: int) -> bytes:
    """Return one that loads and fails when it is run."""
    nodes = [
        helper.make_node("Cast", ["ids"], ["numbers"], to=TensorProto.DOUBLE),
        helper.make_node("Reshape", ["numbers", "shape"], ["outputs"]),
    ]
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [7, n_outputs])
    return _pack(nodes, [shape], inputs={"ids": TensorProto.INT64}, shape=["batch", n_outputs])


def network_of(operator: str, n_outputs: int) -> bytes:
    """Return one of a single operator, which may be one that nobody knows."""
    node = helper.make_node(operator, ["ids"], ["outputs"])
    return _pack([node], [], inputs={"ids": TensorProto.INT64}, shape=["batch", n_outputs])


def network_with_external_data(n_outputs: int) -> bytes:
    """Return one whose numbers lie in another file, which is not there."""
    row = helper.make_tensor("row", TensorProto.DOUBLE, [1, n_outputs], [0.0] * n_outputs)
    row.ClearField("double_data")
    row.data_location = TensorProto.EXTERNAL
    row.external_data.add(key="location", value="elsewhere.bin")
    node = helper.make_node("Identity", ["row"], ["outputs"])
    return _pack([node], [row], inputs={"ids": TensorProto.INT64}, shape=["batch", n_outputs])


def _pack(
    nodes: list[onnx.NodeProto], constants: list[TensorProto], *, inputs: dict[str, int], shape: list[str | int]
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "network",
        [
            helper.make_tensor_value_info(name, kind, ["batch"] if name == "lengths" else ["batch", "length"])
            for name, kind in inputs.items()
        ],
        [helper.make_tensor_value_info("outputs", TensorProto.DOUBLE, shape)],
        constants,
    )
    packed = helper.make_model(graph, ir_version=_IR, opset_imports=[helper.make_opsetid("", _OPSET)])
    return bytes(packed.SerializeToString())
