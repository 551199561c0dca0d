"""What a recorded session published: from ``published.jsonl``, else from its XDF.

The XDF has it as the LSL mirror sent it: all ROIs, the feedback value and the status of
every tick, and its reasons where they changed. Sessions of early versions have no more.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from rtbold.errors import DataFileError, RtboldError
from rtbold.files import XdfStream, load_streams
from rtbold.messages import STATUS_RANK
from rtbold.publish import EVENTS_NAME, PREDICTIONS_NAME
from rtbold.record import PUBLISHED_NAME, session_parts

Fields = Mapping[str, Any]
Topic = Literal["pred.roi", "pred.fb", "truth", "phase"]
TOPICS: tuple[Topic, ...] = ("pred.roi", "pred.fb", "truth")
# Not a result: when it was computed, and what the feed adds
_OF_THE_MOMENT = frozenset((
    "topic", "schema", "session", "seq", "t_lsl", "t_unix_ms", "replayed",
    "age_ms", "latency_ms",
))  # fmt: skip
_STATUS = {rank: status for status, rank in STATUS_RANK.items()}


@dataclass(frozen=True, slots=True)
class Published:
    """The messages of one session, by topic, in their order."""

    messages: Mapping[Topic, tuple[Fields, ...]]
    whole: bool  # every message that went out is there, up to a crash at the end
    where: str  # the file that holds them
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many messages there are."""
        return sum(map(len, self.messages.values()))


def read_published(folder: Path) -> Published:
    """Return what the session of this folder published.

    Raises
    ------
    DataFileError : nothing of it was kept, or it cannot be read.
    """
    path = folder / PUBLISHED_NAME
    if path.is_file() and path.stat().st_size:
        return _of_log(path)
    return _of_xdf(folder)


def with_sealed(published: Published, records: Sequence[Fields]) -> Published:
    """Return what a blinded session has made, once it was unblinded.

    What went out has the delivered feedback alone; the sealed file had all ROIs.

    Parameters
    ----------
    records : of the sealed file.
    """
    real = tuple(
        {key: value for key, value in record.items() if key != "record"}
        for record in records
        if record.get("record") == "pred.roi"
    )
    return replace(published, messages={**published.messages, "pred.roi": real})


def compared_keys(published: Fields) -> tuple[str, ...]:
    """Return which fields of a published message a recomputed one must agree in."""
    return tuple(key for key in published if key not in _OF_THE_MOMENT)


@dataclass(frozen=True, slots=True)
class KeptMessages:
    """What ``published.jsonl`` holds, in its order."""

    messages: tuple[Fields, ...]
    notes: tuple[str, ...]  # lines that are damaged, messages that were lost


def read_log(path: Path) -> KeptMessages:
    """Return the messages of ``published.jsonl``.

    A last line that a crash has cut off is no message, and nothing to be said.
    """
    messages: list[Fields] = []
    notes: list[str] = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        fields = _object(line)
        if fields is None:
            if line.strip() and line.endswith(b"\n"):
                notes.append(f"line {number} of {path.name} is damaged")
        elif fields.get("type") == "lost":
            notes.append(f"{path.name} has lost {fields.get('n')} messages")
        else:
            messages.append(fields)
    return KeptMessages(tuple(messages), tuple(notes))


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def _of_log(path: Path) -> Published:
    log = read_log(path)
    found = {
        topic: tuple(m for m in log.messages if m.get("topic") == topic)
        for topic in TOPICS
    }
    phases = tuple(m for m in log.messages if m.get("topic") == "phase")
    if phases:  # of a session that followed a protocol
        found["phase"] = phases
    return Published(found, whole=not log.notes, where=path.name, notes=log.notes)


def _of_xdf(folder: Path) -> Published:
    streams = list(_streams(folder))
    reasons = _reasons(s for s in streams if s.description.name == EVENTS_NAME)
    rows = [
        _message(stream, row, float(t_end_s))
        for stream in streams
        if stream.description.name == PREDICTIONS_NAME
        for row, t_end_s in zip(stream.values, stream.stamps_s, strict=True)
    ]
    if not rows:
        raise DataFileError(
            f"{folder} keeps nothing of what was published: neither {PUBLISHED_NAME} "
            f"nor a stream {PREDICTIONS_NAME} in its XDF, expected one of them. A scan "
            "of rtbold calibrate --live publishes nothing."
        )
    # Parts may overlap: each tick once. The sort is stable.
    rows.sort(key=lambda fields: fields["window"]["t_end"])
    keys = [(r["window"]["t_end"], r["volume_index"]) for r in rows]
    once = [row for i, row in enumerate(rows) if keys[i] not in keys[max(0, i - 3) : i]]
    told = tuple(_with_reasons(row, reasons) for row in once)
    note = (
        f"this session kept no {PUBLISHED_NAME}: values, feedback value, status and "
        "reasons are compared as its XDF has them, z and intervals are not"
    )
    return Published({"pred.fb": told}, whole=False, where="the XDF", notes=(note,))


def _streams(folder: Path) -> Iterator[XdfStream]:
    for part in session_parts(folder):
        try:
            yield from load_streams(part)[0]
        except (RtboldError, OSError):
            continue  # said where the samples are read


def _message(stream: XdfStream, row: np.ndarray, t_end_s: float) -> dict[str, Any]:
    """Return one sample of the mirror as fields of ``pred.fb``, and ``mirrored``."""
    labels = [channel.label for channel in stream.description.channels]
    values = [None if math.isnan(v) else float(v) for v in row]
    by_label = dict(zip(labels, values, strict=True))
    index = by_label["volume_index"]
    rank = by_label["status"]
    return {
        "volume_index": None if index is None else int(index),
        "window": {"t_end": t_end_s},
        "status": None if rank is None else _STATUS.get(int(rank)),
        "mirrored": tuple(values[:-2]),
    }


def _reasons(
    streams: Iterator[XdfStream],
) -> list[tuple[float, str, tuple[str, ...]]]:
    """Return (time, status, reasons) of each change, in order."""
    changes = []
    for stream in streams:
        for row, t_s in zip(stream.values, stream.stamps_s, strict=True):
            text = str(row[0])
            if text.startswith("status "):
                status, _, why = text.removeprefix("status ").partition(": ")
                changes.append(
                    (float(t_s), status, tuple(filter(None, why.split(", "))))
                )
    return sorted(changes, key=lambda change: change[0])


def _with_reasons(
    row: Fields, changes: list[tuple[float, str, tuple[str, ...]]]
) -> Fields:
    """Add the reasons that held for a tick, where a change of status tells them."""
    before = [c for c in changes if c[0] <= row["window"]["t_end"]]
    if not before or before[-1][1] != row["status"]:
        return row  # the change was not recorded, or two ticks are of one moment
    return {**row, "reasons": list(before[-1][2])}
