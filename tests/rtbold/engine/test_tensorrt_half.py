"""The float16 graph, run by OpenVINO and by ONNX's reference in float16 arithmetic."""

import numpy as np
import onnx
import openvino
import pytest
from bundles import tiny_onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from scipy.special import erf

from rtbold.bundle import store as bundle
from rtbold.engine.tensorrt_half import PRODUCTS, half_products
from rtbold.errors import EngineError


class Gelu(OpRun):
    """As the reference's own, which takes a minute."""

    def _run(self, x, approximate=None):
        return ((0.5 * x * (1 + erf(x / np.sqrt(2)))).astype(x.dtype),)


class MatMul(OpRun):
    """As GPUs do it: float16 in, sums in float32, float16 out."""

    def _run(self, a, b):
        return ((a.astype(np.float32) @ b.astype(np.float32)).astype(a.dtype),)


def in_reference(graph, windows):
    model = ReferenceEvaluator(onnx.load_from_string(graph), new_ops=[Gelu, MatMul])
    return np.concatenate([model.run(None, {"eeg_uv": w[None]})[0] for w in windows])


def in_openvino(graph, windows):
    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    run = core.compile_model(core.read_model(graph), "CPU", settings)
    return np.concatenate([run(w[None])[0].copy() for w in windows])


def eeg_like(n, seed=0):
    rng = np.random.default_rng(seed)
    gain = np.maximum(np.fft.rfftfreq(3200, 1 / 200), 0.5) ** -0.5
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal((n, 19, 3200))) * gain, 3200)
    noise *= 30 * 2 ** rng.uniform(-1, 1, (n, 19, 1)) / noise.std()
    return (noise - noise.mean(2, keepdims=True)).astype(np.float32)


def product_graph(weights, *, first=False):
    names = ["weights", "x"] if first else ["x", "weights"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", names, ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 4])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    opset = helper.make_opsetid("", 20)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


@pytest.mark.parametrize("name", ["demo", "demo-ridge"])
def test_the_shipped_bundles_in_float16(name):
    graph = bundle.load(name).file("model.onnx").read_bytes()
    half = half_products(graph)
    assert len(half) < 0.6 * len(graph)
    windows = eeg_like(8)
    exact = in_openvino(graph, windows)
    for run in (in_openvino, in_reference):
        found = run(half, windows)
        assert found.dtype == np.float32
        rms = np.sqrt(((found - exact) ** 2).mean(0))
        assert (rms / exact.std(0)).max() < 0.03, run
        assert not np.array_equal(found, exact)  # it did run in float16


def test_products_are_float16_and_nothing_else_is():
    graph = bundle.load("demo").file("model.onnx").read_bytes()
    model = onnx.load_from_string(half_products(graph))
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    types = {w.name: w.data_type for w in model.graph.initializer}
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        types[value.name] = value.type.tensor_type.elem_type
    n_products = 0
    for node in model.graph.node:
        of_inputs = {types[name] for name in node.input}
        if node.op_type in PRODUCTS:
            n_products += 1
            assert of_inputs == {TensorProto.FLOAT16}, node.name
        elif node.op_type != "Cast":
            assert TensorProto.FLOAT16 not in of_inputs, node.name
    assert n_products == 31
    assert {types["eeg_uv"], types["bold"]} == {TensorProto.FLOAT}


@pytest.mark.parametrize("name", ["demo", "demo-ridge"])
def test_large_artefacts_do_not_overflow(name):
    """5 mV at 10 Hz: its Fourier sums are far beyond float16, its answer is coarse."""
    graph = bundle.load(name).file("model.onnx").read_bytes()
    artefact = 5000 * np.sin(2 * np.pi * 10 * np.arange(3200) / 200)
    window = eeg_like(1) + artefact * np.linspace(-1, 1, 19)[:, None]
    found = in_reference(half_products(graph), window.astype(np.float32))
    exact = in_openvino(graph, window.astype(np.float32))
    np.testing.assert_allclose(found, exact, atol=0.3)  # finite, above all


@pytest.mark.parametrize("first", [False, True])
def test_weights_that_sum_to_much_are_scaled_by_a_power_of_two(first):
    weights = np.full((4, 4), 2000.0)
    half = half_products(
        product_graph(weights, first=first).SerializeToString(deterministic=True)
    )
    model = onnx.load_from_string(half)
    constants = {w.name: numpy_helper.to_array(w) for w in model.graph.initializer}
    assert float(constants["scale/8192"]) == 8192.0
    x = np.arange(16, dtype=np.float32).reshape(4, 4)
    found = ReferenceEvaluator(model).run(None, {"x": x})[0]  # to 108000
    exact = weights @ x if first else x @ weights
    np.testing.assert_allclose(found, exact, rtol=2e-3)


def test_a_weight_beyond_float16_in_a_convolution():
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "conv",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 8])],
        [numpy_helper.from_array(np.full((1, 1, 1), 1e6, dtype=np.float32), "w")],
    )
    opset = helper.make_opsetid("", 20)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    with pytest.raises(EngineError, match=r"weight w reaches 1e\+06"):
        half_products(model.SerializeToString())


def test_the_same_graph_gives_the_same_bytes():
    graph = tiny_onnx(19, 3)
    assert half_products(graph) == half_products(graph)


def test_what_is_no_graph():
    with pytest.raises(EngineError, match="no ONNX"):
        half_products(b"not a graph")
