import dataclasses
import subprocess
import sys

import msgspec
import numpy as np
import onnx
import pytest

from rtbold.bundle import store as bundle
from rtbold.engine.opening import open_engine
from rtbold.errors import BundleError, ConfigError, EngineError


def windows(n=1, seed=1):
    noise = np.random.default_rng(seed).standard_normal((n, 19, 3200))
    return (10 * noise).astype(np.float32)


def expected(made, eeg_uv):
    model = onnx.load(made.file("model.onnx"))
    weights = onnx.numpy_helper.to_array(model.graph.initializer[0])
    return np.log((eeg_uv.astype(np.float64) ** 2).mean(2) + 1e-3) @ weights


def test_answers_what_the_graph_says(tiny_bundle):
    engine = open_engine(tiny_bundle)
    x = windows()
    np.testing.assert_allclose(engine(x), expected(tiny_bundle, x), atol=1e-4)
    assert engine(x).dtype == np.float32
    assert (engine.name, engine.precision) == ("openvino", "f32")
    engine.close()


def test_same_window_same_bits_and_input_untouched(tiny_bundle):
    engine = open_engine(tiny_bundle)
    x = windows()
    before = x.copy()
    first = engine(x)
    engine(windows(seed=2))
    np.testing.assert_array_equal(engine(x), first)
    np.testing.assert_array_equal(x, before)


def test_answers_are_fresh_arrays(tiny_bundle):
    engine = open_engine(tiny_bundle)
    first = engine(windows(seed=1))
    kept = first.copy()
    engine(windows(seed=2))
    np.testing.assert_array_equal(first, kept)


def test_any_batch_size_when_asked_for(tiny_bundle):
    engine = open_engine(tiny_bundle, batch_size=None)
    for n in (1, 2, 5):
        x = windows(n)
        np.testing.assert_allclose(engine(x), expected(tiny_bundle, x), atol=1e-4)
    with pytest.raises(EngineError, match="batch_size=None"):
        open_engine(tiny_bundle)(windows(2))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.zeros((1, 19, 3200)), "float64, expected float32"),
        (np.zeros((1, 18, 3200), np.float32), r"expected \(batch, 19, 3200\)"),
        (np.zeros((1, 19, 3201), np.float32), "shape"),
        (np.zeros((19, 3200), np.float32), "shape"),
        (np.zeros((0, 19, 3200), np.float32), "no window"),
    ],
)
def test_wrong_windows_are_refused(tiny_bundle, bad, words):
    with pytest.raises(EngineError, match=words):
        open_engine(tiny_bundle)(bad)


def test_an_answer_that_is_no_number_is_refused(tiny_bundle):
    x = windows()
    x[0, 3, 7] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        open_engine(tiny_bundle)(x)


def test_a_failing_inference_is_an_error_of_the_engine(tiny_bundle):
    class Request:
        def infer(self, *_, **__):
            raise RuntimeError("where it was thrown:\nout of memory")

    engine = open_engine(tiny_bundle)
    engine._request = Request()
    with pytest.raises(EngineError, match=r"OpenVINO failed.*out of memory"):
        engine(windows())


def test_unknown_engine_precision_and_threads(tiny_bundle):
    with pytest.raises(ConfigError, match="openvino, tensorrt, torch"):
        open_engine(tiny_bundle, engine="cuda")
    with pytest.raises(ConfigError, match="f32"):
        open_engine(tiny_bundle, precision="f8")
    with pytest.raises(ConfigError, match="n_threads"):
        open_engine(tiny_bundle, n_threads=0)


def test_a_graph_that_is_none(tiny_bundle, tmp_path):
    broken = bundle.write(
        tmp_path / "b.rtbold", tiny_bundle.card, {"model.onnx": b"not a graph"}
    )
    with pytest.raises(EngineError, match="cannot run"):
        open_engine(broken)
    empty = bundle.write(tmp_path / "e.rtbold", tiny_bundle.card, {})
    with pytest.raises(BundleError, match=r"has no model\.onnx"):
        open_engine(empty)


def test_a_graph_of_another_card(make_bundle, tiny_bundle):
    other = make_bundle(name="other", rois=("Cuneus",))
    # No such bundle can be written or loaded; int8 has a graph of its own, though.
    card = msgspec.structs.replace(other.card, rois=tiny_bundle.card.rois)
    mixed = dataclasses.replace(other, card=card)
    with pytest.raises(EngineError, match="1 values, its card names 3"):
        open_engine(mixed)


def test_the_answer_is_the_output_named_bold(tiny_bundle, tmp_path):
    graph = onnx.load(tiny_bundle.file("model.onnx"))
    first = onnx.helper.make_tensor_value_info("negative", 1, ["b", 3])
    graph.graph.node.append(onnx.helper.make_node("Neg", ["bold"], ["negative"]))
    graph.graph.output.insert(0, first)
    contents = {"model.onnx": graph.SerializeToString()}
    made = bundle.write(tmp_path / "two.rtbold", tiny_bundle.card, contents)
    x = windows()
    np.testing.assert_allclose(open_engine(made)(x), expected(made, x), atol=1e-4)


@pytest.mark.heavy
def test_the_loop_does_not_import_torch(tiny_bundle):
    code = (
        "import sys\n"
        "from rtbold.bundle import load\n"
        "from rtbold.engine import open_engine\n"
        f"open_engine(load({str(tiny_bundle.path)!r}))\n"
        "assert 'openvino' in sys.modules\n"
        "assert not {'torch', 'onnx', 'safetensors'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
