"""Which commands can work now, and why not; what closing the window means. Pure."""

import math
from dataclasses import dataclass
from typing import Literal

from rtbold.gui.state.dashboard import DashboardState

NO_CONTROL = "This session has no control socket; stop it where it was started."


@dataclass(frozen=True, slots=True)
class CommandRules:
    """Why each command cannot be given; empty: it can."""

    start: str = ""
    pause: str = ""
    stop: str = ""
    mark: str = ""
    note: str = ""
    alpha: str = ""
    participant_stop: str = ""
    adverse_event: str = ""
    resumes: bool = False  # operator or participant stopped it, so the button resumes


def command_rules(
    state: DashboardState, now_s: float, *, has_control: bool, next_run: str
) -> CommandRules:
    """Return which commands can work.

    Parameters
    ----------
    has_control : whether commands have an address.
    next_run : the run that Start would start, in words; empty: none is planned.
    """
    deaf = _deaf(state, now_s, has_control=has_control)
    start = "" if next_run else "Plan a run on the set-up page first."
    if not deaf or _speaks(state, now_s):
        start = "A session runs. Stop it before the next run."
    return CommandRules(
        start=start,
        pause=deaf,
        stop=deaf,
        mark=deaf,
        note=deaf,
        alpha=deaf or _no_bands(state),
        participant_stop=deaf,
        adverse_event=deaf,
        resumes=_resumes(state),
    )


def _resumes(state: DashboardState) -> bool:
    """Return whether the operator paused; lost triggers pause too and do not resume.

    Or whether the participant has stopped, which a resume takes back.
    """
    if state.phase is not None and state.phase.stopped is True:
        return True
    if state.beat is None or state.beat.state != "paused":
        return False
    fb = state.fb
    return fb is None or fb.status != "paused" or "operator_pause" in fb.reasons


def _deaf(state: DashboardState, now_s: float, *, has_control: bool) -> str:
    """Return why no command reaches a session; empty: one listens."""
    if not _speaks(state, now_s):
        return "No session is heard."
    return "" if has_control else NO_CONTROL


def _speaks(state: DashboardState, now_s: float) -> bool:
    return state.headline(now_s).level != "none" and state.link is not None


def _no_bands(state: DashboardState) -> str:
    if state.hello is None:
        return "The session has not said yet which channels it has."
    if state.bands is None:
        return "No band powers have come yet: EEG must flow first."
    return ""


# What closing the window means for the session, and waiting for a session to end.

Choice = Literal["leave", "stop", "cancel"]
Waiting = Literal["waiting", "ended", "late"]
PATIENCE_S = 5.0


def question(*, own: bool, here: bool) -> str:
    """Return what the operator is asked.

    Parameters
    ----------
    own : the session was started from this window.
    here : it runs on this machine.
    """
    who = "that you started here" if own else "that you joined"
    where = "" if here else ", on another machine,"
    return (
        f"The session {who}{where} is still running. Closing the dashboard only closes "
        "this view (and the participant window): the session goes on, and you can join "
        "it again."
    )


@dataclass(slots=True)
class ClosingWait:
    """Waits for a session that was asked to stop.

    Parameters
    ----------
    asked_s : when, on the caller's monotonic clock.
    """

    asked_s: float
    patience_s: float = PATIENCE_S

    def stage(self, now_s: float, *, bye: bool, exited: bool) -> Waiting:
        """Return whether the session has ended, or has taken too long."""
        if bye or exited:
            return "ended"
        return "late" if now_s - self.asked_s > self.patience_s else "waiting"

    def seconds_left(self, now_s: float) -> int:
        """Return the whole seconds until patience ends."""
        return max(0, math.ceil(self.asked_s + self.patience_s - now_s))
