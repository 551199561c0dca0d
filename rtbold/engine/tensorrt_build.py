"""From ``model.onnx`` to the bytes of a TensorRT engine.

Each engine is for one GPU architecture, one precision and one batch size, with all
shapes fixed. The same input gives the same bytes (tensorrt-rtx 1.7.1: tested).
"""

from typing import Protocol

from rtbold.engine.tensorrt_half import half_products
from rtbold.engine.tensorrt_package import (
    TensorRt,
    check_gpu,
    check_precision,
    why_not_precision,
)
from rtbold.errors import EngineError

RECIPE = 2  # goes up when the same graph would be built another way: engines are stale
MAX_REASONS = 3


class Log(Protocol):
    """What TensorRT said while it worked."""

    errors: list[str]


ANSWER = "bold"  # of a graph's outputs


class _Port(Protocol):
    name: str
    shape: tuple[int, ...]


class _Network(Protocol):
    num_outputs: int

    def get_input(self, index: int) -> _Port: ...
    def get_output(self, index: int) -> _Port: ...
    def unmark_output(self, output: _Port) -> None: ...


class _Config(Protocol):
    num_compute_capabilities: int

    def set_flag(self, flag: object) -> None: ...
    def clear_flag(self, flag: object) -> None: ...
    def set_compute_capability(self, gpu: object, index: int) -> None: ...


def build_engine(
    onnx_model: bytes,
    package: TensorRt,
    *,
    gpu: str,
    precision: str,
    batch_size: int = 1,
) -> bytes:
    """Compile a graph for one GPU; takes seconds, and no GPU with tensorrt-rtx.

    Parameters
    ----------
    gpu : compute capability, such as "sm_86". ``tensorrt`` compiles for the GPU in
        the machine whatever this says: the caller passes that one.
    precision : "f32", "tf32" or "f16".

    Raises
    ------
    ConfigError : unknown GPU or precision.
    EngineError : TensorRT refuses the graph, or this precision on this GPU.
    """
    check_gpu(gpu, package)
    check_precision(precision)
    reason = why_not_precision(gpu, precision)
    if reason is not None:
        raise EngineError(reason)
    graph = half_products(onnx_model) if precision == "f16" else onnx_model
    log = new_log(package)
    what = f"the graph in {precision} for {gpu}"
    builder = package.module.Builder(log)
    if builder is None:  # tensorrt without a GPU
        raise _refused(what, package, log.errors)
    network = builder.create_network(_typed(package))
    parser = package.module.OnnxParser(network, log)
    if not parser.parse(graph):
        said = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise _refused(what, package, [*said, *log.errors])
    _fix_ports(network, batch_size)
    config = builder.create_builder_config()
    _configure(config, package, gpu=gpu, precision=precision)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise _refused(what, package, log.errors)
    return bytes(engine)


def _fix_ports(network: _Network, batch_size: int) -> None:
    """Leave one output, since nothing else is bound to memory, and fix the shape."""
    for output in [network.get_output(i) for i in range(network.num_outputs)]:
        if output.name != ANSWER:
            network.unmark_output(output)
    eeg = network.get_input(0)
    eeg.shape = (batch_size, *tuple(eeg.shape)[1:])


def new_log(package: TensorRt) -> Log:
    """Return a logger that keeps what went wrong and prints nothing."""
    severity = package.module.ILogger.Severity
    grave = (severity.ERROR, severity.INTERNAL_ERROR)

    class KeptLog(package.module.ILogger):  # type: ignore[misc, name-defined]
        # The base class is known only when the installed TensorRT is.
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, level: object, message: str) -> None:
            if level in grave:
                self.errors.append(message)

    log: Log = KeptLog()
    return log


def _typed(package: TensorRt) -> int:
    # Follow the graph's types: tensorrt-rtx always does, tensorrt when told to.
    flags = package.module.NetworkDefinitionCreationFlag
    typed = getattr(flags, "STRONGLY_TYPED", None)
    return 0 if typed is None else 1 << int(typed)


def _configure(config: _Config, package: TensorRt, *, gpu: str, precision: str) -> None:
    flags = package.module.BuilderFlag
    change = config.set_flag if precision == "tf32" else config.clear_flag
    change(flags.TF32)
    # Not a number in, not a number out: the engine refuses such answers. And no
    # allocation while it runs, so that its work can be captured as a CUDA graph.
    for name in ("STRICT_NANS", "REQUIRE_USER_ALLOCATION"):
        if name in flags.__members__:
            config.set_flag(flags.__members__[name])
    if package.gpus():
        config.num_compute_capabilities = 1
        config.set_compute_capability(package.capability(gpu), 0)


def _refused(what: str, package: TensorRt, said: list[str]) -> EngineError:
    reasons = " | ".join(said[:MAX_REASONS]) or "it gave no reason"
    return EngineError(
        f"{package.name} cannot compile {what}: {reasons}. Try another precision, or "
        "use --engine openvino."
    )
