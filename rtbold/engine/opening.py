"""Choose an engine and a precision by name and open a bundle with them."""

import logging
from importlib.metadata import version

from rtbold.bundle import Bundle
from rtbold.config import ENGINES, PRECISIONS
from rtbold.engine.check import EXACT, verify
from rtbold.engine.openvino import (
    NOT_OFFERED,
    OpenVinoEngine,
    open_core,
    supported,
    this_machine,
)
from rtbold.engine.protocol import Engine, EngineUsed
from rtbold.engine.records import (
    Machine,
    Record,
    StaleRecord,
    engines_folder,
    find_record,
    key_of,
    record_path,
)
from rtbold.engine.tensorrt_cuda import first_device
from rtbold.errors import ConfigError, EngineError

N_THREADS = 1
LOG = logging.getLogger(__name__)
CPU_PRECISIONS = ("bf16", "int8")  # no GPU is asked for these
GPU_FASTEST_FIRST = ("f16", "tf32", EXACT)


def open_engine(
    bundle: Bundle,
    *,
    engine: str = "auto",
    precision: str = EXACT,
    n_threads: int = N_THREADS,
    batch_size: int | None = 1,
) -> Engine:
    """Compile a verified bundle and run it once, so that no prediction waits for it.

    Every engine but torch is compared with the bundle's check windows before it is
    handed out (`rtbold.engine.check`).

    Parameters
    ----------
    engine : "auto" is TensorRT if it can run here, else OpenVINO. "tensorrt" also
        falls back to OpenVINO, with a warning.
    precision : "auto" is the fastest that was accepted (`fastest_first`).
    n_threads : pinned, because replays are bit-identical only for the same count.
    batch_size : windows per call, or None for any number (slower).

    Raises
    ------
    ConfigError : unknown engine or precision, or an engine that lacks the precision.
    EngineError : the engine is not installed, cannot run the bundle, or does not
        answer what the reference answers.
    """
    _check_choice("engine", engine, ENGINES)
    _check_choice("precision", precision, PRECISIONS)
    if n_threads < 1:
        raise ConfigError(f"n_threads is {n_threads}, expected 1 or more")
    if engine == "torch":
        return _reference(bundle, precision, n_threads=n_threads)
    if engine in ("auto", "tensorrt") and precision not in CPU_PRECISIONS:
        opened, reason = _on_gpu(bundle, precision, n_threads=n_threads)
        if opened is not None:
            return opened
        if engine == "tensorrt":
            LOG.warning("%s This runs on the CPU, by OpenVINO in float32.", reason)
            precision = EXACT
    elif engine == "tensorrt":
        raise ConfigError(
            f"precision is {precision!r}, engine tensorrt has f32, tf32 and f16; use "
            "one of these, or --engine openvino"
        )
    return _on_cpu(bundle, precision, n_threads=n_threads, batch_size=batch_size)


def used(engine: Engine, *, n_threads: int = N_THREADS) -> EngineUsed:
    """Return what an engine is, to be kept with what it predicts."""
    return EngineUsed(
        name=engine.name,
        precision=engine.precision,
        n_threads=n_threads,
        file_sha256=str(getattr(engine, "file_sha256", "")),  # torch has none
    )


def ran_on(engine: Engine) -> dict[str, str]:
    """Return the kind of machine that an engine runs on, to be kept with its answers.

    The same model and events give the same bits where this is the same.
    """
    machine = this_machine(open_core())
    kind = {name: version(name) for name in ("numpy", "scipy")}
    kind |= {"openvino": machine.openvino, "cpu": machine.cpu}
    if engine.name == "tensorrt":
        kind["gpu"] = first_device().name
    return kind


def _reference(bundle: Bundle, precision: str, *, n_threads: int) -> Engine:
    if precision not in (EXACT, "auto"):
        raise ConfigError(
            f"precision is {precision!r}, engine torch has f32 only; use f32, or "
            "--engine openvino"
        )
    from rtbold.engine.torch import TorchEngine

    return TorchEngine(bundle, n_threads=n_threads)


def _on_gpu(
    bundle: Bundle, precision: str, *, n_threads: int
) -> tuple[Engine | None, str]:
    """Return the first that opens, or None and why the last did not."""
    from rtbold.engine.tensorrt import TensorRtEngine, why_not

    reason: str | None = None
    for wanted in GPU_FASTEST_FIRST if precision == "auto" else (precision,):
        reason = why_not(bundle, wanted)
        if reason is not None:
            continue
        try:
            opened = TensorRtEngine(bundle, precision=wanted)
            return _verified(opened, bundle, n_threads=n_threads), ""
        except EngineError as error:
            reason = str(error)
            LOG.warning("TensorRT %s cannot be used: %s", wanted, reason)
    return None, reason or ""


def _on_cpu(
    bundle: Bundle, precision: str, *, n_threads: int, batch_size: int | None
) -> Engine:

    wanted = list(fastest_first(bundle)) if precision == "auto" else [precision]
    while True:
        try:
            engine = OpenVinoEngine(
                bundle,
                n_threads=n_threads,
                batch_size=batch_size,
                precision=wanted[0],
            )
            n_batch = batch_size or 1
            return _verified(engine, bundle, n_threads=n_threads, n_batch=n_batch)
        except EngineError as error:
            if len(wanted) == 1:
                raise
            LOG.warning("precision %s cannot be used: %s", wanted.pop(0), error)


def _verified(
    engine: Engine, bundle: Bundle, *, n_threads: int, n_batch: int = 1
) -> Engine:
    def exact() -> Engine:
        """Return what a reduced precision is compared with, a GPU's as well."""
        return _on_cpu(bundle, EXACT, n_threads=n_threads, batch_size=1)

    try:
        verify(engine, bundle, exact=exact, n_batch=n_batch)
    except BaseException:
        engine.close()
        raise
    return engine


def _check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(
            f"{option} is {value!r}, expected one of {', '.join(choices)}"
        )


# Which precision ``auto`` means on this machine: the fastest that was accepted.

WORTH = 0.9  # a reduced precision is taken if it needs at most this share of the time


def fastest_first(bundle: Bundle) -> tuple[str, ...]:
    """Return the precisions to try in turn; the last is float32.

    They come from the records of ``rtbold models compile``; a record of another bundle,
    OpenVINO or CPU does not count. Without any, float32 is all.
    """
    machine = this_machine(open_core())
    _tell_old_records(bundle)
    found = {p: _record(bundle, machine, p) for p in supported(machine)}
    exact = found.pop(EXACT, None)
    if exact is None:
        return (EXACT,)
    worth = [
        record
        for record in found.values()
        if record is not None
        and record.accepted
        and record.n_threads == exact.n_threads  # or times say nothing
        and record.window_ms <= WORTH * exact.window_ms
    ]
    worth.sort(key=lambda record: record.window_ms)
    return (*(record.key.precision for record in worth), EXACT)


def _tell_old_records(bundle: Bundle) -> None:
    """Say which records are of a precision that was offered once."""
    for precision in NOT_OFFERED:
        path = record_path(engines_folder(bundle), precision)
        if path.exists():
            LOG.warning(
                "precision %s does not count: it is not offered on a CPU any more; "
                "delete %s",
                precision,
                path,
            )


def _record(bundle: Bundle, machine: Machine, precision: str) -> Record | None:
    try:
        return find_record(engines_folder(bundle), key_of(bundle, machine, precision))
    except StaleRecord as stale:
        LOG.warning("precision %s does not count: %s", precision, stale)
        return None
