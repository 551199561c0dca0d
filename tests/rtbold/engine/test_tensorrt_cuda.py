"""What is said to CUDA and how its answers are read; no GPU is needed or used."""

import re

import pytest

from rtbold.distribution import pip_install
from rtbold.engine import tensorrt_cuda
from rtbold.engine.tensorrt_cuda import CudaDevice, CudaError, CudaRuntime, first_device
from rtbold.errors import EngineError

runtime = pytest.importorskip("cuda.bindings.runtime")
OK = runtime.cudaError_t.cudaSuccess


class Library:
    """NVIDIA's names and numbers, with answers of our own to the calls."""

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def __getattr__(self, name):
        if name not in self.answers:
            return getattr(runtime, name)

        def call(*arguments):
            self.calls.append((name, *arguments))
            return self.answers[name]

        return call


@pytest.fixture
def library(monkeypatch):
    def use(**answers):
        made = Library(**answers)
        monkeypatch.setattr(tensorrt_cuda, "_bindings", lambda: made)
        return made

    return use


def test_the_first_device(library):
    class Properties:
        name = b"NVIDIA of a test\0\0\0"

    found = library(
        cudaGetDeviceCount=(OK, 1),
        cudaDeviceGetAttribute=(OK, 8),
        cudaGetDeviceProperties=(OK, Properties),
    )
    assert first_device() == CudaDevice("NVIDIA of a test", "sm_88")
    asked = runtime.cudaDeviceAttr
    assert [call[1] for call in found.calls if call[0] == "cudaDeviceGetAttribute"] == [
        asked.cudaDevAttrComputeCapabilityMajor,
        asked.cudaDevAttrComputeCapabilityMinor,
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((runtime.cudaError_t.cudaErrorInsufficientDriver, None), "no NVIDIA driver"),
        ((runtime.cudaError_t.cudaErrorNoDevice, None), "no NVIDIA GPU"),
        ((OK, 0), "no NVIDIA GPU"),
        ((runtime.cudaError_t.cudaErrorMemoryAllocation, None), "out of memory"),
    ],
)
def test_no_device(library, answer, words):
    library(cudaGetDeviceCount=answer)
    with pytest.raises(CudaError, match=words):
        first_device()


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cuda.bindings", None)
    with pytest.raises(EngineError, match=re.escape(pip_install("tensorrt"))):
        CudaRuntime()


def test_copies_name_the_target_first(library):
    made = library(cudaMemcpyAsync=(OK,))
    CudaRuntime().copy(11, 22, n=8, to="device", stream=3)
    CudaRuntime().copy(22, 11, n=8, to="host", stream=3)
    kinds = runtime.cudaMemcpyKind
    assert made.calls == [
        ("cudaMemcpyAsync", 22, 11, 8, kinds.cudaMemcpyHostToDevice, 3),
        ("cudaMemcpyAsync", 11, 22, 8, kinds.cudaMemcpyDeviceToHost, 3),
    ]


def test_memory_of_both_places(library):
    made = library(
        cudaMalloc=(OK, 5), cudaHostAlloc=(OK, 6), cudaFree=(OK,), cudaFreeHost=(OK,)
    )
    cuda = CudaRuntime()
    assert (cuda.reserve(64, "device"), cuda.reserve(64, "host")) == (5, 6)
    cuda.release(5, "device")
    cuda.release(6, "host")
    assert [call[:2] for call in made.calls] == [
        ("cudaMalloc", 64),
        ("cudaHostAlloc", 64),
        ("cudaFree", 5),
        ("cudaFreeHost", 6),
    ]


def test_a_capture_becomes_a_graph_and_the_drawing_is_freed(library):
    made = library(
        cudaStreamBeginCapture=(OK,),
        cudaStreamEndCapture=(OK, 40),
        cudaGraphInstantiate=(OK, 41),
        cudaGraphDestroy=(OK,),
    )
    assert CudaRuntime().capture(3, lambda: made.calls.append(("work",))) == 41
    assert [call[0] for call in made.calls] == [
        "cudaStreamBeginCapture",
        "work",
        "cudaStreamEndCapture",
        "cudaGraphInstantiate",
        "cudaGraphDestroy",
    ]


@pytest.mark.parametrize("drawn", [0, 40])
def test_a_capture_that_fails_leaves_the_stream(library, drawn):
    refused = runtime.cudaError_t.cudaErrorStreamCaptureInvalidated
    made = library(
        cudaStreamBeginCapture=(OK,),
        cudaStreamEndCapture=(refused, drawn),
        cudaGraphDestroy=(OK,),
    )

    def work():
        raise EngineError("refused")

    with pytest.raises(EngineError, match="refused"):
        CudaRuntime().capture(3, work)
    names = [call[0] for call in made.calls]
    assert names[1:] == ["cudaStreamEndCapture", *["cudaGraphDestroy"][: bool(drawn)]]


def test_nvidias_bindings_take_our_arguments():
    """On a machine without a driver each call is refused, for that reason alone."""
    if runtime.cudaGetDeviceCount()[0] == OK:
        pytest.skip("there is a GPU: these handles are none of its own")
    cuda = CudaRuntime()
    for call in (
        lambda: cuda.new_stream(),
        lambda: cuda.free_stream(5),
        lambda: cuda.reserve(64, "host"),
        lambda: cuda.reserve(64, "device"),
        lambda: cuda.release(5, "host"),
        lambda: cuda.release(5, "device"),
        lambda: cuda.copy(5, 6, n=64, to="host", stream=7),
        lambda: cuda.wait(7),
        lambda: cuda.capture(7, lambda: None),
        lambda: cuda.launch(8, 7),
        lambda: cuda.free_graph(8),
        first_device,
    ):
        with pytest.raises(CudaError, match=r"driver|GPU"):
            call()
