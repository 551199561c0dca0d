"""A recording of EEG, whatever file it comes from: ``read_recording(path)``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rtbold.errors import DataFileError
from rtbold.io.simulated_note import says_simulated
from rtbold.io.units import to_uv_factor
from rtbold.messages import (
    Channel,
    ClockOffset,
    Float32Array,
    FloatArray,
    StreamDescription,
)


@dataclass(frozen=True, slots=True)
class RecordedMarker:
    """One annotation, trigger or marker of a recording."""

    label: str
    t_s: float  # seconds after the first sample, by sample count
    t_lsl_s: float | None = None  # XDF: on the recorder's clock, offset applied
    stream: str = ""  # XDF: name of the marker stream


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A whole recording in memory."""

    data_uv: Float32Array  # (channels, samples); microvolt where the unit is a voltage
    rate_hz: float  # nominal
    channels: tuple[Channel, ...]  # unit "uV", or the file's where it is no voltage
    reference: str | None = None  # electrode name, "average", or None: not said
    markers: tuple[RecordedMarker, ...] = ()  # in order of time
    stamps_s: FloatArray | None = None  # (samples,), raw stamps of an LSL stream
    clock_offsets: tuple[ClockOffset, ...] = ()  # XDF: of the EEG stream
    description: StreamDescription | None = None  # XDF: of the EEG stream
    simulated: bool = False  # the file, or a note beside it, says no brain made it
    notes: tuple[str, ...] = ()  # what a user should know of the file

    @property
    def duration_s(self) -> float:
        """Length by sample count, seconds."""
        return float(self.data_uv.shape[1] / self.rate_hz)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a file may leave unsaid."""

    stream: str | None = None  # XDF: name of the EEG stream, where there are several
    unit: str | None = None  # of channels whose unit the file does not say


_POTENTIALS = ("eeg", "ecg", "eog", "emg", "cwl")


def in_microvolt(
    channels: Sequence[Channel], unit: str | None = None
) -> tuple[Channel, ...]:
    """Return `channels` as they are once ``units.factors_to_uv`` was applied.

    Those that hold a voltage now are in "uV"; the rest keep what the file says.
    """
    return tuple(
        replace(channel, unit="uV") if _became_uv(channel, unit) else channel
        for channel in channels
    )


def _became_uv(channel: Channel, unit: str | None) -> bool:
    if channel.kind in _POTENTIALS:
        return unit is not None or to_uv_factor(channel.unit) is not None
    named = channel.unit[:1].isalpha() and to_uv_factor(channel.unit) is not None
    return named and channel.kind != "trigger"


Reader = Callable[[Path, ReadOptions], Recording]


def read_recording(
    path: str | Path, *, stream: str | None = None, unit: str | None = None
) -> Recording:
    """Read EDF, BDF, BrainVision, EEGLAB, FIF, XDF or eeghdf.

    Parameters
    ----------
    stream : name of the EEG stream, needed when an XDF holds more than one.
    unit : unit of the channels for which the file gives none ("uV", "mV", "V").

    Raises
    ------
    DataFileError
        The file is missing, empty, truncated, or not what its name says.
    RtboldError
        The package that reads this format is not installed.
    """
    path = Path(path)
    reader = _reader_for(path)
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected a recording. Check the path."
        )
    if path.stat().st_size == 0:
        raise DataFileError(
            f"{path.name} is empty (0 bytes), expected a recording. Copy it again."
        )
    recording = reader(path, ReadOptions(stream=stream, unit=unit))
    _check(path, recording)
    if says_simulated(path):
        return replace(recording, simulated=True)
    return recording


def _reader_for(path: Path) -> Reader:
    # Late imports: each reader pulls in only what its own format needs.
    from rtbold.files.eeghdf import read_eeghdf
    from rtbold.files.xdf import read_xdf
    from rtbold.io.read_brainvision import read_brainvision
    from rtbold.io.read_edf import read_bdf, read_edf
    from rtbold.io.read_eeglab import read_eeglab
    from rtbold.io.read_fif import read_fif

    readers: dict[str, Reader] = {
        ".edf": read_edf,
        ".bdf": read_bdf,
        ".vhdr": read_brainvision,
        ".set": read_eeglab,
        ".fif": read_fif,
        ".fif.gz": read_fif,
        ".xdf": read_xdf,
        ".h5": read_eeghdf,
        ".hdf": read_eeghdf,
        ".hdf5": read_eeghdf,
    }
    companions = {".eeg": ".vhdr", ".vmrk": ".vhdr", ".fdt": ".set", ".dat": ".vhdr"}
    name = path.name.lower()
    suffix = ".fif.gz" if name.endswith(".fif.gz") else path.suffix.lower()
    if suffix in companions:
        raise DataFileError(
            f"{path.name} is only a part of a recording, expected its header. "
            f"Give the file {path.stem}{companions[suffix]} beside it."
        )
    if suffix not in readers:
        raise DataFileError(
            f"{path.name} ends in {suffix or 'nothing'!r}, expected one of "
            f"{sorted(readers)}. Convert it, or rename it if its name is wrong."
        )
    return readers[suffix]


def _check(path: Path, recording: Recording) -> None:
    if recording.data_uv.shape[1] == 0:
        raise DataFileError(
            f"{path.name} holds no samples, expected a recording. "
            "Was the recording stopped before it began? Take another file."
        )
    if not any(channel.kind == "eeg" for channel in recording.channels):
        labels = [channel.label for channel in recording.channels]
        raise DataFileError(
            f"{path.name} holds no EEG: its channels are {labels}, expected electrodes "
            "of the 10-05 system. Rename them in the file, or take another file."
        )
