"""The formats that MNE reads: what they have in common, then each by itself."""

import configparser
import re
import struct
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.electrodes import channel_kind
from rtbold.errors import DataFileError
from rtbold.files.recording import ReadOptions, RecordedMarker, Recording, require
from rtbold.messages import Channel, Float32Array

MneRaw = Any  # mne.io.BaseRaw; MNE carries no types
_BLOCK_S = 30.0  # float64 of a block at a time, so that long files fit in memory
_TAG = struct.Struct(">iiii")  # kind, type, bytes, place of the next
_UNIT_VOLT = 107  # FIFF_UNIT_V of the FIFF tag tables


def open_raw(
    path: Path, format_name: str, opener: Callable[[Any], Any]
) -> tuple[MneRaw, list[str]]:
    """Open a file through MNE; its warnings become notes, its errors ours."""
    mne = require("mne", extra="files", purpose=f"reading {format_name}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = opener(mne)
        except Exception as error:
            raise DataFileError(
                f"{path.name} cannot be read as {format_name}: "
                f"{type(error).__name__}: {error}. Is it whole, and are the files that "
                "belong to it beside it? Copy it again, or export it once more."
            ) from error
    return raw, _as_notes(caught)


def to_recording(
    path: Path,
    raw: MneRaw,
    *,
    declared: Callable[[int], str],
    reference: str | None = None,
    notes: Collection[str] = (),
    label_of: Callable[[str], str] = str,
) -> Recording:
    """Copy MNE's Raw into a Recording, volts to microvolt.

    Parameters
    ----------
    declared : the type that the file itself declares for channel i, "" for none.
    label_of : turns MNE's annotation text into the marker's label.
    """
    volts = [int(ch["unit"]) == _UNIT_VOLT for ch in raw.info["chs"]]
    channels = tuple(
        Channel(
            label=name,
            unit="uV" if is_volt else "",
            kind=channel_kind(name, declared(index)),
        )
        for index, (name, is_volt) in enumerate(zip(raw.ch_names, volts, strict=True))
    )
    factors = np.where(volts, 1e6, 1.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data_uv = _samples(path, raw, factors)
    return Recording(
        data_uv=data_uv,
        rate_hz=float(raw.info["sfreq"]),
        channels=channels,
        reference=reference,
        markers=_markers(raw, label_of),
        notes=(*notes, *_as_notes(caught)),
    )


def _samples(path: Path, raw: MneRaw, factors: np.ndarray) -> Float32Array:
    n_samples = int(raw.n_times)
    data_uv = np.empty((len(factors), n_samples), dtype=np.float32)
    step = max(1, round(_BLOCK_S * float(raw.info["sfreq"])))
    for first in range(0, n_samples, step):
        end = min(first + step, n_samples)
        try:
            block = raw.get_data(start=first, stop=end, verbose="ERROR")
        except Exception as error:
            raise DataFileError(
                f"{path.name} breaks off at sample {first} of {n_samples} "
                f"({type(error).__name__}: {error}), expected all of them. "
                "Copy it again from where it was recorded."
            ) from error
        data_uv[:, first:end] = block * factors[:, None]
    return data_uv


def _markers(raw: MneRaw, label_of: Callable[[str], str]) -> tuple[RecordedMarker, ...]:
    # MNE counts onsets from the acquisition's start, which a cropped FIF keeps.
    first_s = float(raw.first_time)
    markers = [
        RecordedMarker(label=label_of(str(text)), t_s=float(onset_s) - first_s)
        for onset_s, text in zip(
            raw.annotations.onset, raw.annotations.description, strict=True
        )
    ]
    return tuple(sorted(markers, key=lambda marker: marker.t_s))


def _as_notes(caught: list[warnings.WarningMessage]) -> list[str]:
    # DeprecationWarnings are between MNE and its parts; the user cannot act on them.
    texts = [
        str(w.message).strip()
        for w in caught
        if not issubclass(w.category, DeprecationWarning | FutureWarning)
    ]
    return list(dict.fromkeys(texts))


# BrainVision: ``.vhdr`` with its ``.vmrk`` and ``.eeg``.

_BYTES = {"INT_16": 2, "UINT_16": 2, "INT_32": 4, "IEEE_FLOAT_32": 4}
# MNE writes "Response/R128" for what LSL connectors and users call "R128".
_KIND_PREFIX = re.compile(r"^(Response|Stimulus)/")


def read_brainvision(path: Path, options: ReadOptions) -> Recording:
    """Read a BrainVision recording; a missing unit means microvolt by its standard."""
    header = _parse_header(path)
    raw, warned = open_raw(
        path,
        "BrainVision",
        lambda mne: mne.io.read_raw_brainvision(path, verbose="ERROR"),
    )
    _check_brainvision_length(path, header)
    kinds = raw.get_channel_types()
    recording = to_recording(
        path,
        raw,
        declared=lambda i: kinds[i],
        reference=_reference(header),
        notes=warned,
        label_of=lambda text: _KIND_PREFIX.sub("", text),
    )
    pauses = [
        m.t_s for m in recording.markers if "New Segment" in m.label and m.t_s > 0
    ]
    if not pauses:
        return recording
    raise DataFileError(
        f"{path.name} was paused at {[round(t_s, 3) for t_s in pauses]} s ('New "
        "Segment'), expected a continuous recording, because samples are counted. "
        "Export each uninterrupted part to a file of its own."
    )


def _parse_header(path: Path) -> configparser.ConfigParser:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")  # older Recorder versions
    first, _, body = text.partition("\n")
    if not first.lstrip("\ufeff").startswith(("Brain Vision", "BrainVision")):
        raise DataFileError(
            f"{path.name} is no BrainVision header: it starts with {first[:40]!r}, "
            "expected 'Brain Vision Data Exchange Header File'. Give the .vhdr file."
        )
    parser = configparser.ConfigParser(
        interpolation=None, strict=False, allow_no_value=True, comment_prefixes=(";",)
    )
    try:
        parser.read_string(body.partition("[Comment]")[0])  # free text follows it
    except configparser.Error as error:
        raise DataFileError(
            f"the header {path.name} is damaged ({error}), expected sections and "
            "KEY=VALUE lines. Copy it again."
        ) from error
    return parser


def _check_brainvision_length(path: Path, header: configparser.ConfigParser) -> None:
    common = header["Common Infos"] if header.has_section("Common Infos") else {}
    binary = header["Binary Infos"] if header.has_section("Binary Infos") else {}
    n_bytes = _BYTES.get(str(binary.get("BinaryFormat", "")).upper())
    name = str(common.get("DataFile", "")).replace("$b", path.stem)
    data = path.parent / name
    if n_bytes is None or not data.is_file():
        return  # text data, or MNE has already missed the file
    n_frame = n_bytes * int(common["NumberOfChannels"])
    n_samples, rest = divmod(data.stat().st_size, n_frame)
    announced = int(common.get("DataPoints") or n_samples)
    if rest or n_samples != announced:
        raise DataFileError(
            f"{data.name} holds {data.stat().st_size} bytes, expected "
            f"{announced} samples of {n_frame} bytes. It is truncated: copy it again."
        )
    last = _last_marker(path.parent / str(common.get("MarkerFile", "")))
    if last > n_samples:
        raise DataFileError(
            f"{data.name} ends at sample {n_samples}, but a marker is at {last}, "
            "expected all markers within it. It is truncated: copy it again."
        )


def _last_marker(path: Path) -> int:
    """Return the position of the last marker, counted from 1; 0 if there is none."""
    if not path.is_file():
        return 0  # MNE says so, if it was named
    lines = re.findall(rb"^Mk\d+=[^,\r\n]*,[^,\r\n]*,(\d+),", path.read_bytes(), re.M)
    return max(map(int, lines), default=0)


def _reference(header: configparser.ConfigParser) -> str | None:
    """Return the reference if every channel that names one names the same."""
    if not header.has_section("Channel Infos"):
        return None
    fields = [str(value).split(",") for value in header["Channel Infos"].values()]
    named = {field[1].strip() for field in fields if len(field) > 1} - {""}
    return named.pop() if len(named) == 1 else None


# EDF and BDF: MNE reads them, after the header was checked against the file.

_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_VOLT_UNITS = ("nV", "uV", "\u00b5V", "\u03bcV", "mV", "V")


@dataclass(frozen=True, slots=True)
class EdfHeader:
    """What the fixed part of the header says."""

    n_records: int  # -1: not known (a recording that was not closed)
    record_s: float
    labels: tuple[str, ...]
    units: tuple[str, ...]
    n_per_record: tuple[int, ...]
    n_header_bytes: int
    reserved: str

    def rate_hz(self, index: int) -> float:
        """Return the sampling rate of one signal."""
        return self.n_per_record[index] / self.record_s


def read_edf(path: Path, options: ReadOptions) -> Recording:
    """Read an EDF or EDF+C file."""
    return _read(path, options, format_name="EDF")


def read_bdf(path: Path, options: ReadOptions) -> Recording:
    """Read a BDF or BDF+C file."""
    return _read(path, options, format_name="BDF")


def _read(path: Path, options: ReadOptions, *, format_name: str) -> Recording:
    header = parse_header(path, format_name)
    _check_edf_length(path, header, n_bytes=3 if format_name == "BDF" else 2)
    left_out, notes = _other_rates(path, header)
    reader = "read_raw_bdf" if format_name == "BDF" else "read_raw_edf"
    units = _missing_units(path, header, options, left_out)
    raw, warned = open_raw(
        path,
        format_name,
        lambda mne: getattr(mne.io, reader)(
            path, exclude=left_out, units=units, verbose="ERROR"
        ),
    )
    # EDF declares no channel types: MNE calls every signal EEG, we go by the label.
    return to_recording(path, raw, declared=lambda _: "", notes=(*notes, *warned))


def parse_header(path: Path, format_name: str) -> EdfHeader:
    """Read the header; the layout is that of Kemp et al. 1992, and of BioSemi's BDF."""
    magic = b"\xffBIOSEMI" if format_name == "BDF" else b"0       "
    with path.open("rb") as file:
        fixed = file.read(256)
        if not fixed.startswith(magic) or len(fixed) < 256:
            raise DataFileError(
                f"{path.name} is no {format_name} file: it starts with {fixed[:8]!r}, "
                f"expected {magic!r}. Rename it to what it is, or export it again."
            )
        try:
            n_signals = int(fixed[252:256])
            per_signal = file.read(256 * n_signals)
            return _parse(fixed, per_signal, n_signals)
        except ValueError as error:
            raise DataFileError(
                f"the header of {path.name} is damaged ({error}), expected that of "
                f"{format_name}. Copy it again, or export it once more."
            ) from error


def _parse(fixed: bytes, per_signal: bytes, n_signals: int) -> EdfHeader:
    if n_signals < 1 or len(per_signal) < 256 * n_signals:
        raise ValueError(f"{n_signals} signals in {len(per_signal)} bytes")

    def field(first: int, width: int) -> tuple[str, ...]:
        start = first * n_signals
        cells = [per_signal[start + i * width :][:width] for i in range(n_signals)]
        return tuple(cell.decode("latin-1").strip() for cell in cells)

    record_s = float(fixed[244:252])
    n_per_record = tuple(int(n) for n in field(216, 8))
    if record_s <= 0 or min(n_per_record) < 1:
        raise ValueError(f"records of {record_s} s with {n_per_record} samples")
    return EdfHeader(
        n_records=int(fixed[236:244]),
        record_s=record_s,
        labels=field(0, 16),
        units=field(96, 8),
        n_per_record=n_per_record,
        n_header_bytes=int(fixed[184:192]),
        reserved=fixed[192:236].decode("latin-1").strip(),
    )


def _check_edf_length(path: Path, header: EdfHeader, *, n_bytes: int) -> None:
    if header.reserved[:5] in ("EDF+D", "BDF+D"):
        raise DataFileError(
            f"{path.name} is {header.reserved[:5]}, a recording with interruptions; "
            "expected a continuous one, because samples are counted. "
            "Export each uninterrupted part to a file of its own."
        )
    n_record_bytes = n_bytes * sum(header.n_per_record)
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


def _other_rates(path: Path, header: EdfHeader) -> tuple[list[str], list[str]]:
    """Return signals that are left out, because they would be resampled, and why."""
    from rtbold.electrodes import channel_kind

    signals = [i for i, label in enumerate(header.labels) if label not in _ANNOTATIONS]
    eeg = [i for i in signals if channel_kind(header.labels[i]) == "eeg"]
    rates = sorted({header.rate_hz(i) for i in eeg})
    if len(rates) > 1:
        raise DataFileError(
            f"the EEG channels of {path.name} have rates of {rates} Hz, expected one. "
            "Export them at one rate."
        )
    if not rates:
        return [], []  # no EEG at all: read_recording says so
    others = [header.labels[i] for i in signals if header.rate_hz(i) != rates[0]]
    if not others:
        return [], []
    return others, [f"left out, because not sampled at {rates[0]:g} Hz: {others}"]


def _missing_units(
    path: Path, header: EdfHeader, options: ReadOptions, left_out: list[str]
) -> dict[str, str] | None:
    """Return units for the EEG channels that have none; MNE would take volts."""
    from rtbold.electrodes import channel_kind

    unknown = {
        label: unit
        for label, unit in zip(header.labels, header.units, strict=True)
        if unit not in _VOLT_UNITS
        and label not in left_out
        and channel_kind(label) == "eeg"
    }
    if not unknown:
        return None
    if options.unit is None:
        raise DataFileError(
            f"{path.name} gives the units {unknown}, expected a voltage. "
            "Say which it is: --unit uV (or mV, V)"
        )
    return dict.fromkeys(unknown, options.unit)


# EEGLAB: ``.set``, with its samples inside or in a ``.fdt`` beside it.

_FDT_BYTES = 4  # float32


def read_eeglab(path: Path, options: ReadOptions) -> Recording:
    """Read a continuous EEGLAB set; EEGLAB always means microvolt."""
    raw, warned = open_raw(
        path, "EEGLAB", lambda mne: mne.io.read_raw_eeglab(path, verbose="ERROR")
    )
    _check_fdt(path, raw)
    kinds = raw.get_channel_types()
    recording = to_recording(path, raw, declared=lambda i: kinds[i], notes=warned)
    cuts = [m.t_s for m in recording.markers if m.label == "boundary" and m.t_s > 0]
    if not cuts:
        return recording
    raise DataFileError(
        f"{path.name} was cut at {[round(t_s, 3) for t_s in cuts]} s (event "
        "'boundary'), expected a continuous recording, because samples are counted. "
        "Export each uninterrupted part to a file of its own."
    )


def _check_fdt(path: Path, raw: MneRaw) -> None:
    fdt = path.with_suffix(".fdt")
    if not fdt.is_file():
        return  # the samples are inside, or MNE has already missed the file
    expected = len(raw.ch_names) * int(raw.n_times) * _FDT_BYTES
    if (got := fdt.stat().st_size) != expected:
        raise DataFileError(
            f"{fdt.name} has {got} bytes, expected {expected} for "
            f"{len(raw.ch_names)} channels of {raw.n_times} samples. Copy it again."
        )


# FIF, MNE's own format.


def read_fif(path: Path, options: ReadOptions) -> Recording:
    """Read a raw FIF file; FIF always knows its units."""
    if path.suffix.lower() == ".fif":
        _check_fif_tags(path)
    raw, warned = open_raw(
        path,
        "FIF",
        # A file's name need not end in _raw.fif to be one: verbose hides that hint.
        lambda mne: mne.io.read_raw_fif(path, verbose="ERROR"),
    )
    kinds = raw.get_channel_types()
    return to_recording(path, raw, declared=lambda i: kinds[i], notes=warned)


def _check_fif_tags(path: Path) -> None:
    """Refuse tags that lead back: MNE would follow them for ever."""
    n_bytes = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at + _TAG.size <= n_bytes:
            file.seek(at)
            _, _, size, following = _TAG.unpack(file.read(_TAG.size))
            if following < 0:  # the last one
                return
            onward = following or at + _TAG.size + size
            if size < 0 or onward <= at:
                raise DataFileError(
                    f"{path.name} is damaged: the tag at byte {at} has {size} bytes "
                    f"and leads to byte {onward}, expected one behind it. Copy the "
                    "file again."
                )
            at = onward
