"""Open a recording by its file name: the one way in to every format."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtbold.errors import DataFileError
from rtbold.files.recording import (
    ReadOptions,
    Recording,
    damage_told,
    says_simulated,
)
from rtbold.files.signals import bids_note, check_labels, check_pauses, with_holes

Reader = Callable[[Path, ReadOptions], Recording]


def read_recording(
    path: str | Path,
    *,
    stream: str | None = None,
    unit: str | None = None,
    trigger_channel: str | None = None,
) -> Recording:
    """Read EDF, BDF, BrainVision, EEGLAB, FIF, XDF or eeghdf.

    Parameters
    ----------
    stream : name of the EEG stream, needed when an XDF holds more than one.
    unit : unit of the channels for which the file gives none ("uV", "mV", "V").
    trigger_channel : holds codes that are kept as they are, as in a live session.

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
    with damage_told(path, "a recording"):
        options = ReadOptions(stream, unit, trigger_channel)
        recording = reader(path, options)
        _check(path, recording)
        if recording.stamps_s is None:  # an XDF's stamps tell its pauses
            recording = _checked(path, recording)
    if says_simulated(path):
        return replace(recording, simulated=True)
    return recording


def _reader_for(path: Path) -> Reader:
    # Late imports: each reader pulls in only what its own format needs.
    from rtbold.files.brainvision import read_brainvision
    from rtbold.files.edf import read_bdf, read_edf
    from rtbold.files.eeghdf import read_eeghdf
    from rtbold.files.eeglab import read_eeglab
    from rtbold.files.fif import read_fif
    from rtbold.files.xdf import read_xdf

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
        header = companions[suffix]
        if path.suffix.isupper():
            header = header.upper()
        raise DataFileError(
            f"{path.name} is only a part of a recording, expected its header. "
            f"Give the file {path.stem}{header} beside it."
        )
    if suffix not in readers:
        raise DataFileError(
            f"{path.name} ends in {suffix or 'nothing'!r}, expected one of "
            f"{sorted(readers)}. Convert it, or rename it if its name is wrong."
        )
    return readers[suffix]


def _checked(path: Path, recording: Recording) -> Recording:
    """Refuse what counted samples cannot hold; note what a user should know."""
    notes = [
        *check_labels(path, recording.channels),
        *check_pauses(path, recording),
        *bids_note(path),
    ]
    told = replace(recording, notes=(*recording.notes, *notes))
    return with_holes(told)


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
