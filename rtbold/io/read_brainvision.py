"""BrainVision: ``.vhdr`` with its ``.vmrk`` and ``.eeg``."""

import configparser
import re
from pathlib import Path

from rtbold.errors import DataFileError
from rtbold.files.mne_formats import open_raw, to_recording
from rtbold.files.recording import ReadOptions, Recording

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
    _check_length(path, header)
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


def _check_length(path: Path, header: configparser.ConfigParser) -> None:
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
