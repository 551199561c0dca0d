"""The verdict on one window: whether to predict from it, and what is wrong with it.

A pure function over a small set of facts. The pipeline fills in `WindowFacts` when a
prediction is due; `judge` turns it into a status, reasons, and the channels that are
to be interpolated. Lateness is added outside, by the session.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from rtbold.channel_quality import Amplitude, ChannelFlag
from rtbold.errors import ConfigError
from rtbold.messages import Reason, Status, worst

_ORDER: dict[Reason, int] = {reason: i for i, reason in enumerate(get_args(Reason))}


@dataclass(frozen=True)
class QualitySettings:
    """What a window may have wrong with it and still be predicted from."""

    max_interpolated_share: float = 0.25  # of the model's channels
    max_bridged_share: float = 0.02  # of the window's samples
    max_drift_s: float = 0.1  # time lost sample by sample inside the window
    max_rate_error: float = 0.002  # of the nominal rate; above: degraded
    max_stream_age_s: float = 3.0  # of the newest EEG sample when the TR is due
    max_stream_lead_s: float = 0.5  # stamps ahead of now: they are wrong
    max_trigger_age_s: float = 1.0  # of a trigger on arrival

    def __post_init__(self) -> None:
        for name in ("max_interpolated_share", "max_bridged_share", "max_rate_error"):
            if not 0 <= (share := getattr(self, name)) < 1:
                raise ConfigError(f"{name} is {share!r}, expected a share in [0, 1)")
        for name in (
            "max_drift_s",
            "max_stream_age_s",
            "max_stream_lead_s",
            "max_trigger_age_s",
        ):
            if not 0 < (seconds := getattr(self, name)):
                raise ConfigError(f"{name} is {seconds!r}, expected seconds above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFacts:
    """All that is known about one window when its prediction is due."""

    # The tick
    paused: tuple[Reason, ...] = ()  # Tick.paused: why nothing may be predicted

    # Is the window there?
    full: bool  # all 3200 samples before T_k are in the ring
    settled: bool  # filters and time base have settled since their last start
    warmed_up: bool  # a window was full and settled since this run began
    had_usable: bool  # an ok or degraded prediction was made since this run began

    # Time
    gap: bool = False  # a gap that was not bridged touches the window
    bridged_share: float = 0.0  # of the window's samples
    stamp_step: bool = False  # a step of the stamps lies in the window
    drift_s: float = 0.0  # SampleClock.drift_s over the window
    effective_rate_error: float = 0.0  # effective / nominal - 1
    rate_mismatch: bool = False  # stream came back at a rate that is not handled
    stream_age_s: float | None = None  # now - newest sample's time; None: no sample yet
    trigger_age_s: float | None = None  # arrival - stamp of the last trigger, if any

    # Channels, by the model's names
    n_model_channels: int
    bad: Mapping[str, frozenset[ChannelFlag]] = field(default_factory=dict)
    missing: frozenset[str] = frozenset()  # not in the stream, --interpolate given
    spatial_usable: bool = True  # SpatialPlan.usable: good channels and reference

    # The whole head
    amplitude: Amplitude = "unknown"  # ChannelMonitor.amplitude_between
    upstream_warming: bool = False  # cleaning software has not sent its start marker

    # Reasons that hold for the whole session: simulated_model, unvalidated,
    # domain_shift degrade; upstream_delay_unknown only informs.
    standing: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a prediction from this window is worth."""

    status: Status
    reasons: tuple[Reason, ...]  # each once, in the order of the closed list
    bad: frozenset[str]  # model channels to interpolate, the missing ones too

    @property
    def usable(self) -> bool:
        """Whether the engine may be asked at all."""
        return self.status in ("ok", "degraded")


_Finding = tuple[Status, Reason]


def judge(facts: WindowFacts, settings: QualitySettings | None = None) -> Verdict:
    """Return the verdict on one window: the worst of all findings, all reasons."""
    settings = settings or QualitySettings()
    findings = [
        *(("paused", reason) for reason in facts.paused),
        *_completeness(facts),
        *_timing(facts, settings),
        *_channels(facts, settings),
        *_amplitude(facts),
        *_standing(facts),
    ]
    return Verdict(
        status=worst(*(status for status, _ in findings)),
        reasons=in_order({reason for _, reason in findings}),
        bad=frozenset(facts.bad) | facts.missing,
    )


def in_order(reasons: set[Reason] | frozenset[Reason]) -> tuple[Reason, ...]:
    """Return reasons in the order of the closed list."""
    return tuple(sorted(reasons, key=_ORDER.__getitem__))


def _completeness(facts: WindowFacts) -> list[_Finding]:
    """Whether there is a window; a gap later on is no second warm-up."""
    if facts.full and facts.settled:
        return [("invalid", "gap")] if facts.gap else []
    if not facts.warmed_up:
        return [("warmup", "warmup")]
    return [("invalid", "gap" if facts.gap else "no_data")]


def _timing(facts: WindowFacts, settings: QualitySettings) -> list[_Finding]:
    found: list[_Finding] = []
    age_s = facts.stream_age_s
    if age_s is None or age_s > settings.max_stream_age_s:
        found.append(("invalid", "no_data"))
    elif age_s < -settings.max_stream_lead_s:
        found.append(("invalid", "stamp_step"))
    if (facts.trigger_age_s or 0.0) > settings.max_trigger_age_s:
        found.append(("invalid", "late"))
    if facts.bridged_share > settings.max_bridged_share:
        found += [("invalid", "gap"), ("invalid", "bridged")]
    elif facts.bridged_share > 0:
        found.append(("degraded", "bridged"))
    if abs(facts.drift_s) > settings.max_drift_s:
        found.append(("invalid", "gap"))
    if facts.stamp_step:
        found.append(("degraded", "stamp_step"))
    if facts.rate_mismatch:
        found.append(("invalid", "rate"))
    elif abs(facts.effective_rate_error) > settings.max_rate_error:
        found.append(("degraded", "rate"))
    return found


def _channels(facts: WindowFacts, settings: QualitySettings) -> list[_Finding]:
    n_bad = len(frozenset(facts.bad) | facts.missing)
    if n_bad == 0 and facts.spatial_usable:
        return []
    too_many = n_bad > settings.max_interpolated_share * facts.n_model_channels
    status: Status = "invalid" if too_many or not facts.spatial_usable else "degraded"
    reasons: set[Reason] = {"interpolated"}
    reasons.update(*facts.bad.values())
    if facts.missing:
        reasons.add("channel_missing")
    return [(status, reason) for reason in reasons]


def _amplitude(facts: WindowFacts) -> list[_Finding]:
    """Raw scanner artefact while the cleaning starts is warm-up; later it is invalid.

    Too small an amplitude is never warm-up: it is a wrong unit or a dead cap, and
    waiting does not mend it.
    """
    if facts.upstream_warming:
        return [("warmup", "warmup")]
    if facts.amplitude == "too_large" and not facts.had_usable:
        return [("warmup", "amplitude")]
    if facts.amplitude in ("too_large", "too_small"):
        return [("invalid", "amplitude")]
    return []


def _standing(facts: WindowFacts) -> list[_Finding]:
    informing = ("upstream_delay_unknown",)
    return [("ok" if r in informing else "degraded", r) for r in facts.standing]
