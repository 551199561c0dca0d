"""Choose an engine and a precision by name and open a bundle with them."""

import logging

from rtbold.bundle.store import Bundle
from rtbold.config import ENGINES, PRECISIONS
from rtbold.engine.check import EXACT, verify
from rtbold.engine.openvino import OpenVinoEngine
from rtbold.engine.protocol import Engine, EngineUsed
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
    precision : "auto" is the fastest that was accepted (`rtbold.engine.choice`).
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
    from rtbold.engine.choice import fastest_first

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
