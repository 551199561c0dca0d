"""``rtbold run``: one session, from the amplifier's stream to the subscribers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli import options

if TYPE_CHECKING:
    from rtbold.session import Session
    from rtbold.session_state import SessionSummary

TERMINATED = 128 + 15  # as a shell reports SIGTERM


def run(
    model: Annotated[
        str | None, typer.Option(help="Bundle: a path, or a name (`models list`).")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Use the newest model of this subject.")
    ] = None,
    root: options.SubjectRoot = None,
    stream: Annotated[str | None, typer.Option(help="Name of the EEG stream.")] = None,
    host: Annotated[
        str | None, typer.Option(help="Computer that sends it, if two have one.")
    ] = None,
    type_: Annotated[
        str | None, typer.Option("--type", help="LSL type of the EEG stream [EEG].")
    ] = None,
    wait: Annotated[
        float | None, typer.Option(help="Seconds to wait for the streams [5].")
    ] = None,
    unit: options.Unit = None,
    reference: options.Reference = None,
    interpolate: options.Interpolate = None,
    trigger_stream: Annotated[
        str | None, typer.Option(help="Name of the marker stream of the scanner.")
    ] = None,
    trigger: options.Trigger = None,
    trigger_channel: Annotated[
        str | None, typer.Option(help="Trigger channel inside the EEG stream.")
    ] = None,
    trigger_every: Annotated[
        int | None, typer.Option(help="Triggers per volume, for slice triggers [1].")
    ] = None,
    dummy_volumes: options.DummyVolumes = None,
    upstream_delay_ms: options.UpstreamDelay = None,
    cleaning: options.Cleaning = None,
    scanner: options.Scanner = None,
    tr: options.Tr = None,
    target: Annotated[
        str | None, typer.Option(help="ROI that is fed back [the card's first].")
    ] = None,
    engine: options.EngineChoice = None,
    precision: options.PrecisionChoice = None,
    bind: Annotated[
        str | None, typer.Option(help="Address to publish on [127.0.0.1].")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the feed [5580].")] = None,
    control_port: Annotated[
        int | None, typer.Option(help="Port of the control socket [5581].")
    ] = None,
    curve_keys: Annotated[
        Path | None, typer.Option(help="Folder of CURVE keys, needed beyond loopback.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="json or msgpack [json].")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(help="Folder to record into (XDF and event log).")
    ] = None,
    truth: Annotated[
        str | None,
        typer.Option(
            help="Measured BOLD: lsl:NAME, file:PATH, tcp:HOST:PORT, tbv:HOST:PORT."
        ),
    ] = None,
    truth_roi: Annotated[
        list[str] | None,
        typer.Option(help="ROI names of a source that sends numbers; repeatable."),
    ] = None,
    truth_first: Annotated[
        int | None,
        typer.Option(help="Number that the source gives to volume 0 [0]."),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(help="Seconds to run; without: until stopped.")
    ] = None,
    allow_unvalidated: options.AllowUnvalidated = None,
    allow_simulated_model: options.AllowSimulatedModel = None,
    allow_domain_shift: options.AllowDomainShift = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML with the same names; options go over it.")
    ] = None,
) -> None:
    """Run a session: EEG over LSL in, one BOLD prediction per TR out.

    Example: rtbold run --model S01 --stream BrainVision --trigger-stream
    BrainVision-Markers --trigger R128 --record recordings
    """
    from rtbold.config import RunSettings

    given = dict(
        model=model, subject=subject, stream=stream, host=host, type=type_,
        wait_s=wait, unit=unit, reference=reference, interpolate=interpolate,
        trigger_stream=trigger_stream, trigger=trigger,
        trigger_channel=trigger_channel, trigger_every=trigger_every,
        dummy_volumes=dummy_volumes, upstream_delay_ms=upstream_delay_ms, tr_s=tr,
        cleaning=cleaning, scanner=scanner,
        target=target, engine=engine, precision=precision, bind=bind, port=port,
        control_port=control_port, curve_keys=curve_keys, encoding=encoding,
        record=record, truth=truth, truth_roi=tuple(truth_roi) if truth_roi else None,
        truth_first=truth_first,
        duration_s=duration, allow_unvalidated=allow_unvalidated,
        allow_simulated_model=allow_simulated_model,
        allow_domain_shift=allow_domain_shift,
    )  # fmt: skip
    settings = RunSettings.build(given, config)

    import time

    from rtbold.cli.session_log import SessionLog
    from rtbold.io.lsl_clock import LslClock
    from rtbold.session_open import open_session
    from rtbold.subjects import default_root, newest

    subject_root = root or default_root()
    if settings.subject and not settings.model:
        typer.echo(f"model: {newest(subject_root, settings.subject)}", err=True)
    _end_in_order_on_signals()
    with (
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
            log.write_beside(session.recording.paths.log)
        summary = session.run(settings.duration_s)
    typer.echo(_sentence(summary), err=True)
    if summary.truth:
        typer.echo(summary.truth, err=True)
    if summary.recording_problem:
        from rtbold.errors import RtboldError

        raise RtboldError(f"the recording is not whole: {summary.recording_problem}.")


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
