"""When the samples of an XDF stream were taken: its stamps and clock offsets. Pure.

A sender that starts again may begin with another clock (the computer was restarted).
Stamps and offsets then begin anew, and an offset says nothing of the stamps before it
or after it: it belongs to the stretch in which it was measured.
"""

from dataclasses import dataclass, replace

import numpy as np

from rtbold.messages import FloatArray

RESET_S = 1.0  # stamps that go back by more, or offsets that jump by more: a new clock
MOST_COMPARED = 100_000  # stretches with clocks


@dataclass(frozen=True, slots=True, eq=False)
class Offsets:
    """Clock offsets of a stream that belong to one clock."""

    times_s: FloatArray  # on the stream's clock, rising
    values_s: FloatArray

    def at(self, stamps_s: FloatArray) -> FloatArray:
        """Return what to add to these stamps for the recorder's clock."""
        return np.interp(stamps_s, self.times_s, self.values_s)

    def far_s(self, stamps_s: FloatArray) -> float:
        """Return how far stamps lie from the time in which these were measured."""
        first_s, last_s = float(np.min(stamps_s)), float(np.max(stamps_s))
        return max(0.0, self.times_s[0] - last_s, first_s - self.times_s[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Samples of one clock, and the offsets that were measured of it."""

    first: int
    end: int
    offsets: Offsets | None  # None: not one was measured of this clock
    number: int  # of its offsets among the stream's; as if it had some where not


def stretches(
    stamps_s: FloatArray, offset_times_s: FloatArray, offsets_s: FloatArray
) -> list[Stretch]:
    """Return the stretches of a stream, each with its own clock offsets.

    Parameters
    ----------
    stamps_s : (samples,), raw, in the order in which they were recorded.
    offset_times_s, offsets_s : (offsets,), likewise.
    """
    known = _offsets(offset_times_s, offsets_s)
    pieces = _pieces(stamps_s)
    n_new = len(known) + sum(anew for *_, anew in pieces)
    if n_new * len(pieces) > MOST_COMPARED:  # stamps of chance: no clocks to be told
        whole = Offsets(offset_times_s, offsets_s) if known else None
        return [Stretch(0, len(stamps_s), whole, 0)]
    placed = _placed(stamps_s, pieces, known)
    merged: list[Stretch] = []
    for (first, end, _), number in zip(pieces, placed, strict=True):
        if merged and merged[-1].number == number:
            merged[-1] = replace(merged[-1], end=end)
            continue
        offsets = known[number] if number < len(known) else None
        merged.append(Stretch(first, end, offsets, number))
    return merged


def corrected(
    stamps_s: FloatArray, offset_times_s: FloatArray, offsets_s: FloatArray
) -> FloatArray:
    """Return stamps on the recorder's clock; as they are where no offset is known."""
    if len(offsets_s) == 0 or len(stamps_s) == 0:
        return stamps_s
    found = stretches(stamps_s, offset_times_s, offsets_s)
    placed_s = stamps_s.copy()
    for one in found:
        if one.offsets is not None:
            placed_s[one.first : one.end] += one.offsets.at(
                stamps_s[one.first : one.end]
            )
    return placed_s


def _offsets(times_s: FloatArray, values_s: FloatArray) -> list[Offsets]:
    if len(times_s) == 0:
        return []
    new = (np.diff(times_s) < -RESET_S) | (np.abs(np.diff(values_s)) > RESET_S)
    cuts = np.flatnonzero(new) + 1
    parts = zip(np.split(times_s, cuts), np.split(values_s, cuts), strict=True)
    found = []
    for part_s, part_values_s in parts:
        order = np.argsort(part_s, kind="stable")
        found.append(Offsets(part_s[order], part_values_s[order]))
    return found


def _pieces(stamps_s: FloatArray) -> list[tuple[int, int, bool]]:
    """Return (first, end, its clock is another one) between the jumps of the stamps."""
    if len(stamps_s) == 0:
        return []
    steps_s = np.diff(stamps_s)
    cuts = (np.flatnonzero(np.abs(steps_s) > RESET_S) + 1).tolist()
    ends = [*cuts, len(stamps_s)]
    anew = [False, *(bool(steps_s[cut - 1] < 0) for cut in cuts)]
    return list(zip([0, *cuts], ends, anew, strict=True))


def _placed(
    stamps_s: FloatArray, pieces: list[tuple[int, int, bool]], known: list[Offsets]
) -> list[int]:
    """Return which offsets each piece belongs to, in order of both.

    The nearest in time, where a clock never comes back once another one has begun. A
    piece after stamps that went back is of a later clock, even if none is known.
    """
    n_clocks = len(known) + sum(anew for *_, anew in pieces) + 1
    cost_s = np.full(n_clocks, np.inf)
    cost_s[0 if not known else slice(0, len(known))] = 0.0
    back: list[list[int]] = []
    for number, (first, end, anew) in enumerate(pieces):
        here_s = np.array([
            known[k].far_s(stamps_s[first:end]) if k < len(known) else _UNKNOWN_S
            for k in range(n_clocks)
        ])  # fmt: skip
        before = [_best(cost_s, k - anew, number) for k in range(n_clocks)]
        cost_s = here_s + [cost_s[k] if k >= 0 else np.inf for k in before]
        back.append(before)
    at = int(np.argmin(cost_s)) if pieces else 0
    placed = []
    for before in reversed(back):
        placed.append(at)
        at = before[at]
    return placed[::-1]


_UNKNOWN_S = 1e6  # far from any offset: taken only where there is none


def _best(cost_s: FloatArray, last: int, number: int) -> int:
    """Return the clock up to `last` that costs the piece before least; -1: none."""
    if last < 0:
        return -1
    if number == 0:
        return last if np.isfinite(cost_s[last]) else -1
    found = int(last - np.argmin(cost_s[: last + 1][::-1]))  # the newest of equals
    return found if np.isfinite(cost_s[found]) else -1
