"""Read what an LSL stream says about itself, and refuse what cannot be used."""

from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np

from rtbold.electrodes import channel_kind
from rtbold.errors import ConfigError, StreamMismatch
from rtbold.messages import Channel, ChannelKind, FloatArray, StreamDescription

RATE_MIN_HZ, RATE_MAX_HZ = 200.0, 5000.0
CHANNELS_MAX = 128
_AVERAGES = {"average", "avg", "car", "common average", "average reference"}
_NOTHING = {"", "unknown", "n/a", "na", "none", "no", "unspecified"}


def describe_stream(xml: str) -> StreamDescription:
    """Return the description in a stream's XML (``StreamInfo.as_xml()``).

    Where the channel list is missing or of another length than the stream, channels
    are called Ch1, Ch2, ... and have no unit: labels that may be shifted are worse
    than none.
    """
    root = ElementTree.fromstring(xml)
    n_channels = int(_text(root, "channel_count") or 0)
    return StreamDescription(
        name=_text(root, "name"),
        type=_text(root, "type"),
        rate_hz=float(_text(root, "nominal_srate") or 0),
        channels=_channels(root, n_channels, _text(root, "type")),
        reference=_reference(root),
        host=_text(root, "hostname"),
        source_id=_text(root, "source_id"),
        uid=_text(root, "uid"),
        simulated=_text(root, "desc/rtbold/simulated").casefold() == "true",
        cleaning=_text(root, "desc/rtbold/cleaning"),
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
    elif not RATE_MIN_HZ <= stream.rate_hz <= RATE_MAX_HZ:
        came = f"has {stream.rate_hz:g} Hz" if stream.rate_hz else "has no regular rate"
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
        if (text := (node.text or "").strip())
    ]
    if labels:
        return _reference_name("+".join(dict.fromkeys(labels)))
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


def _text(node: ElementTree.Element, path: str) -> str:
    return (node.findtext(path) or "").strip()


# Units of EEG as streams and files write them, and the factor to microvolt.

# Keys are case-folded, which turns both micro signs into the Greek letter. MNE-LSL
# writes the power of ten over the SI unit instead of a name.
_WORDS = {
    "v": 1e6, "volt": 1e6, "volts": 1e6,
    "mv": 1e3, "millivolt": 1e3, "millivolts": 1e3,
    "uv": 1.0, "μv": 1.0, "microvolt": 1.0, "microvolts": 1.0,
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
