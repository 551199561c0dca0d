"""A bundle of random weights that is made in milliseconds and needs no torch."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from rtbold.bundle import store as bundle
from rtbold.bundle.card import Baseline, Card, Normalisation, Origin

CHANNELS = (
    "FP1", "FP2", "F7", "F3", "FZ", "F4", "F8", "T7", "C3", "CZ",
    "C4", "T8", "P7", "P3", "PZ", "P4", "P8", "O1", "O2",
)  # fmt: skip
ROIS = ("Heschl's gyrus", "Putamen", "Cuneus")


def tiny_weights(n_channels: int, n_rois: int, seed: int = 0):
    return np.random.default_rng(seed).standard_normal((n_channels, n_rois))


def tiny_onnx(n_channels: int, n_rois: int, seed: int = 0) -> bytes:
    """Log power per channel times a random matrix, under the names of a bundle."""
    weights = tiny_weights(n_channels, n_rois, seed)
    constants = [
        numpy_helper.from_array(weights.astype(np.float32), "weights"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "axes"),
        numpy_helper.from_array(np.array(1e-3, dtype=np.float32), "floor"),
    ]
    nodes = [
        helper.make_node("Mul", ["eeg_uv", "eeg_uv"], ["squared"]),
        helper.make_node("ReduceMean", ["squared", "axes"], ["power"], keepdims=0),
        helper.make_node("Add", ["power", "floor"], ["floored"]),
        helper.make_node("Log", ["floored"], ["log"]),
        helper.make_node("MatMul", ["log", "weights"], ["bold"]),
    ]
    x = helper.make_tensor_value_info(
        "eeg_uv", TensorProto.FLOAT, ["b", n_channels, 3200]
    )
    y = helper.make_tensor_value_info("bold", TensorProto.FLOAT, ["b", n_rois])
    graph = helper.make_graph(nodes, "tiny", [x], [y], constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    )
    onnx.checker.check_model(model)
    return model.SerializeToString()


def tiny_card(channels=CHANNELS, rois=ROIS, **changes) -> Card:
    n_rois = len(rois)
    fields = {
        "name": "tiny",
        "architecture": "none",
        "channels": tuple(channels),
        "reference": "average",
        "tr_s": 2.1,
        "rois": tuple(rois),
        "normalisation": Normalisation(mean=(0.0,) * n_rois, scale=(1.0,) * n_rois),
        "baseline": Baseline(mean=(0.0,) * n_rois, sd=(1.0,) * n_rois, n=100),
        "scanner": "simulated",
        "origin": Origin(kind="simulated", simulated_lineage=True),
    }
    return Card(**{**fields, **changes})


def write_tiny(folder, channels=CHANNELS, rois=ROIS, *, name="tiny", **changes):
    """Write ``NAME.rtbold`` of random weights into `folder`; return the bundle."""
    card = tiny_card(channels, rois, name=name, **changes)
    contents = {"model.onnx": tiny_onnx(len(channels), len(rois))}
    return bundle.write(folder / f"{name}.rtbold", card, contents)
