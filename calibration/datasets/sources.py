"""One scan of a data set: what it is made of, and how it is read.

A layout (NeuroBOLT, BIDS, XDF, ...) finds `ScanSource`s and reads nothing. `load_scan`
reads one: EEG, volumes, confounds and blocks, paired by the volume markers as
``rtbold calibrate`` pairs them. Nothing is conditioned, filtered or scaled here.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.acquire import same_label
from rtbold.calibration.datasets.blocks import Block, BlockSource, blocks_of
from rtbold.calibration.inputs.alignment import Alignment, align
from rtbold.calibration.inputs.bold import read_bold, read_confounds
from rtbold.calibration.inputs.bold_series import BoldSeries
from rtbold.calibration.inputs.choices import MarkerChoice, Pairing
from rtbold.calibration.inputs.eeg import (
    EegRecording,
    TimedMarker,
    read_eeg,
    refuse_amplitude,
)
from rtbold.calibration.train.dataset import Recording
from rtbold.errors import AmbiguousStream, DataFileError, RtboldError
from rtbold.files import Recording as EegFile
from rtbold.messages import TR_TOLERANCE, Channel, ChannelKind, FloatArray
from rtbold.sim import SimulatedRecording, SimulationSettings, simulate
from rtbold.text import first_few

GLOBAL_SIGNAL: Final = "global_signal"
_PAUSE: Final = 1.5  # samples; stamps further apart leave a gap
_PAUSE_S: Final = 0.05  # and at least so far: stamps of chunks jitter


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSource:
    """One scan of a data set: which files, whose, and how they are paired."""

    name: str  # unique in the data set, safe as a file name
    subject: str
    session: str = "1"
    eeg: Path | None = None  # anything that `read_eeg` takes
    bold: Path | None = None  # anything that `read_bold` takes, FILE.mat:NAME too
    twin: SimulationSettings | None = None  # in place of files
    atlas: Path | None = None  # of an image
    confounds: Path | None = None  # a table, one row a volume of `bold`
    confound_columns: tuple[str, ...] = ()  # of that table, with ``*``; empty: all
    rois: tuple[str, ...] = ()  # empty: all columns that are no confound
    stream: str | None = None  # EEG stream of an XDF
    unit: str | None = None  # of EEG channels whose unit the file does not say
    reference: str | None = None  # overrides what the EEG file says
    trigger_channel: str | None = None  # whose rises are markers
    kinds: Mapping[str, ChannelKind] = field(default_factory=dict)  # of EEG channels
    pairing: Pairing = field(default_factory=Pairing)
    known_marker: str | None = None  # the layout's own; decides where several qualify
    bold_tr_s: float | None = None  # of a sidecar; goes over an image's header
    blocks: BlockSource = field(default_factory=BlockSource)
    notes: tuple[str, ...] = ()  # what the layout has to say of it

    @property
    def what(self) -> str:
        """How a message calls it."""
        files = [path.name for path in (self.eeg, self.bold) if path is not None]
        made_of = " and ".join(dict.fromkeys(files)) or "simulated"
        return f"scan {self.name!r} ({made_of})"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """What a report line says of a scan as it was read."""

    n_volumes: int  # paired
    n_markers: int  # of the volume, all runs and doubles
    n_filled: int  # missed, and timed by the one before
    n_missed: int  # missed, without a time
    n_double: int
    n_without_row: int  # volumes of the run without BOLD
    marker: str
    tr_measured_s: float
    jitter_sd_ms: float
    channels: tuple[str, ...]  # the electrodes
    left_out_channels: tuple[str, ...]  # ECG, EOG, EMG, ...
    left_out_rois: Mapping[str, str] = field(default_factory=dict)  # name -> why
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LoadedScan:
    """One scan as it was measured, EEG and volumes on one clock.

    `eeg` and `alignment` are what a calibration has of a scan; `recording` is the same
    with times from the EEG's first sample.
    """

    source: ScanSource
    eeg: EegRecording  # all channels
    alignment: Alignment  # onsets on the clock of the EEG's stamps; nan: missed
    confounds: Mapping[str, FloatArray]  # name -> (volumes,); nan: no row
    global_signal: FloatArray | None  # (volumes,), where the data set has one
    blocks: tuple[Block, ...]  # rest, task, regulate; from the EEG's first sample
    simulated: bool
    report: ScanReport

    @property
    def rois(self) -> tuple[str, ...]:
        """Names of the columns of BOLD."""
        return self.alignment.rois

    @property
    def tr_s(self) -> float:
        """Nominal TR; of what the triggers alone tell, to a tenth of a millisecond."""
        tr_s = self.alignment.tr_s
        return round(tr_s, 4) if self.alignment.tr_from == "triggers" else tr_s

    @property
    def recording(self) -> Recording:
        """The scan with its electrodes alone, times from the EEG's first sample.

        Onsets are nan where a marker was missed, BOLD is nan where there is no row. An
        XDF's onsets are right to within the jitter of its stamps; `eeg` has these.

        Raises
        ------
        DataFileError : an XDF has a gap, which counted samples cannot hold.
        """
        file = self.eeg.recording
        rows = [k for k, channel in enumerate(file.channels) if channel.kind == "eeg"]
        whole = len(rows) == len(file.channels)
        return Recording(
            name=self.source.name,
            eeg_uv=file.data_uv if whole else file.data_uv[rows],
            rate_hz=file.rate_hz,
            channels=tuple(file.channels[k] for k in rows),
            volume_onsets_s=from_first_sample(self.eeg, self.alignment.onsets_s),
            bold=self.alignment.bold,
            reference=self.source.reference or file.reference,
        )


def load_scan(source: ScanSource) -> LoadedScan:
    """Read one scan.

    An ROI that is not measured at every volume is left out and named in the report,
    unless `ScanSource.rois` asks for it. The global signal is no ROI and no confound.

    Raises
    ------
    DataFileError : a file is missing, damaged, or does not fit the others.
    AmbiguousStream : more than one marker, run of triggers or stream could be meant.
    RtboldError : any other reason why it cannot be read; each names the scan.
    """
    with _told_of(source):
        eeg, bold = _simulated(source.twin) if source.twin else _measured(source)
        alignment = _aligned(source, eeg, bold)
        _refuse_nothing(source, alignment)
        confounds = dict(alignment.confounds)
        global_signal = confounds.pop(GLOBAL_SIGNAL, None)
        for name in [k for k in confounds if k.startswith(GLOBAL_SIGNAL)]:
            del confounds[name]  # the published set has a raw one too, fMRIPrep powers
        return LoadedScan(
            source=source,
            eeg=eeg,
            alignment=alignment,
            confounds=confounds,
            global_signal=global_signal,
            blocks=blocks_of(
                source.blocks, eeg, alignment, first_row=source.pairing.drop_volumes
            ),
            simulated=eeg.recording.simulated or bold.simulated,
            report=_report(source, eeg, bold, alignment),
        )


def from_first_sample(eeg: EegRecording, times_s: FloatArray) -> FloatArray:
    """Return times on the clock of the EEG's stamps as seconds of counted samples.

    Raises
    ------
    DataFileError : the stamps leave a gap.
    """
    stamps_s = eeg.recording.stamps_s
    if stamps_s is None:
        return times_s
    steps_s = np.diff(stamps_s)
    most_s = max(_PAUSE / eeg.recording.rate_hz, _PAUSE_S)
    if (gaps := np.flatnonzero(steps_s > most_s)).size:
        at_s = [float(stamps_s[k] - stamps_s[0]) for k in gaps]
        raise DataFileError(
            f"{eeg.name} has {len(gaps)} gaps (the first of {steps_s[gaps[0]]:.3f} s, "
            f"{at_s[0]:.1f} s after its start), expected a recording without one. Use "
            "another recording, or the part of this one before the gap."
        )
    count_s = np.arange(len(stamps_s)) / eeg.recording.rate_hz
    return np.interp(times_s, np.maximum.accumulate(stamps_s), count_s)


# Files.


def _measured(source: ScanSource) -> tuple[EegRecording, BoldSeries]:
    if source.eeg is None or source.bold is None:
        lacks = "EEG" if source.eeg is None else "BOLD"
        raise DataFileError(
            f"it names no {lacks}, expected EEG and measured BOLD. Add the file to the "
            "description of the data set, or leave the scan out."
        )
    bold = _bold(source, source.bold)
    eeg = read_eeg(
        source.eeg,
        stream=source.stream,
        unit=source.unit,
        trigger_channel=source.trigger_channel,
    )
    eeg = _with_kinds(eeg, source.kinds)
    refuse_amplitude(eeg)
    return eeg, bold


def _bold(source: ScanSource, path: Path) -> BoldSeries:
    bold = read_bold(
        path, atlas=source.atlas, columns=source.rois or None, leave_out=True
    )
    if source.confounds is not None:
        columns = source.confound_columns or None
        given = read_confounds(source.confounds, len(bold), columns=columns)
        bold = replace(bold, confounds={**bold.confounds, **given})
    told, said = source.bold_tr_s, bold.tr_s
    if told is None:
        return bold
    notes = bold.notes
    if said is not None and abs(said / told - 1) > TR_TOLERANCE:
        notes = (*notes, f"{bold.name} says a TR of {said:.4g} s, its sidecar {told:g}")
    return replace(bold, tr_s=told, notes=notes)


def _with_kinds(eeg: EegRecording, kinds: Mapping[str, ChannelKind]) -> EegRecording:
    """Return EEG whose channels are of the kinds that a table beside it says."""
    if not kinds:
        return eeg
    channels = tuple(
        replace(channel, kind=kinds.get(channel.label, channel.kind))
        for channel in eeg.recording.channels
    )
    if not any(channel.kind == "eeg" for channel in channels):
        raise DataFileError(
            f"no channel of {eeg.name} is EEG by the table of channels beside it, "
            "expected at least one. Correct the types in that table."
        )
    return replace(eeg, recording=replace(eeg.recording, channels=channels))


def _aligned(source: ScanSource, eeg: EegRecording, bold: BoldSeries) -> Alignment:
    """Pair by the regular marker; the layout's own where several are regular."""
    known, choice = source.known_marker, source.pairing.marker
    try:
        return align(eeg, bold, source.pairing)
    except AmbiguousStream:
        if choice.label is not None or not _has_marker(eeg, known):
            raise
    named = MarkerChoice(known, choice.stream, choice.every)
    return align(eeg, bold, replace(source.pairing, marker=named))


def _has_marker(eeg: EegRecording, label: str | None) -> bool:
    return label is not None and any(same_label(m.label, label) for m in eeg.markers)


def _refuse_nothing(source: ScanSource, alignment: Alignment) -> None:
    with_row = np.isfinite(alignment.bold).all(axis=1)
    if not (with_row & np.isfinite(alignment.onsets_s)).any():
        name = source.bold.name if source.bold else "the BOLD"
        raise DataFileError(
            f"no volume of {name} has both a time and a row, expected at least one. "
            "Are markers and rows of the same run?"
        )


def _report(
    source: ScanSource, eeg: EegRecording, bold: BoldSeries, alignment: Alignment
) -> ScanReport:
    channels = eeg.recording.channels
    notes = (*source.notes, *alignment.notes)
    if bold.unusable:
        told = [f"{roi} {why}" for roi, why in bold.unusable.items()]
        notes = (*notes, f"ROIs left out: {first_few(told)}")
    return ScanReport(
        n_volumes=len(alignment),
        n_markers=len(alignment.marker.times_s),
        n_filled=alignment.n_filled,
        n_missed=alignment.n_missed,
        n_double=alignment.n_double,
        n_without_row=alignment.n_without_row,
        marker=alignment.marker.text,
        tr_measured_s=alignment.tr_measured_s,
        jitter_sd_ms=alignment.jitter_sd_ms,
        channels=_labels(channels, eeg=True),
        left_out_channels=_labels(channels, eeg=False),
        left_out_rois=bold.unusable,
        warnings=alignment.warnings,
        notes=notes,
    )


def _labels(channels: tuple[Channel, ...], *, eeg: bool) -> tuple[str, ...]:
    return tuple(c.label for c in channels if (c.kind == "eeg") == eeg)


# Simulated sessions: of the twin, or of the foreign generator.


def _simulated(settings: SimulationSettings) -> tuple[EegRecording, BoldSeries]:
    """Return what an experimenter would have of a simulated session."""
    twin = simulate(settings)
    onsets_s = twin.volume_onsets_s.tolist()
    file = EegFile(
        data_uv=twin.eeg_uv,
        rate_hz=twin.rate_hz,
        channels=twin.channels,
        reference=settings.reference,
        simulated=True,
    )
    markers = tuple(TimedMarker("R128", t_s) for t_s in onsets_s)
    bold = BoldSeries(
        name=settings.title,
        rois=twin.roi_names,
        values=twin.bold,
        confounds=body_of(twin),
        tr_s=settings.tr_s,
        simulated=True,
    )
    return EegRecording(Path(settings.title), file, markers), bold


def body_of(twin: SimulatedRecording) -> dict[str, FloatArray]:
    """Return what a lab would have measured of the body, one value a volume.

    Heart rate and breathing's rate times depth, as their tables give them, without a
    response function; a spike of framewise displacement where the head moved.
    """
    onsets_s, slow_s = twin.volume_onsets_s, twin.drive_t_s
    breath = twin.body.breath_rate_hz * twin.body.breath_depth
    moved = np.zeros(len(onsets_s))
    hit = np.searchsorted(onsets_s, twin.body.motion_t_s, side="right") - 1
    np.add.at(moved, hit[hit >= 0], twin.body.motion_size[hit >= 0])
    return {
        "framewise_displacement": moved,
        "heart_rate": np.interp(onsets_s, slow_s, twin.body.heart_rate_hz),
        "resp_volume": np.interp(onsets_s, slow_s, breath),
    }


# Messages: those of `calibrate` name its options, a data set has keys.

_KEYS: Final = {"run": "trigger_run", "roi": "rois", "tr": "tr_s"}
_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?: (\d+(?:\.\d+)?))?")


def in_keys(message: str) -> str:
    """Return a message of `calibrate` with keys of a description for its options."""

    def key(found: re.Match[str]) -> str:
        name = _KEYS.get(found[1], found[1].replace("-", "_"))
        return name if found[2] is None else f"{name} = {found[2]}"

    return _OPTION.sub(key, message)


@contextmanager
def _told_of(source: ScanSource) -> Iterator[None]:
    """Let every error name the scan, and its fix the keys of the data set."""
    try:
        yield
    except RtboldError as error:
        raise type(error)(f"{source.what}: {in_keys(str(error))}") from error
