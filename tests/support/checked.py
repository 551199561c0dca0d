"""A bundle with a hidden layer and check windows, made without torch."""

import numpy as np
import onnx
from bundles import CHANNELS, ROIS, tiny_card
from onnx import TensorProto, helper, numpy_helper

from rtbold.bundle import store as bundle
from rtbold.bundle.card import Check
from rtbold.bundle.check_windows import CHECK_NAME, pack

HIDDEN = 64


def weights(n_channels, n_rois, seed=0):
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((n_channels, HIDDEN)) / n_channels**0.5
    head = rng.standard_normal((HIDDEN, n_rois)) / HIDDEN**0.5
    return first.astype(np.float32), head.astype(np.float32)


def layered_onnx(n_channels=19, n_rois=3) -> bytes:
    """Log power per channel, a hidden layer with ReLU, a linear head."""
    first, head = weights(n_channels, n_rois)
    constants = [
        numpy_helper.from_array(first, "first"),
        numpy_helper.from_array(head, "head"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "axes"),
        numpy_helper.from_array(np.array(1e-3, dtype=np.float32), "floor"),
    ]
    nodes = [
        helper.make_node("Mul", ["eeg_uv", "eeg_uv"], ["squared"]),
        helper.make_node("ReduceMean", ["squared", "axes"], ["power"], keepdims=0),
        helper.make_node("Add", ["power", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], ["log"]),
        helper.make_node("MatMul", ["log", "first"], ["mixed"]),
        helper.make_node("Relu", ["mixed"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "head"], ["bold"]),
    ]
    x = helper.make_tensor_value_info(
        "eeg_uv", TensorProto.FLOAT, ["b", n_channels, 3200]
    )
    y = helper.make_tensor_value_info("bold", TensorProto.FLOAT, ["b", n_rois])
    graph = helper.make_graph(nodes, "layered", [x], [y], constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def layered_answer(eeg_uv):
    """Return what the graph says, computed in float64."""
    first, head = weights(eeg_uv.shape[1], 3)
    power = (eeg_uv.astype(np.float64) ** 2).mean(2) + 1e-3
    return (np.maximum(np.log(power) @ first, 0) @ head).astype(np.float32)


def varied_windows(n=16, seed=3, n_channels=19):
    """Return noise whose amplitude differs by window and channel."""
    rng = np.random.default_rng(seed)
    factor = 2.0 ** rng.uniform(-2, 2, (n, n_channels, 1))
    noise = rng.standard_normal((n, n_channels, 3200))
    return (10 * factor * noise).astype(np.float32)


def write_checked(folder, *, name="layered", answer=layered_answer, **changes):
    """Write ``NAME.rtbold`` with check windows; `answer` stands for the reference."""
    fields = {"check": Check(windows="synthetic", n=16), **changes}
    card = tiny_card(CHANNELS, ROIS, name=name, **fields)
    contents = {
        "model.onnx": layered_onnx(),
        CHECK_NAME: pack(varied_windows(), answer),
    }
    return bundle.write(folder / f"{name}.rtbold", card, contents)
