"""Read what an LSL stream says about itself, and refuse what cannot be used."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from rtbold.acquire.description_xml import name_in, read_xml, xml_of
from rtbold.acquire.rates import simple_rate_hz
from rtbold.acquire.streams import LONGEST_ID, FoundStream
from rtbold.electrodes import channel_kind
from rtbold.errors import ConfigError, StreamMismatch
from rtbold.messages import Channel, ChannelKind, FloatArray, StreamDescription
from rtbold.text import LONGEST_TEXT, printable

if TYPE_CHECKING:
    import pylsl
RATE_MIN_HZ, RATE_MAX_HZ = 200.0, 5000.0
CHANNELS_MAX = 128
MOST_CHANNELS = 10_000  # of any stream; there are atlases with hundreds of ROIs
MOST_VALUES_HZ = 2e6  # of any stream: more than sound in eight channels
_AVERAGES = {"average", "avg", "car", "common average", "average reference"}
_NOTHING = {"", "unknown", "n/a", "na", "none", "no", "unspecified"}


def describe_stream(xml: str, *, name: str = "") -> StreamDescription:
    """Return the description in a stream's XML (``StreamInfo.as_xml()``).

    All text in it is made fit to be shown. Where the channel list is missing or of
    another length than the stream, channels are called Ch1, Ch2, ... and have no unit:
    labels that may be shifted are worse than none.

    Parameters
    ----------
    name : of the stream, for messages; empty: as the description has it.

    Raises
    ------
    StreamMismatch
        It is no description, it is too long or too deep, or its count of channels or
        its rate is no such number.
    """
    named = name or name_in(xml)
    root = read_xml(xml, name=named)
    n_channels = _channel_count(root, named)
    return StreamDescription(
        name=_text(root, "name"),
        type=_text(root, "type"),
        rate_hz=_rate_hz(root, named),
        channels=_channels(root, n_channels, _text(root, "type")),
        reference=_reference(root),
        host=_text(root, "hostname"),
        source_id=_text(root, "source_id", LONGEST_ID),
        uid=_text(root, "uid"),
        simulated=_text(root, "desc/rtbold/simulated").casefold() == "true",
        cleaning=_text(root, "desc/rtbold/cleaning"),
    )


def describe_info(info: "pylsl.StreamInfo") -> StreamDescription:
    """Return the description in a stream's full info, as an inlet fetches it.

    Raises
    ------
    StreamMismatch : as `describe_stream`.
    """
    return describe_stream(xml_of(info), name=printable(info.name()))


def require_size(found: FoundStream) -> None:
    """Refuse a stream that liblsl must not be asked for: it would make room for it.

    Raises
    ------
    StreamMismatch
        More channels, or values a second, than any stream of a scan has.
    """
    rate_hz = found.rate_hz
    regular = math.isfinite(rate_hz) and rate_hz >= 0
    if (
        regular
        and 0 < found.n_channels <= MOST_CHANNELS
        and rate_hz * found.n_channels <= MOST_VALUES_HZ
    ):
        return
    raise StreamMismatch(
        f"stream {found.name!r} is announced with {found.n_channels} channels at "
        f"{rate_hz:g} Hz, expected 1 to {MOST_CHANNELS} channels and at most "
        f"{MOST_VALUES_HZ:g} values a second. Look at its sender."
    )


def as_announced(stream: StreamDescription, found: FoundStream) -> StreamDescription:
    """Return `stream` under the names that it was found by.

    Raises
    ------
    StreamMismatch
        Another outlet answers at its address, or it was announced with another count
        of channels or another rate: by which one its samples come is not known.
    """
    if stream.uid and stream.uid != found.uid:
        raise StreamMismatch(
            f"another outlet than the one that was announced answers as stream "
            f"{found.name!r}, expected the one of uid {found.uid!r}. It is looked for "
            "again."
        )
    announced = found.n_channels, found.rate_hz
    described = len(stream.channels), stream.rate_hz
    if announced != described:
        raise StreamMismatch(
            f"stream {found.name!r} is announced with {announced[0]} channels at "
            f"{announced[1]:g} Hz and describes {described[0]} at {described[1]:g} Hz, "
            "expected the same of both. Restart its sender, or update it."
        )
    return replace(
        stream,
        name=found.name,
        type=found.type,
        host=found.host,
        source_id=found.source_id,
        uid=found.uid,
    )


def require_eeg(stream: StreamDescription, sample_format: str) -> None:
    """Refuse a stream that cannot be EEG for this program.

    Raises
    ------
    StreamMismatch
        Text samples, a rate outside 200 to 5000 Hz, or more than 128 channels.
    """
    if sample_format == "string":
        came, expected = "carries text", "numbers"
    elif stream.rate_hz == 0:
        raise StreamMismatch(
            f"stream {stream.name!r} (type {stream.type!r}) on {stream.host!r} "
            f"has no regular rate, expected {RATE_MIN_HZ:g} to {RATE_MAX_HZ:g} Hz. If "
            "it is the EEG, let its sender declare the rate of its samples (it says "
            "nominal_srate 0); else name the EEG stream with --stream."
        )
    elif not RATE_MIN_HZ <= stream.rate_hz <= RATE_MAX_HZ:
        came = f"has {stream.rate_hz:g} Hz"
        expected = f"{RATE_MIN_HZ:g} to {RATE_MAX_HZ:g} Hz"
    elif not 1 <= len(stream.channels) <= CHANNELS_MAX:
        came = f"has {len(stream.channels)} channels"
        expected = f"1 to {CHANNELS_MAX}"
    else:
        return
    raise StreamMismatch(
        f"stream {stream.name!r} (type {stream.type!r}) on {stream.host!r} {came}, "
        f"expected {expected}. Name the EEG stream with --stream; rtbold streams "
        "lists what is there."
    )


def unnamed(channels: Sequence[Channel]) -> int:
    """Return how many EEG channels there are, if none has a name of its own; else 0."""
    eeg = [(n, c.label) for n, c in enumerate(channels, start=1) if c.kind == "eeg"]
    return len(eeg) if all(label == f"Ch{n}" for n, label in eeg) else 0


def with_set_rate(stream: StreamDescription) -> StreamDescription:
    """Return `stream` at the rate that was set, where it declares a measured one."""
    rate_hz = simple_rate_hz(stream.rate_hz)
    return stream if rate_hz == stream.rate_hz else replace(stream, rate_hz=rate_hz)


def require_markers(stream: StreamDescription, sample_format: str) -> None:
    """Refuse a stream that cannot be read as markers.

    Raises
    ------
    StreamMismatch
        A regular rate, or several channels of text.
    """
    if stream.rate_hz:
        came = f"has a regular rate ({stream.rate_hz:g} Hz)"
        hint = "If it is a channel of the EEG stream, use --trigger-channel."
    elif sample_format == "string" and len(stream.channels) != 1:
        came = f"has {len(stream.channels)} channels of text"
        hint = "Send the trigger's label alone."
    else:
        return
    raise StreamMismatch(
        f"trigger stream {stream.name!r} (type {stream.type!r}) on {stream.host!r} "
        f"{came}, expected markers: an irregular rate and one label each. {hint}"
    )


def with_reference(
    stream: StreamDescription, reference: str | None
) -> StreamDescription:
    """Return `stream` with the reference that the user gave, if any."""
    if reference is None:
        return stream
    return replace(stream, reference=_reference_name(reference))


def _channels(
    root: ElementTree.Element, n_channels: int, stream_type: str
) -> tuple[Channel, ...]:
    nodes = root.findall("desc/channels/channel")
    if len(nodes) != n_channels:
        return tuple(
            Channel(f"Ch{i}", "", channel_kind(f"Ch{i}", stream_type))
            for i in range(1, n_channels + 1)
        )
    return tuple(
        _channel(node, i, stream_type) for i, node in enumerate(nodes, start=1)
    )


def _channel(node: ElementTree.Element, number: int, stream_type: str) -> Channel:
    label = _text(node, "label") or _text(node, "name") or f"Ch{number}"
    declared = _text(node, "type") or stream_type
    return Channel(label, _text(node, "unit"), channel_kind(label, declared))


def _reference(root: ElementTree.Element) -> str | None:
    """Return the reference by the XDF specification, or by habits seen elsewhere."""
    if _text(root, "desc/reference/common_average").casefold() in ("yes", "true", "1"):
        return "average"
    labels = [
        text
        for path in ("desc/reference/label", "desc/channels/reference/label")
        for node in root.findall(path)
        if (text := _fit(node.text))
    ]
    if labels:
        return _reference_name(printable("+".join(dict.fromkeys(labels))))
    for path in ("desc/reference", "desc/channels/reference", "desc/common_reference"):
        if text := _text(root, path):
            return _reference_name(text)
    each = {_text(node, "reference") for node in root.findall("desc/channels/channel")}
    return _reference_name(each.pop()) if len(each) == 1 else None


def _reference_name(text: str) -> str | None:
    bare = text.strip()
    if bare.casefold() in _NOTHING:
        return None
    return "average" if bare.casefold() in _AVERAGES else bare


def _channel_count(root: ElementTree.Element, name: str) -> int:
    text = _text(root, "channel_count") or "0"
    n = int(text) if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) else -1
    if not 0 <= n <= MOST_CHANNELS:
        raise StreamMismatch(
            f"stream {name!r} declares {text!r} channels, expected a whole number up "
            f"to {MOST_CHANNELS}. Look at its sender."
        )
    return n


def _rate_hz(root: ElementTree.Element, name: str) -> float:
    text = _text(root, "nominal_srate")
    try:
        rate_hz = float(text or 0)
    except ValueError:
        rate_hz = math.nan
    if not (math.isfinite(rate_hz) and rate_hz >= 0):
        raise StreamMismatch(
            f"stream {name!r} declares a rate of {text!r} Hz, expected a number from "
            "0 (irregular) upwards. Look at its sender."
        )
    return rate_hz


def _text(node: ElementTree.Element, path: str, longest: int = LONGEST_TEXT) -> str:
    return _fit(node.findtext(path), longest)


def _fit(text: str | None, longest: int = LONGEST_TEXT) -> str:
    return printable((text or "").strip(), longest)


# Units of EEG as streams and files write them, and the factor to microvolt.

# Keys are case-folded, which turns both micro signs into the Greek letter. MNE-LSL
# writes the power of ten over the SI unit instead of a name.
_WORDS = {
    "v": 1e6, "volt": 1e6, "volts": 1e6,
    "nv": 1e-3, "nanovolt": 1e-3, "nanovolts": 1e-3,
    "mv": 1e3, "millivolt": 1e3, "millivolts": 1e3,
    "uv": 1.0, "μv": 1.0, "microvolt": 1.0, "microvolts": 1.0,
    "microv": 1.0, "uvolt": 1.0, "uvolts": 1.0, "μvolt": 1.0, "μvolts": 1.0,
}  # fmt: skip
_POWERS = {"0": 1e6, "-3": 1e3, "-6": 1.0}
_POTENTIALS: frozenset[ChannelKind] = frozenset({"eeg", "ecg", "eog", "emg", "cwl"})


def to_uv_factor(unit: str) -> float | None:
    """Return what to multiply by to get microvolt; None if the unit is not known."""
    key = unit.strip().casefold()
    return _WORDS.get(key, _POWERS.get(key))


def factors_to_uv(channels: Sequence[Channel], unit: str | None = None) -> FloatArray:
    """Return the factor to microvolt of each channel.

    Parameters
    ----------
    channels : of the stream, in order.
    unit : overrides what the stream says of its potentials (EEG, ECG, ...).

    Returns
    -------
    (channels,). Channels that are no potentials keep their values (factor 1) unless
    their unit is a voltage by name; trigger channels always keep them.

    Raises
    ------
    ConfigError
        `unit` is no unit of voltage.
    StreamMismatch
        The unit of an EEG channel is missing or unknown.
    """
    given = None
    if unit is not None and (given := to_uv_factor(unit)) is None:
        raise ConfigError(
            f"--unit is {unit!r}, expected one of V, mV, uV (or their full names)."
        )
    found = [given if _is_potential(c) and given else _factor(c) for c in channels]
    _refuse_unknown([c for c, f in zip(channels, found, strict=True) if f is None])
    return np.array([1.0 if f is None else f for f in found])


def _is_potential(channel: Channel) -> bool:
    return channel.kind in _POTENTIALS


def _factor(channel: Channel) -> float | None:
    if channel.kind == "trigger":
        return 1.0
    if _is_potential(channel):
        known = to_uv_factor(channel.unit)
        return 1.0 if known is None and channel.kind != "eeg" else known
    # A bare power of ten says nothing of a quantity that may not be a voltage.
    return _WORDS.get(channel.unit.strip().casefold(), 1.0)


def _refuse_unknown(channels: Sequence[Channel]) -> None:
    if not channels:
        return
    units = sorted({c.unit for c in channels})
    labels = ", ".join(c.label for c in channels[:4])
    more = ", ..." if len(channels) > 4 else ""
    said = "no unit" if units == [""] else f"unit {' and '.join(map(repr, units))}"
    raise StreamMismatch(
        f"{len(channels)} EEG channels ({labels}{more}) come with {said}, expected V, "
        "mV or uV. Say what the values are with --unit, for example --unit uV."
    )
