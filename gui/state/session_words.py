"""The session page in words: times, the TR, origin, the target, losses. Pure."""

from dataclasses import dataclass
from typing import Final, Literal

from msgspec import UNSET

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.headline import ShownValue
from rtbold.gui.state.received import FeedbackValue
from rtbold.gui.state.roi_traces import signed, trigger_step_ms
from rtbold.gui.state.words import run_kind_words, wall_words
from rtbold.publish import Hello, Phase, Quality

SHARP_MS = 0.5  # below, a trigger is on time
LAG_TOLD_MS = 100.0  # above, predictions are degraded


def stale_words(state: DashboardState, now_s: float) -> str:
    """Return what stands over plots whose data are old; empty: they are not."""
    headline = state.headline(now_s)
    if not headline.stale:
        return ""
    last = wall_words(state.fb.t_unix_ms if state.fb else None)
    return headline.word + (f"\nlast prediction {last}" if last else "")


@dataclass(frozen=True, slots=True)
class TrFacts:
    """Where the running volume is.

    Parameters
    ----------
    share : of the TR that has passed; above 1 the next one is overdue; None: unknown.
    volume, step, counts : in words; empty where nothing is known.
    """

    share: float | None = None
    volume: str = ""
    tr: str = ""
    step: str = ""
    counts: str = ""


def tr_facts(state: DashboardState, now_s: float) -> TrFacts:
    """Return what the TR clock shows at `now_s`."""
    fb = state.fb
    if fb is None:
        return TrFacts(counts=_counts(state))
    return TrFacts(
        _share(state, now_s),
        "" if fb.volume_index is None else str(fb.volume_index),
        f"TR {state.tr_s:.3g} s",
        _step(state) if fb.trigger_locked else "timed without a trigger",
        _counts(state),
    )


def _share(state: DashboardState, now_s: float) -> float | None:
    lsl_s, fb, trigger = state.lsl_now_s(now_s), state.fb, state.trigger
    if lsl_s is None or fb is None or fb.t_trigger is None:
        return None
    begun_s = fb.t_trigger
    if trigger is not None and trigger.kind == "volume":
        begun_s = max(begun_s, trigger.t_trigger)
    return max(0.0, (lsl_s - begun_s) / state.tr_s)


def _step(state: DashboardState) -> str:
    tr_s = state.hello.tr_s if state.hello else state.tr_s
    step_ms = trigger_step_ms(state.history.view(), tr_s)
    if step_ms is None:
        return ""
    if abs(step_ms) < SHARP_MS:
        return "trigger on time"
    side = "late" if step_ms > 0 else "early"
    return f"trigger {abs(step_ms):.0f} ms {side}"


def _counts(state: DashboardState) -> str:
    quality = state.quality
    if quality is None:
        return ""
    return f"{quality.n_triggers_missed} missed, {quality.n_triggers_double} double"


def loss_words(state: DashboardState) -> str:
    """Return what was dropped since the session began; empty: nothing."""
    beat, quality, link = state.beat, state.quality, state.link
    counts = (
        (beat.n_encode_errors if beat else 0, "messages not encoded"),
        (quality.n_overflow_samples if quality else 0, "samples dropped"),
        (quality.n_triggers_implausible if quality else 0, "triggers ignored"),
        (beat.n_refused if beat else 0, "connections or commands refused"),
        (beat.n_dropped if beat else 0, "messages dropped in its feed"),
        (link.n_dropped if link else 0, "messages dropped in this window"),
    )
    told = [f"{n} {what}" for n, what in counts if n]
    return ", ".join([*told, *_lag_words(quality)])


def _lag_words(quality: Quality | None) -> list[str]:
    """Say when the EEG comes, if that has changed: samples may be missing."""
    lag_ms = quality.stream_lag_ms if quality else UNSET
    usual_ms = quality.stream_lag_usual_ms if quality else UNSET
    if lag_ms is UNSET or usual_ms is UNSET or abs(lag_ms - usual_ms) < LAG_TOLD_MS:
        return []
    return [f"EEG that comes {lag_ms:.0f} ms after its time, usually {usual_ms:.0f} ms"]


# What must never be taken for real, and what predicts; in words.


def origin_words(state: DashboardState) -> str:
    """Return the line of the banner; empty: stream and model claim to be real."""
    hello, fb = state.hello, state.fb
    origin = fb.model_origin if fb else hello.model_origin if hello else ""
    reasons = fb.reasons if fb else ()
    simulated_eeg = hello is not None and hello.simulated_stream
    if simulated_eeg and origin == "simulated":
        return "SIMULATED EEG AND MODEL: nothing here comes from a brain"
    if simulated_eeg:
        return "SIMULATED EEG: nothing here comes from a brain"
    if origin == "simulated" or "simulated_model" in reasons:
        return "SIMULATED MODEL on real EEG: values mean nothing, apps get none"
    if "unvalidated" in reasons:
        return "UNVALIDATED: this model was not shown to predict this subject"
    return ""


def model_words(state: DashboardState) -> str:
    """Return what predicts, for whom, and by what; empty: the session has not said."""
    hello = state.hello
    if hello is None:
        return ""
    whose = f" for {hello.subject}" if hello.subject else ""
    engine = " ".join(part for part in (hello.engine, hello.precision) if part)
    by = f", {engine}" if engine else ""
    return f"Model {hello.model_name}{whose}{by}"


# What the target panel says: the value, its interval, and which BOLD it is.

NEUTRAL_WORDS: Final = "apps show their neutral screen"
NOTHING: Final = "\u2014"  # a dash that is wide enough to be seen


@dataclass(frozen=True, slots=True)
class TargetWords:
    """The lines of the panel."""

    kind: Literal["value", "hold", "neutral"] = "neutral"
    name: str = "target"
    mark: str = ""  # HELD, or why there is a dash
    value: str = NOTHING
    z: str = ""
    interval: str = ""
    volume: str = ""

    @property
    def spoken(self) -> str:
        """All of it in one line, for screen readers."""
        z = f"z {self.z}" if self.z else ""
        parts = (self.name, self.mark, self.value, z, self.interval, self.volume)
        return ", ".join(part for part in parts if part)


def target_words(state: DashboardState, now_s: float) -> TargetWords:
    """Return what to show at `now_s`."""
    shown, fb = state.value_now(now_s), state.fb
    name = fb.target if fb else state.hello.target if state.hello else "target"
    if shown.kind == "neutral":
        return TargetWords(
            name=name,
            mark="nothing may be shown",
            volume=NEUTRAL_WORDS,
        )
    mark = "HELD: the last value" if shown.kind == "hold" else ""
    if shown.kind == "value" and fb is not None and fb.clipped:
        mark = "clipped to its range"
    unseen = not_shown_words(state)
    return TargetWords(
        "hold" if unseen else shown.kind,
        name,
        unseen or mark,
        signed(shown.value),
        signed(shown.z),
        interval_words(shown),
        _under_value(state, fb) if fb is not None and shown.kind == "value" else "",
    )


def _under_value(state: DashboardState, fb: FeedbackValue) -> str:
    parts = (volume_words(state, fb), shown_words(fb), how_words(state.hello, fb))
    return "; ".join(part for part in parts if part)


def shown_words(fb: FeedbackValue) -> str:
    """Return what is shown of 0 to 1; empty: the session has no range."""
    if fb.shown is UNSET:
        return ""
    if fb.shown is None:
        return "shown: nothing"
    changed = ", limited" if fb.limited is True else ""
    reward = ", rewarded" if fb.reward is True else ""
    return f"shown {fb.shown:.2f}{changed}{reward}"


def how_words(hello: Hello | None, fb: FeedbackValue) -> str:
    """Return how the value was made; empty: as it always was, against the card."""
    if hello is None or hello.feedback is UNSET:
        return ""
    how = hello.feedback
    smooth = {
        "mean": f"mean of {how.smooth_n}, ",
        "exponential": f"smoothed over {how.smooth_s:g} s, ",
    }.get(how.smooth, "")
    what = "percentile" if how.normalise == "percentile" else "z"
    return f"{smooth}{what} of {fb.norm.baseline!r}, {fb.norm.n} volumes"


def run_type_words(phase: Phase) -> str:
    """Return the kind of the run; one of a newer publisher is named as it came."""
    return run_kind_words(phase.run_type if phase.kind is UNSET else phase.kind)


def not_shown_words(state: DashboardState) -> str:
    """Return why the participant sees none of it; empty: the run shows feedback."""
    if state.run_shows:
        return ""
    if state.phase is None:
        return "NOT SHOWN: the run's kind is not known"
    if state.phase.name == "end":
        return "NOT SHOWN: the run is over"
    if state.phase.stopped is True:
        return "NOT SHOWN: the participant has stopped"
    if state.phase.kind == "training":
        where = f"block {state.phase.name}" if state.phase.block else "before the run"
        return f"NOT SHOWN: {where}"
    return f"NOT SHOWN: {run_type_words(state.phase)} run"


def phase_words(phase: Phase) -> str:
    """Return which run and block it is, and whether feedback is shown in it."""
    again = f", attempt {phase.attempt}" if phase.attempt not in (UNSET, 1) else ""
    run = f"Run {phase.run} ({run_type_words(phase)}{again})"
    shows = "" if phase.run_type == "train" else ": no feedback is shown"
    if phase.stopped is True:
        shows = ": THE PARTICIPANT HAS STOPPED"
    return run + _block_words(phase) + shows


def _block_words(phase: Phase) -> str:
    if not phase.block:
        return {"end": ", over", "waiting": ", waits for its first volume"}.get(
            phase.name, ""
        )
    number = f"{phase.block} of {phase.n_blocks}" if phase.n_blocks else phase.block
    told = not phase.direction or phase.direction in phase.name.casefold().split()
    way = "" if told else f", {phase.direction}"
    return f", block {number}: {phase.name}{way}"


def interval_words(shown: ShownValue) -> str:
    """Return where the measured BOLD is expected, in words."""
    found = []
    for share, low, high in (
        ("80 %", shown.low_80, shown.high_80),
        ("95 %", shown.low, shown.high),
    ):
        if low is not None and high is not None:
            found.append(f"{share}: {signed(low)} to {signed(high)}")
    return "   ".join(found) or "no interval: the model's card has none, or not now"


def volume_words(state: DashboardState, fb: FeedbackValue) -> str:
    """Return which volume's BOLD the value is."""
    if fb.volume_index is None:
        return "of no volume"
    free = "" if fb.trigger_locked else " (timed without a trigger)"
    if fb.horizon_tr == 0:
        return f"BOLD of volume {fb.volume_index}, from the EEG before it{free}"
    ahead_s = fb.horizon_tr * state.tr_s
    volume = fb.volume_index + fb.horizon_tr
    return (
        f"BOLD of volume {volume}, {ahead_s:.1f} s from volume {fb.volume_index}{free}"
    )
