"""What is known of a compiled model on one machine: a JSON file per precision.

``engines/openvino-PRECISION.json`` says how far this precision is from the reference,
how long a window takes, and what it was measured with. A record counts only where
bundle, graph, OpenVINO and CPU are the same. It is no signature: whoever can write into
the folder can write all of it, and therefore engines are checked again at opening.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec
from platformdirs import user_cache_path

from rtbold.bundle import ENGINES_FOLDER, Bundle, FileHash
from rtbold.disk import read_file
from rtbold.errors import ConfigError, EngineError

RECORD_FORMAT = 2  # 1: not judged on disturbed windows
MAX_RECORD_BYTES = 100_000
MAX_ENGINE_BYTES = 4 << 30  # of a file that is compiled for one machine
MODEL_FILE = "model.onnx"


class Machine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an OpenVINO engine depends on beside the model."""

    openvino: str  # version
    cpu: str
    capabilities: tuple[str, ...]  # "FP32", "BF16", "INT8", ...


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a record is bound to; all of it must be equal for it to count.

    Not the thread count: it changes the order of sums, which is the last bits of an
    answer and no verdict. Times of different counts are not compared, though.
    """

    bundle_sha256: str  # of the card, which holds the hashes of all files
    onnx_sha256: str
    machine: Machine
    precision: str


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``openvino-PRECISION.json``."""

    format: int = RECORD_FORMAT
    key: Key
    files: tuple[FileHash, ...] = ()  # in the same folder; int8 has a model of its own
    remainder: str = ""  # precision of what int8 leaves as floating point
    n_windows: int  # that it was judged on
    worst: float  # see `rtbold.engine.check.Deviation`
    share: float
    disturbed: float = 0.0
    disturbance: str = ""
    window_ms: float  # median
    n_threads: int
    accepted: bool
    reason: str = ""  # why not


class _Formatted(Protocol):
    @property
    def format(self) -> int: ...


Formatted = TypeVar("Formatted", bound=_Formatted)


class StaleRecord(EngineError):
    """There is no record, or it is of another bundle, version or machine."""


def key_of(bundle: Bundle, machine: Machine, precision: str) -> Key:
    """Return what a record of this bundle must be bound to here."""
    return Key(
        bundle_sha256=bundle.sha256,
        onnx_sha256=onnx_sha256(bundle),
        machine=machine,
        precision=precision,
    )


def record_path(folder: Path, precision: str) -> Path:
    """Return where the record of a precision lies."""
    return folder / f"openvino-{precision}.json"


def write_record(
    folder: Path, record: Record, contents: Mapping[str, bytes] | None = None
) -> Path:
    """Write the files, then the record with their hashes; an earlier one is replaced.

    Raises
    ------
    ConfigError : the folder cannot be written.
    """
    path = record_path(folder, record.key.precision)
    files = tuple(
        FileHash(path=name, sha256=hashlib.sha256(data).hexdigest())
        for name, data in (contents or {}).items()
    )
    text = msgspec.json.format(
        msgspec.json.encode(msgspec.structs.replace(record, files=files)), indent=1
    )
    replace_with_record(path, text, contents or {})
    return path


def replace_with_record(path: Path, text: bytes, contents: Mapping[str, bytes]) -> None:
    """Write files, then the record of them beside them; there is none meanwhile.

    Raises
    ------
    ConfigError : the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        for name, data in contents.items():
            replace_file(path.with_name(name), data)
        replace_file(path, text)
    except OSError as error:
        raise ConfigError(
            f"{path.parent} cannot be written: {error.strerror or error}; make it "
            "writable or make room, then compile again"
        ) from error


def read_record(folder: Path, key: Key) -> Record:
    """Return the record of this key.

    Raises
    ------
    StaleRecord : there is none, it cannot be read, or it is of something else.
    """
    path = record_path(folder, key.precision)
    record = decoded(path, Record, RECORD_FORMAT, stale=_stale)
    if differences := differing(record.key, key):
        raise _stale(path, f"was made for something else: {differences}")
    return record


def decoded(
    path: Path,
    kind: type[Formatted],
    wanted_format: int,
    *,
    stale: Callable[[Path, str], EngineError],
) -> Formatted:
    """Return a record of any kind of engine, read strictly.

    Raises
    ------
    EngineError : what `stale` makes of a file and what is wrong with it.
    """
    try:
        text = read_file(path, at_most_bytes=MAX_RECORD_BYTES)
        record = msgspec.json.decode(text, type=kind)
    except OSError as error:
        raise stale(path, f"cannot be read ({error.strerror or error})") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise stale(path, f"is no record of an engine ({error})") from error
    if record.format != wanted_format:
        raise stale(path, f"has format {record.format}, expected {wanted_format}")
    return record


def differing(found: msgspec.Struct, wanted: msgspec.Struct) -> str:
    """Return in which fields two keys of one kind differ; empty where in none."""
    return "; ".join(
        f"{name} is {getattr(found, name)}, expected {getattr(wanted, name)}"
        for name in wanted.__struct_fields__
        if getattr(found, name) != getattr(wanted, name)
    )


def onnx_sha256(bundle: Bundle) -> str:
    """Return the hash of the bundle's graph; a BundleError where it has none."""
    bundle.file(MODEL_FILE)
    return {entry.path: entry.sha256 for entry in bundle.card.files}[MODEL_FILE]


def find_record(folder: Path, key: Key) -> Record | None:
    """Return the record of this key, or None where nothing was ever compiled.

    Raises
    ------
    StaleRecord : it cannot be read, or it is of something else.
    """
    if not record_path(folder, key.precision).exists():
        return None
    return read_record(folder, key)


def read_files(folder: Path, record: Record) -> dict[str, bytes]:
    """Return the record's files, whole and unchanged.

    Raises
    ------
    StaleRecord : one is missing or is not what was written.
    """
    found = {}
    for entry in record.files:
        path = folder / Path(entry.path).name
        try:
            data = read_file(path, at_most_bytes=MAX_ENGINE_BYTES)
        except OSError as error:
            raise _stale(path, f"cannot be read ({error.strerror or error})") from error
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 != entry.sha256:
            raise _stale(
                path,
                f"has SHA-256 {sha256[:12]}..., its record says {entry.sha256[:12]}...",
            )
        found[entry.path] = data
    return found


def replace_file(target: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=target.parent)
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(0o644)
        os.replace(draft, target)
    finally:
        draft.unlink(missing_ok=True)


def _stale(path: Path, why: str) -> StaleRecord:
    return StaleRecord(f"{path} {why}; compile again: rtbold models compile BUNDLE")


# Where compiled engines of a bundle lie: with it, or in the user's cache.

SHA_CHARS = 16


def engines_folder(bundle: Bundle) -> Path:
    """Return where engines of this bundle are written and looked for; it may not exist.

    ``engines/`` in the bundle where that can be written; else, as for a bundle in a
    system folder, one in the user's cache that is named by the bundle's hash.
    """
    beside = bundle.path / ENGINES_FOLDER
    writable = beside if beside.is_dir() else bundle.path
    if os.access(writable, os.W_OK | os.X_OK):
        return beside
    return user_cache_path("rtbold") / ENGINES_FOLDER / bundle.sha256[:SHA_CHARS]
