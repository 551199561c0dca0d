"""The blocks that a recorded session went through, as its phases tell them. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBlock:
    """One block of one attempt at a run of a protocol."""

    t_on_s: float  # onset of its first volume, LSL clock
    duration_s: float
    name: str
    words: str  # run, attempt, task and what belongs to it, as in the LSL marker


def recorded_blocks(messages: Iterable[Mapping[str, Any]]) -> Iterator[RecordedBlock]:
    """Yield the blocks of a session; a block ends where the next phase begins.

    Parameters
    ----------
    messages : of ``published.jsonl``, in their order; what is no phase of a protocol is
        passed over.
    """
    begun: Mapping[str, Any] | None = None
    for message in messages:
        if message.get("topic") != "phase" or not _is_whole(message):
            continue
        if begun is not None and message["t_on"] != begun["t_on"]:
            yield _block(begun, message["t_on"])
            begun = None
        if message.get("block") and begun is None:
            begun = message
    if begun is not None:
        yield _block(begun, math.inf)


def _is_whole(message: Mapping[str, Any]) -> bool:
    t_on_s = message.get("t_on")
    return isinstance(t_on_s, int | float) and math.isfinite(t_on_s)


def _block(phase: Mapping[str, Any], next_s: float) -> RecordedBlock:
    off_s = phase.get("t_off_planned")
    planned_s = off_s if isinstance(off_s, int | float) else next_s
    t_on_s = float(phase["t_on"])
    duration_s = min(planned_s, next_s) - t_on_s
    keys = ("run", "attempt", "block", "task", "direction", "feedback", "condition")
    known = [(key, phase.get(key)) for key in keys]
    return RecordedBlock(
        t_on_s=t_on_s,
        duration_s=duration_s if 0 <= duration_s < math.inf else 0.0,
        name=str(phase.get("name", "")),
        words=" ".join(f"{key}={value}" for key, value in known if value is not None),
    )
