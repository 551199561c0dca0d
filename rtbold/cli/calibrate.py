"""``rtbold calibrate``: from one scan of a subject to a model and a verdict on it."""

import os
from pathlib import Path

from rtbold.cli import calibrate_live, options
from rtbold.cli import calibrate_options as given
from rtbold.cli.threads import settle


def calibrate(
    subject: given.Subject,
    cleaning: given.Cleaning,
    eeg: given.Eeg = None,
    bold: given.Bold = None,
    base: given.Base = "nothing",
    continue_: given.Continue = None,
    roi: given.Roi = None,
    target: given.Target = None,
    contrast: given.Contrast = None,
    channels: given.Channels = None,
    marker: given.Marker = None,
    trigger_stream: given.TriggerStream = None,
    trigger_channel: given.TriggerChannel = None,
    trigger_every: given.TriggerEvery = 1,
    run: given.Run = None,
    tr: given.Tr = None,
    dummy_volumes: given.DummyVolumes = 0,
    spare_triggers: given.SpareTriggers = 0,
    drop_volumes: given.DropVolumes = 0,
    drop_last_volumes: given.DropLastVolumes = 0,
    confounds: given.Confounds = None,
    atlas: given.Atlas = None,
    stream: given.Stream = None,
    unit: options.Unit = None,
    reference: options.Reference = None,
    interpolate: options.Interpolate = None,
    upstream_delay_ms: options.UpstreamDelay = None,
    scanner: given.Scanner = "inside_running",
    slices_per_tr: given.SlicesPerTr = None,
    strategy: given.Strategy = "head",
    size: given.Size = "small",
    horizon: given.Horizon = "0",
    folds: given.Folds = 5,
    other_eeg: given.OtherEeg = None,
    root: options.SubjectRoot = None,
    seed: given.Seed = 0,
    threads: given.Threads = None,
    as_json: given.AsJson = False,
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
    n_threads = settle(os.environ, threads)

    from rtbold.bundle.gates import parse_cleaning
    from rtbold.bundle.subjects import default_root
    from rtbold.calibration.inputs.pairs import Pairing
    from rtbold.calibration.inputs.triggers import MarkerChoice
    from rtbold.calibration.inputs.windows import WindowSettings
    from rtbold.calibration.settings import (
        CalibrationSettings,
        ScanFiles,
        parse_contrast,
        parse_horizon,
    )
    from rtbold.cli.calibrate_fit import fit_and_save

    calibrate_live.check_inputs(eeg, bold, live=live)
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
        confounds=confounds, stream=stream, unit=unit, trigger_channel=trigger_channel,
        pairing=pairing, windows=windows, other_eeg=tuple(other_eeg or ()),
    )  # fmt: skip
    settings = CalibrationSettings(
        subject=subject, scan=scan, cleaning=parse_cleaning(cleaning),
        root=subject_root, base=_base(base, continue_, subject, subject_root),
        size=size, channels=_names(channels), target=target,
        contrast=parse_contrast(contrast or ()), strategy=strategy, n_folds=folds,
        horizon=parse_horizon(horizon), slices_per_tr=slices_per_tr, scanner=scanner,
        seed=seed, n_threads=n_threads,
    )  # fmt: skip
    if live:
        wishes = calibrate_live.LiveOptions(
            source=bold_source, rois=tuple(bold_roi or ()), first=bold_first,
            phases=phases, record=record, wait_s=wait,
        )  # fmt: skip
        settings = calibrate_live.recorded(settings, wishes)
    fit_and_save(settings, as_json=as_json)


def _base(base: str, continue_: str | None, subject: str, root: Path) -> str:
    """Return the base's path or name; a continued one is the subject's own."""
    from rtbold.bundle.subjects import one_of
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
