"""What a session would find before it starts: the stream against the model. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from rtbold.bundle.card import Card
from rtbold.channel_choice import usable_channels
from rtbold.condition.channel_quality import MonitoredChannel
from rtbold.condition.spatial import MIN_SOURCES, SpatialMatrix, SpatialSettings
from rtbold.electrodes import canonical, has_position
from rtbold.errors import RtboldError, StreamMismatch
from rtbold.messages import ChannelState, StreamDescription
from rtbold.predict.status import QualitySettings

FindingState = Literal["ok", "warn", "fail"]
Match = Literal["same", "alias", "missing"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check before a session; what may be done about it is in `advice`."""

    name: str
    state: FindingState
    found: str
    advice: str = ""
    must: bool = False  # while this fails, a session does not start or means nothing
    override: str = ""  # the option with which it starts all the same; empty: none


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """One channel of the model, and what the stream has for it."""

    label: str  # the model's
    state: ChannelState | Literal["unknown"]  # unknown: nothing was heard
    found: str | None  # the stream's label
    rms_uv: float | None  # 1 to 80 Hz, over the last second
    match: Match


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """The channels of model and stream, side by side."""

    lines: tuple[ChannelLine, ...]
    extra: tuple[str, ...]  # the stream's labels that the model does not want


def refused(
    name: str, error: RtboldError, *, must: bool = True, override: str = ""
) -> Finding:
    """Return the failed check that an error stands for; it says what to do itself."""
    return Finding(name, "fail", str(error), must=must, override=override)


def asked(
    name: str, ask: Callable[[], Sequence[str]], *, found: str, override: str
) -> Finding:
    """Return what a gate says: it refuses, lets pass, or lets pass with reasons.

    Parameters
    ----------
    ask : the gate; returns the reasons that every message would carry.
    found : what to say where it is content.
    override : the option that opens it.
    """
    try:
        reasons = ask()
    except RtboldError as error:
        return refused(name, error, override=override)
    if reasons:
        said = ", ".join(repr(reason) for reason in reasons)
        text = f"allowed by {override}; every message then carries {said}"
        return Finding(name, "warn", text, must=True, override=override)
    return Finding(name, "ok", found, must=True)


def check_channels(
    card: Card, stream: StreamDescription, *, interpolate: bool
) -> Finding:
    """Compare the channels by name.

    Parameters
    ----------
    interpolate : --interpolate was given.
    """
    lines = channel_lines(card, stream)
    if twins := _twins(card, stream):
        return Finding(
            "channels",
            "fail",
            f"the stream has more than one channel for {', '.join(twins)}",
            "rename or remove one of each in the amplifier's software",
            must=True,
        )
    own_reference = canonical(stream.reference or "")  # its channel is zero by nature
    missing = [
        line.label
        for line in lines
        if line.match == "missing" and canonical(line.label) != own_reference
    ]
    if missing:
        return _missing(card, stream, missing, interpolate=interpolate)
    alias = [f"{x.label} is {x.found!r}" for x in lines if x.match == "alias"]
    n = len(card.channels)
    found = f"all {n} channels of the model are in the stream, by name"
    if alias:
        found += f"; under another name: {', '.join(alias)}"
    return Finding("channels", "ok", found, must=True)


def _missing(
    card: Card,
    stream: StreamDescription,
    missing: Sequence[str],
    *,
    interpolate: bool,
) -> Finding:
    n = len(card.channels)
    found = (
        f"{len(missing)} of the model's {n} channels are missing: {', '.join(missing)}"
    )
    sources = {
        canonical(c.label)
        for c in stream.channels
        if c.kind == "eeg" and has_position(c.label)
    }
    if len(sources) < MIN_SOURCES or not all(map(has_position, missing)):
        advice = (
            "they cannot be interpolated from this cap; choose the EEG stream "
            "(--stream), or a model that was made for this cap"
        )
        return Finding("channels", "fail", found, advice, must=True)
    if len(missing) > QualitySettings().max_interpolated_share * n:
        advice = (
            "too many to interpolate, every prediction would be invalid: use a model "
            "that was made for this cap"
        )
        return Finding("channels", "fail", found, advice, must=not interpolate)
    if interpolate:
        advice = "they are interpolated; predictions are degraded"
        return Finding("channels", "warn", found, advice, must=True)
    return Finding(
        "channels",
        "fail",
        found,
        "plug them in, or interpolate them from their neighbours: --interpolate "
        "(predictions are then degraded)",
        must=True,
        override="--interpolate",
    )


def check_reference(card: Card, stream: StreamDescription) -> Finding:
    """Say whether the model's reference can be had from the stream's."""
    _, labels = usable_channels(stream, card)
    once = {label for label in labels if labels.count(label) == 1}
    known = tuple(name for name in card.channels if canonical(name) in once)
    said = stream.reference or "not said"
    try:
        SpatialMatrix(
            SpatialSettings(
                stream_labels=labels,
                stream_reference=stream.reference,
                model_channels=known,
                model_reference=card.reference,
            )
        )
    except StreamMismatch as error:
        return refused("reference", error)
    found = f"stream: {said}; model: {card.reference}"
    if stream.reference is None:
        # An average takes any common reference out; which one it was still tells
        # whether a model channel is the reference itself.
        advice = "say it with --reference, so that it is on record"
        return Finding("reference", "warn", found, advice, must=True)
    return Finding("reference", "ok", found, must=True)


def channel_lines(
    card: Card, stream: StreamDescription, states: Sequence[MonitoredChannel] = ()
) -> tuple[ChannelLine, ...]:
    """Return one line for each channel of the model.

    Parameters
    ----------
    states : of the stream's channels as they were heard, in its order; none: not yet.
    """
    rows = {
        canonical(channel.label): row
        for row, channel in reversed(list(enumerate(stream.channels)))
        if channel.kind == "eeg"
    }
    lines = []
    for name in card.channels:
        row = rows.get(canonical(name))
        if row is None:
            lines.append(ChannelLine(name, "missing", None, None, "missing"))
            continue
        label = stream.channels[row].label
        heard = states[row] if states else None
        lines.append(
            ChannelLine(
                label=name,
                state="unknown" if heard is None else heard.state,
                found=label,
                rms_uv=round(heard.rms_uv, 3) if heard and heard.rms_uv else None,
                match="same" if _bare(label) == _bare(name) else "alias",
            )
        )
    return tuple(lines)


def extra_channels(card: Card, stream: StreamDescription) -> tuple[str, ...]:
    """Return the stream's labels that the model does not want."""
    wanted = {canonical(name) for name in card.channels}
    return tuple(
        channel.label
        for channel in stream.channels
        if channel.kind != "eeg" or canonical(channel.label) not in wanted
    )


def _twins(card: Card, stream: StreamDescription) -> list[str]:
    eeg = Counter(canonical(c.label) for c in stream.channels if c.kind == "eeg")
    return [name for name in card.channels if eeg[canonical(name)] > 1]


def _bare(label: str) -> str:
    return label.strip().casefold()
