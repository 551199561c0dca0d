"""``rtbold models compile --engine tensorrt``: engines for GPUs here or elsewhere."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from rtbold.bundle import Bundle
from rtbold.disk import read_file
from rtbold.engine.records import (
    MAX_ENGINE_BYTES,
    MODEL_FILE,
    decoded,
    differing,
    engines_folder,
    onnx_sha256,
    replace_with_record,
)
from rtbold.engine.tensorrt_cuda import first_device
from rtbold.engine.tensorrt_half import half_products
from rtbold.engine.tensorrt_package import (
    TENSORRT_PRECISIONS as PRECISIONS,
    TensorRt,
    check_gpu,
    check_precision,
    require,
    why_not_precision,
)
from rtbold.errors import ConfigError, EngineError

# From ``model.onnx`` to the bytes of a TensorRT engine.
#
# Each engine is for one GPU architecture, one precision and one batch size, with all
# shapes fixed. The same input gives the same bytes (tensorrt-rtx 1.7.1: tested).

RECIPE = 2  # goes up when the same graph would be built another way: engines are stale
MAX_REASONS = 3


class Log(Protocol):
    """What TensorRT said while it worked."""

    errors: list[str]


OUTPUT_NAME = "bold"  # of a graph's outputs


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
        if output.name != OUTPUT_NAME:
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


# TensorRT engines on disk: each with a record of what it was compiled from and for.
#
# ``engines/NAME.engine`` with ``NAME.json`` beside it. An engine is handed out only if
# its record names the bundle, the graph, the TensorRT, the GPU and the precision that
# are wanted now, and its bytes have the SHA-256 of the record. The record is no
# signature: whoever can write into the folder can write both files.

RECORD_FORMAT = 1


class EngineKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an engine is bound to; all of it must be equal for the engine to be used."""

    bundle_sha256: str  # of the card, which holds the hashes of all files
    onnx_sha256: str
    flavour: str  # "tensorrt-rtx" or "tensorrt"
    version: str
    gpu: str  # compute capability, such as "sm_86"
    precision: str  # "f32", "tf32", "f16"
    batch_size: int
    recipe: int  # of `build_engine`

    @property
    def stem(self) -> str:
        """File name without its ending."""
        return f"{self.flavour}-{self.version}-{self.gpu}-{self.precision}"


class EngineRecord(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """``NAME.json``: the key of an engine and the hash of its bytes."""

    format: int = RECORD_FORMAT
    key: EngineKey
    engine_sha256: str
    size: int  # bytes


class StaleEngine(EngineError):
    """The engine on disk is missing, or is not the one that is wanted."""


def engine_key(
    bundle: Bundle, package: TensorRt, *, gpu: str, precision: str
) -> EngineKey:
    """Return what an engine of this bundle for one window must be bound to."""
    return EngineKey(
        bundle_sha256=bundle.sha256,
        onnx_sha256=onnx_sha256(bundle),
        flavour=package.flavour,
        version=package.version,
        gpu=gpu,
        precision=precision,
        batch_size=1,
        recipe=RECIPE,
    )


def engine_path(folder: Path, key: EngineKey) -> Path:
    """Return where the engine of this key lies."""
    return folder / f"{key.stem}.engine"


def write_engine(folder: Path, key: EngineKey, engine: bytes) -> Path:
    """Write engine and record, the record last; an earlier pair is replaced.

    Raises
    ------
    ConfigError : the folder cannot be written.
    """
    path = engine_path(folder, key)
    record = EngineRecord(
        key=key, engine_sha256=hashlib.sha256(engine).hexdigest(), size=len(engine)
    )
    text = msgspec.json.format(msgspec.json.encode(record), indent=1)
    replace_with_record(path.with_suffix(".json"), text, {path.name: engine})
    return path


def read_engine(folder: Path, key: EngineKey) -> bytes:
    """Return the engine of this key, whole and unchanged.

    Raises
    ------
    StaleEngine : there is none, it was compiled from or for something else, or its
        bytes are not those that were written.
    """
    path = engine_path(folder, key)
    if not path.exists() and (versions := _other_versions(folder, key)):
        raise _stale(
            path,
            f"is not there; what lies there was compiled by {key.flavour} "
            f"{', '.join(versions)}, and {key.version} runs only its own engines",
        )
    record = decoded(
        path.with_suffix(".json"), EngineRecord, RECORD_FORMAT, stale=_stale
    )
    if differences := differing(record.key, key):
        raise _stale(path, differences)
    try:
        engine = read_file(path, at_most_bytes=MAX_ENGINE_BYTES)
    except OSError as error:
        raise _stale(path, f"cannot be read ({error.strerror or error})") from error
    if len(engine) != record.size:
        raise _stale(path, f"has {len(engine)} bytes, its record says {record.size}")
    found = hashlib.sha256(engine).hexdigest()
    if found != record.engine_sha256:
        raise _stale(
            path,
            f"has SHA-256 {found[:12]}..., its record says "
            f"{record.engine_sha256[:12]}...",
        )
    return engine


def _other_versions(folder: Path, key: EngineKey) -> list[str]:
    """Return the versions that compiled an engine which differs in nothing else."""
    start, end = f"{key.flavour}-", f"-{key.gpu}-{key.precision}.engine"
    names = [path.name for path in folder.glob(f"{start}[0-9]*{end}")]
    return sorted(name[len(start) : -len(end)] for name in names)


def _stale(path: Path, why: str) -> StaleEngine:
    return StaleEngine(
        f"{path} {why}; compile again: rtbold models compile BUNDLE --engine tensorrt"
    )


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
