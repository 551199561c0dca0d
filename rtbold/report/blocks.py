"""What was fed back, volume by volume and block by block. Pure.

A block's value is the mean over its usable volumes, less its first seconds: BOLD of a
volume follows what somebody did some 5 s before, so the first volumes of a block still
belong to the block before it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from rtbold.messages import Reason, Status
from rtbold.protocol import BlockNow

SETTLE_S: Final = 6.0  # of a block that still belong to the one before
LEAST_COUNTED: Final = 3  # volumes of a block that has a mean,
LEAST_SHARE: Final = 0.25  # and of its planned ones: else it is as good as not there
USABLE: Final[tuple[Status, ...]] = ("ok", "degraded")


@dataclass(frozen=True, slots=True, kw_only=True)
class FedBack:
    """One volume as it was published on ``pred.fb``."""

    t_s: float  # its onset, or the end of its window, LSL clock
    volume_index: int | None
    status: Status | None
    reasons: tuple[Reason, ...] = ()
    value: float | None = None  # model units
    z: float | None = None
    block: BlockNow | None = None  # None: no protocol, or outside of its blocks
    age_ms: float | None = None
    latency_ms: tuple[tuple[str, float], ...] = ()  # stage -> ms
    unlikeness: float | None = None

    @property
    def usable(self) -> bool:
        """Whether a participant could have been shown it."""
        return self.status in USABLE and self.value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSummary:
    """One block of one run."""

    block: BlockNow  # at its first volume
    t_s: float  # of its first volume
    n: int  # volumes that were published
    n_usable: int
    n_counted: int  # usable ones after the settling: those of `mean`
    mean: float | None  # z, or model units where there is no z
    sd: float | None
    reasons: tuple[tuple[Reason, int], ...]  # commonest first

    @property
    def usable_share(self) -> float:
        """Share of the volumes that could be shown."""
        return self.n_usable / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One attempt at one run of the protocol."""

    run: int
    attempt: int
    kind: str
    condition: str | None
    blocks: tuple[BlockSummary, ...]

    @property
    def title(self) -> str:
        """The run in words."""
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        return f"run {self.run} ({self.kind}{again})"


def has_z(rows: Iterable[FedBack]) -> bool:
    """Return whether values are compared as z: where any usable volume has one."""
    return any(row.z is not None for row in rows if row.usable)


def runs_of(
    rows: Sequence[FedBack], *, tr_s: float, settle_s: float = SETTLE_S
) -> tuple[RunSummary, ...]:
    """Return the runs in their order, with their blocks.

    Parameters
    ----------
    rows : in order of time; those outside of any block are left out.
    """
    use_z, settle_n = has_z(rows), round(settle_s / tr_s)
    inside = [row for row in rows if row.block is not None]
    return tuple(
        _run(list(group), use_z=use_z, settle_n=settle_n)
        for _, group in groupby(inside, key=_run_key)
    )


def _run_key(row: FedBack) -> tuple[int, int]:
    assert row.block is not None
    return row.block.run, row.block.attempt


def _block_key(row: FedBack) -> int:
    assert row.block is not None
    return row.block.block


def _run(rows: Sequence[FedBack], *, use_z: bool, settle_n: int) -> RunSummary:
    first = rows[0].block
    assert first is not None
    blocks = (list(group) for _, group in groupby(rows, key=_block_key))
    return RunSummary(
        run=first.run,
        attempt=first.attempt,
        kind=first.run_type,
        condition=first.condition,
        blocks=tuple(_block(block, use_z=use_z, settle_n=settle_n) for block in blocks),
    )


def _block(rows: Sequence[FedBack], *, use_z: bool, settle_n: int) -> BlockSummary:
    first = rows[0].block
    assert first is not None
    usable = [row for row in rows if row.usable]
    settled = [
        row for row in usable if row.block and row.block.volume_in_block >= settle_n
    ]
    given = [row.z if use_z else row.value for row in settled]
    values = np.array([value for value in given if value is not None], float)
    reasons = Counter(reason for row in rows for reason in row.reasons)
    return BlockSummary(
        block=first,
        t_s=rows[0].t_s,
        n=len(rows),
        n_usable=len(usable),
        n_counted=len(values),
        mean=float(values.mean()) if _enough(len(values), first) else None,
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        reasons=tuple(reasons.most_common()),
    )


def _enough(n_counted: int, block: BlockNow) -> bool:
    """Return whether so many volumes say what the block was."""
    return n_counted >= max(LEAST_COUNTED, LEAST_SHARE * block.n_volumes)
