"""What OpenVINO says of this CPU, and how a model is compiled for it."""

from typing import Any, TypeAlias

from rtbold.engine.records import Machine
from rtbold.errors import ConfigError, EngineError

Core: TypeAlias = Any  # openvino has no types
Model: TypeAlias = Any
Node: TypeAlias = Any

PRECISIONS = ("f32", "bf16", "int8")
# Not offered, whatever the CPU lists: no answer of `demo` was finite, and the base size
# was slower than in bfloat16 (docs/reference/engines.md). TensorRT has a float16 of
# its own.
NOT_OFFERED = ("f16",)
# What the CPU must list. OpenVINO itself does not refuse: asked for a type that the CPU
# lacks, it takes another one and says nothing.
_CAPABILITY = {"f32": "FP32", "bf16": "BF16", "int8": "INT8"}
_MEANING = {"bf16": "bfloat16", "int8": "8-bit integer arithmetic"}


def open_core() -> Core:
    """Return OpenVINO's core.

    Raises
    ------
    EngineError : openvino is not installed.
    """
    try:
        import openvino  # takes half a second: not at start-up of the command line
    except ImportError as error:
        raise EngineError(
            "openvino is not installed, expected it beside rtbold; "
            "install it (pip install openvino) or pass --engine torch"
        ) from error
    return openvino.Core()


def this_machine(core: Core) -> Machine:
    """Return what a compiled model depends on here."""
    import openvino

    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return Machine(
        openvino=str(openvino.get_version()),
        cpu=str(core.get_property("CPU", "FULL_DEVICE_NAME")),
        capabilities=tuple(sorted(capabilities)),
    )


def supported(machine: Machine) -> tuple[str, ...]:
    """Return the precisions that are offered and that this CPU computes in."""
    return tuple(p for p in PRECISIONS if _CAPABILITY[p] in machine.capabilities)


def check_supported(precision: str, machine: Machine) -> None:
    """Refuse a precision that OpenVINO would silently replace by another one.

    Raises
    ------
    ConfigError : no precision of OpenVINO's.
    EngineError : this CPU does not compute in it, or it is not offered on any.
    """
    if precision in NOT_OFFERED:
        raise EngineError(
            f"precision {precision} is not offered on a CPU: OpenVINO answered values "
            "that are not finite in it, and slower than in bf16; use "
            f"{', '.join(supported(machine))} or auto (a GPU has it: --engine tensorrt)"
        )
    if precision not in PRECISIONS:
        raise ConfigError(
            f"precision is {precision!r}, OpenVINO has {', '.join(PRECISIONS)}; use "
            "one of these, or --engine tensorrt"
        )
    if precision not in supported(machine):
        raise EngineError(
            f"this CPU ({machine.cpu}) has no {_MEANING[precision]}, so precision "
            f"{precision} cannot run here; it has {', '.join(supported(machine))}"
        )


def cpu_settings(hint: str, n_threads: int) -> dict[str, object]:
    """Return how a model is compiled: latency first, pinned thread count."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": n_threads,
        "NUM_STREAMS": 1,
    }


def first_line(error: Exception) -> str:
    """Return the line of an OpenVINO error that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
