"""Windows of many scans as batches: one gather a scan, assembled ahead of the trainer.

Scans are memory-mapped and windows overlap eightfold, so a batch is cut from the
conditioned signal when its turn comes. What a batch holds depends on seed, epoch and
step alone: neither on how many processes share it, nor on where a run was resumed.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from rtbold.calibration.datasets.scan import Scan
from rtbold.calibration.fit.split import IntArray
from rtbold.condition import spline_interpolation
from rtbold.electrodes import canonical, has_position, positions
from rtbold.errors import ConfigError
from rtbold.messages import WINDOW_SAMPLES, Float32Array, FloatArray

PREDICT_SIZE: Final = 64  # windows in a batch that nothing is learned from
AHEAD: Final = 3  # batches that wait for the trainer
AVERAGE: Final = "AVERAGE"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Windows of scans, and their targets in model units."""

    scans: Sequence[Scan]
    targets: Sequence[Float32Array]  # of every window of each scan, (windows, rois)
    rows: Sequence[IntArray]  # of each scan, the windows that belong to the part

    @classmethod
    def whole(cls, scans: Sequence[Scan], targets: Sequence[Float32Array]) -> "Part":
        """Return all windows of these scans."""
        return cls(scans, targets, [np.arange(len(scan)) for scan in scans])

    def __len__(self) -> int:
        """Return the number of windows."""
        return sum(len(rows) for rows in self.rows)

    @property
    def places(self) -> IntArray:
        """Return scan and window of each, (windows, 2), scan by scan."""
        pairs = [
            np.column_stack([np.full(len(rows), number), rows])
            for number, rows in enumerate(self.rows)
        ]
        return np.concatenate(pairs).astype(np.int64)

    @property
    def measured(self) -> list[Float32Array]:
        """Return the targets of the part's windows, scan by scan; no empty ones."""
        pairs = zip(self.targets, self.rows, strict=True)
        return [target[rows] for target, rows in pairs if len(rows)]

    def by_scan(self, rows: Float32Array) -> list[Float32Array]:
        """Return what stands in the order of `places`, as `measured` does."""
        ends = np.cumsum([len(own) for own in self.rows])[:-1]
        return [piece for piece in np.split(rows, ends) if len(piece)]


# What an electrode that is lost does to the others, as the live loop would have it.

BANK_N: Final = 32  # sets of lost channels in one epoch
MIN_CHANNELS: Final = 8  # that stay; fewer say too little about their neighbours


class LostChannels:
    """Draws which channels a window loses, and what the live loop makes of it.

    A session interpolates a bad channel from the good ones and takes the average of the
    good ones alone as its reference. Zeros would be a signal that no session gives.

    Parameters
    ----------
    reference : the model's, "average" or an electrode.
    expected : share of all channels that are lost, on average.
    windows : share of the windows that lose channels at all.
    """

    def __init__(
        self,
        channels: Sequence[str],
        reference: str,
        *,
        expected: float,
        windows: float,
    ) -> None:
        if expected and not all(map(has_position, channels)):
            strange = [name for name in channels if not has_position(name)]
            raise ConfigError(
                f"data.channel_dropout is {expected:g}, but {', '.join(strange)} has "
                "no known position, so that a session could not interpolate it either; "
                "expected 0, or electrodes of the 10-05 system"
            )
        self._n = len(channels)
        self._xyz = positions(channels) if expected else np.empty((0, 3))
        self._average = canonical(reference) == AVERAGE
        # Without its reference a session has no window at all
        names = [canonical(name) for name in channels]
        self._may = np.array([name != canonical(reference) for name in names])
        self._windows = windows if expected and self._n > MIN_CHANNELS else 0.0
        self._each = min(expected / windows, 1.0) if windows else 0.0

    @property
    def used(self) -> bool:
        """Whether any window loses a channel."""
        return self._windows > 0

    def bank(self, rng: np.random.Generator) -> Float32Array:
        """Return (sets + 1, channels, channels); the first loses nothing."""
        matrices = [np.eye(self._n)]
        for _ in range(BANK_N if self.used else 0):
            lost = np.flatnonzero((rng.random(self._n) < self._each) & self._may)
            if not len(lost):
                lost = rng.choice(np.flatnonzero(self._may), size=1)
            kept_n = max(self._n - len(lost), MIN_CHANNELS)
            matrices.append(self.matrix(rng.permutation(lost)[: self._n - kept_n]))
        return np.stack(matrices).astype(np.float32)

    def matrix(self, lost: Sequence[int] | IntArray) -> FloatArray:
        """Return what replaces `lost` rows of referenced EEG by those of the others."""
        lost = np.sort(np.asarray(lost, int))
        kept = np.setdiff1d(np.arange(self._n), lost)
        matrix = np.eye(self._n)
        matrix[lost] = 0.0
        weights = spline_interpolation(self._xyz[kept], self._xyz[lost])
        matrix[np.ix_(lost, kept)] = weights
        if self._average:  # the rows of `weights` sum to one: the old average goes
            matrix -= matrix[kept].mean(axis=0)
        return matrix

    def draw(self, rng: np.random.Generator, n: int) -> IntArray:
        """Return which of the bank's matrices each of `n` windows takes."""
        if not self.used:
            return np.zeros(n, np.int64)
        chosen = rng.integers(1, BANK_N + 1, size=n)
        return np.where(rng.random(n) < self._windows, chosen, 0)


def gather(
    scans: Sequence[Scan], places: IntArray, mixing: Float32Array | None = None
) -> Float32Array:
    """Return windows (n, channels, 3200) in microvolt, one gather for each scan.

    They are those of `Scan.windows_uv` but for the rounding of float32 sums.

    Parameters
    ----------
    places : (n, 2), scan and window.
    mixing : (n, channels, channels), over the model's channels; None: as recorded.
    """
    out: Float32Array | None = None
    for number in np.unique(places[:, 0]):
        at = np.flatnonzero(places[:, 0] == number)
        own = None if mixing is None else mixing[at]
        windows = _of_scan(scans[number], places[at, 1], own)
        if out is None:
            out = np.empty((len(places), *windows.shape[1:]), np.float32)
        out[at] = windows
    assert out is not None, "no window was asked for"
    return out


def _of_scan(scan: Scan, rows: IntArray, mixing: Float32Array | None) -> Float32Array:
    view = sliding_window_view(scan.eeg_uv, WINDOW_SAMPLES, axis=1)
    samples = view[:, scan.first[rows]].transpose(1, 0, 2)  # (n, channels, samples)
    matrices = None
    if scan.matrices is not None and scan.matrix_of is not None:
        matrices = scan.matrices[scan.matrix_of[rows]].astype(np.float32)
    if mixing is not None:
        matrices = mixing if matrices is None else mixing @ matrices
    windows = samples if matrices is None else matrices @ samples
    if scan.remove_mean or scan.matrices is None:
        windows = windows - windows.mean(axis=2, keepdims=True)
    return np.ascontiguousarray(windows, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one process learns from in one step."""

    step: int  # of the epoch
    windows_uv: Tensor  # (b, channels, 3200)
    targets: Tensor  # (b, rois)


@dataclass(frozen=True, slots=True)
class Share:
    """Which process of how many."""

    rank: int = 0
    world: int = 1


class TrainingBatches:
    """Shuffled batches over all scans; the last incomplete one is dropped.

    Parameters
    ----------
    size : windows of one process.
    jitter : sd of the log gain of a window.
    """

    def __init__(
        self,
        part: Part,
        lost: LostChannels,
        *,
        size: int,
        jitter: float,
        seed: int,
        share: Share,
    ) -> None:
        self._part, self._lost, self._jitter = part, lost, jitter
        self._size, self._seed, self._share = size, seed, share
        self._places = part.places
        self.n_steps = len(self._places) // (size * share.world)
        if not self.n_steps:
            raise ConfigError(
                f"the training part has {len(self._places)} windows, expected at least "
                f"one batch of {size} in each process ({share.world}). Lower "
                "training.batch_size, or prepare more scans."
            )

    def epoch(self, number: int, first: int = 0) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch from step `first` on."""
        rng = np.random.default_rng((self._seed, number))
        order = rng.permutation(len(self._places))
        bank = self._lost.bank(rng) if self._lost.used else None
        whole = self._size * self._share.world
        own = slice(self._share.rank * self._size, (self._share.rank + 1) * self._size)
        for step in range(first, self.n_steps):
            drawn = np.random.default_rng((self._seed, number, step))
            # Drawn for the whole batch: processes must not change what it is made of
            gain = np.exp(self._jitter * drawn.standard_normal(whole))[own]
            which = self._lost.draw(drawn, whole)[own]
            places = self._places[order[step * whole : (step + 1) * whole][own]]
            mixing = None if bank is None else bank[which]
            yield self._batch(step, places, mixing, gain.astype(np.float32))

    def _batch(
        self,
        step: int,
        places: IntArray,
        mixing: Float32Array | None,
        gain: Float32Array,
    ) -> Batch:
        windows = gather(self._part.scans, places, mixing)
        if self._jitter:
            windows *= gain[:, None, None]
        target = np.stack([self._part.targets[s][v] for s, v in places])
        return Batch(step, torch.from_numpy(windows), torch.from_numpy(target))


def in_order(part: Part, share: Share = Share()) -> Iterator[Tensor]:
    """Yield every window of a part that is this process's, in batches.

    Processes take turns window by window, and each yields as many: the last windows of
    the part come again where they do not go round.
    """
    places = part.places
    each = -(-len(places) // share.world)
    own = np.minimum(np.arange(each) * share.world + share.rank, len(places) - 1)
    for start in range(0, each, PREDICT_SIZE):
        chosen = places[own[start : start + PREDICT_SIZE]]
        yield torch.from_numpy(gather(part.scans, chosen))


# Batches that are assembled in a thread of their own.

_Item = TypeVar("_Item")


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error


class _End:
    pass


class Prefetched(Generic[_Item]):
    """Goes through `items` in a thread, a few ahead; counts what the taker waited.

    Use it as a context, so that the thread ends with it, whatever happens within.

    Parameters
    ----------
    now_s : monotonic seconds.
    """

    def __init__(self, items: Iterable[_Item], *, now_s: Callable[[], float]) -> None:
        self._items, self._now_s = items, now_s
        self._queue: queue.Queue[_Item | _Failure | _End] = queue.Queue(AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name="rtbold-batches", daemon=True
        )
        self.waited_s = 0.0

    def __enter__(self) -> Self:
        """Start to assemble."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take what is left, and end the thread."""
        self._stop.set()
        while self._thread.is_alive():
            if isinstance(self._queue.get(), _End):
                break
        self._thread.join()

    def __iter__(self) -> Iterator[_Item]:
        """Yield the items in order; raise what went wrong while making them."""
        while True:
            begun_s = self._now_s()
            item = self._queue.get()
            self.waited_s += self._now_s() - begun_s
            if isinstance(item, _End):
                self._queue.put(item)  # for `__exit__`
                return
            if isinstance(item, _Failure):
                raise item.error
            yield item

    def _work(self) -> None:
        try:
            for item in self._items:
                if self._stop.is_set():
                    break
                self._queue.put(item)
        except BaseException as error:
            self._queue.put(_Failure(error))
        self._queue.put(_End())
