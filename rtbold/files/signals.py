"""What files declare of their signals, by one rule: units, labels, pauses, holes."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rtbold.acquire import to_uv_factor
from rtbold.electrodes import canonical, has_position
from rtbold.errors import ConfigError, DataFileError
from rtbold.files.recording import ReadOptions, RecordedMarker, Recording
from rtbold.messages import Channel, Float32Array, FloatArray

BLOCK_S = 30.0  # float64 of a block at a time, so that long files fit in memory
_MOST_NAMED = 6  # times or labels in one message

# Units. A file's own unit holds; --unit speaks only where the file says none.

_POTENTIALS = ("eeg", "ecg", "eog", "emg", "cwl")
# What stands where a unit is not known; "%" or "bpm" is known, and no voltage.
_SAYS_NOTHING = re.compile(r"^(n/?a|none|unknown|unit|arb\.?|a\.?u\.?|[?\-])?$", re.I)


def scaled(
    path: Path, channels: Sequence[Channel], options: ReadOptions
) -> tuple[FloatArray, tuple[Channel, ...]]:
    """Return the factors of a file's values, and its channels as they are then.

    Voltages come to microvolt, everything else keeps its values and its unit. Codes of
    trigger channels have no unit, whatever the file gives them.

    Parameters
    ----------
    options : the unit of the potentials for which the file gives none, and which
        channel holds codes though nothing in the file says so.

    Raises
    ------
    ConfigError : the unit is no unit of voltage.
    DataFileError : an EEG channel has no voltage as its unit, and none was given.
    """
    unit = options.unit
    channels = [
        replace(c, kind="trigger") if options.is_trigger(c.label) else c
        for c in channels
    ]
    given = None if unit is None else to_uv_factor(unit)
    if unit is not None and given is None:
        raise ConfigError(
            f"--unit is {unit!r}, expected one of V, mV, uV (or their full names)."
        )
    factors = [_factor(channel, given) for channel in channels]
    unknown = {
        channel.label: channel.unit
        for channel, factor in zip(channels, factors, strict=True)
        if factor is None and channel.kind == "eeg"
    }
    if unknown:
        raise DataFileError(
            f"{path.name} gives the units {_some(unknown)}, expected a voltage. "
            "Say which it is: --unit uV (or mV, V)"
        )
    return (
        np.array([1.0 if factor is None else factor for factor in factors]),
        tuple(map(_after, channels, factors)),
    )


def _factor(channel: Channel, given: float | None) -> float | None:
    """Return the factor to microvolt; None where the values stay what they are."""
    if channel.kind == "trigger":
        return None
    if (known := _voltage(channel.unit)) is not None:
        return known
    if channel.kind == "eeg":
        return given
    if channel.kind in _POTENTIALS and _may_be_voltage(channel.unit):
        return given
    return None


def _voltage(unit: str) -> float | None:
    # A bare power of ten, as LSL streams give it, says nothing in a file.
    return to_uv_factor(unit) if unit[:1].isalpha() else None


def _may_be_voltage(unit: str) -> bool:
    return bool(_SAYS_NOTHING.match(unit)) or unit[-1] in "vV"


def _after(channel: Channel, factor: float | None) -> Channel:
    if factor is not None:
        return replace(channel, unit="uV")
    return replace(channel, unit="") if channel.kind == "trigger" else channel


# Labels: an electrode is there once.

_NUMBERED = re.compile(r"^(.+)-\d+$")  # so MNE numbers labels that are there twice


def check_labels(path: Path, channels: Sequence[Channel]) -> tuple[str, ...]:
    """Refuse an electrode that is there twice; return notes on other doubles.

    Raises
    ------
    DataFileError : two channels name one electrode, in whatever spelling.
    """
    electrodes: dict[str, list[str]] = defaultdict(list)
    numbered: dict[str, list[str]] = defaultdict(list)
    others: dict[str, list[str]] = defaultdict(list)
    for channel in channels:
        match = _NUMBERED.match(channel.label)
        if match and has_position(match[1]):
            numbered[canonical(match[1])].append(channel.label)
        elif channel.kind == "eeg":
            electrodes[canonical(channel.label)].append(channel.label)
        else:
            others[channel.label.strip().casefold()].append(channel.label)
    for name, labels in [*electrodes.items(), *numbered.items()]:
        if len(labels) > 1:
            raise DataFileError(_twice(path, name, labels))
    doubled = [labels[0] for labels in others.values() if len(labels) > 1]
    if not doubled:
        return ()
    return (f"several channels are called {_some(doubled)}; they cannot be told apart",)


def _twice(path: Path, name: str, labels: Sequence[str]) -> str:
    label = labels[0]
    if len(set(labels)) > 1:
        label = name
    elif match := _NUMBERED.match(label):
        label = match[1]
    spelt = f" (as {_some(labels)})" if len(set(labels)) > 1 else ""
    times = "twice" if len(labels) == 2 else f"{len(labels)} times"
    return (
        f"{label!r} is there {times} in {path.name}{spelt}, expected each electrode "
        "once. Rename one in the file, or leave it out of the export."
    )


# Pauses: samples are counted, so a recording must go on without one.


@dataclass(frozen=True, slots=True)
class Pause:
    """A name under which programs mark that time is missing before a sample."""

    pattern: re.Pattern[str]
    text: str  # what happened


_PAUSES = (
    Pause(re.compile(r"new segment", re.I), "was paused"),
    Pause(re.compile(r"^(bad|edge)?[\s_\-]*boundary$", re.I), "was cut or joined"),
    Pause(re.compile(r"acq[\s_\-]*skip", re.I), "was not saved all the time"),
)
# These may be words of a task, so they are told and decide nothing.
_MAY_BE_PAUSES = re.compile(
    r"\bpaused?\b|\bresumed?\b|interrupt|discontinu|disconnect|\bboundary\b|"
    r"lost[\s_]*(samples|signal|data|connection)|(data|signal)[\s_]*loss|"
    r"buffer[\s_]*overflow|\bsegment[\s_]*\d|recording (re)?start|recording (end|stop)",
    re.I,
)
_BAD = re.compile(r"^bad", re.I)


def check_pauses(path: Path, recording: Recording) -> tuple[str, ...]:
    """Refuse a recording with a pause in it; return notes on what may be one.

    Raises
    ------
    DataFileError : a marker between the first and the last sample says so.
    """
    last = recording.data_uv.shape[1] - 1
    within = [
        marker
        for marker in recording.markers
        if 0 < round(marker.t_s * recording.rate_hz, 3) <= last
    ]
    for pause in _PAUSES:
        found = [m for m in within if pause.pattern.search(_name(m))]
        if found:
            times_s = sorted({round(m.t_s, 3) for m in found})
            raise DataFileError(
                f"{path.name} {pause.text} at {_some(times_s)} s "
                f"({found[0].label.rstrip('/')!r}), expected a continuous recording, "
                "because samples are counted. Export each uninterrupted part to a "
                "file of its own."
            )
    return _notes_on_markers(recording.markers, within)


def _name(marker: RecordedMarker) -> str:
    """Return a label without the group before it, as in ``Comment/boundary``."""
    label = marker.label.strip().rstrip("/")
    return label.rpartition("/")[2].strip()


def _notes_on_markers(
    markers: Iterable[RecordedMarker], within: Iterable[RecordedMarker]
) -> tuple[str, ...]:
    notes = []
    perhaps = [m for m in within if _MAY_BE_PAUSES.search(m.label)]
    if perhaps:
        notes.append(
            f"markers {_some(dict.fromkeys(m.label for m in perhaps))} at "
            f"{_some([round(m.t_s, 3) for m in perhaps])} s: if the recording was "
            "interrupted there, times after it are wrong"
        )
    bad = [
        m
        for m in markers
        if m not in perhaps and (_BAD.match(m.label) or _BAD.match(_name(m)))
    ]
    if bad:
        notes.append(
            f"{len(bad)} stretches are marked {_some({m.label for m in bad})} in the "
            "file; the marks are not used, every sample is judged as live"
        )
    return tuple(notes)


# Holes: stretches in which no electrode gave a value.

_HOLE_S = 0.05  # no EEG stands still so long in every channel
_ZERO_UV = 0.1  # the digital zero of an EDF need not be 0 microvolt exactly


def with_holes(recording: Recording) -> Recording:
    """Return a recording whose holes hold no numbers, with notes that tell them.

    A stretch in which all EEG channels are zero between samples that are not is a gap
    that was filled. As NaN it stays a gap: no window across it gives a usable value.
    """
    eeg_uv = [
        row
        for channel, row in zip(recording.channels, recording.data_uv, strict=True)
        if channel.kind == "eeg"
    ]
    n_samples = recording.data_uv.shape[1]
    held = _held(eeg_uv, max(5, round(_HOLE_S * recording.rate_hz)))
    gaps = [
        (first, end)
        for first, end in held
        if first > 0
        and end < n_samples
        and all(abs(float(row[first])) < _ZERO_UV for row in eeg_uv)
    ]
    notes = _notes_on_numbers(recording)
    if gaps:
        for row in eeg_uv:  # the reader has just made them, nobody else has them yet
            for first, end in gaps:
                row[first:end] = np.nan
        notes.append(
            f"all EEG channels are 0 {_spans(gaps, recording.rate_hz)}: a hole in the "
            "recording, read as a gap"
        )
    if rest := [stretch for stretch in held if stretch not in gaps]:
        notes.append(
            f"all EEG channels stand still {_spans(rest, recording.rate_hz)}: no EEG "
            "was recorded there"
        )
    return replace(recording, notes=(*recording.notes, *notes))


def _held(eeg_uv: Sequence[Float32Array], least_n: int) -> list[tuple[int, int]]:
    """Return the stretches [first, end) in which no channel changes."""
    still = np.zeros(len(eeg_uv[0]) + 1, dtype=np.int8)
    still[1:-1] = eeg_uv[0][1:] == eeg_uv[0][:-1]
    for row in eeg_uv[1:]:
        if not still.any():
            return []
        still[1:-1] &= row[1:] == row[:-1]
    # still[i] compares i - 1 and i, so a stretch begins one before its first 1
    edges = np.flatnonzero(np.diff(still)).tolist()
    stretches = zip(edges[::2], edges[1::2], strict=True)
    return [(first, end + 1) for first, end in stretches if end + 1 - first >= least_n]


def _notes_on_numbers(recording: Recording) -> list[str]:
    lost: dict[str, int] = {}
    first_s = recording.duration_s
    for channel, row in zip(recording.channels, recording.data_uv, strict=True):
        places = np.flatnonzero(~np.isfinite(row))
        if places.size:
            lost[channel.label] = int(places.size)
            first_s = min(first_s, float(places[0]) / recording.rate_hz)
    if not lost:
        return []
    return [f"samples that are no numbers: {_some(lost)}, the first at {first_s:.3f} s"]


def _spans(stretches: Sequence[tuple[int, int]], rate_hz: float) -> str:
    spans = [f"{a / rate_hz:.3f} to {b / rate_hz:.3f} s" for a, b in stretches]
    more = len(spans) - _MOST_NAMED
    return "from " + ", ".join(spans[:_MOST_NAMED]) + (f" and {more} more" * (more > 0))


# BIDS: the table of channels that stands beside a recording.


def bids_note(path: Path) -> tuple[str, ...]:
    """Return a note if the channels.tsv of a BIDS recording calls channels bad."""
    base, found, _ = path.name.rpartition("_eeg.")
    table = path.with_name(f"{base}_channels.tsv")
    if not found or not table.is_file():
        return ()
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    names = [
        str(row.get("name"))
        for row in rows
        if str(row.get("status")).strip().casefold() == "bad"
    ]
    return bads_note(names, where=table.name) if names else ()


def bads_note(names: Sequence[str], *, where: str) -> tuple[str, ...]:
    """Return the note that a file calls channels bad."""
    return (
        f"{where} calls {_some(names)} bad; that is not used, channels are judged as "
        "live. Leave them out of the file if they must not be in",
    )


def numbered_label(value: object) -> str:
    """Return a marker's label; a number without a fraction as ``1``, not ``1.0``."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def in_range(
    markers: Iterable[RecordedMarker], duration_s: float
) -> tuple[tuple[RecordedMarker, ...], tuple[str, ...]]:
    """Return the markers of a recording in order of time, and a note on others."""
    ordered = sorted(markers, key=lambda marker: marker.t_s)
    kept = tuple(m for m in ordered if -1e-6 <= m.t_s <= duration_s)
    n_out = len(ordered) - len(kept)
    if not n_out:
        return kept, ()
    return kept, (f"{n_out} markers lie outside of the recording; left out",)


def _some(items: Iterable[object]) -> str:
    """Return a list or a mapping as text, of which the first few are named."""
    listed = list(items)
    first, more = listed[:_MOST_NAMED], len(listed) - _MOST_NAMED
    text = str({k: items[k] for k in first} if isinstance(items, Mapping) else first)
    return f"{text} and {more} more" if more > 0 else text
