"""What the rehearsal page says beside its verdict. Pure."""

from rtbold.gui.state.changes import changed_words
from rtbold.gui.state.rehearsal import Rehearsal
from rtbold.gui.state.runs import duration_words

NOTHING_YET = (
    "A rehearsal runs the real path for some minutes: streams, triggers, model, "
    "recording, feed. Choose everything on the Set-up page and press Rehearse there."
)


def left_words(rehearsal: Rehearsal) -> str:
    """Return its stage and the time that is left."""
    if rehearsal.remaining_s is None:
        return f"{rehearsal.stage or 'starting'} …"
    return f"{rehearsal.stage}: {duration_words(rehearsal.remaining_s)} left"


def why_words(rehearsal: Rehearsal) -> str:
    """Return what is behind the verdict."""
    if rehearsal.problem:
        return f"It ended without a verdict, so it is no GO: {rehearsal.problem}"
    if rehearsal.verdict == "go" and not rehearsal.why:
        return _go_words(rehearsal)
    if rehearsal.verdict:
        return "\n".join(f"• {each}" for each in rehearsal.why)
    return "" if rehearsal.running else NOTHING_YET


def stale_words(rehearsal: Rehearsal, now: object, *, begun_at: str) -> str:
    """Return that these are not the settings of now, and what to do."""
    changed = changed_words(rehearsal.made_for, now)
    if rehearsal.running:
        return f"You changed {changed} since it began: it rehearses what was before."
    return (
        f"You changed {changed} since this rehearsal of {begun_at}: it says nothing of "
        "the settings of now. Rehearse again from the Set-up page. What it found is "
        "below, in grey; it counts again if you change back."
    )


def _go_words(rehearsal: Rehearsal) -> str:
    """Return what a GO means; what was not rehearsed is not said to have worked."""
    look = dict.fromkeys(c.name for c in rehearsal.checks if c.state != "ok")
    if not look:
        return "Everything that a session needs worked for the whole rehearsal."
    return f"Nothing failed. Not rehearsed, or to be looked at: {', '.join(look)}."
