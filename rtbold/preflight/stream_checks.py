"""What a session would find of its streams, by description and as received. Pure.

The session's own limits hold here, so that nothing passes that a session refuses.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Literal

from rtbold.acquire import prefix_hint, simple_rate_hz, unnamed
from rtbold.bundle import Card
from rtbold.condition import (
    MIN_SOURCES,
    MonitoredChannel,
    SpatialMatrix,
    SpatialSettings,
    usable_channels,
)
from rtbold.electrodes import canonical, has_position
from rtbold.errors import StreamMismatch
from rtbold.messages import TR_TOLERANCE, ChannelState, Check, StreamDescription
from rtbold.predict import QualitySettings
from rtbold.preflight.checks import decided, refused
from rtbold.text import first_few
from rtbold.window import JITTER_S

LATE_S = 0.5  # samples that come later than this after their time are worth a word
FREE_RUN = "free run: nothing is locked to the scanner, and volumes have no numbers"
NORMAL = "normal before the scanner starts"


@dataclass(frozen=True, slots=True)
class ChannelLine:
    """One channel of the model, and what the stream has for it."""

    label: str  # the model's
    state: ChannelState | Literal["unknown"]  # unknown: nothing was received
    found: str | None  # the stream's label
    rms_uv: float | None  # 1 to 80 Hz, over the last second
    match: Literal["same", "alias", "missing"]


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """The channels of model and stream, side by side."""

    lines: tuple[ChannelLine, ...]
    extra: tuple[str, ...]  # the stream's labels that the model does not want


def check_channels(
    card: Card, stream: StreamDescription, *, interpolate: bool
) -> Check:
    """Compare the channels by name.

    Parameters
    ----------
    interpolate : --interpolate was given.
    """
    if n := unnamed(stream.channels):
        found = f"its {n} channels have no names"
        advice = "let its sender write each channel's label into the description"
        return Check("channels", "fail", found, advice, must=True)
    eeg = Counter(canonical(c.label) for c in stream.channels if c.kind == "eeg")
    if twins := [name for name in card.channels if eeg[canonical(name)] > 1]:
        found = f"the stream has more than one channel for {', '.join(twins)}"
        advice = "rename or remove one of each in the amplifier's software"
        return Check("channels", "fail", found, advice, must=True)
    lines = channel_lines(card, stream)
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
    return Check("channels", "ok", found, must=True)


def _missing(
    card: Card, stream: StreamDescription, missing: Sequence[str], *, interpolate: bool
) -> Check:
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
        return Check("channels", "fail", found, advice, must=True)
    if len(missing) > QualitySettings().max_interpolated_share * n:
        advice = (
            "too many to interpolate, every prediction would be invalid: use a model "
            "that was made for this cap"
        )
        return Check("channels", "fail", found, advice, must=not interpolate)
    if interpolate:
        advice = "they are interpolated; predictions are degraded"
        return Check("channels", "warn", found, advice, must=True)
    advice = (
        "plug them in, or interpolate them from their neighbours: --interpolate "
        "(predictions are then degraded)"
    )
    return Check("channels", "fail", found, advice, must=True, override="--interpolate")


def check_reference(card: Card, stream: StreamDescription) -> Check:
    """Say whether the model's reference can be had from the stream's."""
    _, labels = usable_channels(stream, card)
    once = {label for label in labels if labels.count(label) == 1}
    known = tuple(name for name in card.channels if canonical(name) in once)
    settings = SpatialSettings(
        stream_labels=labels,
        stream_reference=stream.reference,
        model_channels=known,
        model_reference=card.reference,
    )
    try:
        SpatialMatrix(settings)
    except StreamMismatch as error:
        return refused("reference", error)
    found = f"stream: {stream.reference or 'not said'}; model: {card.reference}"
    # An average takes any common reference out; which one it was still tells
    # whether a model channel is the reference itself.
    advice = "say it with --reference, so that it is on record"
    return decided(
        "reference", found, (stream.reference is None, "warn", advice), must=True
    )


def channel_lines(
    card: Card, stream: StreamDescription, states: Sequence[MonitoredChannel] = ()
) -> tuple[ChannelLine, ...]:
    """Return one line for each channel of the model.

    Parameters
    ----------
    states : of the stream's channels as received, in its order; none: not yet.
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
        received = states[row] if states else None
        rms_uv = received.rms_uv if received else None
        lines.append(
            ChannelLine(
                label=name,
                state=received.state if received else "unknown",
                found=label,
                rms_uv=round(rms_uv, 3) if rms_uv else None,
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


def _bare(label: str) -> str:
    return label.strip().casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedSamples:
    """What came of the EEG stream."""

    seconds: float  # listened
    n_samples: int = 0
    age_s: float | None = None  # median, arrival minus time; None: nothing came
    silent_s: float = 0.0  # since the newest sample
    rate_hz: float | None = None  # effective; None: not known yet
    n_gaps: int = 0
    n_missing: int = 0
    n_stamp_steps: int = 0
    other_rate_hz: float | None = None  # where it is quite another than declared
    burst_s: float | None = None  # where samples come in bursts that are too long


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedTriggers:
    """What came of the scanner's triggers."""

    seconds: float
    labels: Counter[str] = field(default_factory=Counter)  # all that came
    stamps_s: tuple[float, ...] = ()  # of those that are the volume trigger
    lag_s: float | None = None  # their median, arrival minus stamp


def check_samples(heard: ReceivedSamples, stream: StreamDescription) -> Check:
    """Say whether samples flow, and how old they are."""
    limits, age_s = QualitySettings(), heard.age_s
    if heard.n_samples == 0 or age_s is None:
        found = f"{stream.name!r} is announced, but sent nothing in {heard.seconds:g} s"
        advice = "start the amplifier's recording, or restart the sender"
        return Check("samples", "fail", found, advice, must=True)
    found = f"{heard.n_samples} samples in {heard.seconds:g} s, {_age(age_s)}"
    if heard.burst_s is not None:
        found += f"; they come in bursts of {heard.burst_s:.2g} s, expected below 1 s"
        return Check("samples", "fail", found, SMALLER_BLOCKS, must=True)
    if heard.silent_s > 1.0:
        found += f"; none in the last {heard.silent_s:.1f} s"
        advice = "look at the sender and the network"
        return Check("samples", "fail", found, advice, must=True)
    if age_s > limits.max_stream_age_s or age_s < -limits.max_stream_lead_s:
        advice = "the sender's stamps are wrong: restart it, and use LSL's own clock"
        return Check("samples", "fail", found, advice, must=True)
    if heard.n_gaps or heard.n_stamp_steps:
        found += (
            f"; {heard.n_gaps} gaps ({heard.n_missing} samples missing), "
            f"{heard.n_stamp_steps} steps of the stamps"
        )
        advice = "after each gap there is no prediction for 16 s: use a cable, not WLAN"
        if heard.other_rate_hz is not None:
            advice = "the declared rate is not the one that comes: see the rate"
        return Check("samples", "warn", found, advice)
    advice = "every prediction is late by as much: smaller blocks in the sender"
    return decided("samples", found, (age_s > LATE_S, "warn", advice))


SMALLER_BLOCKS = "a stream that is silent so long counts as stalled: smaller blocks"


def _age(age_s: float) -> str:
    if age_s < 0:
        return f"stamped {-age_s:.3f} s ahead of their arrival"
    return f"{1000 * age_s:.0f} ms old when they arrive"


def check_rate(heard: ReceivedSamples, stream: StreamDescription) -> Check:
    """Compare the rate that the stream declares with the one that comes."""
    found = f"{stream.rate_hz:.7g} Hz declared"
    if heard.other_rate_hz is not None:
        found += f", {heard.other_rate_hz:.4g} Hz arrive by their stamps"
        advice = "correct the rate in the sender, or look where samples are lost"
        return Check("rate", "fail", found, advice, must=True)
    if (set_hz := simple_rate_hz(stream.rate_hz)) != stream.rate_hz:
        found += f" (a measured rate: taken as {set_hz:g} Hz)"
    if heard.rate_hz is None:
        found += "; too little was heard to measure it"
        return Check("rate", "warn", found, "look at it again: rtbold preflight")
    found += f", {heard.rate_hz:.2f} Hz by its stamps"
    # Over some seconds the stamps of a chunked stream say no more than this.
    uncertain = 0.02 / max(heard.seconds, 1.0)
    off = abs(heard.rate_hz / set_hz - 1)
    too_far = off > QualitySettings().max_rate_error + uncertain
    advice = "predictions are degraded: set the sender to the rate that it declares"
    return decided("rate", found, (too_far, "warn", advice))


def check_amplitude(lines: Sequence[ChannelLine], text: str) -> Check:
    """Say whether the amplitude can be an EEG's.

    Parameters
    ----------
    text : ``ChannelMonitor.amplitude_text``; empty: plausible.
    """
    rms_uv = [line.rms_uv for line in lines if line.rms_uv is not None]
    if text:
        found, _, advice = text.partition(": ")  # what comes after it says what to do
        return Check("amplitude", "fail", found, advice)
    if not rms_uv:
        return Check("amplitude", "warn", "nothing was heard to judge it by")
    found = (
        f"median {median(rms_uv):.1f} uV RMS over the model's channels "
        f"(1 to 80 Hz), {min(rms_uv):.1f} to {max(rms_uv):.1f} uV"
    )
    return Check("amplitude", "ok", found)


def check_quality(lines: Sequence[ChannelLine]) -> Check:
    """Name the channels that are bad now."""
    bad = [x for x in lines if x.state not in ("good", "unknown", "missing")]
    n = len(lines)
    if not bad and all(line.rms_uv is None for line in lines):
        return Check("channel quality", "warn", "too little was heard to judge it")
    if not bad:
        return Check("channel quality", "ok", "no channel of the model is bad")
    named = ", ".join(f"{line.label} {line.state}" for line in bad)
    found = f"{len(bad)} of {n} channels are bad now: {named}".replace("_", " ")
    if len(bad) > QualitySettings().max_interpolated_share * n:
        advice = "too many to interpolate, predictions are invalid: mend the cap first"
        return Check("channel quality", "fail", found, advice)
    advice = "they are interpolated, predictions are degraded: gel, plug or cable"
    return Check("channel quality", "warn", found, advice)


def check_clock(
    stream: StreamDescription,
    offsets_s: Sequence[float],
    uncertainty_s: float | None,
    *,
    here: str,
) -> Check:
    """Say how the stream's clock is brought in line with this machine's.

    Parameters
    ----------
    offsets_s : as LSL measured them while listening.
    uncertainty_s : of a foreign clock's alignment; None: it is LSL's.
    here : name of this machine.
    """
    if stream.foreign_clock:
        found = "stamps are on another clock than LSL's; aligned by arrival"
        if uncertainty_s is not None:
            found += f", within {1000 * uncertainty_s:.1f} ms"
        advice = "let the sender stamp with LSL's local_clock"
        return Check("clock", "warn", found, advice)
    if not offsets_s and stream.host.casefold() == here.casefold():
        return Check("clock", "ok", f"{stream.host!r} is this machine: one clock")
    if not offsets_s:
        found = f"no clock offset was measured to {stream.host!r}"
        advice = "stamps of another machine mean nothing so: see to its firewall (UDP)"
        return Check("clock", "fail", found, advice, must=True)
    spread_ms = 1000 * (max(offsets_s) - min(offsets_s))
    found = (
        f"LSL on {stream.host!r}, offset {median(offsets_s):+.6f} s "
        f"({len(offsets_s)} measured, within {spread_ms:.3f} ms of each other)"
    )
    advice = "a busy network: use a cable of its own"
    return decided("clock", found, (spread_ms > 10.0, "warn", advice))


def check_triggers(
    heard: ReceivedTriggers, *, source: str, wanted: str | None, every_s: float | None
) -> Check:
    """Say whether volume triggers come, and at the TR.

    Parameters
    ----------
    source : where from, in words.
    wanted : --trigger; None: the only label that comes.
    every_s : expected between two of them; None: it is not known.
    """
    n, seconds = len(heard.stamps_s), f"{heard.seconds:g} s"
    others = first_few([f"{text!r}" for text in heard.labels])
    if n == 0 and heard.labels:
        found = f"{source}: no {wanted!r} in {seconds}, but {others}"
        advice = f"is the scanner off, or --trigger one of these instead of {wanted!r}?"
        advice += prefix_hint(heard.labels)
        return Check("triggers", "warn", found, advice)
    if n == 0:
        return Check("triggers", "warn", f"{source}: none came in {seconds}", NORMAL)
    found = f"{source}: {n} in {seconds}, labelled {wanted or others}"
    if (wrong := _times(found, heard.lag_s)) is not None:
        return wrong
    if n == 1:
        return Check("triggers", "warn", f"{found}; one says nothing of the TR")
    steps_s = [b - a for a, b in pairwise(heard.stamps_s)]
    found += f", every {median(steps_s):.3f} s"
    if every_s is None:
        return Check("triggers", "warn", f"{found}; the TR to compare is not known")
    return _spacing(found, steps_s, every_s)


def _times(found: str, lag_s: float | None) -> Check | None:
    """Say what is wrong with the times of triggers by their arrival, if anything."""
    limits = QualitySettings()
    if lag_s is None or not math.isfinite(lag_s):
        return None
    if lag_s < -limits.stream_lead_tolerance_s:
        found += f", stamped {-lag_s:.3f} s ahead of their arrival, which cannot be"
        advice = "windows lie too late by as much: correct the stamps"
        return Check("triggers", "warn", found, advice)
    if lag_s > limits.max_trigger_age_s:
        found += (
            f", they arrive {lag_s:.1f} s after their stamps, expected below "
            f"{limits.max_trigger_age_s:g} s"
        )
        advice = "their sender stamps wrongly, or holds them back: mend it"
        return Check("triggers", "fail", found, advice, must=True)
    return None


def _spacing(found: str, steps_s: Sequence[float], every_s: float) -> Check:
    """Compare the triggers' intervals with the TR."""
    expected = f"expected every {every_s:.3f} s: "
    # A missing trigger makes one interval a multiple, which a session bridges.
    off_s = [
        abs(step_s - max(round(step_s / every_s), 1) * every_s) for step_s in steps_s
    ]
    if median(off_s) > TR_TOLERANCE * every_s + JITTER_S:
        advice = (
            f"{expected}give the scanner's TR with --tr, or "
            "--trigger-every N if these are slice triggers"
        )
        return Check("triggers", "fail", found, advice, must=True)
    advice = (
        f"{expected}some are missing (look at the trigger "
        "cable and the box between), or the TR is another"
    )
    return decided("triggers", found, (max(steps_s) > 1.5 * every_s, "warn", advice))


def check_truth(source: str, n_volumes: int, *, problem: str, seconds: float) -> Check:
    """Say whether measured BOLD comes."""
    if n_volumes:
        found = f"{source}: {n_volumes} volumes in {seconds:g} s"
        return Check("measured BOLD", "ok", found)
    if problem:
        advice = "the session runs without it and goes on looking for it"
        return Check("measured BOLD", "warn", problem, advice)
    found = f"{source}: none came in {seconds:g} s"
    return Check("measured BOLD", "warn", found, NORMAL)
