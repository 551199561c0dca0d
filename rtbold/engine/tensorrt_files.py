"""TensorRT engines on disk: each with a record of what it was compiled from and for.

``engines/NAME.engine`` with ``NAME.json`` beside it. An engine is handed out only if
its record names the bundle, the graph, the TensorRT, the GPU and the precision that
are wanted now, and its bytes have the SHA-256 of the record. The record is no
signature: whoever can write into the folder can write both files.
"""

import hashlib
from pathlib import Path

import msgspec

from rtbold.bundle.store import Bundle
from rtbold.engine.records import decoded, differing, onnx_sha256, replace_file
from rtbold.engine.tensorrt_build import RECIPE
from rtbold.engine.tensorrt_package import TensorRt
from rtbold.errors import ConfigError, EngineError

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
    recipe: int  # of `rtbold.engine.tensorrt_build`

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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Without a record the engine counts as missing while it changes.
        path.with_suffix(".json").unlink(missing_ok=True)
        replace_file(path, engine)
        replace_file(path.with_suffix(".json"), text)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written: {error.strerror or error}; make it writable "
            "or make room, then compile again"
        ) from error
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
        engine = path.read_bytes()
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
