"""Find samples that came before: a driver that sends its last buffer again.

Real EEG never repeats itself bit for bit, not for a tenth of a second. So each channel
is searched for a stretch that equals an earlier one exactly, whatever its length and
wherever it begins: a rolling hash over 0.1 s is formed at every sample, the hash itself
chooses the few places that are remembered (content-defined, so a repeat is remembered
at the same places as its original), and a place whose hash is known already is a hit.

Rolling hash: Karp and Rabin 1987 (IBM J. Res. Dev. 31), modulo 2^64 over mixed samples.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtbold.condition.block_statistics import BoolArray
from rtbold.messages import Float32Array

UInt64Array = NDArray[np.uint64]
Int64Array = NDArray[np.int64]
_BASE = 0x9E3779B97F4A7C15  # odd, so it has an inverse modulo 2^64
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_MODULUS = 1 << 64
_SLOTS = 4096  # remembered places per channel; a newer one takes an older one's slot
_NEVER = np.iinfo(np.int64).min // 2


@dataclass(frozen=True, slots=True)
class RepeatSettings:
    """What counts as a repeat."""

    hashed_s: float = 0.1  # samples under one hash
    repeated_s: float = 0.25  # of one channel, at one distance
    history_s: float = 40.0  # how far back an original is remembered
    places_hz: float = 32.0  # remembered places a second
    changes_n: int = 8  # under one hash; a flat stretch repeats nothing
    head_share: float = 0.5  # of the channels that are not flat: the whole head


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """What one block repeats."""

    channels: BoolArray  # (channels,), that repeat an earlier stretch of their own
    head: bool  # most channels do, from one distance: the stream sends old data


class RepeatFinder:
    """Search blocks of a stream for what was sent before.

    Parameters
    ----------
    n_channels : rows of a block.
    block_n : samples of each block.
    rate_hz : of the source.
    settings : what counts as a repeat.
    """

    def __init__(
        self,
        n_channels: int,
        block_n: int,
        rate_hz: float,
        *,
        settings: RepeatSettings | None = None,
    ) -> None:
        self._settings = settings = settings or RepeatSettings()
        self._n_channels, self._block_n = n_channels, block_n
        self._hashed_n = max(round(settings.hashed_s * rate_hz), settings.changes_n)
        self._repeated_n = round(settings.repeated_s * rate_hz)
        self._history_n = round(settings.history_s * rate_hz)
        bits = max(round(np.log2(rate_hz / settings.places_hz)), 0)
        self._rare = np.uint64(((1 << bits) - 1) << 40)
        self._powers, self._inverses = _powers(self._hashed_n + block_n)
        self._hashes = np.zeros((n_channels, _SLOTS), np.uint64).reshape(-1)
        self._places = np.full((n_channels, _SLOTS), _NEVER, np.int64).reshape(-1)
        # Of the hashed stretch before the block, and of the block
        shape = (n_channels, self._hashed_n + block_n)
        self._mixed = np.zeros(shape, np.uint64)
        self._changed = np.zeros(shape, np.bool_)
        self._sums = np.zeros((n_channels, shape[1] + 1), np.uint64)
        self.restart()

    def restart(self) -> None:
        """Begin anew after a gap; what was sent before it is still remembered."""
        self._n_seen = 0
        self._last: NDArray[np.uint32] = np.zeros((self._n_channels, 1), np.uint32)
        self._distance = np.zeros(self._n_channels, np.int64)  # of the newest hit
        self._begin = np.full(self._n_channels, _NEVER, np.int64)  # of its stretch
        self._end = np.full(self._n_channels, _NEVER, np.int64)

    def __call__(self, block_uv: Float32Array, source_end: int) -> Repeats:
        """Search one block (channels, block_n).

        Parameters
        ----------
        source_end : source index after its last sample. A sample that is shown twice
            under one index repeats nothing.
        """
        hashes = self._rolling(block_uv)
        changed = self._changed[:, self._hashed_n :]
        chosen = ((hashes & self._rare) == 0) & changed
        chosen[:, : max(self._hashed_n - 1 - self._n_seen, 0)] = False
        self._n_seen += self._block_n
        at = np.flatnonzero(chosen)
        rows, columns = np.divmod(at, self._block_n)
        found = hashes.reshape(-1)[at]
        places = columns + (source_end - self._block_n)
        distances = places - self._remember(rows, found, places)
        hits = (distances > 0) & (distances <= self._history_n)
        if not hits.any():
            return Repeats(np.zeros(self._n_channels, np.bool_), head=False)
        known = rows[hits], columns[hits], places[hits], distances[hits]
        return self._judge(*known, n_live=int(changed.any(axis=1).sum()))

    def _rolling(self, block_uv: Float32Array) -> UInt64Array:
        """Return the hash of the stretch that ends at each sample of the block."""
        n = self._hashed_n
        bits = np.ascontiguousarray(block_uv, np.float32).view(np.uint32)
        for kept in (self._mixed, self._changed):
            kept[:, :n] = kept[:, -n:].copy()
        mixed, changed = self._mixed[:, n:], self._changed[:, n:]
        np.multiply(bits, _MIX, out=mixed)
        np.bitwise_xor(mixed, mixed >> np.uint64(32), out=mixed)
        np.not_equal(bits[:, :1], self._last, out=changed[:, :1])
        np.not_equal(bits[:, 1:], bits[:, :-1], out=changed[:, 1:])
        self._last = bits[:, -1:].copy()
        np.cumsum(self._mixed * self._powers, axis=1, out=self._sums[:, 1:])
        hashes: UInt64Array = self._sums[:, n + 1 :] - self._sums[:, 1:-n]
        hashes *= self._inverses[: self._block_n]
        return hashes

    def _remember(
        self, rows: Int64Array, found: UInt64Array, places: Int64Array
    ) -> Int64Array:
        """Keep these places; return where each hash was seen last, or never."""
        slots = rows * _SLOTS + (found % np.uint64(_SLOTS)).astype(np.int64)
        before = np.where(self._hashes[slots] == found, self._places[slots], _NEVER)
        self._hashes[slots], self._places[slots] = found, places  # the newest stays
        if not np.array_equal(self._places[slots], places):  # a slot was taken twice
            order = np.argsort(slots, kind="stable")  # within a slot by place
            slot, same = slots[order], found[order]
            again = (slot[1:] == slot[:-1]) & (same[1:] == same[:-1])
            before[order[1:][again]] = places[order[:-1][again]]
        return np.asarray(before)

    def _judge(
        self,
        rows: Int64Array,
        columns: Int64Array,
        places: Int64Array,
        distances: Int64Array,
        *,
        n_live: int,
    ) -> Repeats:
        """Tell chance from repeats: a repeat goes on at one distance."""
        repeating = np.zeros(self._n_channels, np.bool_)
        at_distance: dict[int, set[int]] = {}
        hits = zip(rows, columns, places, distances, strict=True)
        for row, column, place, distance in ((int(x) for x in hit) for hit in hits):
            under = self._changed[row, column + 1 : column + 1 + self._hashed_n]
            if np.count_nonzero(under) < self._settings.changes_n:
                continue
            at_distance.setdefault(distance, set()).add(row)
            pause_n = place - int(self._end[row])
            if distance != self._distance[row] or pause_n > self._repeated_n:
                self._begin[row] = place - self._hashed_n + 1
            self._distance[row], self._end[row] = distance, place
            repeating[row] |= place - int(self._begin[row]) >= self._repeated_n
        together = max((len(rows) for rows in at_distance.values()), default=0)
        least = self._settings.head_share * n_live
        head = together >= max(least, 3) or int(repeating.sum()) >= max(least, 1)
        return Repeats(repeating, head)


def _powers(n: int) -> tuple[UInt64Array, UInt64Array]:
    """Return the powers of the base and of its inverse, modulo 2^64."""
    inverse = pow(_BASE, -1, _MODULUS)
    powers, inverses = [1], [1]
    for _ in range(n - 1):
        powers.append(powers[-1] * _BASE % _MODULUS)
        inverses.append(inverses[-1] * inverse % _MODULUS)
    return np.array(powers, np.uint64), np.array(inverses, np.uint64)
