"""Real compilations by tensorrt-rtx, on a machine without a GPU; nothing is run."""

import dataclasses
import logging
import re

import numpy as np
import onnx
import pytest
from bundles import tiny_onnx
from onnx import TensorProto, helper

from rtbold.bundle import store as bundle
from rtbold.distribution import pip_install
from rtbold.engine import (
    tensorrt,
    tensorrt_compile,
    tensorrt_compile as tensorrt_build,
    tensorrt_package,
)
from rtbold.engine.tensorrt import find_or_compile
from rtbold.engine.tensorrt_compile import (
    build_engine,
    compile_for,
    engine_key,
    read_engine,
)
from rtbold.engine.tensorrt_cuda import CudaDevice, CudaError
from rtbold.engine.tensorrt_package import require
from rtbold.errors import ConfigError, EngineError

pytest.importorskip("tensorrt_rtx")


@pytest.fixture(scope="module")
def package():
    return require()


@pytest.fixture
def no_gpu(monkeypatch):
    def refuse():
        raise CudaError("there is no NVIDIA driver")

    monkeypatch.setattr(tensorrt_compile, "first_device", refuse)


def test_the_package(package):
    assert package.flavour == "tensorrt-rtx"
    assert {"sm_75", "sm_86", "sm_89", "sm_120"} <= set(package.gpus())
    assert package.gpus()[0] == "sm_75"


def test_the_shipped_network_compiles_for_sm_86_and_sm_75(package):
    graph = bundle.load("demo").file("model.onnx").read_bytes()
    single = build_engine(graph, package, gpu="sm_86", precision="f32")
    half = build_engine(graph, package, gpu="sm_75", precision="f16")
    assert len(half) < len(single) < 3 * len(graph)


def test_compiling_again_gives_the_same_bytes(package):
    graph = tiny_onnx(19, 3)
    made = {
        (gpu, precision): build_engine(graph, package, gpu=gpu, precision=precision)
        for gpu in ("sm_86", "sm_89")
        for precision in ("f32", "f16")
    }
    assert len(set(made.values())) == 4
    again = build_engine(graph, package, gpu="sm_86", precision="f32")
    assert again == made["sm_86", "f32"]


def test_tensorrt_itself_refuses_float32_on_turing(package, monkeypatch):
    """Why `GPUS_WITHOUT_F32` holds sm_75: if this fails, it may go."""
    if tuple(map(int, package.version.split(".")[:2])) < (1, 7):
        pytest.skip("1.5.0 still compiles it; whether a GPU runs that is not known")
    graph = bundle.load("demo").file("model.onnx").read_bytes()
    with pytest.raises(EngineError, match="use f16"):
        build_engine(graph, package, gpu="sm_75", precision="f32")
    monkeypatch.setattr(tensorrt_build, "why_not_precision", lambda *_: None)
    with pytest.raises(EngineError, match="FP32 GEMM is not supported"):
        build_engine(graph, package, gpu="sm_75", precision="f32")


@pytest.mark.parametrize("gpu", ["sm_90", "sm_1", "SM86", "rtx3090", "", "sm_8.6"])
def test_unknown_gpus(package, gpu):
    with pytest.raises(ConfigError, match=r"knows sm_75, .*sm_86"):
        build_engine(tiny_onnx(19, 3), package, gpu=gpu, precision="f32")


def test_unknown_precision(package):
    with pytest.raises(ConfigError, match="f32, tf32, f16"):
        build_engine(tiny_onnx(19, 3), package, gpu="sm_86", precision="int8")


def test_what_is_no_graph_or_one_that_tensorrt_does_not_know(package):
    with pytest.raises(EngineError, match="cannot compile"):
        build_engine(b"not a graph", package, gpu="sm_86", precision="f32")
    shape = ["b", 19, 3200]
    graph = helper.make_graph(
        [helper.make_node("Nonsense", ["eeg_uv"], ["bold"], domain="of.nobody")],
        "foreign",
        [helper.make_tensor_value_info("eeg_uv", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("bold", TensorProto.FLOAT, shape)],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("of.nobody", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    with pytest.raises(EngineError, match="Nonsense"):
        build_engine(model.SerializeToString(), package, gpu="sm_86", precision="f32")


def test_compile_for_writes_engines_beside_the_bundle(tiny_bundle, package):
    told = []
    done = compile_for(
        tiny_bundle,
        gpus=["sm_86", "sm_75", "sm_86"],
        progress=told.append,
        now_s=iter(range(100)).__next__,
    )
    assert [(f.gpu, f.precision, f.path is None) for f in done] == [
        ("sm_86", "f32", False),
        ("sm_86", "tf32", False),
        ("sm_86", "f16", False),
        ("sm_75", "f32", True),
        ("sm_75", "tf32", True),
        ("sm_75", "f16", False),
    ]
    assert "use f16" in done[3].note
    assert len(told) == 6
    assert done[0].seconds == 1
    again = bundle.load(tiny_bundle.path)  # a bundle with engines is still whole
    for file in done:
        if file.path is not None:
            key = engine_key(again, package, gpu=file.gpu, precision=file.precision)
            engine = read_engine(file.path.parent, key)
            assert (len(engine), file.path.stat().st_size) == (file.size, file.size)


def test_compile_for_refuses(tiny_bundle, no_gpu):
    with pytest.raises(ConfigError, match="'sm_90'"):
        compile_for(tiny_bundle, gpus=["sm_86", "sm_90"])
    with pytest.raises(ConfigError, match="int8"):
        compile_for(tiny_bundle, gpus=["sm_86"], precisions=["int8"])
    with pytest.raises(EngineError, match="no float32"):
        compile_for(tiny_bundle, gpus=["sm_75"], precisions=["f32"])
    with pytest.raises(ConfigError, match="no GPU was named"):
        compile_for(tiny_bundle)
    assert not (tiny_bundle.path / "engines").exists()


def test_compile_for_the_gpu_in_the_machine(tiny_bundle, monkeypatch):
    device = CudaDevice("of a test", "sm_89")
    monkeypatch.setattr(tensorrt_compile, "first_device", lambda: device)
    assert [f.gpu for f in compile_for(tiny_bundle, precisions=["f16"])] == ["sm_89"]


def test_without_tensorrt(tiny_bundle, monkeypatch):
    monkeypatch.setattr(tensorrt_package, "find_spec", lambda _: None)
    with pytest.raises(EngineError, match=re.escape(pip_install("tensorrt"))):
        compile_for(tiny_bundle, gpus=["sm_86"])


def test_a_stale_or_changed_engine_is_made_anew(tiny_bundle, package, caplog):
    def get():
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            return find_or_compile(tiny_bundle, package, gpu="sm_86", precision="f32")

    first = get()
    assert "compiling tiny" in caplog.text
    assert get() == first
    assert caplog.text == ""
    path = next((tiny_bundle.path / "engines").glob("*.engine"))
    path.write_bytes(first[:-1] + b"!")
    assert get() == first
    assert "SHA-256" in caplog.text
    assert path.read_bytes() == first


def test_an_engine_of_another_version_is_made_anew(tiny_bundle, package, caplog):
    earlier = dataclasses.replace(package, version="1.5.0.1")
    find_or_compile(tiny_bundle, earlier, gpu="sm_86", precision="f32")
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        find_or_compile(tiny_bundle, package, gpu="sm_86", precision="f32")
    assert "compiling tiny" in caplog.text
    assert "compiled by tensorrt-rtx 1.5.0.1, and" in caplog.text
    names = {path.name for path in (tiny_bundle.path / "engines").glob("*.engine")}
    assert names == {
        f"tensorrt-rtx-{version}-sm_86-f32.engine"
        for version in ("1.5.0.1", package.version)
    }


def test_an_engine_of_another_bundle_is_made_anew(make_bundle, package, caplog):
    one, other = make_bundle(name="one"), make_bundle(name="other", rois=("Cuneus",))
    first = find_or_compile(one, package, gpu="sm_86", precision="f32")
    (one.path / "engines").rename(other.path / "engines")
    caplog.clear()
    assert find_or_compile(other, package, gpu="sm_86", precision="f32") != first
    assert "bundle_sha256" in caplog.text


def test_a_bundle_that_cannot_be_written(tiny_bundle, package, monkeypatch, caplog):
    folder = tiny_bundle.path / "model.onnx"  # a file: nothing can be put into it
    monkeypatch.setattr(tensorrt, "engines_folder", lambda _: folder)
    engine = find_or_compile(tiny_bundle, package, gpu="sm_86", precision="f32")
    assert np.frombuffer(engine, dtype=np.uint8).size > 1000
    assert "is not kept" in caplog.text


def test_loading_without_a_gpu_is_refused_with_tensorrts_own_words(package):
    from cuda.bindings import runtime

    from rtbold.engine.tensorrt import TensorRtProgram

    if runtime.cudaGetDeviceCount()[0] == runtime.cudaError_t.cudaSuccess:
        pytest.skip("there is a GPU")
    engine = build_engine(tiny_onnx(19, 3), package, gpu="sm_86", precision="f32")
    with pytest.raises(EngineError, match="Ensure that the GPU driver is installed"):
        TensorRtProgram(package, engine, shapes={})


@pytest.mark.parametrize("precision", ["f32", "f16"])
def test_outputs_beside_bold_are_left_out(package, precision):
    """Nobody binds memory to them; the same engine as of a graph without them."""
    plain = onnx.load_from_string(tiny_onnx(19, 3))
    more = onnx.load_from_string(tiny_onnx(19, 3))
    more.graph.node.append(
        helper.make_node("ReduceMax", ["log"], ["feature_distance"], keepdims=1)
    )
    more.graph.output.append(
        helper.make_tensor_value_info("feature_distance", TensorProto.FLOAT, ["a", "b"])
    )
    built = [
        build_engine(
            graph.SerializeToString(), package, gpu="sm_86", precision=precision
        )
        for graph in (plain, more)
    ]
    assert built[0] == built[1]
