"""``rtbold replay``: a recording through the live pipeline, as fast as it goes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtbold.bundle import Bundle
    from rtbold.config import RunSettings
    from rtbold.engine import Engine
    from rtbold.messages import BoldPrediction
    from rtbold.predict import Model
    from rtbold.record import Loss

MOST_LOSSES = 10  # that are told one by one


@dataclass(frozen=True, slots=True)
class XdfStreams:
    """Which streams of an XDF are meant, by name; None: the only ones."""

    eeg: str | None = None
    markers: str | None = None


def replay(
    file: Annotated[Path, typer.Argument(help="The recording.")],
    model: Annotated[str, typer.Option(help="Bundle: a path or a name.")],
    out: Annotated[Path, typer.Option(help="TSV to write, one row per prediction.")],
    trigger: options.Trigger = None,
    tr: options.Tr = None,
    dummy_volumes: options.DummyVolumes = None,
    upstream_delay_ms: options.UpstreamDelay = None,
    cleaning: options.Cleaning = None,
    scanner: options.Scanner = None,
    unit: options.Unit = None,
    reference: options.Reference = None,
    interpolate: options.Interpolate = None,
    engine: options.EngineChoice = None,
    precision: options.PrecisionChoice = None,
    stream: Annotated[
        str | None, typer.Option(help="Which EEG stream of an XDF, by name.")
    ] = None,
    trigger_stream: Annotated[
        str | None, typer.Option(help="Which marker stream of an XDF, by name.")
    ] = None,
    allow_unvalidated: options.AllowUnvalidated = None,
    allow_simulated_model: options.AllowSimulatedModel = None,
    allow_domain_shift: options.AllowDomainShift = None,
) -> None:
    """Compute the predictions of a recording with the live session's own pipeline.

    A session recorded by ``rtbold run --record`` gives its published numbers again, to
    the last bit, with the settings and the engine that it had, unless others are asked
    for. What is missing in its recording is told and left out: from there on numbers
    may differ. Nothing published is read; `rtbold verify` compares with that.

    Example: rtbold replay rest.vhdr --model demo --trigger R128 --out bold.tsv
    """
    from rtbold.bundle import default_root, load
    from rtbold.config import RunSettings
    from rtbold.files import check_folder, write_predictions_tsv

    given = dict(
        model=model, trigger=trigger, tr_s=tr, dummy_volumes=dummy_volumes,
        upstream_delay_ms=upstream_delay_ms, unit=unit, reference=reference,
        interpolate=interpolate, engine=engine, precision=precision,
        allow_unvalidated=allow_unvalidated,
        allow_simulated_model=allow_simulated_model, cleaning=cleaning,
        scanner=scanner, allow_domain_shift=allow_domain_shift,
    )  # fmt: skip
    settings = RunSettings.build(given)
    check_folder(out)  # before the work, which takes a while
    bundle = load(model, subject_root=default_root())
    opened = _open_as_recorded(file, bundle, engine=engine, precision=precision)
    streams = XdfStreams(stream, trigger_stream)
    made = list(predictions(file, bundle, opened, settings, streams))
    write_predictions_tsv(out, made, bundle.card.rois)
    n_usable = sum(p.values is not None for p in made)
    typer.echo(f"{len(made)} predictions, {n_usable} with values, in {out}")


def _open_as_recorded(
    file: Path, bundle: "Bundle", *, engine: str | None, precision: str | None
) -> "Engine":
    """Open the engine that was asked for; by default the recorded session's."""
    from rtbold.engine import N_THREADS, open_engine, used
    from rtbold.session import recorded_engine

    recorded = recorded_engine(file)
    n_threads = recorded.n_threads if recorded else N_THREADS
    opened = open_engine(
        bundle,
        engine=engine or (recorded.name if recorded else "auto"),
        precision=precision or (recorded.precision if recorded else "f32"),
        n_threads=n_threads,
    )
    now = used(opened, n_threads=n_threads)
    if recorded is not None and now != recorded:
        differs = str(now) != str(recorded)
        what = f"{recorded}, this is {now}" if differs else f"another file of {now}"
        typer.echo(
            f"note: the session ran {what}: its published numbers will not come out "
            "again to the last bit",
            err=True,
        )
    return opened


def predictions(
    file: Path,
    bundle: "Bundle",
    model: "Model",
    run: "RunSettings",
    streams: XdfStreams | None = None,
) -> "Iterator[BoldPrediction]":
    """Yield the predictions of any recording; one of ours by its own settings."""
    from rtbold import session as core

    session = core.recorded_session(file, tell=_say_loss())
    if session is None:
        return _foreign(file, bundle, model, run, streams or XdfStreams())
    if session.model_sha256 != bundle.sha256:
        typer.echo(
            f"note: the session ran another model ({session.model_sha256[:12]}...), so "
            "its published numbers will not come out again",
            err=True,
        )
    return core.replay_events(session.events, bundle, model, session.settings)


def _say_loss() -> "Callable[[Loss], None]":
    """Return what notes that something of a recording is missing; the rest comes."""
    n_told = 0

    def say(loss: "Loss") -> None:
        nonlocal n_told
        n_told += 1
        if n_told <= MOST_LOSSES:
            typer.echo(f"note: {loss}", err=True)
        elif n_told == MOST_LOSSES + 1:
            typer.echo("note: more is missing", err=True)

    return say


def _foreign(
    file: Path,
    bundle: "Bundle",
    model: "Model",
    run: "RunSettings",
    streams: XdfStreams,
) -> "Iterator[BoldPrediction]":
    from dataclasses import replace

    from rtbold import session as core
    from rtbold.files import (
        described,
        find_volume_label,
        read_recording,
        recording_events,
    )
    from rtbold.session import stream_pipeline_settings

    recording = read_recording(file, stream=streams.eeg, unit=run.unit)
    for text in recording.notes:
        typer.echo(f"note: {text}", err=True)
    tr_s = run.tr_s or bundle.card.tr_s
    label = None
    if run.trigger is not None or run.tr_s is None:
        label = find_volume_label(recording, tr_s, run.trigger, stream=streams.markers)
        run = replace(run, trigger=label)
    description = described(recording, run.reference)
    settings = stream_pipeline_settings(run, bundle, description)
    events = recording_events(
        recording,
        volume_label=label,
        volume_stream=streams.markers,
        reference=run.reference,
    )
    return core.replay_events(events, bundle, model, settings)
