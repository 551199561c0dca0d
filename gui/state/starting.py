"""Whether the run that is marked may be started now. Pure."""

from collections.abc import Sequence

from rtbold.gui.state.checks import Checks, may_start
from rtbold.gui.state.runs import Run


def hindrance(
    run: Run | None,
    checks: Checks,
    *,
    wanted: object,
    missing: Sequence[str] = (),
    running: Run | None = None,
    heard: bool = False,
    rehearsing: bool = False,
) -> str:
    """Return why `run` cannot be started, and what to do; empty: it can.

    Parameters
    ----------
    run : the one that is marked; None: it was started before, or none is.
    wanted : settings of now; `checks` must have been made for them.
    missing : what was not chosen yet.
    running : the run of this plan that is under way.
    heard : a session lives on the feed that this window shows, whoever started it.
    rehearsing : a rehearsal has the streams and the ports.
    """
    if running is not None:
        return f"Run {running.number} is running. Stop it on the Session page first."
    if rehearsing:
        return "A rehearsal is running. Wait for its end, or stop it there."
    if heard:
        return "A session runs already on the feed that this window shows."
    if missing:
        return f"Still missing: {', '.join(missing)}."
    if run is None:
        return "Mark a run that was not started yet, or add one."
    return may_start(checks, wanted)
