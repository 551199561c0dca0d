"""A model's ports are read from its bytes; a card of other numbers is refused."""

import io

import numpy as np
import onnx
import pytest
from bundles import CHANNELS, tiny_card, tiny_onnx, write_tiny
from hypothesis import given, strategies as st
from onnx import TensorProto, helper, numpy_helper

from rtbold.bundle import store
from rtbold.bundle.graph import read_ports
from rtbold.errors import BundleError

TINY = tiny_onnx(19, 3)


def ports(data):
    return read_ports(io.BytesIO(data))


def test_ports_of_a_model():
    found = ports(TINY)
    assert found.inputs == {"eeg_uv": (None, 19, 3200)}
    assert found.outputs == {"bold": (None, 3)}


@pytest.mark.parametrize("name", ["demo", "demo-ridge"])
def test_ports_of_what_rtbold_ships(name):
    found = ports(store.load(name).file("model.onnx").read_bytes())
    assert found.inputs["eeg_uv"] == (None, 19, 3200)
    assert found.outputs["bold"] == (None, 64)


def test_weights_of_any_kind_are_stepped_over():
    weights = numpy_helper.from_array(np.zeros((200, 300), np.float32), "w")
    x = helper.make_tensor_value_info("eeg_uv", TensorProto.FLOAT, [1, 2, 3200])
    y = helper.make_tensor_value_info("bold", TensorProto.FLOAT, [1, 7])
    node = helper.make_node("Identity", ["eeg_uv"], ["bold"])
    graph = helper.make_graph([node], "g", [x], [y], [weights])
    model = helper.make_model(graph, producer_name="p" * 300)
    found = ports(model.SerializeToString())
    assert found.inputs == {"eeg_uv": (1, 2, 3200)}
    assert found.outputs == {"bold": (1, 7)}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_to_an_end(data):
    ports(data)


@given(at=st.integers(0, len(TINY) - 1), bit=st.integers(0, 7))
def test_damaged_bytes_are_read_to_an_end(at, bit):
    damaged = bytearray(TINY)
    damaged[at] ^= 1 << bit
    ports(bytes(damaged))
    ports(TINY[:at])


def test_what_is_no_model_has_no_ports():
    assert ports(b"") is None
    assert ports(b"graph") is None
    assert ports(onnx.ModelProto().SerializeToString()) is None


@pytest.mark.parametrize(
    ("card", "words"),
    [
        (tiny_card(CHANNELS[:18]), r"eeg_uv is \(batch, 19, 3200\).*names 18 channels"),
        (
            tiny_card(rois=("a", "b")),
            r"bold is \(batch, 3\).*names 19 channels and 2 R",
        ),
    ],
)
def test_a_card_of_another_model_is_refused_before_it_lies_anywhere(
    tmp_path, card, words
):
    with pytest.raises(BundleError, match=words):
        store.write(tmp_path / "x.rtbold", card, {"model.onnx": TINY})
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_are_no_graph_are_left_to_the_engine(tmp_path):
    made = write_tiny(tmp_path)
    contents = {"model.onnx": b"graph"}
    assert store.write(tmp_path / "y.rtbold", made.card, contents).sealed
