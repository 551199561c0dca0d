"""When the samples of an XDF stream were taken: its stamps and clock offsets. Pure.

A sender that starts again may begin with another clock (the computer was restarted).
Stamps and offsets then begin anew, and an offset says nothing of the stamps before it
or after it: it belongs to the stretch in which it was measured.
"""

from dataclasses import dataclass, replace

import numpy as np

from rtbold.messages import FloatArray

RESET_S = 1.0  # stamps that go back by more, or offsets that jump by more: a new clock
MOST_COMPARED = 10_000  # stretches with clocks
SAME_CLOCK_S = 30.0  # what it costs to take stamps that went back for the same clock's
UNKNOWN_S = 60.0  # and for those of a clock without offsets, wherever they lie


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
        known_from_s, known_to_s = float(self.times_s[0]), float(self.times_s[-1])
        return max(0.0, known_from_s - last_s, first_s - known_to_s)


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
    """Return which clock each piece belongs to, in order: its offsets' number.

    The nearest in time, where a clock never comes back once another one has begun.
    Stamps that went back are of a later clock, if its offsets fit or no others do;
    numbers from ``len(known)`` on are clocks without offsets.
    """
    n_clocks = max(len(known), 1) + sum(anew for *_, anew in pieces)
    costs_s = [0.0 if k < max(len(known), 1) else np.inf for k in range(n_clocks)]
    back: list[list[int]] = []
    for number, (first, end, anew) in enumerate(pieces):
        back_s = float(stamps_s[first - 1] - stamps_s[first]) if anew else 0.0
        before, after_s = [], []
        for k in range(n_clocks):
            if k < len(known):
                here_s, stay_s = known[k].far_s(stamps_s[first:end]), SAME_CLOCK_S
            else:
                here_s, stay_s = UNKNOWN_S * (k > 0), SAME_CLOCK_S + back_s
            from_s = [
                costs_s[j] + (stay_s if anew and j == k else 0.0)
                if _may_follow(j, k, anew=anew, n_known=len(known), first=number == 0)
                else np.inf
                for j in range(k + 1)
            ]
            at = k - int(np.argmin(from_s[::-1]))  # the newest of equals
            before.append(at)
            after_s.append(from_s[at] + here_s)
        costs_s = after_s
        back.append(before)
    at = int(np.argmin(costs_s))
    placed = []
    for before in reversed(back):
        placed.append(at)
        at = before[at]
    return placed[::-1]


def _may_follow(j: int, k: int, *, anew: bool, n_known: int, first: bool) -> bool:
    """Return whether clock `k` may come after clock `j`."""
    if first or j == k:
        return j == k
    return k < n_known or (anew and k == max(j + 1, n_known, 1))
