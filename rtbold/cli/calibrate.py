"""``rtbold calibrate``: from one scan of a subject to a model and a verdict on it."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from rtbold.cli import calibrate_live, options
from rtbold.cli.process import settle
from rtbold.distribution import need
from rtbold.run_names import DEFAULT_SESSION

if TYPE_CHECKING:
    from rtbold.bundle import Bundle
    from rtbold.calibration import (
        CalibrationResult,
        CalibrationSettings,
        Progress,
        Saved,
        ShareCallback,
    )


# The work behind ``rtbold calibrate``, and what is said of its result.


def fit_and_save(settings: "CalibrationSettings", *, as_json: bool) -> None:
    """Calibrate, write the bundle, and say what came out."""
    import datetime
    import time

    from rtbold.bundle import check_room
    from rtbold.calibration import Hooks, calibrate, save_result

    check_room(settings.root)
    lines = ProgressLines(now_s=time.monotonic)
    hooks = Hooks(say=lines.say, tell=lines.tell, now_s=time.monotonic)
    result = calibrate(settings, hooks)
    lines.say("writing the model and its report")
    saved = save_result(result, datetime.datetime.now(datetime.UTC), _onto(lines))
    lines.say("compiling it for this machine")
    compiled = _compiled(saved.bundle)
    lines.end()
    for line in (*summary_lines(result, saved), compiled):
        typer.echo(line, err=as_json)
    if as_json:
        typer.echo(as_object(result, saved))


def _onto(lines: "ProgressLines") -> "ShareCallback":
    """Return what shows how much of the report is done."""
    from rtbold.calibration import Progress

    return lambda share: lines.tell(Progress("report", round(100 * share), 100, None))


def summary_lines(result: "CalibrationResult", saved: "Saved") -> list[str]:
    """Return what a researcher wants to know at once."""
    from rtbold.calibration import next_of, summary

    return [
        *summary(result),
        *(line for said, command in next_of(result) for line in _step(said, command)),
        f"model    {saved.bundle.path}",
        f"report   {saved.report}",
        f"lab log  {saved.log_line}",
    ]


def _step(said: str, command: str) -> list[str]:
    """Return what to do now as lines, with the command below it if there is one."""
    return [f"next     {said}", *([f"           {command}"] if command else [])]


def _compiled(bundle: "Bundle") -> str:
    """Compile for this machine's engine; what is not possible is no error here."""
    import time

    from rtbold.engine import CompileSettings, compile_precisions
    from rtbold.errors import RtboldError

    try:
        tried = compile_precisions(
            bundle, ["f32"], CompileSettings(now_s=time.perf_counter)
        )
    except RtboldError as error:
        return f"engine   not compiled: {error}"
    record = tried[0].record
    if record is None or not record.accepted:
        return f"engine   OpenVINO f32 cannot be used: {tried[0].note}"
    return f"engine   OpenVINO f32, {record.worst:.1e} off PyTorch at most"


def as_object(result: "CalibrationResult", saved: "Saved") -> str:
    """Return the verdict, and where the model is, as one JSON object."""
    import msgspec

    from rtbold.calibration import next_of

    found = {
        "subject": result.settings.subject,
        "bundle": str(saved.bundle.path),
        "sha256": saved.bundle.sha256,
        "report": str(saved.report),
        "simulated": result.simulated,
        "fit_for_feedback": result.verdict.fit_for_feedback,
        **msgspec.to_builtins(result.verdict),
        "ridge": msgspec.to_builtins(result.ridge_verdict.gate),
        "horizon_tr": result.choice.horizon_tr,
        "horizon_r": {str(h): s.r for h, s in result.choice.horizons.items()},
        "published_split_r": result.published and dict(result.published.roi_r),
        "not_checked": result.not_checked,  # whether the base has seen this scan
        "interrupted": result.interrupted,
        "earlier": list(result.aligned.tries.names),  # calibrations of these data
        "next": [{"do": said, "command": word} for said, word in next_of(result)],
    }
    return msgspec.json.encode(found).decode()


# Options of ``rtbold calibrate`` that no other command has, each written once.

# Without which no fit comes to an end: to train, to write the model, to draw the report
PACKAGES = ("torch", "onnx", "onnxscript", "safetensors", "matplotlib")

Subject = Annotated[str, typer.Option(help="Code of the subject, such as S01.")]
Cleaning = Annotated[
    str,
    typer.Option(help="What cleaned the EEG: online:NAME, offline:NAME or none."),
]
Eeg = Annotated[
    Path | None, typer.Option(help="XDF, BrainVision, EEGLAB, EDF, BDF or FIF.")
]
Bold = Annotated[
    str | None,
    typer.Option(help="TSV, CSV, NPY, MAT, pickle, XDF; or NIfTI with --atlas."),
]
Base = Annotated[str, typer.Option(help="Bundle to start from, or nothing.")]
Continue = Annotated[
    str | None,
    typer.Option(
        "--continue", help="An earlier calibration of this subject, or latest."
    ),
]
Roi = Annotated[
    list[str] | None, typer.Option(help="ROI to predict; once for each [all].")
]
Target = Annotated[
    str | None,
    typer.Option(
        help="What will be fed back: a ROI, Global, or a contrast such as "
        "'Putamen - 0.5*Global' [as declared; the only ROI]."
    ),
]
Contrast = Annotated[
    list[str] | None,
    typer.Option(
        help="ROI=WEIGHT, once for each, or others=WEIGHT; --target names it."
    ),
]
Channels = Annotated[
    str | None, typer.Option(help="Electrodes to use: FZ,CZ,... [the base's].")
]
Marker = Annotated[
    str | None, typer.Option("--trigger", "--marker", help="Label of the volumes.")
]
TriggerStream = Annotated[
    str | None, typer.Option(help="XDF: stream of the volume markers.")
]
TriggerChannel = Annotated[
    str | None, typer.Option(help="Trigger channel inside the EEG.")
]
TriggerEvery = Annotated[
    int, typer.Option(help="Triggers per volume, for slice triggers.")
]
Run = Annotated[
    int | None, typer.Option(help="Which run of triggers, from 1, of several.")
]
Tr = Annotated[
    float | None, typer.Option(help="TR in seconds [BOLD file, else triggers].")
]
DummyVolumes = Annotated[
    int, typer.Option(help="First triggers that have no row of BOLD.")
]
SpareTriggers = Annotated[
    int, typer.Option(help="Last triggers that have no row of BOLD.")
]
DropVolumes = Annotated[int, typer.Option(help="First rows of BOLD to leave out.")]
DropLastVolumes = Annotated[int, typer.Option(help="Last rows of BOLD to leave out.")]
Confounds = Annotated[
    list[Path] | None,
    typer.Option(
        help="Motion, heart, breath: a table (fMRIPrep's too), PhysIO's regressors, "
        "BIDS or Siemens physio; regressed out as they act; repeatable."
    ),
]
Confound = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME[=KIND]",
        help="Which of their columns, * for any letters; KIND: heart rate, "
        "respiration, motion, displacement, tissue, global signal, regressor, other; "
        "repeatable.",
    ),
]
PhysioStart = Annotated[
    float | None,
    typer.Option(help="Seconds from a physio log's first sample to the first volume."),
]
Events = Annotated[
    Path | None,
    typer.Option(help="Blocks: onset, duration, trial_type, seconds [BIDS]."),
]
Atlas = Annotated[Path | None, typer.Option(help="Labels or maps, for BOLD as NIfTI.")]
Stream = Annotated[
    str | None, typer.Option(help="Which EEG stream of an XDF, by name.")
]
Scanner = Annotated[str, typer.Option(help="inside_running, inside_idle or outside.")]
SlicesPerTr = Annotated[
    int | None, typer.Option(help="Slices, or groups of a multiband sequence.")
]
Strategy = Annotated[str, typer.Option(help="head, last, adapters, all, or ridge.")]
Size = Annotated[str, typer.Option(help="Of a network from nothing: small or base.")]
Horizon = Annotated[str, typer.Option(help="Volumes to look ahead: 0 to 3, or auto.")]
Folds = Annotated[int, typer.Option(help="Contiguous test folds, 5 or more.")]
OtherEeg = Annotated[
    list[Path] | None,
    typer.Option(help="Another subject's EEG, as a control; repeatable."),
]
Seed = Annotated[int, typer.Option(help="Of all that is drawn at random.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads [one a core].")]
AsJson = Annotated[
    bool, typer.Option("--json", help="The verdict as one object on stdout.")
]


def calibrate(
    subject: Subject,
    cleaning: Cleaning,
    eeg: Eeg = None,
    bold: Bold = None,
    base: Base = "nothing",
    continue_: Continue = None,
    roi: Roi = None,
    target: Target = None,
    contrast: Contrast = None,
    channels: Channels = None,
    marker: Marker = None,
    trigger_stream: TriggerStream = None,
    trigger_channel: TriggerChannel = None,
    trigger_every: TriggerEvery = 1,
    run: Run = None,
    tr: Tr = None,
    dummy_volumes: DummyVolumes = 0,
    spare_triggers: SpareTriggers = 0,
    drop_volumes: DropVolumes = 0,
    drop_last_volumes: DropLastVolumes = 0,
    confounds: Confounds = None,
    confound: Confound = None,
    physio_start: PhysioStart = None,
    events: Events = None,
    atlas: Atlas = None,
    stream: Stream = None,
    unit: options.Unit = None,
    reference: options.Reference = None,
    interpolate: options.Interpolate = None,
    upstream_delay_ms: options.UpstreamDelay = None,
    scanner: Scanner = "inside_running",
    slices_per_tr: SlicesPerTr = None,
    strategy: Strategy = "head",
    size: Size = "small",
    horizon: Horizon = "0",
    folds: Folds = 5,
    other_eeg: OtherEeg = None,
    root: options.SubjectRoot = None,
    seed: Seed = 0,
    threads: Threads = None,
    as_json: AsJson = False,
    live: calibrate_live.Live = False,
    bold_source: calibrate_live.BoldSourceOption = None,
    bold_roi: calibrate_live.BoldRoi = None,
    bold_first: calibrate_live.BoldFirst = 0,
    phases: calibrate_live.Phases = calibrate_live.DEFAULT_PHASES,
    record: calibrate_live.Record = calibrate_live.DEFAULT_RECORD,
    session: calibrate_live.Session = DEFAULT_SESSION,
    wait: calibrate_live.Wait = 30.0,
) -> None:
    r"""Make a model for one subject from one scan, and say whether it is good enough.

    Needs simultaneous EEG and BOLD, 10 to 20 minutes. Writes a bundle with its report
    into the subject's folder; `rtbold run --subject S01` uses the newest.

    Example:

        rtbold calibrate --subject S01 --eeg S01.xdf --bold S01.tsv \
            --cleaning online:RecView --target Putamen
    """
    need(*PACKAGES, extra="calibration", purpose="rtbold calibrate")
    calibrate_live.check_inputs(eeg, bold, live=live)
    if not live:
        others = (*(confounds or ()), events, *(other_eeg or ()))
        _check_paths(eeg, bold, atlas=atlas, others=others)
    n_threads = settle(os.environ, threads)

    from rtbold.bundle import default_root, parse_cleaning
    from rtbold.calibration import (
        CalibrationSettings,
        MarkerChoice,
        Pairing,
        ScanFiles,
        WindowSettings,
        check_quick_target,
        newest_declaration,
        parse_contrast,
        parse_horizon,
        with_declaration,
    )

    subject_root = root or default_root()
    pairing = Pairing(
        tr_s=tr, marker=MarkerChoice(marker, trigger_stream, trigger_every), run=run,
        dummy_volumes=dummy_volumes, spare_triggers=spare_triggers,
        drop_volumes=drop_volumes, drop_last_volumes=drop_last_volumes,
    )  # fmt: skip
    windows = WindowSettings(
        reference=reference, interpolate_missing=bool(interpolate),
        upstream_delay_s=(upstream_delay_ms or 0.0) / 1000,
    )  # fmt: skip
    scan = ScanFiles(
        eeg=eeg or Path(), bold=bold or "", rois=tuple(roi or ()), atlas=atlas,
        confounds=tuple(confounds or ()), confound_columns=tuple(confound or ()),
        physio_start_s=physio_start, stream=stream, unit=unit,
        trigger_channel=trigger_channel, pairing=pairing, windows=windows,
        other_eeg=tuple(other_eeg or ()), events=events,
    )  # fmt: skip
    settings = CalibrationSettings(
        subject=subject, scan=scan, cleaning=parse_cleaning(cleaning),
        root=subject_root, base=_base(base, continue_, subject, subject_root),
        size=size, channels=_names(channels), target=target,
        contrast=parse_contrast(contrast or ()), strategy=strategy, n_folds=folds,
        horizon=parse_horizon(horizon), slices_per_tr=slices_per_tr, scanner=scanner,
        seed=seed, n_threads=n_threads,
    )  # fmt: skip
    declared = newest_declaration(subject_root, subject)
    settings = with_declaration(settings, declared, recorded=not live)
    if live:
        live_options = calibrate_live.LiveOptions(
            source=bold_source, rois=tuple(bold_roi or ()), first=bold_first,
            phases=phases, record=record, wait_s=wait, session=session,
        )  # fmt: skip
        settings = calibrate_live.recorded(settings, live_options)
    else:
        check_quick_target(settings)
    fit_and_save(settings, as_json=as_json)


def _check_paths(
    eeg: Path | None,
    bold: str | None,
    *,
    atlas: Path | None,
    others: Sequence[Path | None],
) -> None:
    """Refuse files that are not there, before anything slow is imported."""
    from rtbold.calibration import check_paths

    assert eeg is not None
    assert bold is not None
    there = [other for other in others if other is not None]
    check_paths(eeg, bold, atlas=atlas, others=there)


def _base(base: str, continue_: str | None, subject: str, root: Path) -> str:
    """Return the base's path or name; a continued one is the subject's own."""
    from rtbold.bundle import one_of
    from rtbold.errors import ConfigError

    if continue_ is None:
        return base
    if base != "nothing":
        raise ConfigError(
            "--base and --continue were both given; a continued model is the base. "
            "Give one of them."
        )
    if Path(continue_).is_dir():
        return continue_
    return str(one_of(root, subject, continue_))


def _names(text: str | None) -> tuple[str, ...]:
    """Return the electrodes of ``FZ,CZ``."""
    from rtbold.errors import ConfigError

    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ConfigError(
            f"--channels is {text!r}, expected electrodes with commas between: FZ,CZ,PZ"
        )
    return names


# How far a long fit is, on standard error: one line that moves, or a few that stay.

_EVERY_S = 10.0  # between lines where there is no terminal


class ProgressLines:
    """Prints stages as lines, and steps within one as a share with the time left.

    Parameters
    ----------
    out : default: standard error, as it is when something is printed.
    """

    def __init__(self, now_s: Callable[[], float], out: TextIO | None = None) -> None:
        self._now_s, self._out = now_s, out
        self._start_s = now_s()
        self._told_s = -_EVERY_S
        self._open = False

    def say(self, text: str) -> None:
        """Print a line of its own."""
        self.end()
        self._write(f"{self._now_s() - self._start_s:5.0f} s  {text}\n")

    def tell(self, progress: "Progress") -> None:
        """Show how far a stage is."""
        left = (
            ""
            if progress.left_s is None
            else f", {_duration_text(progress.left_s)} left"
        )
        text = f"         {progress.stage} {progress.share:.0%}{left}"
        if self._stream.isatty():
            self._write(f"\r{text:<60}")
            self._open = True
        elif self._now_s() - self._told_s >= _EVERY_S:
            self._told_s = self._now_s()
            self._write(f"{text}\n")

    def end(self) -> None:
        """Leave a moving line as it stands."""
        if self._open:
            self._write("\n")
            self._open = False

    @property
    def _stream(self) -> TextIO:
        return self._out or sys.stderr

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _duration_text(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
