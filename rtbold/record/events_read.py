"""``events.jsonl`` and the XDF beside it back to the events that the loop saw."""

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from rtbold.errors import DataFileError
from rtbold.files import load_streams, to_uv
from rtbold.messages import (
    ClockOffset,
    Discontinuity,
    EegChunk,
    Event,
    Float32Array,
    FloatArray,
    Marker,
    MeasuredVolume,
    OperatorCommand,
    SenderChanged,
    StreamChanged,
    TimePassed,
)
from rtbold.record.folder import EVENTS_NAME, xdf_parts

# One event of the loop as one line of JSON, and back to the last bit.
#
# Floats are written as Python's repr, which reads back as the same float64. A chunk of
# EEG is written without its samples: those are in the XDF, and the line holds what the
# XDF does not have (where the chunk was cut, when it arrived), the stamps by which its
# samples are found, and a checksum by which a wrong find is noticed.

FORMAT = 1
_RUNS_PER_SAMPLE = 0.4  # with more runs than this, plain bytes are shorter
SimpleEvent = (
    Marker
    | ClockOffset
    | Discontinuity
    | StreamChanged
    | SenderChanged
    | TimePassed
    | OperatorCommand
    | MeasuredVolume
)
_TAGS: dict[type[SimpleEvent], str] = {
    Marker: "marker",
    ClockOffset: "offset",
    Discontinuity: "discontinuity",
    StreamChanged: "stream",
    SenderChanged: "sender",
    TimePassed: "time",
    OperatorCommand: "command",
    MeasuredVolume: "measured",
}
_TYPES = {tag: cls for cls, tag in _TAGS.items()}


@dataclass(frozen=True, slots=True, eq=False)
class ChunkLine:
    """A chunk of EEG as the log has it; its samples are found by its stamps."""

    index: int
    stamps_s: FloatArray  # (samples,), raw
    t_arrived_s: float
    n_channels: int
    crc32: int  # of data_uv as float32, little-endian, (channels, samples) in C order
    data_uv: Float32Array | None  # only if the log was told to hold the samples too


def to_line(event: Event, *, inline_samples: bool = False) -> str:
    """Return `event` as one line, without its line break."""
    if isinstance(event, EegChunk):
        fields = _chunk_fields(event, inline_samples=inline_samples)
    else:
        values = msgspec.to_builtins(event, enc_hook=_plain)
        fields = {"type": _TAGS[type(event)], **values}
    return json.dumps(fields, separators=(",", ":"))


def from_fields(fields: Mapping[str, Any]) -> ChunkLine | SimpleEvent:
    """Return what ``json.loads`` of a line stands for.

    Raises
    ------
    KeyError, ValueError, TypeError
        The line is none that `to_line` wrote.
    """
    tag = fields["type"]
    if tag == "eeg":
        return _chunk_line(fields)
    values = {key: value for key, value in fields.items() if key != "type"}
    return msgspec.convert(values, type=_TYPES[tag])


def _plain(value: object) -> object:
    """Return a NumPy scalar, which arithmetic on stamps yields, as Python's number."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} in an event, expected a number or text")


def checksum(data_uv: Float32Array) -> int:
    """Return the CRC-32 of samples as the log writes it."""
    return zlib.crc32(np.ascontiguousarray(data_uv, dtype="<f4").tobytes())


def _chunk_fields(chunk: EegChunk, *, inline_samples: bool) -> dict[str, Any]:
    n_channels, n_samples = chunk.data_uv.shape
    fields: dict[str, Any] = {
        "type": "eeg",
        "index": int(chunk.index),
        "n": n_samples,
        "channels": n_channels,
        "arrived": float(chunk.t_arrived_s),
        "crc32": checksum(chunk.data_uv),
        **_stamp_fields(np.asarray(chunk.t_lsl_s, dtype=np.float64)),
    }
    if inline_samples:
        fields["data"] = _to_base64(chunk.data_uv, "<f4")
    return fields


def _chunk_line(fields: Mapping[str, Any]) -> ChunkLine:
    n_samples, n_channels = int(fields["n"]), int(fields["channels"])
    data_uv = None
    if "data" in fields:
        data_uv = _from_base64(fields["data"], "<f4").reshape(n_channels, n_samples)
    return ChunkLine(
        index=int(fields["index"]),
        stamps_s=_stamps(fields, n_samples),
        t_arrived_s=float(fields["arrived"]),
        n_channels=n_channels,
        crc32=int(fields["crc32"]),
        data_uv=data_uv,
    )


def _stamp_fields(stamps_s: FloatArray) -> dict[str, Any]:
    """Return stamps as runs of ``first, first + step, ...`` if that is exact.

    liblsl stamps one sample of a chunk and adds the period for each one after it, so
    a chunk is one or two runs; adding up again gives the same bits.
    """
    if len(stamps_s) > 1:
        step_s = float(stamps_s[1]) - float(stamps_s[0])
        for candidate_s in _periods(step_s):
            if (runs := _runs(stamps_s, candidate_s)) is not None:
                return {"step": candidate_s, "runs": runs}
    return {"stamps": _to_base64(stamps_s, "<f8")}


def _periods(step_s: float) -> tuple[float, ...]:
    """Return what liblsl may have added: the period of a whole rate, or the step."""
    if not 1e-6 < step_s < 1.0:
        return ()
    return (1.0 / round(1.0 / step_s), step_s)


def _runs(stamps_s: FloatArray, step_s: float) -> list[list[float | int]] | None:
    breaks = np.flatnonzero(stamps_s[:-1] + step_s != stamps_s[1:]) + 1
    n_runs = len(breaks) + 1
    if n_runs > 1 + _RUNS_PER_SAMPLE * len(stamps_s):
        return None
    edges = [0, *breaks.tolist(), len(stamps_s)]
    return [[float(stamps_s[first]), end - first] for first, end in pairwise(edges)]


def _stamps(fields: Mapping[str, Any], n_samples: int) -> FloatArray:
    if "stamps" in fields:
        stamps_s = _from_base64(fields["stamps"], "<f8")
    else:
        runs = [_run(float(t), int(n), fields["step"]) for t, n in fields["runs"]]
        stamps_s = np.concatenate(runs)
    if len(stamps_s) != n_samples:
        raise ValueError(f"{len(stamps_s)} stamps for {n_samples} samples")
    return stamps_s


def _run(first_s: float, n: int, step_s: float) -> FloatArray:
    terms = np.full(n, step_s, dtype=np.float64)
    terms[0] = first_s
    return np.add.accumulate(terms)  # one addition after the other, as in _runs


def _to_base64(values: np.ndarray, dtype: str) -> str:
    contiguous = np.ascontiguousarray(values, dtype=dtype)
    return base64.b64encode(contiguous.tobytes()).decode("ascii")


def _from_base64(text: str, dtype: str) -> np.ndarray:
    native = np.dtype(dtype).newbyteorder("=")
    return np.frombuffer(base64.b64decode(text), dtype=dtype).astype(native)


_NOT_EXACT = "A replay without the event log is possible, but not exact."


@dataclass(frozen=True, slots=True, eq=False)
class SampleSource:
    """The recorded samples of one stream in one file (a part of the session)."""

    data_uv: Float32Array  # (channels, samples), converted as the inlet converts
    stamps_s: FloatArray  # (samples,), raw


def read_event_log(path: Path, sources: Sequence[SampleSource]) -> Iterator[Event]:
    """Yield the events of a session, bit for bit, in the order in which it saw them.

    Parameters
    ----------
    path : the session's ``events.jsonl``. A last line that was cut off is left out.
    sources : what the recorder wrote, one for each part of the session.

    Raises
    ------
    DataFileError
        The log is damaged or has lost events, or samples that the loop saw are not
        in `sources`, or differ from those.
    """
    finder = _Finder(path, sources)
    for fields in read_lines(path):
        if fields["type"] == "header":
            continue
        entry = _parse(path, fields)
        yield finder.chunk(entry) if isinstance(entry, ChunkLine) else entry


def session_events(xdf: Path) -> Iterator[Event] | None:
    """Yield the events of the session that `xdf` is the recording of, bit for bit.

    Returns
    -------
    None if there is no ``events.jsonl`` beside it: a recording made by others.

    Raises
    ------
    DataFileError
        As `read_event_log`.
    """
    path = xdf.with_name(EVENTS_NAME)
    if not path.is_file():
        return None
    return read_event_log(path, session_samples(path, xdf_parts(xdf)))


def session_samples(path: Path, parts: Sequence[Path]) -> list[SampleSource]:
    """Return the EEG in `parts`, converted with the settings in the log's header."""
    header: dict[str, Any] = {}
    names: set[str] = set()
    for fields in read_lines(path):
        if fields["type"] == "header":
            header = fields
        elif fields["type"] == "stream":
            names.add(fields["description"]["name"])
    return [
        SampleSource(
            to_uv(stream, header.get("unit"), header.get("trigger_channel")),
            stream.stamps_s,
        )
        for part in parts
        for stream in load_streams(part)[0]
        if stream.description.name in names and not stream.is_text
    ]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log as dictionaries, the header first; see above."""
    n_read = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # cut off by a crash
            if line == b"\n":
                continue  # a writer that had failed begins again so
            fields = _loads(path, number, line)
            if number == 1:
                _check_header(path, fields)
            if fields["type"] == "lost":
                raise DataFileError(
                    f"{path.name} has lost {fields.get('n')} events at line {number} "
                    f"(a full disk?), expected all of them. {_NOT_EXACT}"
                )
            n_read = number
            yield fields
    if n_read == 0:
        raise DataFileError(
            f"{path.name} holds no whole line, expected a header and events. "
            f"{_NOT_EXACT}"
        )


def _loads(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line)
        if isinstance(fields, dict) and isinstance(fields.get("type"), str):
            return fields
        problem = "no object with a type"
    except ValueError as error:
        problem = str(error)
    raise DataFileError(
        f"line {number} of {path.name} is damaged ({problem}), expected one event as "
        f"JSON. Restore the file. {_NOT_EXACT}"
    )


def _check_header(path: Path, fields: dict[str, Any]) -> None:
    if fields["type"] != "header" or fields.get("format") != FORMAT:
        raise DataFileError(
            f"{path.name} begins with {str(fields)[:80]}, expected the header of an "
            f"event log of format {FORMAT}. Was it written by another version?"
        )


def _parse(path: Path, fields: dict[str, Any]) -> ChunkLine | SimpleEvent:
    try:
        return from_fields(fields)
    except (KeyError, ValueError, TypeError) as error:
        raise DataFileError(
            f"{path.name} holds an event that cannot be read ({error!r}): "
            f"{str(fields)[:120]}. Was it written by another version? {_NOT_EXACT}"
        ) from error


class _Finder:
    """Finds the samples of each chunk in the recorded files, by their stamps."""

    def __init__(self, path: Path, sources: Sequence[SampleSource]) -> None:
        self._path = path
        self._sources = list(sources)
        self._next = [0] * len(self._sources)  # where the next chunk should begin

    def chunk(self, line: ChunkLine) -> EegChunk:
        """Return the chunk with its samples."""
        data_uv = line.data_uv if line.data_uv is not None else self._find(line)
        if data_uv is None:
            raise DataFileError(
                f"the samples {line.index} to {line.index + len(line.stamps_s) - 1} of "
                f"{self._path.name} are not in the recorded XDF, expected all that the "
                f"loop saw. Give all parts of the recording. {_NOT_EXACT}"
            )
        return EegChunk(data_uv, line.stamps_s, line.t_arrived_s, line.index)

    def _find(self, line: ChunkLine) -> Float32Array | None:
        if len(line.stamps_s) == 0:
            return np.empty((line.n_channels, 0), dtype=np.float32)
        # The expected places of all sources come first: a search reads all stamps.
        for places in (self._expected, self._searched):
            for number, first in places(line.stamps_s):
                end = first + len(line.stamps_s)
                data_uv = self._sources[number].data_uv[:, first:end]
                fits = data_uv.shape[0] == line.n_channels
                if fits and checksum(data_uv) == line.crc32:
                    self._next[number] = end
                    return np.ascontiguousarray(data_uv)
        return None

    def _expected(self, stamps_s: FloatArray) -> Iterator[tuple[int, int]]:
        """Yield (source, first sample) where the last find of a source ended."""
        for number, source in enumerate(self._sources):
            first = self._next[number]
            if np.array_equal(source.stamps_s[first : first + len(stamps_s)], stamps_s):
                yield number, first

    def _searched(self, stamps_s: FloatArray) -> Iterator[tuple[int, int]]:
        """Yield (source, first sample) wherever `stamps_s` stand."""
        for number, source in enumerate(self._sources):
            recorded = source.stamps_s
            for first in np.flatnonzero(recorded == stamps_s[0]).tolist():
                if np.array_equal(recorded[first : first + len(stamps_s)], stamps_s):
                    yield number, first
