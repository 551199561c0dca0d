"""Status of a prediction, and its reasons in order: decided here and nowhere else.

Pure. Each stage of a prediction adds what it found out, a *fact*: the pipeline what it
knows of the tick and its window, the engine that it failed, the session that the
prediction is late, the feedback that its baseline is short. `status_of` turns the first
facts into a status and reasons, `with_facts` adds a later one. A paused tick, a bad
channel and what holds for the whole session name their reason where it is found out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, get_args

import numpy as np

from rtbold.acquire import OTHER_RATE
from rtbold.condition import LAG_TOLERANCE_S, Amplitude, ChannelFlag
from rtbold.errors import ConfigError
from rtbold.messages import INFORMING, WINDOW_S, BoldPrediction, Reason, Status, worst

_ORDER: dict[Reason, int] = {reason: i for i, reason in enumerate(get_args(Reason))}
Misfit = Literal["channels", "rate"]  # why the model cannot use the stream
LaterFact = Literal[
    "engine_failed", "unlike", "long_unlike", "tense", "late", "no_values",
    "not_finite", "simulated_fed_back", "muscle_fed_back", "baseline_short",
    "baseline_missing", "smoothing", "nothing_given", "unapproved",
]  # fmt: skip


@dataclass(frozen=True)
class QualitySettings:
    """What a window may have wrong with it and still be predicted from."""

    max_interpolated_share: float = 0.25  # of the model's channels
    max_bridged_share: float = 0.02  # of the window's samples
    # What filters make of their start moves a value so long; 0: as in sessions that
    # were recorded before this was looked at.
    filters_begin_s: float = 0.0
    max_drift_s: float = 0.1  # time lost sample by sample inside the window
    max_rate_error: float = 0.002  # of the nominal rate; above: degraded
    max_wander_s: float = 0.02  # of stamps against count in a window; above: degraded
    max_newest_off_s: float = 0.012  # of the newest stamps; above: degraded
    max_stream_age_s: float = 3.0  # of the newest EEG sample when the TR is due
    max_stream_lead_s: float = 0.1  # of samples before their own time: wrong stamps
    max_trigger_age_s: float = 1.0  # of a trigger on arrival
    stream_lead_tolerance_s: float = 0.05  # clocks agree to 1 ms; above: degraded
    lag_tolerance_s: float = LAG_TOLERANCE_S  # of the usual lag; above: degraded
    max_lag_change_s: float = 1.0  # later samples are not waited for anyhow
    max_lag_change_tr: float = 0.5  # beyond it the window is nearer to another volume's

    def __post_init__(self) -> None:
        for name in ("max_interpolated_share", "max_bridged_share", "max_rate_error"):
            if not 0 <= (share := getattr(self, name)) < 1:
                raise ConfigError(f"{name} is {share!r}, expected a share in [0, 1)")
        if not 0 <= self.filters_begin_s < WINDOW_S:
            raise ConfigError(
                f"filters_begin_s is {self.filters_begin_s!r}, expected 0 s to "
                "less than a window"
            )
        for name in (
            "max_drift_s",
            "max_wander_s",
            "max_newest_off_s",
            "max_stream_age_s",
            "max_stream_lead_s",
            "max_trigger_age_s",
            "stream_lead_tolerance_s",
            "lag_tolerance_s",
            "max_lag_change_s",
            "max_lag_change_tr",
        ):
            if not 0 < (seconds := getattr(self, name)):
                raise ConfigError(f"{name} is {seconds!r}, expected seconds above 0")


@dataclass(frozen=True, slots=True)
class Pause:
    """A tick for which nothing may be predicted: nothing else is looked at."""

    reasons: tuple[Reason, ...]  # Tick.paused


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWindow:
    """A tick whose samples did not come in time."""

    misfit: Misfit | None  # why none can come; None: the stream fits
    warmed_up: bool  # a window was full and settled since this run began
    standing: tuple[Reason, ...]  # as in `WindowFacts`


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFacts:
    """All that is known about one window when its prediction is due.

    No field has a default: whoever asks for a status has looked at everything.
    """

    # Is the window there?
    full: bool  # all 3200 samples before T_k are in the ring, and of this run
    settled: bool  # filters and time base have settled since their last start
    warmed_up: bool  # a window was full and settled since this run began
    had_usable: bool  # an ok or degraded prediction was made since this run began

    # Time
    gap: bool  # a gap that was not bridged touches the window
    restarted: bool  # the filters have started more than once
    begins_s: float  # its first sample, after the filters started
    bridged_share: float  # of the window's samples
    stamp_step: bool  # a step of the stamps lies in the window
    drift_s: float  # SampleClock.drift_s over the window
    effective_rate_error: float  # effective / nominal - 1
    wander_s: float  # by how much stamps and count move apart within the window
    newest_off_s: float  # by how much the stamps at its end are off the clock's line
    short_gap: bool  # 50 to 100 ms are missing in it, not filled in
    repeated: bool  # old samples were sent again
    stream_age_s: float | None  # now - newest sample's time; None: no sample yet
    stream_lead_s: float  # by how much samples came before they were taken
    lag_change_s: float  # LagWatch.change_s; positive: arrivals became later
    tr_s: float  # of the session
    trigger_age_s: float | None  # arrival - stamp of the last trigger, if any
    without_triggers: bool  # more volumes in a row than may be bridged had none in time

    # Channels, by the model's names
    n_model_channels: int
    bad: Mapping[str, frozenset[ChannelFlag]]
    missing: frozenset[str]  # not in the stream, --interpolate given
    spatial_usable: bool  # SpatialPlan.usable: good channels and reference

    # The whole head
    amplitude: Amplitude  # ChannelMonitor.amplitude_between

    # Reasons that hold for the whole session: simulated_model, unvalidated,
    # domain_shift degrade; upstream_delay_unknown only informs.
    standing: tuple[Reason, ...]


class StatusReasons(NamedTuple):
    """What a prediction is worth, and why."""

    status: Status
    reasons: tuple[Reason, ...]  # each once, in the order of the closed list

    @property
    def usable(self) -> bool:
        """Whether there may be a value at all."""
        return self.status in ("ok", "degraded")


_Finding = tuple[Status, Reason]
_LATER: Final[dict[LaterFact, _Finding]] = {
    "engine_failed": ("invalid", "nonfinite"),
    "unlike": ("degraded", "unlike_calibration"),
    "long_unlike": ("invalid", "unlike_calibration"),
    "tense": ("degraded", "muscle"),
    "late": ("degraded", "late"),
    "no_values": ("invalid", "no_data"),
    "not_finite": ("invalid", "nonfinite"),
    "simulated_fed_back": ("invalid", "simulated_model"),
    "muscle_fed_back": ("invalid", "muscle"),
    "baseline_short": ("degraded", "short_baseline"),
    "baseline_missing": ("warmup", "short_baseline"),
    "smoothing": ("warmup", "warmup"),  # it has not enough behind it
    "nothing_given": ("warmup", "warmup"),  # an arm of a blinded study has none yet
    "unapproved": ("invalid", "unvalidated"),
}


def status_of(
    facts: Pause | NoWindow | WindowFacts, settings: QualitySettings | None = None
) -> StatusReasons:
    """Return the status of a tick: the worst of all findings, with all reasons."""
    match facts:
        case Pause(reasons):
            return _worst_of([("paused", reason) for reason in reasons])
        case NoWindow():
            return _worst_of([*_absence(facts), *_standing(facts.standing)])
        case WindowFacts():
            return _worst_of(_findings(facts, settings or QualitySettings()))


def with_facts(before: StatusReasons, *facts: LaterFact) -> StatusReasons:
    """Return the status once later facts are known; none makes it better."""
    known: list[_Finding] = [(before.status, reason) for reason in before.reasons]
    later = [_LATER[fact] for fact in facts]
    return _worst_of([*known, *later], at_best=before.status)


def with_fact(prediction: BoldPrediction, fact: LaterFact) -> BoldPrediction:
    """Return the prediction with a fact added; without values if it is unusable."""
    status = with_facts(StatusReasons(prediction.status, prediction.reasons), fact)
    return replace(
        prediction,
        status=status.status,
        reasons=status.reasons,
        values=prediction.values if status.usable else None,
    )


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return reasons once each, in the order of the closed list."""
    return tuple(sorted(set(reasons), key=_ORDER.__getitem__))


def _worst_of(findings: list[_Finding], at_best: Status = "ok") -> StatusReasons:
    return StatusReasons(
        worst(at_best, *(status for status, _ in findings)),
        in_order(reason for _, reason in findings),
    )


def _absence(facts: NoWindow) -> list[_Finding]:
    """Before the first window it is warm-up; a stream that does not fit says why."""
    status: Status = "invalid" if facts.warmed_up else "warmup"
    reason: dict[Misfit | None, Reason] = {
        None: "no_data",
        "channels": "channel_missing",
        "rate": "rate",
    }
    return [(status, reason[facts.misfit])]


def _findings(facts: WindowFacts, settings: QualitySettings) -> list[_Finding]:
    return [
        *_completeness(facts, settings),
        *_timing(facts, settings),
        *_other_rate(facts),
        *_channels(facts, settings),
        *_amplitude(facts),
        *_standing(facts.standing),
    ]


def _completeness(facts: WindowFacts, settings: QualitySettings) -> list[_Finding]:
    """Whether there is a window; a gap later on is no second warm-up."""
    if facts.full and facts.settled:
        if facts.gap:
            return [("invalid", "gap")]
        fresh = facts.begins_s < settings.filters_begin_s
        return [("degraded", "gap" if facts.restarted else "warmup")] if fresh else []
    if not facts.warmed_up:
        return [("warmup", "warmup")]
    return [("invalid", "gap" if facts.gap else "no_data")]


def _timing(facts: WindowFacts, settings: QualitySettings) -> list[_Finding]:
    found: list[_Finding] = []
    age_s = facts.stream_age_s
    if age_s is None or age_s > settings.max_stream_age_s:
        found.append(("invalid", "no_data"))
    if facts.repeated:
        found.append(("invalid", "no_data"))
    found += _arrivals(facts, settings)
    if (facts.trigger_age_s or 0.0) > settings.max_trigger_age_s:
        found.append(("invalid", "late"))
    elif facts.without_triggers:
        found.append(("degraded", "late"))
    if facts.bridged_share > settings.max_bridged_share:
        found += [("invalid", "gap"), ("invalid", "bridged")]
    elif facts.bridged_share > 0 or facts.short_gap:
        found.append(("degraded", "bridged"))
    if abs(facts.drift_s) > settings.max_drift_s:
        found.append(("invalid", "gap"))
    if facts.stamp_step:
        found.append(("degraded", "stamp_step"))
    if _off_rate(facts, settings):
        found.append(("degraded", "rate"))
    return found


def _off_rate(facts: WindowFacts, settings: QualitySettings) -> bool:
    """Whether the rate is another one: of the newest seconds, within the window, now.

    The first is a line through ten seconds. It needs some of them to see a loss that
    has begun, and forgets one sooner than the window does.
    """
    return (
        abs(facts.effective_rate_error) > settings.max_rate_error
        or facts.wander_s > settings.max_wander_s
        or facts.newest_off_s > settings.max_newest_off_s
    )


def _other_rate(facts: WindowFacts) -> list[_Finding]:
    """Whether the stream declares quite another rate than it has; no wait mends it."""
    other = abs(facts.effective_rate_error) > OTHER_RATE
    return [("invalid", "rate")] if other else []


def _arrivals(facts: WindowFacts, settings: QualitySettings) -> list[_Finding]:
    """Whether samples came when their times say, as far as arrivals are known."""
    change_s = abs(facts.lag_change_s)
    most_s = min(settings.max_lag_change_s, settings.max_lag_change_tr * facts.tr_s)
    if change_s > most_s or facts.stream_lead_s > settings.max_stream_lead_s:
        return [("invalid", "lag")]
    degraded = change_s > settings.lag_tolerance_s
    degraded |= facts.stream_lead_s > settings.stream_lead_tolerance_s
    return [("degraded", "lag")] if degraded else []


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
    if facts.amplitude == "too_large" and not facts.had_usable:
        return [("warmup", "amplitude")]
    if facts.amplitude in ("too_large", "too_small"):
        return [("invalid", "amplitude")]
    return []


def _standing(reasons: Iterable[Reason]) -> list[_Finding]:
    return [("ok" if r in INFORMING else "degraded", r) for r in reasons]


def marked_late(prediction: BoldPrediction, now_s: float) -> BoldPrediction:
    """Return the prediction as late if the next one is due already."""
    if prediction.next_due_s is None or now_s <= prediction.next_due_s:
        return prediction
    if prediction.status == "paused":  # nothing was computed that could be late
        return prediction
    return with_fact(prediction, "late")


def checked_status(prediction: BoldPrediction) -> StatusReasons:
    """Return status and reasons; invalid if a value is missing or not finite."""
    known = StatusReasons(prediction.status, prediction.reasons)
    if not prediction.usable:
        return known
    if prediction.values is None:
        return with_facts(known, "no_values")
    if not np.isfinite(prediction.values).all():
        return with_facts(known, "not_finite")
    return known
