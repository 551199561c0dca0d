"""The engine for NVIDIA GPUs: TensorRT through CUDA, without torch.

Memory is allocated once: page-locked on the host, plain on the device. The three
steps of a prediction (copy in, run, copy out) are captured once as a CUDA graph and
launched as one; where capture is refused they are queued one by one.
"""

import ctypes
import hashlib
import logging
import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

import numpy as np

from rtbold.bundle import Bundle
from rtbold.distribution import pip_install
from rtbold.engine.protocol import check_finite, check_windows
from rtbold.engine.records import MODEL_FILE, engines_folder
from rtbold.engine.tensorrt_compile import (
    StaleEngine,
    compile_one,
    engine_key,
    new_log,
    read_engine,
)
from rtbold.engine.tensorrt_cuda import (
    CudaDevice,
    CudaDriver,
    CudaRuntime,
    Place,
    first_device,
)
from rtbold.engine.tensorrt_package import (
    TensorRt,
    check_gpu,
    check_precision,
    is_installed,
    require,
    why_not_precision,
)
from rtbold.errors import EngineError, RtboldError
from rtbold.messages import WINDOW_SAMPLES, Float32Array

# A TensorRT engine on the GPU: loaded from its bytes, bound to memory, queued.

INPUT, OUTPUT = "eeg_uv", "bold"


class Program(Protocol):
    """One window in, one row of predictions out; called from one thread."""

    def bind(self, eeg_uv: int, bold: int) -> None:
        """Set the device addresses that it reads from and writes to."""
        ...

    def queue(self, stream: int) -> None:
        """Queue one run. Raises EngineError where TensorRT refuses."""
        ...

    def capturable(self, stream: int) -> bool:
        """Return whether a run can be captured as a CUDA graph."""
        ...

    def close(self) -> None:
        """Free what it holds on the GPU."""
        ...


class TensorRtProgram:
    """A deserialised engine with one execution context.

    Parameters
    ----------
    shapes : tensor name -> shape that it must have.

    Raises
    ------
    EngineError : TensorRT refuses the engine, or it is of another model.
    """

    def __init__(
        self, package: TensorRt, engine: bytes, *, shapes: dict[str, tuple[int, ...]]
    ) -> None:
        self._package = package
        self._log = new_log(package)
        runtime = package.module.Runtime(self._log)
        self._check_valid(runtime, engine)
        self._engine = runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise self._refused("the engine")
        self._check_shapes(shapes)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise self._refused("to set the engine up")
        self._runtime = runtime  # must outlive the engine

    def bind(self, eeg_uv: int, bold: int) -> None:
        """Set the device addresses that it reads from and writes to."""
        for name, address in ((INPUT, eeg_uv), (OUTPUT, bold)):
            if not self._context.set_tensor_address(name, address):
                raise self._refused(f"the memory of {name}")

    def queue(self, stream: int) -> None:
        """Queue one run."""
        if not self._context.execute_async_v3(stream):
            raise self._refused("to run a window")

    def capturable(self, stream: int) -> bool:
        """Return whether a run can be captured; tensorrt cannot say and may try."""
        ask = getattr(self._context, "is_stream_capturable", None)
        return True if ask is None else bool(ask(stream))

    def close(self) -> None:
        """Free the context before its engine, the engine before its runtime."""
        self._context = None
        self._engine = None
        self._runtime = None

    def _check_valid(self, runtime: object, engine: bytes) -> None:
        # tensorrt-rtx reads the header alone: version, GPU, driver.
        ask = getattr(runtime, "get_engine_validity", None)
        if ask is None:
            return
        verdict, findings = ask(engine)
        if verdict == self._package.module.EngineValidity.INVALID:
            known = self._package.module.EngineInvalidityDiagnostics.__members__
            names = [n for n, bit in known.items() if int(findings) & int(bit)]
            raise self._refused(f"the engine ({', '.join(names) or 'invalid'})")

    def _check_shapes(self, expected: dict[str, tuple[int, ...]]) -> None:
        engine = self._engine
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        found = {name: tuple(engine.get_tensor_shape(name)) for name in names}
        types = {engine.get_tensor_dtype(name) for name in names}
        if found != expected or types != {self._package.module.DataType.FLOAT}:
            raise EngineError(
                f"the TensorRT engine takes and gives {found}, expected {expected} in "
                "float32; compile again: rtbold models compile --engine tensorrt"
            )

    def _refused(self, what: str) -> EngineError:
        said = " | ".join(self._log.errors[-3:]) or "it gave no reason"
        self._log.errors.clear()
        return EngineError(
            f"{self._package.name} refused {what}: {said}. Compile again (rtbold "
            "models compile --engine tensorrt), or use --engine openvino."
        )


FLOAT_BYTES = 4
LOG = logging.getLogger(__name__)


def why_not(
    bundle: Bundle | None = None,
    precision: str = "f32",
    *,
    device: Callable[[], CudaDevice] = first_device,
) -> str | None:
    """Return in a sentence why TensorRT cannot run here, or None where it can.

    A missing or stale engine is no reason: `TensorRtEngine` compiles one for the GPU
    in the machine when it opens.
    """
    if not is_installed():
        return f"TensorRT is not installed ({pip_install('tensorrt')})."
    try:
        gpu = device().gpu
        check_gpu(gpu, require())
        check_precision(precision)
        if bundle is not None:
            bundle.file(MODEL_FILE)
    except RtboldError as error:
        return f"TensorRT cannot run here: {str(error).rstrip('.')}."
    reason = why_not_precision(gpu, precision)
    return None if reason is None else f"{reason}."


class TensorRtEngine:
    """One window at a time on the first GPU that CUDA shows.

    Parameters
    ----------
    precision : "f32", "tf32" or "f16".
    cuda, program : for tests; NVIDIA's libraries by default.

    Raises
    ------
    ConfigError : unknown precision, or a GPU that this TensorRT does not know.
    EngineError : no TensorRT, no driver, no GPU, or one of them refused.
    """

    name = "tensorrt"

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str = "f32",
        cuda: CudaDriver | None = None,
        program: Callable[[], Program] | None = None,
    ) -> None:
        check_precision(precision)
        self.precision = precision
        self._card = bundle.card
        self._shapes = {
            INPUT: (1, len(bundle.card.channels), WINDOW_SAMPLES),
            OUTPUT: (1, len(bundle.card.rois)),
        }
        self._cuda = cuda or CudaRuntime()
        self._graph: int | None = None
        self.file_sha256 = ""  # of the engine's bytes, once they are loaded
        with ExitStack() as held:  # frees in reverse order, also when opening fails
            self._stream = self._cuda.new_stream()
            held.callback(self._cuda.free_stream, self._stream)
            self._program = (program or (lambda: self._load(bundle)))()
            held.callback(self._program.close)
            self._allocate(held)
            self._warm_up()
            self._capture(held)
            self._held: ExitStack | None = held.pop_all()

    def __call__(self, eeg_uv: Float32Array) -> Float32Array:
        """Predict (batch, rois) from (batch, channels, 3200) microvolt."""
        check_windows(eeg_uv, self._card)
        if self._held is None:
            raise EngineError("this engine was closed; open the bundle again")
        bold = np.concatenate([self._predict(window) for window in eeg_uv])
        return check_finite(bold, self.name)

    def close(self) -> None:
        """Wait for the GPU and free all that is held there."""
        held, self._held = self._held, None
        if held is not None:
            del self._window, self._answer  # they look into memory that goes
            with held:
                self._cuda.wait(self._stream)

    def _predict(self, window_uv: Float32Array) -> Float32Array:
        np.copyto(self._window[0], window_uv)
        if self._graph is not None:
            self._cuda.launch(self._graph, self._stream)
        else:
            self._queue()
        self._cuda.wait(self._stream)
        return self._answer.copy()

    def _queue(self) -> None:
        stream = self._stream
        n_in, n_out = self._window.nbytes, self._answer.nbytes
        self._cuda.copy(
            self._host_in, self._device_in, n=n_in, to="device", stream=stream
        )
        self._program.queue(stream)
        self._cuda.copy(
            self._device_out, self._host_out, n=n_out, to="host", stream=stream
        )

    def _load(self, bundle: Bundle) -> Program:
        package = require()
        gpu = first_device().gpu
        check_gpu(gpu, package)
        engine = find_or_compile(bundle, package, gpu=gpu, precision=self.precision)
        self.file_sha256 = hashlib.sha256(engine).hexdigest()
        return TensorRtProgram(package, engine, shapes=self._shapes)

    def _allocate(self, held: ExitStack) -> None:
        def reserve(tensor: str, place: Place) -> int:
            n_bytes = FLOAT_BYTES * math.prod(self._shapes[tensor])
            address = self._cuda.reserve(n_bytes, place)
            held.callback(self._cuda.release, address, place)
            return address

        self._host_in = reserve(INPUT, "host")
        self._host_out = reserve(OUTPUT, "host")
        self._device_in = reserve(INPUT, "device")
        self._device_out = reserve(OUTPUT, "device")
        self._window = _array_at(self._host_in, self._shapes[INPUT])
        self._answer = _array_at(self._host_out, self._shapes[OUTPUT])
        self._program.bind(self._device_in, self._device_out)

    def _warm_up(self) -> None:
        # Kernels are compiled for this very GPU at the first run, which takes seconds;
        # and TensorRT wants one run before a capture.
        noise = np.random.default_rng(0).standard_normal(self._shapes[INPUT][1:])
        self._predict((10.0 * noise).astype(np.float32))

    def _capture(self, held: ExitStack) -> None:
        try:
            if not self._program.capturable(self._stream):
                raise EngineError("TensorRT says that this engine cannot be captured")
            self._graph = self._cuda.capture(self._stream, self._queue)
        except EngineError as error:
            LOG.warning("no CUDA graph, each step is queued by itself: %s", error)
            return
        held.callback(self._cuda.free_graph, self._graph)
        self._warm_up()  # the first launch of a graph also costs more than the next


def find_or_compile(
    bundle: Bundle, package: TensorRt, *, gpu: str, precision: str
) -> bytes:
    """Return the engine for this GPU; a stale or foreign one is made anew."""
    key = engine_key(bundle, package, gpu=gpu, precision=precision)
    folder = engines_folder(bundle)
    try:
        return read_engine(folder, key)
    except StaleEngine as stale:
        LOG.warning(
            "compiling %s for %s in %s, a few seconds (%s)",
            bundle.card.name,
            gpu,
            precision,
            stale,
        )
    onnx_model = bundle.file(MODEL_FILE).read_bytes()
    return compile_one(key, onnx_model, package, folder=folder)


def _array_at(address: int, shape: tuple[int, ...]) -> Float32Array:
    n_values = math.prod(shape)
    memory = (ctypes.c_float * n_values).from_address(address)
    array: Float32Array = np.ctypeslib.as_array(memory).reshape(shape)
    return array
