"""Blocks of a protocol: when a participant rested, and when they did something."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from rtbold.acquire import same_label
from rtbold.calibration.inputs.alignment import Alignment
from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.errors import DataFileError
from rtbold.files import damage_told
from rtbold.messages import FloatArray


@dataclass(frozen=True, slots=True)
class Block:
    """One block; its time is from the EEG's first sample."""

    onset_s: float
    duration_s: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSource:
    """Where the blocks of a scan are told: in a table, or by markers of the EEG.

    A table goes over markers.
    """

    table: Path | None = None  # events.tsv; onsets from the first row of BOLD
    rest_marker: str | None = None  # begins a block of rest
    task_marker: str | None = None  # begins a block of the task
    task: str = "task"  # what that block is called
    block_s: float | None = None  # length of a block


def blocks_of(
    source: BlockSource, eeg: EegRecording, alignment: Alignment, *, first_row: int = 0
) -> tuple[Block, ...]:
    """Return the blocks of a scan in order of time; none where nothing tells them.

    Parameters
    ----------
    first_row : of BOLD, that the first volume of the alignment has.

    Raises
    ------
    DataFileError : the table has no onsets, or cannot be read.
    """
    if source.table is not None:
        known = np.flatnonzero(np.isfinite(alignment.onsets_s))
        n_before = int(known[0]) + first_row
        start_s = float(alignment.onsets_s[known[0]]) - n_before * alignment.tr_s
        return read_events(source.table, start_s - eeg.first_s)
    if source.rest_marker is None or source.task_marker is None:
        return ()
    return _by_markers(source, eeg)


def read_events(path: Path, start_s: float) -> tuple[Block, ...]:
    """Read BIDS events: seconds from the first row of BOLD, which is at `start_s`.

    Raises
    ------
    DataFileError : it is no table of onsets and durations.
    """
    if not path.is_file():
        raise DataFileError(
            f"there is no file {str(path)!r}, expected events of the scan. Check the "
            "path, or leave the events out."
        )
    with damage_told(path, "events of the scan"):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    header = lines[0].split("\t") if lines else []
    if not {"onset", "duration"} <= set(header):
        raise DataFileError(
            f"{path.name} has the columns {header}, expected onset and duration (tabs "
            "between them). Correct the table, or leave the events out."
        )
    blocks = []
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        cells = dict(zip(header, line.split("\t"), strict=False))
        blocks.append(_row(path, number, cells, start_s))
    return tuple(sorted(blocks, key=lambda block: block.onset_s))


def _row(path: Path, number: int, cells: dict[str, str], start_s: float) -> Block:
    label = cells.get("trial_type") or cells.get("value") or ""
    try:
        onset_s = float(cells["onset"])
        said = cells.get("duration", "n/a").strip()
        duration_s = 0.0 if said in ("n/a", "") else float(said)
        if not (isfinite(onset_s) and isfinite(duration_s)):
            raise ValueError(f"{cells['onset']!r}, {said!r}")
    except (KeyError, ValueError) as error:
        raise DataFileError(
            f"line {number} of {path.name} has no number as onset or duration "
            f"({error}), expected seconds. Correct the table, or leave the events out."
        ) from error
    return Block(start_s + onset_s, duration_s, label.strip())


def _by_markers(source: BlockSource, eeg: EegRecording) -> tuple[Block, ...]:
    """Return blocks between markers of rest and task.

    Some recordings lack the first marker of rest: it is put one block before the first
    task, if the EEG reaches so far back.
    """
    rest_s = _times(eeg, source.rest_marker)
    task_s = _times(eeg, source.task_marker)
    if not len(task_s):
        return ()
    block_s = source.block_s or _usual_s(rest_s, task_s)
    if not len(rest_s) or rest_s[0] > task_s[0]:
        first_s = max(float(task_s[0]) - block_s, 0.0)
        rest_s = np.concatenate([[first_s], rest_s])
    begun = sorted(
        [(float(t), "rest") for t in rest_s] + [(float(t), source.task) for t in task_s]
    )
    return _until_the_next(begun, block_s)


def _times(eeg: EegRecording, label: str | None) -> FloatArray:
    found = [m.t_s for m in eeg.markers if label and same_label(m.label, label)]
    return np.array(found) - eeg.first_s


def _usual_s(rest_s: FloatArray, task_s: FloatArray) -> float:
    """Return how long a block usually is, by the markers."""
    steps_s = np.diff(np.sort(np.concatenate([rest_s, task_s])))
    return float(np.median(steps_s)) if len(steps_s) else 0.0


def _until_the_next(
    begun: Sequence[tuple[float, str]], last_s: float
) -> tuple[Block, ...]:
    ends = [t for t, _ in begun[1:]] + [begun[-1][0] + last_s]
    return tuple(
        Block(t_s, end_s - t_s, label)
        for (t_s, label), end_s in zip(begun, ends, strict=True)
    )
