"""``rtbold models compile --engine tensorrt``: engines for GPUs here or elsewhere."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtbold.bundle.store import Bundle
from rtbold.engine.cache import engines_folder
from rtbold.engine.records import MODEL_FILE
from rtbold.engine.tensorrt_build import build_engine
from rtbold.engine.tensorrt_cuda import first_device
from rtbold.engine.tensorrt_files import EngineKey, engine_key, write_engine
from rtbold.engine.tensorrt_package import (
    PRECISIONS,
    TensorRt,
    check_gpu,
    check_precision,
    require,
    why_not_precision,
)
from rtbold.errors import ConfigError, EngineError

LOG = logging.getLogger(__name__)
NOT_RUN = "compiled, not run: that needs the GPU"


@dataclass(frozen=True)
class CompiledFile:
    """One engine that was asked for; `path` is None where it cannot be made."""

    path: Path | None
    gpu: str
    precision: str
    size: int  # bytes
    seconds: float
    note: str  # what a person should know, or why there is no engine


def compile_for(
    bundle: Bundle,
    *,
    gpus: Sequence[str] = (),
    precisions: Sequence[str] = (),
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
    now_s: Callable[[], float] = time.perf_counter,
) -> list[CompiledFile]:
    """Compile a bundle for each GPU in each precision, and keep the engines.

    Parameters
    ----------
    gpus : such as "sm_86"; empty for the GPU in this machine.
    precisions : of "f32", "tf32", "f16"; empty for all.
    folder : where engines go; by default the bundle's.
    progress : is told what begins now.

    Raises
    ------
    ConfigError : unknown GPU or precision, or a folder that cannot be written.
    EngineError : no TensorRT, no GPU where one is needed, or not one engine was made.
    """
    package = require()
    targets = _targets(package, gpus)
    wanted = tuple(dict.fromkeys(precisions)) or PRECISIONS
    for precision in wanted:
        check_precision(precision)
    target_folder = folder or engines_folder(bundle)
    onnx_model = bundle.file(MODEL_FILE).read_bytes()
    done = []
    for gpu in targets:
        for precision in wanted:
            key = engine_key(bundle, package, gpu=gpu, precision=precision)
            progress(f"compiling {precision} for {gpu} with {package.name}")
            done.append(
                _compile(key, onnx_model, package, folder=target_folder, now_s=now_s)
            )
    if all(file.path is None for file in done):
        raise EngineError("; ".join(dict.fromkeys(file.note for file in done)))
    return done


def compile_one(
    key: EngineKey, onnx_model: bytes, package: TensorRt, *, folder: Path
) -> bytes:
    """Compile one engine, keep it if the folder can be written, and return it."""
    engine = build_engine(onnx_model, package, gpu=key.gpu, precision=key.precision)
    try:
        write_engine(folder, key, engine)
    except ConfigError as error:  # on a read-only disk: compiled again at each start
        LOG.warning("the engine is not kept: %s", error)
    return engine


def _compile(
    key: EngineKey,
    onnx_model: bytes,
    package: TensorRt,
    *,
    folder: Path,
    now_s: Callable[[], float],
) -> CompiledFile:
    reason = why_not_precision(key.gpu, key.precision)
    if reason is not None:
        return CompiledFile(None, key.gpu, key.precision, 0, 0.0, reason)
    begin_s = now_s()
    try:
        engine = build_engine(onnx_model, package, gpu=key.gpu, precision=key.precision)
    except EngineError as error:
        took_s = now_s() - begin_s
        return CompiledFile(None, key.gpu, key.precision, 0, took_s, str(error))
    took_s = now_s() - begin_s
    path = write_engine(folder, key, engine)
    return CompiledFile(path, key.gpu, key.precision, len(engine), took_s, NOT_RUN)


def _targets(package: TensorRt, gpus: Sequence[str]) -> tuple[str, ...]:
    for gpu in gpus:
        check_gpu(gpu, package)
    if gpus and package.gpus():
        return tuple(dict.fromkeys(gpus))
    present = _present(package)
    if any(gpu != present for gpu in gpus):
        raise ConfigError(
            f"{package.name} compiles only for the GPU in the machine, which is "
            f"{present}; asked for {', '.join(gpus)}. Install tensorrt-rtx for others."
        )
    check_gpu(present, package)
    return (present,)


def _present(package: TensorRt) -> str:
    try:
        return first_device().gpu
    except EngineError as error:
        known = package.gpus()
        if known:
            raise ConfigError(
                f"no GPU was named, and there is none here to compile for ({error}); "
                f"name one: --gpu {' or '.join(known)}"
            ) from error
        raise EngineError(
            f"{package.name} compiles only for the GPU in the machine ({error}); to "
            "compile without one, install tensorrt-rtx"
        ) from error
