"""From files to an aligned scan: EEG and BOLD read, paired, and cut into windows."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np

from rtbold import bundle as bundles
from rtbold.acquire import same_label, steady_step
from rtbold.bundle import Bundle, Card, Declaration, Origin
from rtbold.calibration.beforehand import check_target, with_target
from rtbold.calibration.declaration import (
    Key,
    Tries,
    asked_of,
    count_tries,
    earlier_cards,
    earlier_tries,
    level_of,
    on_card,
    told_declared,
    told_target,
)
from rtbold.calibration.evaluate.verdict import ALPHA
from rtbold.calibration.fit.protocol import Hooks
from rtbold.calibration.fit.split import StrictSettings, strict_folds
from rtbold.calibration.inputs.alignment import Alignment, align
from rtbold.calibration.inputs.bold import read_bold
from rtbold.calibration.inputs.bold_series import BoldSeries, plain_name
from rtbold.calibration.inputs.confound_files import read_given
from rtbold.calibration.inputs.confound_kinds import kind_of
from rtbold.calibration.inputs.ecg import heart_rate_of
from rtbold.calibration.inputs.eeg import (
    ChannelFacts,
    EegRecording,
    channel_facts,
    read_eeg,
    refuse_amplitude,
)
from rtbold.calibration.inputs.events import Event, read_events
from rtbold.calibration.inputs.lag import LagScan, lag_scan
from rtbold.calibration.inputs.physio_files import Volumes
from rtbold.calibration.inputs.triggers import trigger_runs
from rtbold.calibration.inputs.windows import CalibrationScan, OtherEeg, scan_of
from rtbold.calibration.lineage import (
    ScanMarks,
    marks_of_scan,
    refuse_same_data,
    refuse_seen,
)
from rtbold.calibration.settings import (
    NOTHING,
    CalibrationSettings,
    ScanFiles,
)
from rtbold.config import ScannerName
from rtbold.electrodes import canonical, has_position, match
from rtbold.errors import ConfigError, DataFileError
from rtbold.models import electrode_table

# Stage 1: what the files hold.


@dataclass(frozen=True, slots=True, eq=False)
class ScanRecording:
    """EEG and BOLD of one scan as they were recorded."""

    settings: CalibrationSettings
    base: Bundle | None  # that the fit starts from; None: from nothing
    eeg: EegRecording
    bold: BoldSeries
    regressed: tuple[str, ...]  # confounds that are taken out of the target
    events: tuple[Event, ...] = ()  # blocks of a task


def read_scan_files(settings: CalibrationSettings, hooks: Hooks) -> ScanRecording:
    """Read the base and the files of a scan.

    Naming a base is the consent to a simulated lineage; it is kept only if it is
    better than nothing.

    Raises
    ------
    BundleError : there is no such base.
    DataFileError : a file cannot be read.
    ConfigError : the BOLD lacks the target.
    """
    base = None
    if settings.base != NOTHING:
        base = bundles.load(settings.base, subject_root=settings.root)
    files = settings.scan
    hooks.say(f"reading {files.eeg.name} and the BOLD")
    bold, regressed = _bold(files, hooks.say)
    settings = with_target(settings, bold.name, bold.rois)
    check_target(settings, bold.name, bold.rois)
    _refuse_counting(settings, bold)
    events = () if files.events is None else read_events(files.events)
    eeg = _eeg(files, files.eeg)
    return ScanRecording(settings, base, eeg, bold, regressed, events)


# Stage 2: volumes and EEG paired, with the window of every volume.


@dataclass(frozen=True, slots=True, eq=False)
class AlignedScan:
    """One scan with its windows, aligned, and what is known about it."""

    settings: CalibrationSettings
    base: Bundle | None  # None: from nothing
    card: Card  # channels, TR, ROIs; nothing is learned yet
    alignment: Alignment
    lag: LagScan
    scan: CalibrationScan
    regressed: tuple[str, ...]  # confounds that are taken out of the target
    others: tuple[OtherEeg, ...]
    channels: tuple[ChannelFacts, ...] = ()  # of the model, how good they were
    marks: ScanMarks = field(default_factory=ScanMarks)
    events: tuple[Event, ...] = ()  # blocks of a task
    declaration: Declaration | None = None  # before the scan, of this target
    tries: Tries = field(default_factory=Tries)  # calibrations of these data

    @property
    def alpha(self) -> float:
        """What the p of the gate has to reach."""
        return ALPHA if self.declaration is None else level_of(self.declaration)

    @property
    def asked(self) -> str:
        """What the model was asked to be, in words."""
        return asked_of(self.settings, self.base)

    @property
    def data_sha256(self) -> str:
        """A hash of everything that a fit sees: windows and their BOLD."""
        digest = hashlib.sha256()
        scan = self.scan
        for array in (scan.windows, scan.volume, scan.bold[scan.volume]):
            digest.update(array.tobytes())
        return digest.hexdigest()


def align_scan(recording: ScanRecording, hooks: Hooks) -> AlignedScan:
    """Pair EEG and BOLD and make the windows; the lag scan warns, and shifts nothing.

    Raises
    ------
    DataFileError : markers or volumes are not what a calibration needs.
    ConfigError : a channel is not there, or the base has learned from this scan.
    """
    settings, eeg, bold = recording.settings, recording.eeg, recording.bold
    alignment = align(eeg, bold, settings.scan.pairing)
    alignment = _with_heart(eeg, alignment, hooks.say)
    known_s = alignment.onsets_s[np.isfinite(alignment.onsets_s)]
    # Before the windows are made: they take longer than these refusals need
    strict_folds(known_s, StrictSettings(n_folds=settings.n_folds))
    base_card = recording.base.card if recording.base else None
    marks = marks_of_scan(eeg, alignment)
    refuse_seen(base_card, marks)
    card = _draft(recording, alignment)
    hooks.say(f"making the windows of {len(alignment)} volumes")
    scan = scan_of(eeg, alignment, card, settings=settings.scan.windows)
    scan = replace(scan, simulated=scan.simulated or bold.simulated)
    hooks.say("looking at the lag between EEG and BOLD")
    lag = lag_scan(scan)
    others = []
    for path in settings.scan.other_eeg:
        hooks.say(f"making the windows of {path.name}, for the null")
        others.append(_other(settings, alignment, scan, card, path=path))
    aligned = AlignedScan(
        settings=settings, base=recording.base, card=card, alignment=alignment,
        lag=lag, scan=scan, regressed=recording.regressed, others=tuple(others),
        channels=channel_facts(eeg.recording, card.channels), marks=marks,
        events=recording.events,
    )  # fmt: skip
    refuse_same_data(base_card, aligned.data_sha256)
    return _counted(aligned)


def _counted(aligned: AlignedScan) -> AlignedScan:
    """Return the scan with its look, and how often it was calibrated before."""
    settings, rois = aligned.settings, aligned.scan.rois
    scan_min = len(aligned.scan.bold) * aligned.scan.tr_s / 60
    declared = settings.declared
    declaration = None if declared is None else on_card(declared, scan_min)
    told = told_target(settings.target_name or rois[0], settings.contrast)
    own = Key(told, aligned.asked, aligned.data_sha256)
    earlier = earlier_tries(earlier_cards(settings.root), aligned.marks, declaration)
    if declared is not None:
        wanted = told_declared(declared, rois)
        if wanted != own.target:  # what was declared counts as looked at
            declaration = None
            earlier["declared"] = replace(own, target=wanted)
    return replace(aligned, declaration=declaration, tries=count_tries(own, earlier))


def _refuse_counting(settings: CalibrationSettings, bold: BoldSeries) -> None:
    """Refuse a target that only counts, such as a time that was named with --roi.

    Raises
    ------
    ConfigError : it rises by the same step from row to row.
    """
    wanted = list(settings.contrast) or [settings.target or bold.rois[0]]
    for roi in map(plain_name, wanted):
        step = steady_step(bold.values[:, bold.rois.index(roi)])
        if step is not None:
            raise ConfigError(
                f"{roi!r} of {bold.name} rises by {step:g} from row to row, expected a "
                "measured signal: it counts volumes or tells the time. Choose another "
                "--target."
            )


def _bold(
    files: ScanFiles, say: Callable[[str], None]
) -> tuple[BoldSeries, tuple[str, ...]]:
    """Return the series, and which confounds were given to be regressed out."""
    bold = read_bold(files.bold, atlas=files.atlas, columns=files.rois or None)
    if not files.confounds:
        return bold, ()
    tr_s = files.pairing.tr_s or bold.tr_s
    rows = Volumes(len(bold), tr_s, files.physio_start_s)
    given = read_given(files.confounds, rows, chosen=files.confound_columns)
    for note in given.notes:
        say(note)
    confounds = {**bold.confounds, **given.confounds}
    return replace(bold, confounds=confounds), given.regressed


def _with_heart(
    eeg: EegRecording, alignment: Alignment, say: Callable[[str], None]
) -> Alignment:
    """Return the alignment with heart rate by the ECG, where no file tells of it."""
    if any(kind_of(name) == "heart rate" for name in alignment.confounds):
        return alignment
    rate, told = heart_rate_of(eeg, alignment.onsets_s)
    if told:
        say(told)
    if rate is None:
        return alignment
    confounds = {**alignment.confounds, "heart_rate (ECG)": rate}
    return replace(alignment, confounds=confounds)


def _eeg(files: ScanFiles, path: Path) -> EegRecording:
    eeg = read_eeg(
        str(path),
        stream=files.stream,
        unit=files.unit,
        trigger_channel=files.trigger_channel,
    )
    refuse_amplitude(eeg)
    return eeg


def _draft(recording: ScanRecording, alignment: Alignment) -> Card:
    """Return the card that says how windows are made."""
    settings = recording.settings
    base = recording.base.card if recording.base else None
    simulated = recording.eeg.recording.simulated
    return Card(
        name=settings.subject,
        architecture="",
        channels=_channels(settings, recording.eeg, base),
        reference="average",
        tr_s=alignment.tr_s,
        rois=alignment.rois,
        atlas=settings.scan.atlas.name if settings.scan.atlas else "",
        cleaning=settings.cleaning,
        scanner="simulated" if simulated else cast("ScannerName", settings.scanner),
        origin=Origin(
            kind="subject", simulated_lineage=simulated, subject=settings.subject
        ),
    )


def _channels(
    settings: CalibrationSettings, eeg: EegRecording, base: Card | None
) -> tuple[str, ...]:
    labels = [c.label for c in eeg.recording.channels if c.kind == "eeg"]
    if base is None and not settings.channels:
        table = set(electrode_table())
        found = [canonical(name) for name in labels if has_position(name)]
        return tuple(name for name in found if name in table)
    wanted = settings.channels or (base.channels if base else ())
    here = match(labels, wanted)
    missing = [n for n, row in zip(wanted, here, strict=True) if row is None]
    if missing and not settings.scan.windows.interpolate_missing:
        raise ConfigError(_lacks(eeg.name, wanted, missing, base))
    return tuple(map(canonical, wanted))


def _lacks(
    name: str, wanted: Sequence[str], missing: Sequence[str], base: Card | None
) -> str:
    shared = ",".join(channel for channel in wanted if channel not in missing)
    whose = f"base '{base.name}' was" if base else "--channels was"
    start = (
        f"{name} lacks {', '.join(missing)} of the {len(wanted)} channels that {whose} "
        f"{'made for' if base else 'given'}. Calibrate on the ones that both have "
        f"(--channels {shared}), have the missing ones filled from their neighbours "
        "(--interpolate)"
    )
    return f"{start}, or start from nothing (--base nothing)." if base else f"{start}."


def _other(
    settings: CalibrationSettings,
    alignment: Alignment,
    own: CalibrationScan,
    card: Card,
    *,
    path: Path,
) -> OtherEeg:
    """Return the windows of another subject's EEG; its volumes need no BOLD."""
    eeg = _eeg(settings.scan, path)
    theirs = _at_equal_time(eeg, alignment)
    scan = scan_of(eeg, theirs, card, settings=settings.scan.windows)
    place = {int(volume): row for row, volume in enumerate(own.volume)}
    shared = [(at, place[int(v)]) for at, v in enumerate(scan.volume) if v in place]
    if not shared:
        raise DataFileError(
            f"{eeg.name} (--other-eeg) has no window at a volume where the subject's "
            "own EEG has one, expected a recording of a scan of about the same length."
        )
    at, rows = np.array(shared, dtype=np.int64).T
    if np.array_equal(scan.windows[at[0]], own.windows[rows[0]]):
        raise ConfigError(
            f"{eeg.name} (--other-eeg) is the same EEG as the subject's own, so it can "
            "be no null. Name recordings of other subjects."
        )
    return OtherEeg(eeg.name, scan.windows[at], rows)


def _at_equal_time(eeg: EegRecording, alignment: Alignment) -> Alignment:
    """Return the alignment of another subject's EEG, by its own volume markers."""
    label = alignment.marker.label
    times_s = np.array([m.t_s for m in eeg.markers if same_label(m.label, label)])
    if len(times_s) < 2:
        raise DataFileError(
            f"{eeg.name} (--other-eeg) has the volume marker {label!r} "
            f"{len(times_s)} times, expected it at every volume, as in the subject's "
            "own EEG."
        )
    runs = trigger_runs(times_s, alignment.tr_s, every=alignment.every)
    run = max(runs, key=len)
    volumes = np.arange(alignment.volume[0], min(len(run), alignment.volume[-1] + 1))
    return replace(
        alignment,
        marker=replace(alignment.marker, times_s=times_s),
        volume=volumes,
        onsets_s=run.onsets_s[volumes],
        found=run.found[volumes],
        bold=np.zeros((len(volumes), len(alignment.rois))),
        confounds={},
    )
