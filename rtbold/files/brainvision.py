"""BrainVision: a header ``.vhdr``, with its markers and its samples beside it."""

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np

from rtbold.electrodes import channel_kind, has_position
from rtbold.errors import DataFileError
from rtbold.files.recording import ReadOptions, RecordedMarker, Recording
from rtbold.files.signals import BLOCK_S, in_range, scaled
from rtbold.messages import Channel, Float32Array, FloatArray

_DTYPES = {"INT_16": "i2", "UINT_16": "u2", "INT_32": "i4", "IEEE_FLOAT_32": "f4"}
_SAMPLE_SUFFIXES = (".eeg", ".dat", ".avg", ".seg")


@dataclass(frozen=True, slots=True)
class BrainVisionHeader:
    """What the header says."""

    path: Path
    common: dict[str, str]  # keys in lower case, as in the other sections
    binary: dict[str, str]
    ascii: dict[str, str]
    channels: tuple[tuple[str, str, str, str], ...]  # label, reference, step, unit

    @property
    def rate_hz(self) -> float:
        """Sampling rate."""
        return 1e6 / _number(self.common["samplinginterval"])

    @property
    def vectorized(self) -> bool:
        """Whether a channel's samples follow on each other, or a moment's."""
        return _word(self, "DataOrientation", "MULTIPLEXED", "VECTORIZED") != (
            "MULTIPLEXED"
        )


def read_brainvision(path: Path, options: ReadOptions) -> Recording:
    """Read a BrainVision recording; a missing unit means microvolt by its standard."""
    header = _header(path)
    _check_kind(header)
    data = _companion(header, "datafile")
    if data is None:
        raise DataFileError(_missing(header, "datafile", _SAMPLE_SUFFIXES))
    marks, notes = _marks(header, data)
    kinds = [
        channel_kind(label, _declared(unit)) for label, _, _, unit in header.channels
    ]
    declared = [
        Channel(label, unit, kind)
        for (label, _, _, unit), kind in zip(header.channels, kinds, strict=True)
    ]
    factors, channels = scaled(path, declared, options)
    data_uv = _samples(header, data, factors * _steps(header))
    n_samples = data_uv.shape[1]
    last = max((position for position, _, _ in marks), default=0)
    if last > n_samples:
        raise DataFileError(
            f"{data.name} ends at sample {n_samples}, but a marker is at {last}, "
            "expected all markers within it. It is truncated: copy it again."
        )
    kept, outside = in_range(_recorded(marks, header), n_samples / header.rate_hz)
    return Recording(
        data_uv=data_uv,
        rate_hz=header.rate_hz,
        channels=channels,
        reference=_reference(header, channels),
        markers=kept,
        notes=(*notes, *outside),
    )


# The header.


def _header(path: Path) -> BrainVisionHeader:
    parsed = _parse(path)
    sections = {name.casefold(): dict(parsed[name]) for name in parsed.sections()}
    common = _values(sections.get("common infos", {}))
    fields = sections.get("channel infos", {})
    try:
        n_channels = int(common["numberofchannels"])
        rate_known = _number(common["samplinginterval"]) > 0
        numbers = sorted(int(key.removeprefix("ch")) for key in fields)
    except (KeyError, ValueError) as error:
        raise DataFileError(
            f"the header {path.name} is damaged ({error!r}), expected "
            "NumberOfChannels, SamplingInterval and a line for each channel. Copy it "
            "again, or export it once more."
        ) from error
    if numbers != list(range(1, n_channels + 1)) or not (n_channels and rate_known):
        raise DataFileError(
            f"the header {path.name} describes the channels {numbers} every "
            f"{common['samplinginterval']} microseconds, expected 1 to {n_channels} "
            "and a time above 0. Copy it again, or export it once more."
        )
    return BrainVisionHeader(
        path=path,
        common=common,
        binary=_values(sections.get("binary infos", {})),
        ascii=_values(sections.get("ascii infos", {})),
        channels=tuple(
            _channel(str(fields[f"ch{number}"] or "")) for number in numbers
        ),
    )


def _number(text: str) -> float:
    return float(text.replace(",", "."))  # some programs write decimal commas


def _values(section: Mapping[str, str | None]) -> dict[str, str]:
    return {key: (value or "").strip() for key, value in section.items()}


def _channel(line: str) -> tuple[str, str, str, str]:
    cells = [cell.strip() for cell in line.split(",")] + [""] * 4
    label, reference, step, unit = cells[:4]
    unit = unit.replace("\xc2", "")  # UTF-8 that was read as Latin-1
    return label.replace("\\1", ","), reference, step, unit or "\u00b5V"


def _declared(unit: str) -> str:
    """Return the type of a channel; the format has none, but a unit may tell."""
    return "EEG" if unit[-1:].upper() == "V" else ""


def _parse(path: Path) -> configparser.ConfigParser:
    text = _text(path)
    first, _, body = text.partition("\n")
    if not first.lstrip("\ufeff").startswith(("Brain Vision", "BrainVision")):
        raise DataFileError(
            f"{path.name} is no BrainVision header: it starts with {first[:40]!r}, "
            "expected 'Brain Vision Data Exchange Header File'. Give the .vhdr file."
        )
    parser = configparser.ConfigParser(
        interpolation=None, strict=False, allow_no_value=True,
        comment_prefixes=(";",), delimiters=("=",),
    )  # fmt: skip
    try:
        parser.read_string(body.partition("[Comment]")[0])  # free text follows it
    except configparser.Error as error:
        raise DataFileError(
            f"the header {path.name} is damaged ({error}), expected sections and "
            "KEY=VALUE lines. Copy it again."
        ) from error
    return parser


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16")
    else:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            text = content.decode("latin-1")  # older Recorder versions
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _word(header: BrainVisionHeader, key: str, usual: str, other: str) -> str:
    """Return one of two words that an entry may have; the usual one if it is left out.

    Raises
    ------
    DataFileError : it is neither, and a guess would make other numbers of the samples.
    """
    section = header.common | header.binary
    word = (section.get(key.lower()) or usual).upper()
    if word in (usual, other):
        return word
    raise DataFileError(
        f"{header.path.name} gives {key}={word}, expected {usual} or {other}. Correct "
        "the header, or export it once more."
    )


def _check_kind(header: BrainVisionHeader) -> None:
    """Refuse what is no continuous recording over time."""
    domain = header.common.get("datatype") or "TIMEDOMAIN"
    if domain.upper() != "TIMEDOMAIN":
        raise DataFileError(
            f"{header.path.name} holds data of the type {domain}, expected TIMEDOMAIN. "
            "Export the recording itself."
        )
    segments = header.common.get("segmentationtype") or "NOTSEGMENTED"
    if segments.upper() != "NOTSEGMENTED":
        n = header.common.get("segmentdatapoints") or "?"
        raise DataFileError(
            f"{header.path.name} is cut into segments ({segments}, {n} samples each), "
            "expected a continuous recording. Export it before it is segmented."
        )


def _reference(header: BrainVisionHeader, channels: tuple[Channel, ...]) -> str | None:
    """Return the reference if every electrode that names one names the same.

    A bipolar channel (ECG, an auxiliary input) has one of its own.
    """
    eeg = [
        (label, reference)
        for (label, reference, *_), channel in zip(
            header.channels, channels, strict=True
        )
        if channel.kind == "eeg"
    ]
    electrodes = [pair for pair in eeg if has_position(pair[0])] or eeg
    named = {reference for _, reference in electrodes} - {""}
    return named.pop() if len(named) == 1 else None


# The files beside it.


def _companion(header: BrainVisionHeader, key: str) -> Path | None:
    """Return the file that the header names, if it is there."""
    name = _named(header, key)
    if not name:
        return None
    path = header.path.parent / name
    if path.is_file():
        return path
    # A path of the recording computer, or another case: the name is what counts
    return _in_any_case(header.path.parent, PureWindowsPath(name).name)


def _named(header: BrainVisionHeader, key: str) -> str:
    # $b is the header's own base name, as the format defines it.
    return header.common.get(key, "").replace("$b", header.path.stem)


def _in_any_case(folder: Path, name: str) -> Path | None:
    """Return the only file of that name where case does not count, as on Windows."""
    wanted = name.casefold()
    found = [p for p in folder.iterdir() if p.name.casefold() == wanted]
    return found[0] if len(found) == 1 and found[0].is_file() else None


def _missing(header: BrainVisionHeader, key: str, suffixes: tuple[str, ...]) -> str:
    """Return what to say of a file that the header names and that is not there."""
    entry = {"datafile": "DataFile", "markerfile": "MarkerFile"}[key]
    name = _named(header, key)
    if not name:
        return (
            f"the header {header.path.name} names no {entry}, expected "
            f"{entry}={header.path.stem}{suffixes[0]}. Copy it again."
        )
    beside = [
        found.name
        for suffix in suffixes
        if (found := _in_any_case(header.path.parent, header.path.stem + suffix))
    ]
    if beside:
        return (
            f"the header {header.path.name} names {name!r}, which is not beside it, "
            f"but {beside[0]!r} is. If it was renamed, correct DataFile= and "
            "MarkerFile= in the header, or rename all files back."
        )
    return (
        f"{PureWindowsPath(name).name}, which the header {header.path.name} names as "
        f"{entry}, is missing. Copy it into the folder of the header."
    )


# Markers.

_MARKS = re.compile(r"^\[marker infos\][^\n]*\n(.*?)(?=^\[|\Z)", re.M | re.S | re.I)
_MARK = re.compile(r"^[ \t]*Mk\d+[ \t]*=(.*)$", re.M | re.I)
_BELONGS = re.compile(r"^DataFile=(.*)$", re.M)
# Only these kinds are in nobody's label: LSL sends "R128" for "Response,R128".
_PLAIN_KINDS = ("Response", "Stimulus")

Mark = tuple[int, str, str]  # position from 1, kind, description


def _marks(header: BrainVisionHeader, data: Path) -> tuple[list[Mark], tuple[str, ...]]:
    """Return the markers; what is missing is a note, as one can play without."""
    if not header.common.get("markerfile"):
        return [], ()
    path = _companion(header, "markerfile")
    if path is None:
        said = _missing(header, "markerfile", (".vmrk",))
        if _in_any_case(header.path.parent, header.path.stem + ".vmrk"):
            raise DataFileError(said)
        return [], (f"no markers: {said.rstrip('.')}",)
    text = _text(path)
    section = _MARKS.search(text)
    if section is None:
        raise DataFileError(
            f"{path.name} is no marker file: it has no [Marker Infos], expected them "
            f"with a line Mk1=... for each marker of {header.path.name}. Copy it again."
        )
    marks = [_mark(path, line) for line in _MARK.finditer(section[1])]
    return marks, _notes_on_pair(path, text, data)


def _mark(path: Path, line: re.Match[str]) -> Mark:
    cells = [cell.strip() for cell in line[1].split(",")]
    if len(cells) < 3 or not cells[2].isdecimal():
        raise DataFileError(
            f"{path.name} has the line {line[0].strip()[:80]!r}, expected "
            "Mk1=KIND,LABEL,POSITION,SIZE,CHANNEL with a whole number as its position. "
            "Correct the line, or copy the file again."
        )
    return int(cells[2]), cells[0], line[1].split(",")[1].replace("\\1", ",")


def _notes_on_pair(path: Path, text: str, data: Path) -> tuple[str, ...]:
    belongs = _BELONGS.search(text)
    name = belongs[1].strip().replace("$b", path.stem) if belongs else ""
    if not name or PureWindowsPath(name).name.casefold() == data.name.casefold():
        return ()
    return (
        f"{path.name} says that it belongs to {name!r}, not to {data.name!r}: make "
        "sure that these are its markers",
    )


def _recorded(marks: list[Mark], header: BrainVisionHeader) -> Iterator[RecordedMarker]:
    for position, kind, label in marks:
        if kind == "New Segment" and position <= 1:
            continue  # it holds the time of day at which the recording began
        text = label if kind in _PLAIN_KINDS else f"{kind}/{label}"
        yield RecordedMarker(text, (position - 1) / header.rate_hz)


# Samples.


def _samples(
    header: BrainVisionHeader, data: Path, factors: FloatArray
) -> Float32Array:
    """Return the samples, (channels, samples), in microvolt or their unit."""
    if _word(header, "DataFormat", "BINARY", "ASCII") == "ASCII":
        values = _ascii_values(header, data)
        _check_length(header, data, values.shape[1], "lines")
        return (values * factors[:, None]).astype(np.float32)
    raw = _binary_values(header, data)
    data_uv = np.empty(raw.shape, np.float32)
    step = max(1, round(BLOCK_S * header.rate_hz))
    for first in range(0, raw.shape[1], step):
        block = raw[:, first : first + step]
        data_uv[:, first : first + step] = block * factors[:, None]
    return data_uv


def _binary_values(header: BrainVisionHeader, data: Path) -> np.ndarray:
    """Return the numbers of a binary file, (channels, samples), unread."""
    said = header.binary.get("binaryformat", "")
    if said.upper() not in _DTYPES:
        raise DataFileError(
            f"{header.path.name} gives the BinaryFormat {said!r}, expected one of "
            f"{list(_DTYPES)}. Export it in one of these."
        )
    _refuse_offsets(header)
    big = _word(header, "UseBigEndianOrder", "NO", "YES") == "YES"
    dtype = np.dtype(("<", ">")[big] + _DTYPES[said.upper()])
    n_channels = len(header.channels)
    n_samples, rest = divmod(data.stat().st_size, dtype.itemsize * n_channels)
    _check_length(header, data, n_samples, "bytes", rest)
    if not n_samples:
        return np.empty((n_channels, 0), dtype)
    if header.vectorized:
        return np.memmap(data, dtype, "r", shape=(n_channels, n_samples))
    # Multiplexed is (samples, channels): the one transpose of this reader.
    return np.memmap(data, dtype, "r", shape=(n_samples, n_channels)).T


# What stands between or before the samples; no program in use writes any.
_OFFSETS = ("DataOffset", "ChannelOffset", "SegmentHeaderSize", "TrailerSize")


def _refuse_offsets(header: BrainVisionHeader) -> None:
    said = {key: header.binary.get(key.lower()) for key in _OFFSETS}
    odd = {key: text for key, text in said.items() if text and text.strip("0")}
    if odd:
        raise DataFileError(
            f"{header.path.name} gives {odd}, expected samples from the first byte on, "
            "one after the other. Export it once more without."
        )


def _steps(header: BrainVisionHeader) -> FloatArray:
    """Return the resolution of each channel; 1 where none is given."""
    steps = np.array([_step(step) for _, _, step, _ in header.channels])
    odd = {
        label: text
        for (label, _, text, _), step in zip(header.channels, steps, strict=True)
        if not (np.isfinite(step) and step)
    }
    if odd:
        raise DataFileError(
            f"{header.path.name} gives the resolutions {odd}, expected a number other "
            "than 0 of each channel. Correct the header, or export it once more."
        )
    return steps


def _step(text: str) -> float:
    try:
        return float(text or 1)
    except ValueError:
        return float("nan")


def _check_length(
    header: BrainVisionHeader, data: Path, n_samples: int, of: str, rest: int = 0
) -> None:
    announced = int(header.common.get("datapoints") or n_samples)
    if rest or n_samples != announced:
        what = f"{data.stat().st_size} bytes" if of == "bytes" else f"{n_samples} lines"
        raise DataFileError(
            f"{data.name} holds {what}, expected {announced} samples of "
            f"{len(header.channels)} channels. {_advice(n_samples, announced)}"
        )


def _advice(n_samples: int, announced: int) -> str:
    if n_samples <= announced:
        return "It is truncated: copy it again."
    return (
        "The header is of another file, or was not closed: correct its DataPoints, or "
        "leave that line out."
    )


def _ascii_values(header: BrainVisionHeader, data: Path) -> FloatArray:
    """Return the numbers of a text file, (channels, samples)."""
    n_lines = int(header.ascii.get("skiplines") or 0)
    n_columns = int(header.ascii.get("skipcolumns") or 0)
    symbol = header.ascii.get("decimalsymbol") or "."
    lines = [line for line in _text(data).splitlines()[n_lines:] if line.strip()]
    rows = [_cells(line, symbol)[n_columns:] for line in lines]
    n_expected = None if header.vectorized else len(header.channels)
    widths = {len(row) for row in rows}
    if len(widths) > 1 or (n_expected and widths - {n_expected}):
        raise DataFileError(
            f"the lines of {data.name} have {sorted(widths)[:6]} numbers, expected "
            f"{n_expected or 'as many in each'}. Copy it again, or export it as binary."
        )
    values = np.array(rows, dtype=np.float64)
    if not header.vectorized:
        values = values.reshape(-1, len(header.channels)).T  # (channels, samples)
    if len(values) != len(header.channels):
        raise DataFileError(
            f"{data.name} has {len(values)} lines, expected one for each of "
            f"{len(header.channels)} channels. Copy it again."
        )
    return values


def _cells(line: str, symbol: str) -> list[str]:
    if symbol != ".":
        return line.replace(symbol, ".").replace(";", " ").split()
    return re.split(r"[\s,;]+", line.strip())
