"""XDF, as LabRecorder writes it: one EEG stream with its own, raw stamps."""

import io
import logging
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.acquire import (
    OTHER_RATE,
    SURELY_OTHER_RATE,
    StampedRate,
    describe_stream,
    factors_to_uv,
    find_channel,
    set_rate_hz,
    simple_rate_hz,
    stamped_rate,
)
from rtbold.errors import DataFileError
from rtbold.files.recording import (
    ReadOptions,
    RecordedMarker,
    Recording,
    in_microvolt,
    require,
)
from rtbold.files.xdf_markers import read_markers
from rtbold.files.xdf_times import corrected, stretches
from rtbold.messages import ClockOffset, Float32Array, FloatArray, StreamDescription

# The chunks of an XDF file: where each one is, and where the file breaks off.
#
# pyxdf fills the end of a sample that was cut off with the bytes of the sample before
# it, so a file is first measured here and only its whole chunks are given to pyxdf.
# Layout: the XDF 1.0 specification (github.com/sccn/xdf/wiki/Specifications).

MAGIC = b"XDF:"
_FILE_HEADER, _STREAM_HEADER, _SAMPLES, _FOOTER = 1, 2, 3, 6
_VALUE_BYTES = {
    "float32": 4, "double64": 8, "int8": 1, "int16": 2, "int32": 4, "int64": 8,
    "string": 1,
}  # fmt: skip
_TAGS = range(1, 7)


@dataclass(frozen=True, slots=True)
class XdfChunks:
    """What a walk over the chunks of a file found."""

    stream_xml: dict[int, str]  # stream id -> its header as XML
    n_whole_bytes: int  # up to the end of the last whole chunk
    n_bytes: int  # of the file
    n_footers: int

    @property
    def whole(self) -> bool:
        """Whether the file ends where its last chunk does."""
        return self.n_whole_bytes == self.n_bytes


def walk(path: Path) -> XdfChunks:
    """Walk over the chunks of `path`, reading headers only.

    Raises
    ------
    DataFileError
        The file does not start as XDF does.
    """
    n_bytes = path.stat().st_size
    stream_xml: dict[int, str] = {}
    least_bytes: dict[int, int] = {}  # stream id -> of one of its samples
    n_footers = 0
    with path.open("rb") as file:
        if (magic := file.read(4)) != MAGIC:
            raise DataFileError(
                f"{path.name} is no XDF file: it starts with {magic!r}, expected "
                f"{MAGIC!r}. Rename it to what it is, or record it again."
            )
        end = file.tell()
        while end < n_bytes:
            n_content = _read_length(file.read(9))
            if n_content is None:
                break
            n_length, length = n_content
            start = end + n_length
            if length < 2 or start + length > n_bytes:
                break
            file.seek(start)
            (tag,) = struct.unpack("<H", file.read(2))
            if tag not in _TAGS:
                break
            if tag == _STREAM_HEADER:
                (stream_id,) = struct.unpack("<I", file.read(4))
                stream_xml[stream_id] = file.read(length - 6).decode("utf-8", "replace")
                least_bytes[stream_id] = _least_bytes(stream_xml[stream_id])
            if tag == _SAMPLES and not _holds(file.read(13), length, least_bytes):
                raise DataFileError(
                    f"{path.name} is damaged: the chunk at byte {end} has {length} "
                    "bytes, expected more for the samples that it counts. Copy it "
                    "again from where it was recorded."
                )
            n_footers += tag == _FOOTER
            end = start + length
            file.seek(end)
    return XdfChunks(stream_xml, end, n_bytes, n_footers)


def _least_bytes(xml: str) -> int:
    """Return the fewest bytes that a sample of this stream has in a chunk."""
    channels = re.search(r"<channel_count>\s*(\d{1,9})", xml)
    kind = re.search(r"<channel_format>\s*(\w+)", xml)
    n_channels = int(channels[1]) if channels else 1
    return 1 + n_channels * _VALUE_BYTES.get(kind[1] if kind else "", 1)


def _holds(head: bytes, length: int, least_bytes: Mapping[int, int]) -> bool:
    """Return whether a chunk of samples is long enough for those it counts.

    pyxdf makes room for all of them before it reads the first.
    """
    counted = _read_length(head[4:])
    if counted is None:
        return False
    (stream_id,) = struct.unpack_from("<I", head)
    return counted[1] * least_bytes.get(stream_id, 1) <= length


def _read_length(head: bytes) -> tuple[int, int] | None:
    """Return (bytes of the length field, length); None where there is none."""
    if not head or head[0] not in (1, 4, 8) or len(head) < 1 + head[0]:
        return None
    width = head[0]
    return 1 + width, int.from_bytes(head[1 : 1 + width], "little")


Loaded = dict[str, Any]  # one stream as pyxdf returns it
_LONG_GAP_S = 0.1  # stamps further apart than this are told to the user


@dataclass(frozen=True, slots=True, eq=False)
class XdfStream:
    """One stream of the file, nothing corrected."""

    description: StreamDescription
    is_text: bool
    values: Any  # (samples, channels) in the stream's format, or rows of text
    stamps_s: FloatArray  # (samples,), raw
    offset_times_s: FloatArray  # on the stream's clock
    offsets_s: FloatArray
    format: str = ""  # "float32", "string", ... as the file has it


def read_xdf(path: Path, options: ReadOptions) -> Recording:
    """Read the EEG stream of an XDF, and all its marker streams."""
    streams, notes = load_streams(path)
    chosen, rate_notes = select_eeg(path, streams, options.stream)
    others = [stream for stream in streams if stream.stamps_s is not chosen.stamps_s]
    eeg, clock_notes = on_one_clock(path, chosen, alone=not others)
    t_eeg_s = np.maximum.accumulate(corrected_stamps(eeg))
    markers, marker_notes = read_markers(others)
    return Recording(
        data_uv=to_uv(eeg, options.unit, options.trigger_channel),
        rate_hz=eeg.description.rate_hz,
        channels=in_microvolt(eeg.description.channels, options.unit),
        reference=eeg.description.reference,
        markers=tuple(
            RecordedMarker(
                label=marker.label,
                t_s=_position(marker.t_s, t_eeg_s) / eeg.description.rate_hz,
                t_lsl_s=marker.t_s,
                stream=marker.stream,
            )
            for marker in markers
        ),
        stamps_s=eeg.stamps_s,
        clock_offsets=_clock_offsets(eeg),
        description=eeg.description,
        simulated=eeg.description.simulated,
        notes=(*notes, *rate_notes, *clock_notes, *_gap_notes(eeg), *marker_notes),
    )


def to_uv(
    stream: XdfStream, unit: str | None = None, trigger_channel: str | None = None
) -> Float32Array:
    """Return (channels, samples) by the very operation of the inlet.

    Parameters
    ----------
    unit, trigger_channel : as the session was told (``--unit``, ``--trigger-channel``).
    """
    channels = stream.description.channels
    factors = factors_to_uv(channels, unit)
    if trigger_channel is not None:
        factors[find_channel(channels, trigger_channel)] = 1.0
    data_uv = np.empty(stream.values.shape[::-1], dtype=np.float32)
    np.multiply(stream.values.T, factors[:, None], out=data_uv, casting="same_kind")
    return data_uv


def load_streams(path: Path) -> tuple[list[XdfStream], list[str]]:
    """Return all streams of a file, and notes on what is wrong with it.

    Raises
    ------
    DataFileError
        It is no XDF, or holds no stream.
    """
    chunks = walk(path)
    if not chunks.stream_xml:
        raise DataFileError(
            f"{path.name} holds no stream, expected at least one of EEG. "
            "Was the recorder stopped before it began? Take another file."
        )
    loaded = _load(path, chunks)
    streams = [_stream(chunks, stream) for stream in loaded]
    notes = []
    if not chunks.whole:
        n_lost = chunks.n_bytes - chunks.n_whole_bytes
        notes.append(
            f"{path.name} breaks off: its last {n_lost} of {chunks.n_bytes} bytes are "
            "no whole chunk and were left out"
        )
    return streams, notes


def select_eeg(
    path: Path, streams: Sequence[XdfStream], name: str | None
) -> tuple[XdfStream, list[str]]:
    """Return the stream called `name`, or the only one of type EEG; and notes on it.

    Its rate is the one of its samples, as far as declared and stamped rate tell it.

    Raises
    ------
    DataFileError
        There is no such stream, or more than one, or its rate is not known.
    """
    meant = [
        s
        for s in streams
        if not s.is_text
        and (
            s.description.name == name
            or (name is None and s.description.type.casefold() == "eeg")
        )
    ]
    with_rate = [s for s in meant if s.description.rate_hz > 0]
    fits = with_rate or meant
    if len(fits) == 1:
        return rated(path, fits[0])
    wanted = "of type 'EEG'" if name is None else f"called {name!r}"
    raise DataFileError(
        f"{path.name} holds {len(fits)} regular streams {wanted}, expected one. "
        f"It holds:\n{_listing(streams)}\n"
        + (
            "Pick one of them: --stream NAME"
            if len({s.description.name for s in fits}) != 1
            else "They share a name: split the file."
        )
    )


def rated(path: Path, stream: XdfStream) -> tuple[XdfStream, list[str]]:
    """Return `stream` with the rate that its samples have, and notes where it differs.

    Raises
    ------
    DataFileError
        Its stamps say another rate than it declares, and not which; or it declares
        none, and they are irregular.
    """
    described, found = stream.description, stamped_rate(stream.stamps_s)
    named = f"stream {described.name!r}"
    if described.rate_hz == 0:
        rate_hz, note = _undeclared(path, stream, found)
    else:
        rate_hz, note = _declared(named, described.rate_hz, found)
    notes = [note] if note else []
    off = found.off(rate_hz) if found is not None else 0.0
    if found is not None and off > 0:
        differ = f"{named} has {rate_hz:g} Hz, but its stamps say {found.rate_hz:.6g}"
        if found.regular and off > OTHER_RATE:
            raise DataFileError(
                f"{differ} all the time, expected the declared rate: either the "
                f"sender of {path.name} declares a wrong one, or samples are missing "
                "everywhere. Correct the sender and record again."
            )
        notes.append(f"{differ}: samples are missing, or a clock is wrong")
    return replace(stream, description=replace(described, rate_hz=rate_hz)), notes


def _undeclared(
    path: Path, stream: XdfStream, found: StampedRate | None
) -> tuple[float, str]:
    """Return the rate of regular samples that declare none, and a note."""
    named = f"stream {stream.description.name!r}"
    if found is None or not found.regular:
        raise DataFileError(
            f"{named} of {path.name} declares no rate (nominal_srate 0), and its "
            f"{len(stream.stamps_s)} samples do not come regularly, expected EEG at a "
            "fixed rate. Let its sender declare the rate and record again, or take "
            "another stream with --stream."
        )
    rate_hz = set_rate_hz(found.step_hz or found.rate_hz)
    return rate_hz, (
        f"{named} declares no rate; its stamps say {found.rate_hz:.6g} Hz: taken as "
        f"{rate_hz:g} Hz. Let its sender declare it"
    )


def _declared(
    named: str, declared_hz: float, found: StampedRate | None
) -> tuple[float, str]:
    """Return the rate of a stream that declares one, and a note where it is another."""
    rate_hz, step_hz = simple_rate_hz(declared_hz), found.step_hz if found else None
    if step_hz is not None and abs(step_hz / rate_hz - 1) > SURELY_OTHER_RATE:
        taken_hz = set_rate_hz(step_hz)
        return taken_hz, (
            f"{named} declares {declared_hz:g} Hz, its stamps say {step_hz:.6g}: taken "
            f"as {taken_hz:g} Hz. Correct its sender"
        )
    if rate_hz == declared_hz:
        return rate_hz, ""
    return rate_hz, (
        f"{named} declares {declared_hz!r} Hz, which is a measured rate: taken as "
        f"{rate_hz:g} Hz"
    )


def on_one_clock(
    path: Path, eeg: XdfStream, *, alone: bool
) -> tuple[XdfStream, list[str]]:
    """Return the EEG as if its clock had never been set anew, and a note if it was.

    Parameters
    ----------
    alone : there is no other stream that it must fit in time.

    Raises
    ------
    DataFileError
        It was, and no offset tells how the clocks differ.
    """
    found = stretches(eeg.stamps_s, eeg.offset_times_s, eeg.offsets_s)
    if len(found) < 2:
        return eeg, []
    rate_hz, name = eeg.description.rate_hz, eeg.description.name
    anew = ", ".join(f"{one.first / rate_hz:.1f} s" for one in found[1:4])
    anew += f" and {len(found) - 4} times more" if len(found) > 4 else ""
    said = f"the clock of {name!r} begins anew after {anew} of samples"
    if any(one.offsets is None for one in found):
        if alone:
            return eeg, [said]
        raise DataFileError(
            f"{said} (its sender was started again), and {path.name} has no clock "
            "offset measured of each clock, expected one: markers cannot be placed in "
            "the samples. Split the file there, and take the parts one by one."
        )
    stamps_s, begin_s = eeg.stamps_s.copy(), 0.0
    times_s, values_s = [], []
    for one in found:
        assert one.offsets is not None  # looked at above
        first_s = float(one.offsets.at(eeg.stamps_s[one.first]))
        begin_s = first_s if one is found[0] else begin_s
        shift_s = first_s - begin_s
        stamps_s[one.first : one.end] += shift_s
        times_s.append(one.offsets.times_s + shift_s)
        values_s.append(one.offsets.values_s - shift_s)
    note = f"{said}: each part was placed by the clock offsets measured in it"
    placed = replace(
        eeg,
        stamps_s=stamps_s,
        offset_times_s=np.concatenate(times_s),
        offsets_s=np.concatenate(values_s),
    )
    return placed, [note]


def _listing(streams: Sequence[XdfStream]) -> str:
    return "\n".join(
        f"  name {d.name!r}, type {d.type!r}, {len(d.channels)} channels, "
        f"{d.rate_hz:g} Hz, {len(s.stamps_s)} samples"
        for s in streams
        for d in (s.description,)
    )


def _load(path: Path, chunks: XdfChunks) -> list[Loaded]:
    pyxdf = require("pyxdf", extra="files", purpose="reading XDF")
    with path.open("rb") as file:
        whole = io.BytesIO(file.read(chunks.n_whole_bytes))
    # pyxdf logs what it cannot read and goes on; here that is an error.
    complaints = _Complaints()
    logger = logging.getLogger("pyxdf.pyxdf")
    logger.addHandler(complaints)
    propagate, logger.propagate = logger.propagate, False
    try:
        streams, _ = pyxdf.load_xdf(
            whole, synchronize_clocks=False, dejitter_timestamps=False
        )
    except Exception as error:
        complaints.texts.append(f"{type(error).__name__}: {error}")
    finally:
        logger.removeHandler(complaints)
        logger.propagate = propagate
    if complaints.texts:
        raise DataFileError(
            f"{path.name} is damaged ({'; '.join(complaints.texts)[:300]}), expected "
            "whole XDF chunks. Copy it again from where it was recorded."
        )
    return list(streams)


class _Complaints(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(level=logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def _stream(chunks: XdfChunks, loaded: Loaded) -> XdfStream:
    stream_id = int(loaded["info"]["stream_id"])
    return XdfStream(
        description=describe_stream(chunks.stream_xml[stream_id]),
        is_text=loaded["info"]["channel_format"][0] == "string",
        values=loaded["time_series"],
        stamps_s=np.asarray(loaded["time_stamps"], dtype=np.float64),
        offset_times_s=np.asarray(loaded["clock_times"], dtype=np.float64),
        offsets_s=np.asarray(loaded["clock_values"], dtype=np.float64),
        format=str(loaded["info"]["channel_format"][0]),
    )


def corrected_stamps(stream: XdfStream) -> FloatArray:
    """Return stamps on the recorder's clock."""
    return corrected(stream.stamps_s, stream.offset_times_s, stream.offsets_s)


def _clock_offsets(eeg: XdfStream) -> tuple[ClockOffset, ...]:
    # The file dates an offset on the stream's clock, the pipeline on the recorder's.
    offsets = [
        ClockOffset(offset_s=float(offset_s), t_lsl_s=float(t_s + offset_s))
        for t_s, offset_s in zip(eeg.offset_times_s, eeg.offsets_s, strict=True)
    ]
    return tuple(sorted(offsets, key=lambda offset: offset.t_lsl_s))


def _position(t_s: float, t_eeg_s: FloatArray) -> float:
    """Return where `t_s` falls among the samples, in samples; outside: by the edge."""
    if len(t_eeg_s) < 2:
        return 0.0
    n = len(t_eeg_s)
    period_s = (t_eeg_s[-1] - t_eeg_s[0]) / (n - 1)
    if period_s <= 0:
        return 0.0
    if t_s < t_eeg_s[0]:
        return float((t_s - t_eeg_s[0]) / period_s)
    if t_s > t_eeg_s[-1]:
        return float(n - 1 + (t_s - t_eeg_s[-1]) / period_s)
    return float(np.interp(t_s, t_eeg_s, np.arange(n)))


def _gap_notes(eeg: XdfStream) -> list[str]:
    steps_s = np.diff(eeg.stamps_s)
    odd = np.flatnonzero(
        (steps_s > _LONG_GAP_S + 1.0 / eeg.description.rate_hz) | (steps_s < 0)
    )
    if len(odd) == 0:
        return []
    worst_s = float(steps_s[odd[np.argmax(np.abs(steps_s[odd]))]])
    first = int(odd[0]) / eeg.description.rate_hz
    return [
        f"the stamps of {eeg.description.name!r} have {len(odd)} gaps or steps (the "
        f"largest {worst_s:.3f} s, the first after {first:.1f} s of samples)"
    ]
