"""The figures of a report: effects, quality and times of one or more sessions. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtbold.messages import Reason
from rtbold.report.blocks import FedBack, RunSummary, has_z, runs_of
from rtbold.report.effects import (
    Effect,
    differences,
    effect,
    learning,
    learning_over_runs,
    regulation,
)

PERCENTILES: Final = (50, 95, 99)
UNUSABLE: Final = ("invalid", "warmup", "paused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What could be used of a stretch of volumes."""

    n: int
    shares: tuple[tuple[str, float], ...]  # status -> share of the volumes
    reasons: tuple[tuple[Reason, int], ...]  # volumes of each, commonest first
    missed_n: int  # volume numbers between the first and last that never came
    unlikeness: float | None  # median OOD score; 1 is the limit

    @property
    def usable_share(self) -> float:
        """Share of the volumes that could be shown."""
        return sum(share for status, share in self.shares if status not in UNUSABLE)


@dataclass(frozen=True, slots=True)
class Times:
    """Percentiles of one stage, ms."""

    stage: str
    at: tuple[float, ...]  # one for each of `PERCENTILES`
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """The figures of one recorded session."""

    title: str
    unit: str  # "z" or "model units"
    runs: tuple[RunSummary, ...]
    effect: Effect | None  # of regulation against rest, training runs
    transfer: Effect | None
    learning: Effect | None  # change of the effect from run to run
    quality: Quality
    by_condition: tuple[tuple[str, Quality], ...] = ()
    times: tuple[Times, ...] = ()
    notes: tuple[str, ...] = field(default=())
    sealed: bool = False  # a recording is blinded still

    @property
    def run_effects(self) -> tuple[tuple[RunSummary, Effect], ...]:
        """The effect of each run that has one."""
        found = ((run, effect(differences(run))) for run in self.runs)
        return tuple((run, each) for run, each in found if each is not None)


def summarise(
    title: str,
    recordings: Sequence[Sequence[FedBack]],
    *,
    tr_s: float,
    notes: Iterable[str] = (),
    sealed: bool = False,
) -> SessionSummary:
    """Return the figures of one session.

    Parameters
    ----------
    recordings : the volumes of each, in order of time.
    sealed : whether one of them is blinded still.
    """
    rows = [row for recording in recordings for row in recording]
    runs = tuple(
        run for recording in recordings for run in runs_of(recording, tr_s=tr_s)
    )
    conditions = sorted({r.block.condition for r in rows if r.block} - {None}, key=str)
    return SessionSummary(
        title=title,
        unit="z" if has_z(rows) else "model units",
        runs=runs,
        effect=regulation(runs, "training"),
        transfer=regulation(runs, "transfer"),
        learning=learning_over_runs(runs),
        quality=quality_of(counted(rows)),
        by_condition=tuple(
            (str(code), quality_of(counted([r for r in rows if _has(r, code)])))
            for code in conditions
        ),
        times=times_of(rows),
        notes=tuple(notes),
        sealed=sealed,
    )


def _has(row: FedBack, condition: str | None) -> bool:
    return row.block is not None and row.block.condition == condition


def over_sessions(sessions: Sequence[SessionSummary]) -> Effect | None:
    """Return the change of the effect from session to session."""
    effects = [s.effect.mean for s in sessions if s.effect is not None]
    return learning([[mean] for mean in effects])


def counted(rows: Sequence[FedBack]) -> list[FedBack]:
    """Return the volumes whose quality counts: in blocks, where there are any.

    While a baseline is measured there is nothing to be shown, whatever the EEG is.
    """
    inside = [row for row in rows if row.block is not None] or list(rows)
    return [row for row in inside if not _before_baseline(row)]


def _before_baseline(row: FedBack) -> bool:
    return row.status == "warmup" and row.reasons == ("short_baseline",)


def quality_of(rows: Sequence[FedBack]) -> Quality:
    """Return what could be used of these volumes."""
    states = Counter(row.status or "not told" for row in rows)
    reasons = Counter(reason for row in rows for reason in row.reasons)
    scores = [row.unlikeness for row in rows if row.unlikeness is not None]
    return Quality(
        n=len(rows),
        shares=tuple((s, n / len(rows)) for s, n in states.most_common()),
        reasons=tuple(reasons.most_common()),
        missed_n=missed_of(rows),
        unlikeness=float(np.median(scores)) if scores else None,
    )


def missed_of(rows: Iterable[FedBack]) -> int:
    """Return how many numbers of volumes are left out.

    Numbers that go back begin another run of the scanner, which is counted for itself.
    """
    missed, before = 0, None
    for row in rows:
        if row.volume_index is None:
            continue
        if before is not None and row.volume_index > before:
            missed += row.volume_index - before - 1
        before = row.volume_index
    return missed


def times_of(rows: Iterable[FedBack]) -> tuple[Times, ...]:
    """Return percentiles of each stage, and of the age of a value when it went out."""
    by_stage: dict[str, list[float]] = {}
    for row in rows:
        if not row.usable:
            continue
        for stage, ms in row.latency_ms:
            by_stage.setdefault(stage, []).append(ms)
        if row.age_ms is not None:
            by_stage.setdefault("age", []).append(row.age_ms)
    return tuple(
        Times(stage, tuple(float(p) for p in np.percentile(ms, PERCENTILES)), len(ms))
        for stage, ms in by_stage.items()
    )
