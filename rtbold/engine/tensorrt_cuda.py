"""The few CUDA calls that an engine needs, each with its answer checked.

`CudaDriver` is the seam: `CudaRuntime` is NVIDIA's runtime library through
``cuda-bindings``; tests put a recording double in its place.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal, Protocol

from rtbold.distribution import pip_install
from rtbold.errors import EngineError

DRIVER_CUDA = 13  # what cuda-bindings 13 and tensorrt-rtx's wheels ask of the driver

Place = Literal["host", "device"]  # host: page-locked


class CudaError(EngineError):
    """A call to CUDA failed."""


@dataclass(frozen=True)
class CudaDevice:
    """The GPU that engines run on: the first that CUDA shows."""

    name: str
    gpu: str  # compute capability, such as "sm_86"


class CudaDriver(Protocol):
    """Memory, stream and graph; addresses and handles are plain integers.

    Each call raises `CudaError` where CUDA refuses it.
    """

    def new_stream(self) -> int:
        """Return a stream that does not wait for the default one."""
        ...

    def free_stream(self, stream: int) -> None:
        """Free a stream."""
        ...

    def reserve(self, n_bytes: int, place: Place) -> int:
        """Return the address of new memory."""
        ...

    def release(self, address: int, place: Place) -> None:
        """Free memory."""
        ...

    def copy(self, source: int, target: int, *, n: int, to: Place, stream: int) -> None:
        """Queue a copy of n bytes from one place to the other."""
        ...

    def wait(self, stream: int) -> None:
        """Wait until all that was queued is done."""
        ...

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Return as a graph what `work` queues, without doing it."""
        ...

    def launch(self, graph: int, stream: int) -> None:
        """Queue a graph."""
        ...

    def free_graph(self, graph: int) -> None:
        """Free a graph."""
        ...


class CudaRuntime:
    """CUDA's runtime library, as `CudaDriver`.

    Raises
    ------
    EngineError : cuda-bindings is not installed.
    """

    def __init__(self) -> None:
        self._cuda = _bindings()

    def new_stream(self) -> int:
        """Return a stream that does not wait for the default one."""
        flags = self._cuda.cudaStreamNonBlocking
        return _call(self._cuda, "cudaStreamCreateWithFlags", flags)

    def free_stream(self, stream: int) -> None:
        """Free a stream."""
        _call(self._cuda, "cudaStreamDestroy", stream)

    def reserve(self, n_bytes: int, place: Place) -> int:
        """Return the address of new memory."""
        if place == "device":
            return _call(self._cuda, "cudaMalloc", n_bytes)
        return _call(
            self._cuda, "cudaHostAlloc", n_bytes, self._cuda.cudaHostAllocDefault
        )

    def release(self, address: int, place: Place) -> None:
        """Free memory."""
        _call(self._cuda, "cudaFree" if place == "device" else "cudaFreeHost", address)

    def copy(self, source: int, target: int, *, n: int, to: Place, stream: int) -> None:
        """Queue a copy of n bytes from one place to the other."""
        kinds = self._cuda.cudaMemcpyKind
        kind = (
            kinds.cudaMemcpyHostToDevice
            if to == "device"
            else kinds.cudaMemcpyDeviceToHost
        )
        _call(self._cuda, "cudaMemcpyAsync", target, source, n, kind, stream)

    def wait(self, stream: int) -> None:
        """Wait until all that was queued is done."""
        _call(self._cuda, "cudaStreamSynchronize", stream)

    def capture(self, stream: int, work: Callable[[], None]) -> int:
        """Return as a graph what `work` queues, without doing it."""
        cuda = self._cuda
        mode = cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _call(cuda, "cudaStreamBeginCapture", stream, mode)
        try:
            work()
        except EngineError:
            # Its answer says only that the capture is void; the stream must leave it.
            _, drawn = cuda.cudaStreamEndCapture(stream)
            if drawn:
                cuda.cudaGraphDestroy(drawn)
            raise
        drawn = _call(cuda, "cudaStreamEndCapture", stream)
        try:
            return _call(cuda, "cudaGraphInstantiate", drawn, 0)
        finally:
            _call(cuda, "cudaGraphDestroy", drawn)

    def launch(self, graph: int, stream: int) -> None:
        """Queue a graph."""
        _call(self._cuda, "cudaGraphLaunch", graph, stream)

    def free_graph(self, graph: int) -> None:
        """Free a graph."""
        _call(self._cuda, "cudaGraphExecDestroy", graph)


def first_device() -> CudaDevice:
    """Return the first GPU that CUDA shows.

    Raises
    ------
    EngineError : cuda-bindings is missing, no driver, one that is too old, or no GPU.
    """
    cuda = _bindings()
    if _call(cuda, "cudaGetDeviceCount") == 0:
        raise CudaError("CUDA finds no NVIDIA GPU in this machine")
    asked = cuda.cudaDeviceAttr
    major, minor = (
        _call(cuda, "cudaDeviceGetAttribute", attribute, 0)
        for attribute in (
            asked.cudaDevAttrComputeCapabilityMajor,
            asked.cudaDevAttrComputeCapabilityMinor,
        )
    )
    code, properties = cuda.cudaGetDeviceProperties(0)
    _check(cuda, "cudaGetDeviceProperties", code)
    name = properties.name.split(b"\0")[0].decode(errors="replace")
    return CudaDevice(name=name, gpu=f"sm_{major}{minor}")


def _bindings() -> ModuleType:
    try:
        from cuda.bindings import runtime
    except ImportError as error:
        raise EngineError(
            f"cuda-bindings is not installed ({error}); {pip_install('tensorrt')}"
        ) from error
    bindings: ModuleType = runtime
    return bindings


def _call(cuda: ModuleType, function: str, *arguments: object) -> int:
    """Call a function that answers a number, an address, a handle or nothing."""
    code, *values = getattr(cuda, function)(*arguments)
    _check(cuda, function, code)
    return int(values[0]) if values else 0


def _check(cuda: ModuleType, function: str, code: object) -> None:
    errors = cuda.cudaError_t
    if code == errors.cudaSuccess:
        return
    if code in (errors.cudaErrorInsufficientDriver, errors.cudaErrorStubLibrary):
        raise CudaError(
            "there is no NVIDIA driver, or one that is older than CUDA "
            f"{DRIVER_CUDA}; install NVIDIA's current driver"
        )
    if code == errors.cudaErrorNoDevice:
        raise CudaError("CUDA finds no NVIDIA GPU in this machine")
    text = cuda.cudaGetErrorString(code)[1].decode(errors="replace")
    raise CudaError(
        f"CUDA refused {function}: {text} ({getattr(code, 'name', code)}). Restart the "
        "session; if it goes on, use --engine openvino."
    )
