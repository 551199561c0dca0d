"""``rtbold run``: one session, from the amplifier's stream to the subscribers."""

from typing import TYPE_CHECKING

import typer

from rtbold.cli.options import RequestedRun, takes_run_options

if TYPE_CHECKING:
    from rtbold.session import Session, SessionSummary

TERMINATED = 128 + 15  # as a shell reports SIGTERM


@takes_run_options
def run(asked: RequestedRun) -> None:
    r"""Run a session: EEG over LSL in, one BOLD prediction per TR out.

    Look before with `rtbold preflight` and the same options; `rtbold monitor` shows
    what goes out. Ctrl-C ends the session in order.

    Example:

        rtbold run --subject S01 --stream BrainVision \
            --trigger-stream BrainVision-Markers --trigger R128 --record recordings
    """
    import time

    from rtbold.acquire import LslClock
    from rtbold.bundle import default_root, newest
    from rtbold.cli.process import SessionLog
    from rtbold.session import open_session, raised_priority

    settings = asked.settings
    subject_root = asked.root or default_root()
    if settings.subject and not settings.model:
        typer.echo(f"model: {newest(subject_root, settings.subject)}", err=True)
    _end_in_order_on_signals()
    with (
        raised_priority() as priority,  # before the inlets start: they inherit it
        SessionLog() as log,
        open_session(
            settings,
            clock=LslClock(),
            now_unix_s=time.time,
            subject_root=subject_root,
        ) as session,
    ):
        _stop_on_signals(session)
        if session.recording is not None:
            log.write_beside(
                session.recording.paths.log, clean=session.discretion.entry
            )
        summary = session.run(settings.duration_s, priority=priority)
    typer.echo(_sentence(summary), err=True)
    if summary.shown:
        typer.echo(f"feedback: {summary.shown}", err=True)
    if summary.truth:
        typer.echo(summary.truth, err=True)
    if summary.recording_problem:
        from rtbold.errors import RtboldError

        raise RtboldError(f"the recording is not whole: {summary.recording_problem}")


def _end_in_order_on_signals() -> None:
    """Let a polite end during the start close what is open, and outlive a terminal."""
    import signal
    import sys

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    if hasattr(signal, "SIGHUP"):  # not on Windows
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _stop_on_signals(session: "Session") -> None:
    """End the session in order on Ctrl-C and on a polite end from outside."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: session.stop())


def _sentence(summary: "SessionSummary") -> str:
    counts = ", ".join(f"{n} {s}" for s, n in summary.n_by_status.most_common())
    return (
        f"{summary.n_volumes} volumes; predictions: {counts or 'none'}; "
        f"{summary.n_late} late; oldest at publication {summary.worst_age_ms:.0f} ms "
        "after its volume's trigger"
    )
