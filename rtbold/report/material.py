"""What a report is made of, read from the folders of recorded sessions.

Nothing is computed anew: values, status and reasons are those that went out, from
``published.jsonl``; the settings and the card are those that the session kept.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from rtbold.blinding import ARM_RECORD, note_of, opened_records
from rtbold.errors import DataFileError
from rtbold.messages import STATUS_RANK, Reason
from rtbold.protocol import (
    COPY_NAME,
    Attempt,
    Protocol,
    RunPlan,
    plan_run,
    read_attempt,
    read_protocol,
)
from rtbold.record import EVENTS_NAME, PUBLISHED_NAME
from rtbold.report.blocks import FedBack
from rtbold.session import KeptFacts, kept_facts, read_log, session_folder

STAGES: Final = ("upstream", "arrive", "acquire", "prepare", "infer", "publish")
_REASONS: Final = frozenset(get_args(Reason))


@dataclass(frozen=True, slots=True, eq=False)
class SessionMaterial:
    """One recorded run as the report sees it."""

    folder: Path
    facts: KeptFacts
    target: str  # what was fed back last
    rows: tuple[FedBack, ...]  # in order of time, each volume once
    protocol: Protocol | None  # what the session followed; None: no protocol
    attempt: Attempt | None
    truth_n: int  # volumes of measured BOLD that came in
    target_r: tuple[float, int] | None  # last R of the target that went out, and its n
    notes: tuple[str, ...] = ()
    arm: str | None = None  # of a blinded session; None: it is not blinded
    sealed: bool = False  # it is blinded, and nobody has opened it yet

    @property
    def title(self) -> str:
        """Name of the recording."""
        return self.folder.name

    @property
    def kind(self) -> str:
        """Kind of the run; sessions before kinds were training."""
        if self.attempt is not None:
            return self.attempt.kind
        return str(self.facts.run.get("kind") or "training")


def session_folders(path: Path) -> tuple[Path, ...]:
    """Return the folders of all recorded sessions at or below `path`, by name.

    Raises
    ------
    DataFileError : there is none.
    """
    if path.is_dir() and not (path / EVENTS_NAME).is_file():
        found = sorted({log.parent for log in path.rglob(EVENTS_NAME)})
        if found:
            return tuple(found)
    return (session_folder(path),)


def read_material(folder: Path) -> SessionMaterial:
    """Return what the session of this folder published.

    Raises
    ------
    DataFileError : it kept no ``published.jsonl``, or its settings cannot be read.
    """
    log = folder / PUBLISHED_NAME
    if not log.is_file():
        raise DataFileError(
            f"{folder} has no {PUBLISHED_NAME}, expected the messages that the session "
            "published. Sessions of early versions and of rtbold calibrate --live kept "
            "none; a blinded session keeps them sealed until rtbold unblind."
        )
    facts, kept = kept_facts(folder), read_log(log)
    attempt = read_attempt(folder)
    protocol = read_protocol(folder / COPY_NAME) if attempt else None
    blinded = note_of(folder) is not None
    opened = opened_records(folder) if blinded else None
    sealed = blinded and opened is None
    # Sealed, nobody knows whose these numbers are: no block has a value of them.
    plan = None if sealed else _plan(protocol, attempt)
    rows = feedback_rows(kept.messages if opened is None else opened, plan)
    if not rows:
        raise DataFileError(
            f"{log} holds no value that was fed back (pred.fb), expected one for each "
            "volume. The session ended before its first."
        )
    truth = [m for m in kept.messages if m.get("topic") == "truth"]
    return SessionMaterial(
        folder=folder,
        facts=facts,
        target=_target(kept.messages),
        rows=rows,
        protocol=protocol,
        attempt=attempt,
        truth_n=len(truth),
        target_r=_last_r(truth),
        notes=kept.notes + _blinding_notes(arm := _arm(opened), sealed=sealed),
        arm=arm,
        sealed=sealed,
    )


def _arm(opened: Sequence[Mapping[str, Any]] | None) -> str | None:
    """Return the arm that an opened session was of."""
    for record in opened or ():
        if record.get("record") == ARM_RECORD:
            return str(record.get("arm", "")).strip()
    return None


def _blinding_notes(arm: str | None, *, sealed: bool) -> tuple[str, ...]:
    if sealed:
        return (
            "blinded: what went out may be of a control condition, so there are no "
            "blocks and no effect. Unblind it, then report it again.",
        )
    if arm is None:
        return ()
    return (
        f"unblinded, arm {arm}: effect, blocks and traces are of the participant's own "
        "predictions, not of what a control condition was given.",
    )


def _plan(protocol: Protocol | None, attempt: Attempt | None) -> RunPlan | None:
    if protocol is None or attempt is None:
        return None
    return plan_run(
        protocol.study,
        attempt.run,
        attempt=attempt.attempt,
        condition=attempt.condition,
    )


def feedback_rows(
    messages: Iterable[Mapping[str, Any]], plan: RunPlan | None = None
) -> tuple[FedBack, ...]:
    """Return the volumes of ``pred.fb``, each once, in order of time."""
    found = {
        (row.t_s, row.volume_index): row
        for message in messages
        if message.get("topic") == "pred.fb"
        and (row := _row(message, plan)) is not None
    }
    return tuple(sorted(found.values(), key=lambda row: row.t_s))


def _target(messages: Sequence[Mapping[str, Any]]) -> str:
    targets = [m.get("target") for m in messages if m.get("topic") == "pred.fb"]
    return str(targets[-1]) if targets and targets[-1] else ""


def _row(message: Mapping[str, Any], plan: RunPlan | None) -> FedBack | None:
    window = message.get("window")
    t_s = _number(window.get("t_end")) if isinstance(window, Mapping) else None
    if t_s is None:
        return None
    index, status = message.get("volume_index"), message.get("status")
    reasons = message.get("reasons")
    return FedBack(
        t_s=t_s,
        volume_index=index if isinstance(index, int) else None,
        status=status if status in STATUS_RANK else None,
        reasons=tuple(r for r in reasons if r in _REASONS)
        if isinstance(reasons, list)
        else (),
        value=_number(message.get("value")),
        z=_number(message.get("z")),
        block=plan.at(index) if plan and isinstance(index, int) else None,
        age_ms=_number(message.get("age_ms")),
        latency_ms=_stages(message.get("latency_ms")),
        unlikeness=_number(message.get("unlikeness")),
    )


def _stages(given: object) -> tuple[tuple[str, float], ...]:
    if not isinstance(given, Mapping):
        return ()
    found = ((stage, _number(given.get(stage))) for stage in STAGES)
    return tuple((stage, ms) for stage, ms in found if ms is not None)


def _last_r(truth: Sequence[Mapping[str, Any]]) -> tuple[float, int] | None:
    """Return the last R of the target, and of how many volumes."""
    for message in reversed(truth):
        score = message.get("target_score")
        if isinstance(score, Mapping) and (r := _number(score.get("r"))) is not None:
            n = score.get("n")
            return r, n if isinstance(n, int) else 0
    return None


def _number(value: object) -> float | None:
    """Return a finite number as it is; None: it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
