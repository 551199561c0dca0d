"""What closing the window means for the session, and waiting for a session to end."""

import math
from dataclasses import dataclass
from typing import Literal

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
class Farewell:
    """Waits for a session that was asked to stop.

    Parameters
    ----------
    asked_s : when, on the caller's monotonic clock.
    """

    asked_s: float
    patience_s: float = PATIENCE_S

    def judge(self, now_s: float, *, bye: bool, exited: bool) -> Waiting:
        """Return whether the session has ended, or has taken too long."""
        if bye or exited:
            return "ended"
        return "late" if now_s - self.asked_s > self.patience_s else "waiting"

    def seconds_left(self, now_s: float) -> int:
        """Return the whole seconds until patience ends."""
        return max(0, math.ceil(self.asked_s + self.patience_s - now_s))
