"""One event of the loop as one line of ``events.jsonl``, and back to the last bit."""

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

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

# Floats are written as Python's repr, which reads back as the same float64. A chunk of
# EEG is written without its samples: those are in the XDF, and the line holds what the
# XDF does not have (where the chunk was cut, when it arrived), the stamps by which its
# samples are found, and a checksum by which a wrong find is noticed.

FORMAT = 1
SAMPLES = "samples"  # type of a line that is no event
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


def samples_line(chunk: EegChunk) -> str:
    """Return the samples of a chunk as a line of their own, without its line break.

    They follow their event when the recorder turns out not to have written them.
    """
    fields = {
        "type": SAMPLES,
        "index": int(chunk.index),
        "crc32": checksum(chunk.data_uv),
        "data": _to_base64(chunk.data_uv, "<f4"),
    }
    return json.dumps(fields, separators=(",", ":"))


def samples_of(fields: Mapping[str, Any]) -> tuple[tuple[int, int], Float32Array]:
    """Return what `samples_line` wrote: (index, crc32), and the samples in one row."""
    key = int(fields["index"]), int(fields["crc32"])
    return key, _from_base64(fields["data"], "<f4")
