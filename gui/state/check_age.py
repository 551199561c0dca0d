"""How old a check is, and whether it is still one of these settings. Pure."""

from dataclasses import dataclass
from typing import Literal

from rtbold.gui.state.changes import changed_words
from rtbold.gui.state.checks import Checks
from rtbold.gui.state.session_words import wall_words

AgeLevel = Literal["none", "fresh", "old", "changed"]
OLD_S = 600.0  # cables, electrodes and other programs have had their time


@dataclass(frozen=True, slots=True)
class CheckAge:
    """What is said of it; empty words: there is nothing to say."""

    level: AgeLevel = "none"
    words: str = ""


def age_of(checks: Checks, wanted: object, now_unix_s: float) -> CheckAge:
    """Return the age of a check.

    Parameters
    ----------
    wanted : settings of now.
    now_unix_s : time of day; a machine that slept has no other clock that went on.
    """
    if checks.stale(wanted):
        what = changed_words(checks.made_for, wanted)
        words = f"▲ Not checked since you changed {what}. Check again before Start."
        return CheckAge("changed", words)
    done_s = checks.done_unix_s
    if done_s is None or checks.ready is None:
        return CheckAge()
    age_s, at = now_unix_s - done_s, wall_words(1000 * done_s)
    if age_s < 0:
        return CheckAge("old", f"▲ Checked {at}, but the clock was set back since.")
    if age_s < OLD_S:
        return CheckAge("fresh", f"Checked {at} ({ago_words(age_s)}).")
    words = f"▲ Checked {at} ({ago_words(age_s)}): that is old. Better check again."
    return CheckAge("old", words)


def ago_words(age_s: float) -> str:
    """Return an age in words, in whole minutes."""
    hours, minutes = divmod(int(age_s // 60), 60)
    if hours:
        return f"{hours} h {minutes} min ago"
    return f"{minutes} min ago" if minutes else "less than a minute ago"
