"""``rtbold calibrate``: from one scan of a subject to a model and a verdict on it."""

from pathlib import Path
from typing import Annotated

import typer

from rtbold.cli import calibrate_live, options


def calibrate(
    subject: Annotated[str, typer.Option(help="Code of the subject, such as S01.")],
    cleaning: Annotated[
        str,
        typer.Option(help="What cleaned the EEG: online:NAME, offline:NAME or none."),
    ],
    eeg: Annotated[
        Path | None, typer.Option(help="XDF, BrainVision, EEGLAB, EDF, BDF or FIF.")
    ] = None,
    bold: Annotated[
        str | None,
        typer.Option(help="TSV, CSV, NPY, MAT, pickle, XDF; or NIfTI with --atlas."),
    ] = None,
    base: Annotated[
        str, typer.Option(help="Bundle to start from, or nothing.")
    ] = "nothing",
    continue_: Annotated[
        str | None,
        typer.Option(
            "--continue", help="An earlier calibration of this subject, or latest."
        ),
    ] = None,
    roi: Annotated[
        list[str] | None, typer.Option(help="ROI to predict; once for each [all].")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="ROI that will be fed back [the first].")
    ] = None,
    contrast: Annotated[
        list[str] | None,
        typer.Option(help="ROI=WEIGHT; once for each, --target is then its name."),
    ] = None,
    channels: Annotated[
        str | None, typer.Option(help="Electrodes to use: FZ,CZ,... [the base's].")
    ] = None,
    marker: Annotated[
        str | None, typer.Option("--trigger", "--marker", help="Label of the volumes.")
    ] = None,
    trigger_stream: Annotated[
        str | None, typer.Option(help="XDF: stream of the volume markers.")
    ] = None,
    trigger_channel: Annotated[
        str | None, typer.Option(help="Trigger channel inside the EEG.")
    ] = None,
    trigger_every: Annotated[
        int, typer.Option(help="Triggers per volume, for slice triggers.")
    ] = 1,
    run: Annotated[
        int | None, typer.Option(help="Which run of triggers, from 1, of several.")
    ] = None,
    tr: Annotated[
        float | None, typer.Option(help="TR in seconds [BOLD file, else triggers].")
    ] = None,
    dummy_volumes: Annotated[
        int, typer.Option(help="First triggers that have no row of BOLD.")
    ] = 0,
    spare_triggers: Annotated[
        int, typer.Option(help="Last triggers that have no row of BOLD.")
    ] = 0,
    drop_volumes: Annotated[
        int, typer.Option(help="First rows of BOLD to leave out.")
    ] = 0,
    drop_last_volumes: Annotated[
        int, typer.Option(help="Last rows of BOLD to leave out.")
    ] = 0,
    confounds: Annotated[
        Path | None, typer.Option(help="Table; all columns are regressed out.")
    ] = None,
    atlas: Annotated[
        Path | None, typer.Option(help="Labels or maps, for BOLD as NIfTI.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Which EEG stream of an XDF, by name.")
    ] = None,
    unit: options.Unit = None,
    reference: options.Reference = None,
    interpolate: options.Interpolate = None,
    upstream_delay_ms: options.UpstreamDelay = None,
    scanner: Annotated[
        str, typer.Option(help="inside_running, inside_idle or outside.")
    ] = "inside_running",
    slices_per_tr: Annotated[
        int | None, typer.Option(help="Slices, or groups of a multiband sequence.")
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="head, last, adapters, all, or ridge.")
    ] = "head",
    size: Annotated[
        str, typer.Option(help="Of a network from nothing: small or base.")
    ] = "small",
    horizon: Annotated[
        str, typer.Option(help="Volumes to look ahead: 0 to 3, or auto.")
    ] = "0",
    folds: Annotated[int, typer.Option(help="Contiguous test folds, 5 or more.")] = 5,
    other_eeg: Annotated[
        list[Path] | None,
        typer.Option(help="Another subject's EEG, for the second null; repeatable."),
    ] = None,
    root: options.SubjectRoot = None,
    seed: Annotated[int, typer.Option(help="Of all that is drawn at random.")] = 0,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The verdict as one object on stdout.")
    ] = False,
    live: calibrate_live.Live = False,
    bold_source: calibrate_live.BoldSourceOption = None,
    bold_roi: calibrate_live.BoldRoi = None,
    bold_first: calibrate_live.BoldFirst = 0,
    phases: calibrate_live.Phases = calibrate_live.DEFAULT_PHASES,
    record: calibrate_live.Record = calibrate_live.DEFAULT_RECORD,
    wait: calibrate_live.Wait = 30.0,
) -> None:
    """Make a model for one subject from one scan, and say whether it is good enough.

    Needs simultaneous EEG and BOLD, 10 to 20 minutes. Writes a bundle with its report
    into the subject's folder; `rtbold run --subject S01` uses the newest.

    Example: rtbold calibrate --subject S01 --eeg S01.xdf --bold S01.tsv --cleaning
    online:RecView --target Putamen
    """
    _limit_threads(threads)

    from rtbold.calibration.inputs.pairs import Pairing
    from rtbold.calibration.inputs.scan import WindowSettings
    from rtbold.calibration.inputs.volume_marker import MarkerChoice
    from rtbold.calibration.settings import (
        CalibrationSettings,
        ScanFiles,
        parse_contrast,
        parse_horizon,
    )
    from rtbold.cli.calibrate_fit import fit_and_save
    from rtbold.domain import parse_cleaning
    from rtbold.subjects import default_root

    calibrate_live.check_inputs(eeg, bold, live=live)
    subject_root = root or default_root()
    pairing = Pairing(
        tr_s=tr,
        marker=MarkerChoice(marker, trigger_stream, trigger_every),
        run=run,
        dummy_volumes=dummy_volumes,
        spare_triggers=spare_triggers,
        drop_volumes=drop_volumes,
        drop_last_volumes=drop_last_volumes,
    )
    windows = WindowSettings(
        reference=reference,
        interpolate_missing=bool(interpolate),
        upstream_delay_s=(upstream_delay_ms or 0.0) / 1000,
    )
    scan = ScanFiles(
        eeg=eeg or Path(), bold=bold or "", rois=tuple(roi or ()), atlas=atlas,
        confounds=confounds, stream=stream, unit=unit, trigger_channel=trigger_channel,
        pairing=pairing, windows=windows, other_eeg=tuple(other_eeg or ()),
    )  # fmt: skip
    settings = CalibrationSettings(
        subject=subject, scan=scan, cleaning=parse_cleaning(cleaning),
        root=subject_root, base=_base(base, continue_, subject, subject_root),
        size=size, channels=_names(channels), target=target,
        contrast=parse_contrast(contrast or ()), strategy=strategy, n_folds=folds,
        horizon=parse_horizon(horizon), slices_per_tr=slices_per_tr, scanner=scanner,
        seed=seed, n_threads=threads,
    )  # fmt: skip
    if live:
        wishes = calibrate_live.LiveOptions(
            source=bold_source, rois=tuple(bold_roi or ()), first=bold_first,
            phases=phases, record=record, wait_s=wait,
        )  # fmt: skip
        settings = calibrate_live.recorded(settings, wishes)
    fit_and_save(settings, as_json=as_json)


def _limit_threads(threads: int | None) -> None:
    """Say it to the linear algebra too, which reads it when numpy is first imported."""
    import os

    from rtbold.config import check_range

    check_range("--threads", threads, 1, 256)
    if threads is not None:
        for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(threads)


def _base(base: str, continue_: str | None, subject: str, root: Path) -> str:
    """Return the base's path or name; a continued one is the subject's own."""
    from rtbold.errors import ConfigError
    from rtbold.subjects import one_of

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


def _names(given: str | None) -> tuple[str, ...]:
    """Return the electrodes of ``FZ,CZ``."""
    from rtbold.errors import ConfigError

    if given is None:
        return ()
    names = tuple(name.strip() for name in given.split(","))
    if not all(names):
        raise ConfigError(
            f"--channels is {given!r}, expected electrodes with commas between: "
            "FZ,CZ,PZ"
        )
    return names
