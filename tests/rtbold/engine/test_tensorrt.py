"""The engine's sequence of calls on a double of CUDA: none of this ran on a GPU."""

import hashlib
import logging

import numpy as np
import pytest
from checked import layered_answer, write_checked
from cuda_double import CudaDouble, ProgramDouble, failing_program

from rtbold.distribution import pip_install
from rtbold.engine import tensorrt
from rtbold.engine.opening import open_engine, used
from rtbold.engine.tensorrt import TensorRtEngine, why_not
from rtbold.engine.tensorrt_cuda import CudaDevice, CudaError
from rtbold.errors import ConfigError, EngineError

OPENING = [
    "new_stream", "load", "reserve host", "reserve host", "reserve device",
    "reserve device", "bind",
    "copy to device", "queue", "copy to host", "wait",  # warm-up
    "capturable", "capture", "copy to device", "queue", "copy to host",
    "launch", "wait",
]  # fmt: skip
CLOSING = [
    "wait", "free_graph", "release device", "release device", "release host",
    "release host", "close", "free_stream",
]  # fmt: skip


def windows(n=1, seed=1):
    noise = np.random.default_rng(seed).standard_normal((n, 19, 3200))
    return (10 * noise).astype(np.float32)


def opened(bundle, cuda, **options):
    shapes = ((1, 19, 3200), (1, len(bundle.card.rois)))
    return TensorRtEngine(
        bundle, cuda=cuda, program=lambda: ProgramDouble(cuda, shapes, **options)
    )


def test_opens_once_and_launches_one_graph_per_window(tiny_bundle):
    cuda = CudaDouble()
    engine = opened(tiny_bundle, cuda)
    assert cuda.calls == OPENING
    x = windows(3)
    np.testing.assert_array_equal(engine(x), 2 * x[:, 0, :3])
    assert cuda.calls[len(OPENING) :] == ["launch", "wait"] * 3
    assert (engine.name, engine.precision) == ("tensorrt", "f32")


def test_frees_everything_in_reverse_and_only_once(tiny_bundle):
    cuda = CudaDouble()
    engine = opened(tiny_bundle, cuda)
    cuda.calls.clear()
    engine.close()
    engine.close()
    assert cuda.calls == CLOSING
    assert cuda.held == []
    with pytest.raises(EngineError, match="closed"):
        engine(windows())


@pytest.mark.parametrize("options", [{"capturable": False}, {}])
def test_without_a_graph_each_step_is_queued(tiny_bundle, caplog, options):
    cuda = CudaDouble(refuse=() if options else ("capture",))
    with caplog.at_level(logging.WARNING):
        engine = opened(tiny_bundle, cuda, **options)
    assert "no CUDA graph" in caplog.text
    cuda.calls.clear()
    x = windows(2)
    np.testing.assert_array_equal(engine(x), 2 * x[:, 0, :3])
    assert cuda.calls == ["copy to device", "queue", "copy to host", "wait"] * 2
    engine.close()
    assert cuda.held == []


@pytest.mark.parametrize("n", range(len(OPENING)))
def test_whatever_is_refused_at_opening_nothing_stays(tiny_bundle, n):
    cuda = CudaDouble(fail_at=n)
    in_capture = OPENING.index("capturable") <= n < OPENING.index("launch")
    if in_capture:  # then it goes on without a graph
        opened(tiny_bundle, cuda).close()
    else:
        with pytest.raises(CudaError, match=f"call {n}"):
            opened(tiny_bundle, cuda)
    assert cuda.held == []


@pytest.mark.parametrize("n", range(len(CLOSING)))
def test_whatever_is_refused_at_closing_the_rest_is_freed(tiny_bundle, n):
    cuda = CudaDouble(fail_at=len(OPENING) + n)
    engine = opened(tiny_bundle, cuda)
    with pytest.raises(CudaError, match=CLOSING[n]):
        engine.close()
    assert cuda.held == []


@pytest.mark.parametrize("call", ["launch", "wait"])
def test_a_failing_window_is_an_error_and_the_next_one_may_work(tiny_bundle, call):
    number = len(OPENING) + ["launch", "wait"].index(call)
    cuda = CudaDouble(fail_at=number)
    engine = opened(tiny_bundle, cuda)
    with pytest.raises(EngineError, match=call):
        engine(windows(seed=1))
    x = windows(seed=2)
    np.testing.assert_array_equal(engine(x), 2 * x[:, 0, :3])


def test_answers_are_fresh_and_windows_untouched(tiny_bundle):
    engine = opened(tiny_bundle, CudaDouble())
    x = windows()
    before = x.copy()
    first = engine(x)
    kept = first.copy()
    engine(windows(seed=2))
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(x, before)


def test_wrong_windows_and_answers_that_are_no_numbers(tiny_bundle):
    engine = opened(tiny_bundle, CudaDouble())
    with pytest.raises(EngineError, match="expected float32"):
        engine(windows().astype(np.float64))
    with pytest.raises(EngineError, match=r"expected \(batch, 19, 3200\)"):
        engine(windows()[:, 1:])
    x = windows()
    x[0, 0, 0] = np.nan
    with pytest.raises(EngineError, match="not finite"):
        engine(x)


def test_an_engine_that_cannot_be_loaded_frees_the_stream(tiny_bundle):
    cuda = CudaDouble()
    with pytest.raises(EngineError, match="no engine"):
        TensorRtEngine(tiny_bundle, cuda=cuda, program=failing_program)
    assert cuda.held == []
    with pytest.raises(ConfigError, match="f32, tf32, f16"):
        TensorRtEngine(tiny_bundle, precision="int8", cuda=cuda)


def test_the_bytes_that_run_are_kept_with_the_recording(tiny_bundle, monkeypatch):
    cuda = CudaDouble()
    shapes = ((1, 19, 3200), (1, len(tiny_bundle.card.rois)))
    device = CudaDevice("of a test", "sm_86")
    monkeypatch.setattr(tensorrt, "require", lambda: None)
    monkeypatch.setattr(tensorrt, "first_device", lambda: device)
    monkeypatch.setattr(tensorrt, "check_gpu", lambda *_: None)
    monkeypatch.setattr(tensorrt, "find_or_compile", lambda *_, **__: b"an engine")
    monkeypatch.setattr(
        tensorrt, "TensorRtProgram", lambda *_, **__: ProgramDouble(cuda, shapes)
    )
    ran = used(TensorRtEngine(tiny_bundle, cuda=cuda))
    assert ran.file_sha256 == hashlib.sha256(b"an engine").hexdigest()
    assert ran.name == "tensorrt"


def test_a_reduced_precision_on_a_gpu_is_compared_with_float32_on_the_cpu(
    tmp_path, monkeypatch
):
    """With a double in the place of the GPU; it answers what the graph says, or not."""

    class Double:
        name = "tensorrt"

        def __init__(self, _, *, precision):
            self.precision = precision

        def __call__(self, eeg_uv):
            overflows = self.precision == "f16" and np.abs(eeg_uv).max() > 400.0
            return layered_answer(eeg_uv) + np.float32(10.0 * overflows)

        def close(self):
            pass

    monkeypatch.setattr(tensorrt, "TensorRtEngine", Double)
    monkeypatch.setattr(tensorrt, "why_not", lambda *_: None)
    made = write_checked(tmp_path)
    assert open_engine(made, engine="tensorrt", precision="tf32").name == "tensorrt"
    clipped = open_engine(made, engine="tensorrt", precision="f16")
    assert (clipped.name, clipped.precision) == ("openvino", "f32")


def test_why_not(tiny_bundle, monkeypatch):
    def no_driver():
        raise CudaError("there is no NVIDIA driver")

    monkeypatch.setattr(tensorrt, "is_installed", lambda: False)
    assert pip_install("tensorrt") in why_not(tiny_bundle)
    monkeypatch.setattr(tensorrt, "is_installed", lambda: True)
    assert "no NVIDIA driver" in why_not(tiny_bundle, device=no_driver)


def test_why_not_for_a_gpu(tiny_bundle):
    pytest.importorskip("tensorrt_rtx")

    def asked(gpu, precision="f32"):
        device = CudaDevice("of a test", gpu)
        return why_not(tiny_bundle, precision, device=lambda: device)

    assert asked("sm_86") is None
    assert "sm_90" in asked("sm_90")
    assert "float32" in asked("sm_75")
    assert asked("sm_75", "f16") is None
    assert "precision" in asked("sm_86", "f8")
