"""A TensorRT engine on the GPU: loaded from its bytes, bound to memory, queued."""

from typing import Protocol

from rtbold.engine.tensorrt_build import new_log
from rtbold.engine.tensorrt_package import TensorRt
from rtbold.errors import EngineError

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
