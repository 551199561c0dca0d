"""Times in words: of the wall, of the last value, of a TR that runs. Pure."""

import math
from dataclasses import dataclass
from datetime import datetime

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.roi_traces import trigger_step_ms

SHARP_MS = 0.5  # below, a trigger is on time


def wall_words(t_unix_ms: float | None) -> str:
    """Return hours, minutes and seconds at this computer's place; empty for None."""
    if t_unix_ms is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(t_unix_ms / 1000):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return ""


def span_words(seconds: float) -> str:
    """Return minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(max(0, math.floor(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
