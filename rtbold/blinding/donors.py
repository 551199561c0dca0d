"""Whose feedback a yoked participant is given, and whether there is enough of it. Pure.

A donor is matched on blocks, their directions and their order, and is refused before
the session if it is shorter anywhere. It is never looped. What the donor's recording
lacks is filled, so that the participant's screen tells nothing of the donor's faults.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rtbold.errors import RtboldError
from rtbold.protocol import BlockNow, Direction, RunPlan

MOST_MISSING: Final = 0.2  # of a donor's volumes
LONGEST_HOLE: Final = 5  # volumes in a row, some 10 s
LONGEST_BEGINNING: Final = 25  # volumes without a value: the first window, filters

BlockId = tuple[int, int]  # run, block


class DonorRefused(RtboldError):
    """A recording cannot be what a yoked participant is given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBlock:
    """One block that a session is going to have."""

    run: int
    block: int
    direction: Direction | None
    n_volumes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedBlock:
    """One block that a donor has had; z against the donor's own baseline."""

    run: int
    block: int
    direction: Direction | None
    z: tuple[float | None, ...]  # (volumes,), None: no value was given


@dataclass(frozen=True, slots=True)
class Donor:
    """A recording that fits a plan, without holes."""

    name: str  # of its recording
    person: str  # code of whose it is
    z: Mapping[BlockId, tuple[float, ...]]
    n_filled: int  # volumes that the recording lacks

    def z_at(self, now: BlockNow) -> float | None:
        """Return z at one place of the protocol; None: the donor was never there."""
        block = self.z.get((now.run, now.block), ())
        return block[now.volume_in_block] if now.volume_in_block < len(block) else None


def planned_blocks(plan: RunPlan) -> tuple[PlannedBlock, ...]:
    """Return the blocks of a run, as donors are matched with them."""
    return tuple(
        PlannedBlock(
            run=plan.run,
            block=block.number,
            direction=block.direction,
            n_volumes=block.n_volumes,
        )
        for block in plan.blocks
    )


def recorded_blocks(
    plan: RunPlan, z: Mapping[int, float | None]
) -> tuple[RecordedBlock, ...]:
    """Return the blocks that a donor has had.

    Parameters
    ----------
    plan : of the donor's run.
    z : by volume; those of volumes that were never reached are not there.
    """
    end = max(z, default=-1) + 1
    return tuple(
        RecordedBlock(
            run=plan.run,
            block=block.number,
            direction=block.direction,
            z=tuple(
                z.get(volume)
                for volume in range(block.first_volume, min(block.end_volume, end))
            ),
        )
        for block in plan.blocks
    )


def fitted_donor(
    name: str,
    recorded: Sequence[RecordedBlock],
    plan: Sequence[PlannedBlock],
    *,
    person: str = "",
) -> Donor:
    """Return a donor that has something to give for every volume of a plan.

    Raises
    ------
    DonorRefused : it has other blocks, is too short, or lacks too many volumes.
    """
    found = {(block.run, block.block): block for block in recorded}
    rows: list[tuple[float | None, ...]] = []
    for planned in plan:
        where = f"run {planned.run}, block {planned.block}"
        block = found.get((planned.run, planned.block))
        if block is None or block.direction != planned.direction:
            had = "no such block" if block is None else f"direction {block.direction}"
            raise DonorRefused(
                f"donor {name}: {where} has {had}, expected direction "
                f"{planned.direction}. It had another protocol; choose another donor."
            )
        if len(block.z) < planned.n_volumes:
            raise DonorRefused(
                f"donor {name}: {where} has {len(block.z)} volumes, expected "
                f"{planned.n_volumes}. It is too short, and is never played twice; "
                "choose a longer one."
            )
        rows.append(block.z[: planned.n_volumes])
    series = [z for row in rows for z in row]
    filled = iter(filled_series(name, series))
    z = {
        (planned.run, planned.block): tuple(next(filled) for _ in row)
        for planned, row in zip(plan, rows, strict=True)
    }
    return Donor(name, person, z, sum(value is None for value in series))


def filled_series(name: str, series: Sequence[float | None]) -> list[float]:
    """Return a series without holes.

    Between two values stands the line through them; the beginning is the series
    mirrored at its first value, and the end at its last: no number stands still.

    Raises
    ------
    DonorRefused : too much is missing.
    """
    known = [k for k, z in enumerate(series) if z is not None]
    if not known:
        raise DonorRefused(f"donor {name} has no value at all; choose another.")
    first, last = known[0], known[-1]
    holes = [b - a - 1 for a, b in itertools.pairwise(known)]
    longest = max([*holes, len(series) - 1 - last])
    n_missing = sum(holes) + len(series) - 1 - last
    if longest > LONGEST_HOLE or n_missing > MOST_MISSING * len(series):
        raise DonorRefused(
            f"donor {name} lacks {n_missing} of {len(series)} volumes, {longest} of "
            f"them in a row; expected at most {MOST_MISSING:.0%} and {LONGEST_HOLE}. "
            "Choose another."
        )
    if first > LONGEST_BEGINNING or len(series) <= 2 * first:
        raise DonorRefused(
            f"donor {name} has its first value at volume {first} of {len(series)}, "
            f"expected at most {LONGEST_BEGINNING}, and twice as many after it. Choose "
            "another."
        )
    filled = list(series)
    for a, b in itertools.pairwise(known):
        z_a, z_b = _known(filled[a]), _known(filled[b])
        for k in range(a + 1, b):
            filled[k] = z_a + (k - a) / (b - a) * (z_b - z_a)
    for k in range(first):
        filled[k] = filled[2 * first - k]
    for k in range(last + 1, len(series)):
        filled[k] = filled[2 * last - k]
    return [_known(z) for z in filled]


def _known(z: float | None) -> float:
    assert z is not None  # the caller has filled it
    return z


def choose_donor(
    fitting: Sequence[Donor],
    refused: Sequence[DonorRefused],
    *,
    draw: int,
    number: int = 1,
) -> Donor:
    """Return one of the donors that fit.

    Where there are as many persons as places of the arm, each has a person of their
    own: two participants with the same numbers would know that neither has theirs.

    Parameters
    ----------
    draw : of the place; it chooses the person.
    number : of the run, from 1; it chooses among the person's recordings.

    Raises
    ------
    DonorRefused : none fits; it says why each was refused.
    """
    if not fitting:
        why = "; ".join(map(str, refused)) or "there are no recordings"
        raise DonorRefused(
            f"no donor fits this session: {why}. The session does not begin without "
            "one, whatever the arm. Put a longer recording of the same protocol into "
            "the study's folder of donors."
        )
    persons = sorted({donor.person for donor in fitting})
    person = persons[draw % len(persons)]
    own = sorted((d for d in fitting if d.person == person), key=lambda d: d.name)
    return own[(number - 1) % len(own)]
