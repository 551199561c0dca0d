"""A recording of EEG, whatever file it comes from: ``read_recording(path)``."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

from rtbold.acquire import to_uv_factor
from rtbold.disk import read_file
from rtbold.distribution import pip_install
from rtbold.errors import DataFileError, RtboldError
from rtbold.messages import (
    Channel,
    ClockOffset,
    Float32Array,
    FloatArray,
    StreamDescription,
)

MOST_PACKED = 1000  # bytes out of one byte of a file; EEG packs to a third
LEAST_UNPACKED_BYTES = 256 << 20  # so much may come out of any file


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
    clock_offsets: tuple[ClockOffset, ...] = ()  # XDF: of the EEG, in order of time
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
    trigger_channel: str | None = None  # holds codes, whatever its name and unit

    def is_trigger(self, label: str) -> bool:
        """Whether this is the trigger channel, by the rule of ``find_channel``."""
        wanted = self.trigger_channel
        return wanted is not None and (
            label.strip().casefold() == wanted.strip().casefold()
        )


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


# Optional packages: loaded when first needed, and missed in words.


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import `module`, or say which extra of rtbold brings it.

    Parameters
    ----------
    purpose : what it is needed for, as in "reading EDF".
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise RtboldError(
            f"{purpose} needs the package {module!r}, which cannot be imported "
            f"({error}). Install it: {pip_install(extra)}"
        ) from error


@contextmanager
def damage_told(path: Path, expected: str) -> Iterator[None]:
    """Turn whatever a damaged file makes a library raise into an error of ours.

    Raises
    ------
    DataFileError : something was raised inside that is no error of ours.
    """
    try:
        yield
    except RtboldError:
        raise
    except Exception as error:  # foreign bytes in foreign readers: it may be anything
        raise DataFileError(
            f"{path.name} cannot be read ({type(error).__name__}: {error}), expected "
            f"{expected}. Is it whole? Copy it again."
        ) from error


def check_declared_size(path: Path, n_bytes: int) -> None:
    """Refuse a file that says it unpacks to far more than it can hold.

    Raises
    ------
    DataFileError : it does; reading it would take all memory.
    """
    most = max(LEAST_UNPACKED_BYTES, MOST_PACKED * path.stat().st_size)
    if n_bytes > most:
        raise DataFileError(
            f"{path.name} says that it unpacks to {n_bytes} bytes, expected at most "
            f"{most} of a file of its size. It is damaged: copy it again."
        )


# The note in a folder that its files were simulated.
#
# Most file formats have no place to say so, and a twin that passes for a person would
# give a model a verdict on real data.

NAME = "simulated.json"
MAX_NOTE_BYTES = 1_000_000


def says_simulated(file: Path) -> bool:
    """Whether a note beside `file` says so; one that cannot be understood does."""
    note = file.parent / NAME
    if not os.path.lexists(note):
        return False
    try:
        facts = json.loads(read_file(note, at_most_bytes=MAX_NOTE_BYTES))
    except (OSError, ValueError, RecursionError):
        return True
    return not (isinstance(facts, dict) and facts.get("simulated") is False)
