"""EDF and BDF: the header checked against the file, then samples and annotations."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtbold.electrodes import channel_kind
from rtbold.errors import DataFileError
from rtbold.files.recording import ReadOptions, RecordedMarker, Recording
from rtbold.files.signals import BLOCK_S, in_range, scaled
from rtbold.messages import Channel, Float32Array, FloatArray

_ANNOTATIONS = ("EDF ANNOTATIONS", "BDF ANNOTATIONS")
# BioSemi's Status: codes in bits 0 to 15, bit 16 is up where a recording begins.
_STATUS = ("STATUS", "TRIGGER")
_STATUS_BITS = 2**17 - 1
_BEGINS_BIT = 1 << 16


@dataclass(frozen=True, slots=True)
class EdfFormat:
    """In what EDF and BDF differ."""

    name: str
    magic: bytes
    n_bytes: int  # of a sample


EDF = EdfFormat("EDF", b"0       ", 2)
BDF = EdfFormat("BDF", b"\xffBIOSEMI", 3)


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What the header says; tuples have one item for each signal."""

    n_records: int  # -1: not known (a recording that was not closed)
    record_s: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    physical: tuple[tuple[float, float], ...]  # of the digital limits, in its unit
    digital: tuple[tuple[float, float], ...]
    n_per_record: tuple[int, ...]
    n_header_bytes: int
    reserved: str

    @property
    def interrupted(self) -> bool:
        """Whether the header calls it a recording with interruptions."""
        return self.reserved[:5] in ("EDF+D", "BDF+D")

    def holds_lists(self, index: int) -> bool:
        """Whether a signal is none, but holds annotations."""
        return self.labels[index].upper() in _ANNOTATIONS

    def rate_hz(self, index: int) -> float:
        """Return the sampling rate of one signal."""
        return self.n_per_record[index] / self.record_s


def read_edf(path: Path, options: ReadOptions) -> Recording:
    """Read an EDF or EDF+ file without interruptions."""
    return _read(path, options, EDF)


def read_bdf(path: Path, options: ReadOptions) -> Recording:
    """Read a BDF or BDF+ file without interruptions."""
    return _read(path, options, BDF)


def _read(path: Path, options: ReadOptions, form: EdfFormat) -> Recording:
    header = parse_header(path, form)
    records = _records(path, header, form)
    onsets_s, markers, list_notes = _annotations(records, header, form)
    _check_continuous(path, header, onsets_s)
    chosen, notes = _one_rate(path, header)
    declared = [
        Channel(header.labels[i], header.units[i], channel_kind(header.labels[i]))
        for i in chosen
    ]
    factors, channels = scaled(path, declared, options)
    _check_ranges(path, header, chosen)
    data_uv = _samples(records, header, form, chosen=chosen, factors=factors)
    rate_hz = header.rate_hz(chosen[0])
    kept, outside = in_range(markers, data_uv.shape[1] / rate_hz)
    return Recording(
        data_uv=data_uv,
        rate_hz=rate_hz,
        channels=channels,
        markers=kept,
        notes=(
            *_more_records(path, header, len(records)),
            *notes,
            *list_notes,
            *outside,
            *_begins_again(channels, data_uv, form),
        ),
    )


# The header; the layout is that of Kemp et al. 1992, and of BioSemi's BDF.


def parse_header(path: Path, form: EdfFormat) -> EdfHeader:
    """Read the header.

    Raises
    ------
    DataFileError : it is another format's, or damaged.
    """
    with path.open("rb") as file:
        fixed = file.read(256)
        if not fixed.startswith(form.magic) or len(fixed) < 256:
            raise DataFileError(
                f"{path.name} is no {form.name} file: it starts with {fixed[:8]!r}, "
                f"expected {form.magic!r}. Rename it to what it is, or export it again."
            )
        try:
            n_signals = int(fixed[252:256])
            per_signal = file.read(256 * n_signals)
            return _parse(fixed, per_signal, n_signals)
        except ValueError as error:
            raise DataFileError(
                f"the header of {path.name} is damaged ({error}), expected that of "
                f"{form.name}. Copy it again, or export it once more."
            ) from error


def _parse(fixed: bytes, per_signal: bytes, n_signals: int) -> EdfHeader:
    if n_signals < 1 or len(per_signal) < 256 * n_signals:
        raise ValueError(f"{n_signals} signals in {len(per_signal)} bytes")

    def field(first: int, width: int) -> tuple[str, ...]:
        start = first * n_signals
        cells = [per_signal[start + i * width :][:width] for i in range(n_signals)]
        return tuple(_text(cell) for cell in cells)

    n_header_bytes, expected = int(fixed[184:192]), 256 * (1 + n_signals)
    if n_header_bytes != expected:
        raise ValueError(
            f"it says that it has {n_header_bytes} bytes, but {n_signals} signals "
            f"make {expected}"
        )
    record_s = float(fixed[244:252])
    n_per_record = tuple(int(n) for n in field(216, 8))
    labels = field(0, 16)
    holds_signals = any(label.upper() not in _ANNOTATIONS for label in labels)
    if (record_s <= 0 and holds_signals) or min(n_per_record) < 1:
        raise ValueError(f"records of {record_s} s with {n_per_record} samples")
    return EdfHeader(
        n_records=int(fixed[236:244]),
        record_s=record_s,
        labels=labels,
        units=field(96, 8),
        physical=_limits(field(104, 8), field(112, 8)),
        digital=_limits(field(120, 8), field(128, 8)),
        n_per_record=n_per_record,
        n_header_bytes=n_header_bytes,
        reserved=fixed[192:236].decode("latin-1").strip(),
    )


def _text(cell: bytes) -> str:
    cell = cell.split(b"\0")[0]  # some programs end text as C does
    try:
        return cell.decode("utf-8").strip()
    except UnicodeDecodeError:
        return cell.decode("latin-1").strip()


def _limits(
    least: Sequence[str], most: Sequence[str]
) -> tuple[tuple[float, float], ...]:
    return tuple(
        (_number(low), _number(high)) for low, high in zip(least, most, strict=True)
    )


def _number(text: str) -> float:
    """Return a limit; nan where there is none, for it may be of a signal not read."""
    try:
        return float(text.replace(",", "."))  # some programs write decimal commas
    except ValueError:
        return float("nan")


def _records(path: Path, header: EdfHeader, form: EdfFormat) -> NDArray[np.uint8]:
    """Return the bytes of the data records, (records, bytes), unread.

    Raises
    ------
    DataFileError : the file holds fewer than its header announces, or no signal.
    """
    if all(label.upper() in _ANNOTATIONS for label in header.labels):
        raise DataFileError(
            f"{path.name} holds annotations and no signal, expected a recording of "
            "EEG. Take the file that holds the signals."
        )
    n_record_bytes = form.n_bytes * sum(header.n_per_record)
    n_whole, rest = divmod(path.stat().st_size - header.n_header_bytes, n_record_bytes)
    if header.n_records >= 0 and n_whole < header.n_records:
        raise DataFileError(
            f"{path.name} is truncated: it holds {n_whole * header.record_s:g} s of "
            f"the {header.n_records * header.record_s:g} s that its header announces. "
            "Copy it again from where it was recorded."
        )
    if n_whole < 1 or (header.n_records < 0 and rest):
        raise DataFileError(
            f"{path.name} ends inside a data record ({rest} bytes over), expected "
            f"whole records of {n_record_bytes} bytes. Copy it again."
        )
    content = np.memmap(
        path, np.uint8, "r", header.n_header_bytes, (n_whole, n_record_bytes)
    )
    return content


def _more_records(path: Path, header: EdfHeader, n: int) -> tuple[str, ...]:
    if not 0 <= header.n_records < n:
        return ()
    return (
        f"{path.name} holds {n} records and announces {header.n_records}: all were "
        "read. If the recorder was not closed as it should be, look at its end",
    )


def _one_rate(path: Path, header: EdfHeader) -> tuple[list[int], tuple[str, ...]]:
    """Return the signals at the rate of the EEG, and a note on those left out."""
    signals = [i for i in range(len(header.labels)) if not header.holds_lists(i)]
    eeg = [i for i in signals if channel_kind(header.labels[i]) == "eeg"]
    rates = sorted({header.rate_hz(i) for i in eeg})
    if len(rates) > 1:
        raise DataFileError(
            f"the EEG channels of {path.name} have rates of {rates} Hz, expected one. "
            "Export them at one rate."
        )
    rate_hz = rates[0] if rates else header.rate_hz(signals[0])
    chosen = [i for i in signals if header.rate_hz(i) == rate_hz]
    kept = {header.labels[i] for i in chosen}
    others = [
        header.labels[i] + f" of {header.rate_hz(i):g} Hz" * (header.labels[i] in kept)
        for i in signals
        if i not in chosen
    ]
    if not others:
        return chosen, ()
    return chosen, (f"left out, because not sampled at {rate_hz:g} Hz: {others}",)


def _check_ranges(path: Path, header: EdfHeader, chosen: Sequence[int]) -> None:
    empty = []
    for i in chosen:
        digital = header.digital[i][1] - header.digital[i][0]
        physical = header.physical[i][1] - header.physical[i][0]
        may_stand = physical == 0 and channel_kind(header.labels[i]) != "eeg"
        if not digital or not (abs(digital * physical) > 0 or may_stand):
            empty.append(header.labels[i])
    if empty:
        raise DataFileError(
            f"{path.name} gives the signals {empty} a range that is empty, expected "
            "physical and digital limits that differ. Export it once more."
        )


# Samples.


def _samples(
    records: NDArray[np.uint8],
    header: EdfHeader,
    form: EdfFormat,
    *,
    chosen: Sequence[int],
    factors: FloatArray,
) -> Float32Array:
    """Return the chosen signals, (signals, samples), in microvolt or their unit."""
    n_per_record = header.n_per_record[chosen[0]]
    data_uv = np.empty((len(chosen), len(records) * n_per_record), np.float32)
    step = max(1, round(BLOCK_S / header.record_s))
    for first in range(0, len(records), step):
        block = np.asarray(records[first : first + step])
        place = slice(first * n_per_record, (first + len(block)) * n_per_record)
        for row, index in enumerate(chosen):
            digital = _digital(block[:, _bytes_of(header, form, index)], form)
            values = _physical(digital, header, form, index)
            data_uv[row, place] = values * factors[row]
    return data_uv


def _bytes_of(header: EdfHeader, form: EdfFormat, index: int) -> slice:
    first = form.n_bytes * sum(header.n_per_record[:index])
    return slice(first, first + form.n_bytes * header.n_per_record[index])


def _digital(cells: NDArray[np.uint8], form: EdfFormat) -> NDArray[np.signedinteger]:
    flat = np.ascontiguousarray(cells).reshape(-1)
    if form.n_bytes == 2:
        return flat.view("<i2")
    # 24 bits become the upper three bytes of 32, and are shifted down with their sign.
    wide = np.zeros((len(flat) // 3, 4), np.uint8)
    wide[:, 1:] = flat.reshape(-1, 3)
    return wide.reshape(-1).view("<i4") >> 8


def _physical(
    digital: NDArray[np.signedinteger], header: EdfHeader, form: EdfFormat, index: int
) -> FloatArray:
    if form is BDF and header.labels[index].upper() in _STATUS:
        return (digital & _STATUS_BITS).astype(np.float64)
    (low, high), (d_low, d_high) = header.physical[index], header.digital[index]
    gain = (high - low) / (d_high - d_low)
    return digital.astype(np.float64) * gain + (low - d_low * gain)


def _begins_again(
    channels: Sequence[Channel], data_uv: Float32Array, form: EdfFormat
) -> tuple[str, ...]:
    """Return a note if BioSemi's Status says that saving began again on the way."""
    labels = [channel.label.upper() for channel in channels]
    if form is not BDF or "STATUS" not in labels:
        return ()
    up = (data_uv[labels.index("STATUS")].astype(np.int64) & _BEGINS_BIT) > 0
    n_times = int(np.count_nonzero(up[1:] & ~up[:-1]))
    if not n_times:
        return ()
    return (
        f"bit 16 of Status rises {n_times} times: BioSemi sets it where saving begins "
        "again after a pause. If it was paused there, times after it are wrong",
    )


# Annotations: lists of texts, each with a time, in signals of their own.

_NO_LIST = re.compile(rb"[^\x00]")
_LIST = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?)?)?\x14([^\x00]*)\x14")


def _annotations(
    records: NDArray[np.uint8], header: EdfHeader, form: EdfFormat
) -> tuple[FloatArray, list[RecordedMarker], tuple[str, ...]]:
    """Return the onset of each record (nan: not said), the markers, and notes.

    Onsets count from the second in which the first record begins; markers of the
    recording count from its first sample.
    """
    onsets_s = np.full(len(records), np.nan)
    places = [i for i in range(len(header.labels)) if header.holds_lists(i)]
    found: dict[tuple[float, str], None] = {}
    plain: list[tuple[float, str]] = []
    n_unread = 0
    for index in places:
        cells = records[:, _bytes_of(header, form, index)]
        for number, cell in enumerate(cells):
            content = cell.tobytes()
            n_unread += _NO_LIST.search(_LIST.sub(b"", content)) is not None
            for k, (onset_s, texts) in enumerate(_lists(content)):
                if index == places[0] and k == 0 and texts[0] == "":
                    onsets_s[number] = onset_s
                for text in filter(None, texts):
                    label, _, channel = text.partition("@@")
                    if channel in header.labels:
                        found[onset_s, label] = None  # one mark at several channels
                    else:
                        plain.append((onset_s, text))
    first_s = 0.0 if np.isnan(onsets_s[0]) else float(onsets_s[0])
    markers = [RecordedMarker(text, t_s - first_s) for t_s, text in [*plain, *found]]
    if not n_unread:
        return onsets_s, markers, ()
    return onsets_s, markers, (
        f"the annotations of {n_unread} records are damaged in part: what could not "
        "be read was left out",
    )  # fmt: skip


def _lists(cell: bytes) -> Iterator[tuple[float, list[str]]]:
    for onset, _, texts in _LIST.findall(cell):
        yield float(onset), [_text(text) for text in texts.split(b"\x14")]


def _check_continuous(path: Path, header: EdfHeader, onsets_s: FloatArray) -> None:
    """Refuse records that do not follow on each other, whatever the header calls it."""
    steps_s = np.diff(onsets_s)
    largest_s = max(2 * header.record_s / max(header.n_per_record), 1e-3)
    jumps = np.flatnonzero(np.abs(steps_s - header.record_s) > largest_s)
    _check_drift(path, header, onsets_s)
    known = not np.isnan(onsets_s).any()
    if not jumps.size and (known or not header.interrupted):
        return
    times_s = [round(float(i + 1) * header.record_s, 3) for i in jumps[:6]]
    where = f" at {times_s} s" if times_s else ""
    raise DataFileError(
        f"{path.name} is {header.reserved[:5] or 'EDF'}, a recording with "
        f"interruptions{where}; expected a continuous one, because samples are "
        "counted. Export each uninterrupted part to a file of its own."
    )


_LARGEST_DRIFT_S = 0.03  # of the onsets against the samples, over a recording


def _check_drift(path: Path, header: EdfHeader, onsets_s: FloatArray) -> None:
    """Refuse records that last longer by their onsets than by their samples."""
    known = np.flatnonzero(np.isfinite(onsets_s))
    if len(known) < 2:
        return
    n = int(known[-1] - known[0])
    length_s = float(onsets_s[known[-1]] - onsets_s[known[0]])
    steps_s = np.diff(onsets_s[known]) / np.diff(known)
    even = bool((np.abs(steps_s - length_s / n) < 0.1 * header.record_s).all())
    if even and abs(length_s - n * header.record_s) > _LARGEST_DRIFT_S:
        raise DataFileError(
            f"{path.name} says that {n} records of {header.record_s:g} s begin over "
            f"{length_s:.6g} s, expected {n * header.record_s:.6g}: its rate is wrong, "
            "or samples are missing everywhere, and markers would stand at wrong "
            "samples. Export it once more."
        )
