"""What a recorded session published, as tables: predictions, feedback, measured BOLD.

Two records hold it. ``published.jsonl`` has the messages; the XDF has what the LSL
mirror sent: every ROI, the feedback value and the status of each tick, and the reasons
where they changed. Nothing is computed anew.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np

from rtbold.files import BidsTable, XdfStream, unique
from rtbold.messages import STATUS_RANK, MeasuredVolume, Reason
from rtbold.publish import EVENTS_NAME, PREDICTIONS_NAME
from rtbold.record import PUBLISHED_NAME
from rtbold.session.published import Fields, read_log

_STATUS = {rank: status for status, rank in STATUS_RANK.items()}
_TARGET = "target:"
# Of each ROI: the field of the message, the label of its table, what it says.
QUANTITIES = (
    ("values", "predictions", "predicted BOLD, as it was published"),
    ("values_z", "zscores", "predicted BOLD against the model's baseline"),
    ("low", "low95", "lower bound of the 95 % interval"),
    ("high", "high95", "upper bound of the 95 % interval"),
    ("low_80", "low80", "lower bound of the 80 % interval"),
    ("high_80", "high80", "upper bound of the 80 % interval"),
)
_OF_FEEDBACK = {
    "value": "the value that feedback was made of, model units",
    "z": "the value against its baseline; baseline and method: Norm",
    "low": "lower bound of the 95 % interval, model units",
    "high": "upper bound of the 95 % interval, model units",
    "low_80": "lower bound of the 80 % interval, model units",
    "high_80": "upper bound of the 80 % interval, model units",
    "clipped": "whether the value was cut off at the bound of the display",
}
_SHARED: dict[str, dict[str, object]] = {
    "onset": {
        "Description": "where the window ends that the prediction was made from: the "
        "onset of the volume, from the first sample of the EEG file, by its samples",
        "Units": "s",
    },
    "duration": {"Description": "the TR", "Units": "s"},
    "volume_index": {"Description": "number of the volume, from 0 after the dummies"},
    "status": {
        "Description": "whether the values may be used",
        "Levels": {
            "ok": "may be used",
            "degraded": "may be used, with the reasons in mind",
            "invalid": "no values were published",
            "warmup": "no values were published",
            "paused": "no values were published",
        },
    },
    "reasons": {"Description": "why the status is not better, joined by commas"},
}


@dataclass(frozen=True, slots=True)
class Published:
    """The messages of a session, each tick once, in order of time."""

    rois: tuple[str, ...]
    target: str
    predictions: tuple[Fields, ...]  # as pred.roi; what is not known is not there
    feedback: tuple[Fields, ...]  # as pred.fb
    sources: tuple[str, ...]  # the records that held them, in words
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Found:
    """Messages by their tick."""

    predictions: dict[tuple[object, ...], Fields] = field(default_factory=dict)
    feedback: dict[tuple[object, ...], Fields] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def t_end_s(message: Fields) -> float:
    """Return the end of the window of a message, on the session's LSL clock."""
    return float(message["window"]["t_end"])


def read_published(
    folder: Path, streams: Sequence[XdfStream], rois: Sequence[str]
) -> Published:
    """Return what the session of this folder published.

    Parameters
    ----------
    streams : of its XDF, the LSL mirror's among them.
    rois : of the model; used where no mirror was recorded.
    """
    found = _Found()
    mirrors = [s for s in streams if s.description.name == PREDICTIONS_NAME]
    _take_mirrors(found, mirrors, streams)
    _take_log(found, folder / PUBLISHED_NAME)
    names = _mirrored_rois(mirrors) or tuple(rois)
    odd = sum(_list(m.get("values"), names) is None for m in found.predictions.values())
    void = sum(m.get("values") is None for m in found.predictions.values())
    if odd > void:
        found.notes.append(
            f"{odd - void} predictions do not have {len(names)} values; left out"
        )
    targets = [str(m["target"]) for m in found.feedback.values() if m.get("target")]
    return Published(
        names,
        targets[-1] if targets else "",
        tuple(sorted(found.predictions.values(), key=t_end_s)),
        tuple(sorted(found.feedback.values(), key=t_end_s)),
        tuple(found.sources),
        tuple(found.notes),
    )


def _tick(message: Fields) -> tuple[object, ...]:
    return t_end_s(message), message.get("volume_index")


def _take_log(found: _Found, path: Path) -> None:
    """Take the messages of ``published.jsonl``; they say more than the mirror."""
    if not path.is_file():
        return
    log, n = read_log(path), 0
    found.notes += log.notes
    kept = {"pred.roi": found.predictions, "pred.fb": found.feedback}
    for message in log.messages:
        into = kept.get(str(message.get("topic")))
        if into is not None and _has_tick(message):
            into[_tick(message)] = message
            n += 1
    if n:
        found.sources.append(f"{path.name} ({n} messages)")


def _has_tick(message: Fields) -> bool:
    window = message.get("window")
    return isinstance(window, dict) and isinstance(window.get("t_end"), int | float)


def _take_mirrors(
    found: _Found, mirrors: Sequence[XdfStream], streams: Sequence[XdfStream]
) -> None:
    changes = _changes(s for s in streams if s.description.name == EVENTS_NAME)
    for mirror in mirrors:
        labels = [channel.label for channel in mirror.description.channels]
        if labels[-2:] != ["status", "volume_index"] or len(labels) < 3:
            found.notes.append(f"a stream {PREDICTIONS_NAME} is not as rtbold sends it")
            continue
        known: _Change | None = None  # told when it changes; not where a part begins
        for row, stamp_s in zip(mirror.values, mirror.stamps_s, strict=True):
            known = _change_at(changes, float(stamp_s), row) or known
            shared = _of_row(row, float(stamp_s), known)
            values = row[:-3]
            usable = bool(np.isfinite(values).any())
            roi = {**shared, "values": list(values) if usable else None}
            fb = {
                **shared,
                "target": labels[-3].removeprefix(_TARGET),
                "value": row[-3] if math.isfinite(row[-3]) else None,
            }
            found.predictions[_tick(roi)] = roi
            found.feedback[_tick(fb)] = fb
    if n := sum(len(mirror.stamps_s) for mirror in mirrors):
        found.sources.append(f"LSL stream {PREDICTIONS_NAME} in the XDF ({n} samples)")


def _of_row(row: np.ndarray, stamp_s: float, known: "_Change | None") -> Fields:
    index, status = float(row[-1]), _status(row)
    return {
        "volume_index": int(index) if math.isfinite(index) else None,
        "window": {"t_end": stamp_s},
        "status": status,
        "reasons": known[1] if known is not None and known[0] == status else None,
    }


def _status(row: np.ndarray) -> str | None:
    rank = float(row[-2])
    return _STATUS.get(int(rank)) if math.isfinite(rank) else None


_Change = tuple[str, tuple[str, ...]]  # status, reasons


def _change_at(
    changes: Mapping[float, Sequence[_Change]], stamp_s: float, row: np.ndarray
) -> _Change | None:
    fits = [c for c in changes.get(stamp_s, ()) if c[0] == _status(row)]
    return fits[-1] if fits else None


def _changes(streams: Iterable[XdfStream]) -> dict[float, list[_Change]]:
    """Return the changes of status and reasons by the stamp of their tick."""
    changes: dict[float, list[_Change]] = {}
    for stream in streams:
        for row, stamp_s in zip(stream.values, stream.stamps_s, strict=True):
            if str(row[0]).startswith("status "):
                status, _, why = str(row[0]).removeprefix("status ").partition(": ")
                reasons = tuple(filter(None, why.split(", ")))
                changes.setdefault(float(stamp_s), []).append((status, reasons))
    return changes


def _mirrored_rois(mirrors: Sequence[XdfStream]) -> tuple[str, ...]:
    for mirror in mirrors:
        return tuple(c.label for c in mirror.description.channels[:-3])
    return ()


# The tables.


@dataclass(frozen=True, slots=True)
class Placing:
    """How times become onsets in one file."""

    onset_s: Callable[[float], float]  # from the session's LSL clock
    holds: Callable[[float], bool]  # whether a moment belongs to the file
    tr_s: float
    facts: Mapping[str, object]  # for each sidecar


def tables(published: Published, placing: Placing) -> Iterator[tuple[str, BidsTable]]:
    """Yield label and table of all that was published for one file."""
    rows = [m for m in published.predictions if placing.holds(t_end_s(m))]
    for key, label, what in QUANTITIES:
        given = [message.get(key) for message in rows]
        if rows and (key == "values" or any(given)):
            yield label, _roi_table(rows, given, published.rois, what, placing=placing)
    told = [m for m in published.feedback if placing.holds(t_end_s(m))]
    if told:
        yield "feedback", _feedback_table(told, published.target, placing)


def _shared_columns(
    rows: Sequence[Fields], placing: Placing
) -> dict[str, Sequence[object]]:
    return {
        "onset": [round(placing.onset_s(t_end_s(row)), 6) for row in rows],
        "duration": [placing.tr_s] * len(rows),
        "volume_index": [_number(row.get("volume_index")) for row in rows],
        "status": [_known(row.get("status"), STATUS_RANK) for row in rows],
        "reasons": [_joined(row.get("reasons")) for row in rows],
    }


# A file may hold anything; a cell holds a number or a word that we know.


def _number(value: object) -> object:
    return value if isinstance(value, int | float | np.floating) else None


def _known(value: object, words: Collection[str]) -> str | None:
    return value if isinstance(value, str) and value in words else None


def _list(values: object, rois: Sequence[str]) -> list[object] | None:
    """Return the numbers of all ROIs; None: there is not one for each."""
    if not isinstance(values, list) or len(values) != len(rois):
        return None
    return [_number(value) for value in values]


def _joined(reasons: object) -> str | None:
    """Return reasons as one cell; None: there are none, or they are not known."""
    if not isinstance(reasons, list | tuple):
        return None
    return ",".join(r for r in reasons if _known(r, get_args(Reason))) or None


def _roi_table(
    rows: Sequence[Fields],
    given: Sequence[Any],
    rois: Sequence[str],
    what: str,
    *,
    placing: Placing,
) -> BidsTable:
    lists = [_list(values, rois) or [None] * len(rois) for values in given]
    columns = _shared_columns(rows, placing)
    rois = unique([*columns, *rois])[len(columns) :]
    columns |= {roi: [v[i] for v in lists] for i, roi in enumerate(rois)}
    meaning: dict[str, Mapping[str, object]] = dict(_SHARED)
    meaning |= {roi: {"Description": f"{roi}: {what}"} for roi in rois}
    return BidsTable(columns, meaning, {**placing.facts, "Description": what})


def _feedback_table(rows: Sequence[Fields], target: str, placing: Placing) -> BidsTable:
    columns = _shared_columns(rows, placing)
    meaning: dict[str, Mapping[str, object]] = dict(_SHARED)
    for key, what in _OF_FEEDBACK.items():
        if key == "value" or any(row.get(key) is not None for row in rows):
            columns[key] = [_number(row.get(key)) for row in rows]
            meaning[key] = {"Description": what}
    norms = [row["norm"] for row in rows if isinstance(row.get("norm"), dict)]
    facts = {**placing.facts, "Description": "what was fed back", "Target": target}
    return BidsTable(columns, meaning, facts | ({"Norm": norms[-1]} if norms else {}))


_OF_MEASURED: dict[str, Mapping[str, object]] = {
    "onset": _SHARED["onset"] | {"Description": "see onset_is"},
    "duration": _SHARED["duration"],
    "volume_index": {"Description": "the source's own count"},
    "onset_is": {
        "Description": "what the onset is the time of",
        "Levels": {
            "volume": "the onset of the volume, as its source told",
            "arrival": "when the values came, some seconds after the volume",
        },
    },
}


def measured_table(
    volumes: Sequence[tuple[float, MeasuredVolume]],
    placing: Placing,
    label: Callable[[str], str],
) -> BidsTable | None:
    """Return measured BOLD with the onset of each volume; None: nothing was measured.

    Parameters
    ----------
    volumes : with their time on the session's LSL clock.
    label : makes a name of a ROI that may be shared.
    """
    rows = [(t_s, volume) for t_s, volume in volumes if placing.holds(t_s)]
    if not rows:
        return None
    rois = tuple(dict.fromkeys(roi for _, volume in rows for roi in volume.rois))
    names = dict(zip(rois, unique([*_OF_MEASURED, *map(label, rois)])[4:], strict=True))
    by_roi = [dict(zip(v.rois, v.values, strict=False)) for _, v in rows]
    columns: dict[str, Sequence[object]] = {
        "onset": [round(placing.onset_s(t_s), 6) for t_s, _ in rows],
        "duration": [placing.tr_s] * len(rows),
        "volume_index": [volume.volume_index for _, volume in rows],
        "onset_is": [
            "arrival" if volume.t_volume_s is None else "volume" for _, volume in rows
        ],
        **{names[roi]: [values.get(roi) for values in by_roi] for roi in rois},
    }
    meaning = {
        name: {"Description": f"{name}: measured BOLD, the source's unit"}
        for name in names.values()
    }
    what = {"Description": "BOLD that the scanner measured"}
    return BidsTable(columns, _OF_MEASURED | meaning, {**placing.facts, **what})
