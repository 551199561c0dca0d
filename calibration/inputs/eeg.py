"""The EEG of a scan with its markers, on one clock: that of the samples' stamps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rtbold.acquire import RisingEdges, find_channel
from rtbold.condition import ChannelMonitor
from rtbold.electrodes import match
from rtbold.errors import DataFileError
from rtbold.files import (
    Recording,
    clock_offset_s,
    marker_time_s,
    read_recording,
    stamps,
)
from rtbold.messages import FloatArray
from rtbold.record import EVENTS_NAME


@dataclass(frozen=True, slots=True)
class TimedMarker:
    """One marker; its time is on the clock of the EEG's stamps."""

    label: str
    t_s: float
    stream: str = ""  # XDF: name of the marker stream; a channel's label in brackets


@dataclass(frozen=True, slots=True, eq=False)
class EegRecording:
    """The EEG of one scan. Files without stamps count from their first sample."""

    path: Path
    recording: Recording
    markers: tuple[TimedMarker, ...]  # in order of time

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.path.name

    @property
    def session(self) -> bool:
        """Whether ``rtbold run --record`` wrote it, so that its event log is there."""
        log = self.path.with_name(EVENTS_NAME)
        return self.path.suffix.lower() == ".xdf" and log.is_file()

    @property
    def first_s(self) -> float:
        """Time of the first sample."""
        return float(stamps(self.recording)[0])

    @property
    def last_s(self) -> float:
        """Time of the last sample."""
        return float(stamps(self.recording)[-1])

    @property
    def offset_s(self) -> float:
        """What is added to the first stamps for the recorder's clock."""
        offsets = self.recording.clock_offsets
        return offsets[0].offset_s if offsets else 0.0

    def local_s(self, times_s: FloatArray) -> FloatArray:
        """Return times on the clock of the stamps on the recorder's clock; nan stays.

        The offset changes slowly, so a time that is nearly right finds the right one.
        """
        near_s = times_s + self.offset_s
        offsets_s = [clock_offset_s(self.recording, t_s) for t_s in near_s.tolist()]
        local_s: FloatArray = times_s + np.array(offsets_s)
        return local_s


def read_eeg(
    path: str | Path,
    *,
    stream: str | None = None,
    unit: str | None = None,
    trigger_channel: str | None = None,
) -> EegRecording:
    """Read XDF, BrainVision, EEGLAB, EDF, BDF, FIF or eeghdf, with its markers.

    Parameters
    ----------
    stream : name of the EEG stream, needed when an XDF holds more than one.
    unit : of channels whose unit the file does not say.
    trigger_channel : label of a channel whose rises are markers too (BDF's Status).

    Raises
    ------
    DataFileError : the file cannot be read as what its name says.
    StreamMismatch : there is no such trigger channel.
    """
    recording = read_recording(
        path, stream=stream, unit=unit, trigger_channel=trigger_channel
    )
    markers = [
        TimedMarker(m.label, marker_time_s(m, recording), m.stream)
        for m in recording.markers
    ]
    if trigger_channel is not None:
        markers += channel_markers(recording, trigger_channel)
    markers.sort(key=lambda marker: marker.t_s)
    return EegRecording(Path(path), recording, tuple(markers))


def channel_markers(recording: Recording, channel: str) -> list[TimedMarker]:
    """Return a marker for each rise of a channel, labelled by the value risen to."""
    row = find_channel(recording.channels, channel)
    times_s = np.asarray(stamps(recording), dtype=np.float64)
    edges = RisingEdges()(recording.data_uv[row], times_s)
    return [TimedMarker(label, t_s, f"[{channel}]") for label, t_s in edges]


# Whether the unit can be right.

_PLAUSIBLE_UV = (0.5, 150.0)  # RMS, as the live monitor takes an EEG's median
_ABSURD = (0.2, 2000.0)  # a scanner's artefact that is left in reaches some 1 mV
_MOST_BLOCKS = 120


def refuse_amplitude(eeg: EegRecording) -> None:
    """Refuse EEG whose amplitude shows that the unit is wrong.

    Raises
    ------
    DataFileError : says the median amplitude and what to do.
    """
    recording = eeg.recording
    rows = [k for k, channel in enumerate(recording.channels) if channel.kind == "eeg"]
    n, second = recording.data_uv.shape[1], max(round(recording.rate_hz), 2)
    first = np.arange(0, n - second + 1, second)
    if not rows or not len(first):
        return
    chosen = first[np.linspace(0, len(first) - 1, _MOST_BLOCKS).astype(int)]
    rms_uv = [
        np.nanstd(recording.data_uv[rows, at : at + second], axis=1)
        for at in np.unique(chosen)
    ]
    median_uv = float(np.nanmedian(rms_uv))
    flat = median_uv == 0 or not np.isfinite(median_uv)  # the windows tell that
    if flat or _ABSURD[0] <= median_uv <= _ABSURD[1]:
        return
    raise DataFileError(
        f"the EEG of {eeg.name} has a median amplitude of {_amplitude(median_uv)} RMS, "
        f"expected {_PLAUSIBLE_UV[0]:g} to {_PLAUSIBLE_UV[1]:g} uV. Its unit is wrong: "
        "give --unit where the file says none, or correct the unit in the file. (Or no "
        "electrode was connected, or the scanner's artefact is still in.)"
    )


def _amplitude(median_uv: float) -> str:
    for unit, factor in (("V", 1e6), ("mV", 1e3)):
        if median_uv >= factor:
            return f"{median_uv / factor:.3g} {unit}"
    return f"{median_uv:.3g} uV"


# How good each channel was over a recording, by the live monitor.


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFacts:
    """How long one channel of the model was bad, by the live monitor."""

    label: str
    judged_s: int = 0  # 0: the stream has no such channel
    bad_s: Mapping[str, int] = field(default_factory=dict)  # state -> seconds

    @property
    def bad_share(self) -> float:
        """Share of the judged seconds in which it was bad; 1 where it is missing."""
        return sum(self.bad_s.values()) / self.judged_s if self.judged_s else 1.0


def channel_facts(
    recording: Recording, wanted: Sequence[str]
) -> tuple[ChannelFacts, ...]:
    """Judge each second of a recording, and return the model's channels.

    Parameters
    ----------
    wanted : electrodes of the model; one that is not recorded has no judged second.
    """
    labels = [channel.label for channel in recording.channels]
    monitor = ChannelMonitor(recording.rate_hz, recording.channels)
    second = round(recording.rate_hz)
    bad: list[Counter[str]] = [Counter() for _ in labels]
    judged_s = 0
    for first in range(0, recording.data_uv.shape[1] - second + 1, second):
        monitor.push(recording.data_uv[:, first : first + second], first)
        if not monitor.settled:
            continue
        judged_s += 1
        for counted, channel in zip(bad, monitor.report(), strict=True):
            if channel.state != "good":
                counted[channel.state] += 1
    return tuple(
        ChannelFacts(label=name)
        if place is None
        else ChannelFacts(label=name, judged_s=judged_s, bad_s=dict(bad[place]))
        for name, place in zip(wanted, match(labels, wanted), strict=True)
    )
