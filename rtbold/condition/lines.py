"""Narrow-band lines in one window: pumps, ventilation, mains, slices. Pure.

A line is power within a quarter of a hertz that neither side of it has. Sixteen seconds
resolve 0.06 Hz. Alpha, spindles and bursts of beta are ten times wider: at that
resolution they are smooth, and no peak of theirs stands far above what lies beside it.
How large a line may be is asked elsewhere (`rtbold.predict`).

The sums are numpy's own, so that the numbers do not depend on the number of threads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from rtbold.messages import (
    MODEL_RATE_HZ,
    WINDOW_S,
    WINDOW_SAMPLES,
    Float32Array,
    FloatArray,
)

# Below are the heart's harmonics, above is no passband. In pieces of 4 s alpha and
# spindles are as narrow as a line, so pieces tell of higher frequencies only.
LINE_HZ: Final = (6.0, 80.0)
PIECE_HZ: Final = (16.0, 79.0)
# How far above both sides. What clean windows have at most, simulated and real, stands
# in docs/explanation/lines.md.
WIDESPREAD_RATIO: Final = 4.0  # geometric mean over the channels
RHYTHM_RATIO: Final = 10.0  # the same where one source of alpha may rule the head
RHYTHM_HZ: Final = 16.0  # below
CHANNEL_RATIO: Final = 26.0  # one channel alone
PIECE_WIDESPREAD_RATIO: Final = 4.5  # in two of the four pieces
PIECE_CHANNEL_RATIO: Final = 22.0
ONE_PIECE_HEIGHT: Final = 1.5  # of the logarithms: what one piece needs alone
COMB_HZ: Final = (5.0, 75.0)  # below, the comb of 1/TR drowns in the background
LEAST_VOLUMES: Final = 4  # in a window: fewer leave no room between a comb's lines
STEADY_TO_HZ: Final = 0.02  # how well a steady line's frequency is known
PIECE_TO_HZ: Final = 0.12

_PIECE: Final = 800  # samples: 4 s
_BESIDE_HZ: Final = 1.5  # of a steady line; what a piece finds there is that line
_STEP: Final = 4  # bins that share their two sides
_TINY_UV2: Final = 1e-9  # a window of zeros has a logarithm
IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a window."""

    hz: float
    excess_uv2: FloatArray  # (channels,), above both sides; a tone has a^2 / 2
    widespread: bool  # the channels together tell it; False: some alone
    known_to_hz: float  # how well the frequency is known
    drifting: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class WindowLines:
    """What is narrow in one window."""

    lines: tuple[Line, ...]  # by frequency
    # Mean over channels and multiples of 1/TR of the natural logarithm of the power at
    # the multiple over that half-way between two; None: the TR is too long, or unknown.
    comb: float | None


def window_lines(
    window_uv: Float32Array,
    *,
    tr_s: float | None = None,
    rows: Sequence[int] | None = None,
) -> WindowLines:
    """Return the lines of a window (channels, 3200) at 200 Hz, microvolt.

    Parameters
    ----------
    tr_s : of the session, for the comb.
    rows : channels to look at; None: all. The excess has these.
    """
    kept = window_uv if rows is None else window_uv[list(rows)]
    if not len(kept):
        return WindowLines((), None)
    steady = _steady(kept)
    others = _by_pieces(kept, beside=[line.hz for line in steady])
    lines = sorted((*steady, *others), key=lambda line: line.hz)
    return WindowLines(tuple(lines), comb_ratio(kept, tr_s))


def _steady(window_uv: Float32Array) -> list[Line]:
    """Return the lines that keep their frequency: peaks of the whole window."""
    grid = _window_grid()
    power = _power(window_uv)
    here, around = _compared(power, grid)
    log_ratio = _log_ratio(here, around)
    rhythms = grid.inside < RHYTHM_HZ * WINDOW_S
    together = log_ratio.mean(axis=0)
    together /= np.log(np.where(rhythms, RHYTHM_RATIO, WIDESPREAD_RATIO))
    alone = log_ratio.max(axis=0) / np.log(CHANNEL_RATIO)
    found = []
    for at in _peaks(np.maximum(together, alone), reach=grid.near):
        place = _place(power, log_ratio[:, at], int(grid.inside[at]), grid)
        found.append(
            Line(
                hz=place / WINDOW_S,
                excess_uv2=np.maximum(here[:, at] - around[:, at], 0.0),
                widespread=bool(together[at] >= 1),
                known_to_hz=STEADY_TO_HZ,
            )
        )
    return found


def _by_pieces(window_uv: Float32Array, *, beside: Sequence[float]) -> list[Line]:
    """Return the line of two pieces: it wanders, or was switched on or off.

    One piece is enough where the line stands out by far.

    Parameters
    ----------
    beside : steady lines, which hide what pieces find near them.
    """
    grid, piece_hz = _piece_grid(), MODEL_RATE_HZ / _PIECE
    free = np.ones(grid.inside.size, dtype=bool)
    for line_hz in beside:
        free &= np.abs(grid.inside * piece_hz - line_hz) > _BESIDE_HZ
    power = _power(window_uv.reshape(len(window_uv), -1, _PIECE))  # (c, pieces, bins)
    here, around = _compared(power, grid)
    log_ratio = _log_ratio(here, around)
    together = log_ratio.mean(axis=0) / np.log(PIECE_WIDESPREAD_RATIO)
    alone = log_ratio.max(axis=0) / np.log(PIECE_CHANNEL_RATIO)
    height = np.where(free, np.maximum(together, alone), 0.0)  # (pieces, bins)
    at = height.argmax(axis=1)
    kept = _telling(height.max(axis=1))
    if not kept:
        return []
    found_hz = []
    for piece in kept:
        log_ratios = log_ratio[:, piece, at[piece]]
        place = _place(power[:, piece], log_ratios, int(grid.inside[at[piece]]), grid)
        found_hz.append(place * piece_hz)
    last = kept[-1], at[kept[-1]]
    return [
        Line(
            hz=found_hz[0],
            excess_uv2=np.maximum(here[:, *last] - around[:, *last], 0.0),
            widespread=bool(together[last] >= 1),
            known_to_hz=PIECE_TO_HZ,
            drifting=bool(np.ptp(found_hz) > 2 * PIECE_TO_HZ),
        )
    ]


def _telling(height: FloatArray) -> list[int]:
    """Return the pieces that tell of a line, the highest first."""
    first, second = height.argsort(kind="stable")[::-1][:2].tolist()
    if height[second] >= 1:
        return [first, second]
    return [first] if height[first] >= ONE_PIECE_HEIGHT else []


class _Grid(NamedTuple):
    """Where lines may be in a spectrum, and where their two sides are."""

    inside: IntArray  # bins
    below: IntArray  # (every fourth of them, bins of that side)
    above: IntArray
    lobe: int  # bins either side of a line that hold its power
    near: int  # first bin of a side


@cache
def _window_grid() -> _Grid:
    return _grid(LINE_HZ, WINDOW_SAMPLES, lobe=2, near=4, far=16)


@cache
def _piece_grid() -> _Grid:
    # A line may move by 1 Hz in a piece.
    return _grid(PIECE_HZ, _PIECE, lobe=3, near=5, far=17)


def _grid(
    range_hz: tuple[float, float], n: int, *, lobe: int, near: int, far: int
) -> _Grid:
    low, high = (round(hz * n / MODEL_RATE_HZ) for hz in range_hz)
    inside = np.arange(low, high + 1)
    middle = (inside[::_STEP] + _STEP // 2)[:, None]
    side = np.arange(near, far + 1, 2)
    return _Grid(inside, middle - side, middle + side, lobe, near)


def _power(pieces_uv: Float32Array) -> FloatArray:
    """Return one-sided power (..., bins), uV^2 (Hann).

    A tone of amplitude a has a^2 / 2 over its bins.
    """
    centred = pieces_uv - pieces_uv.mean(axis=-1, keepdims=True, dtype=np.float64)
    taper, scale = _taper(pieces_uv.shape[-1])
    spectra = np.fft.rfft(centred * taper, axis=-1)
    return np.asarray((spectra.real**2 + spectra.imag**2) * scale, dtype=np.float64)


@cache
def _taper(n: int) -> tuple[FloatArray, float]:
    taper = np.hanning(n + 1)[:-1]
    return taper, 2 / (n * float((taper**2).sum()))


def _compared(power: FloatArray, grid: _Grid) -> tuple[FloatArray, FloatArray]:
    """Return the power in each place, and that of the higher of its two sides."""
    padded = np.zeros((*power.shape[:-1], power.shape[-1] + 1))
    np.cumsum(power, axis=-1, out=padded[..., 1:])
    n = power.shape[-1]
    first = np.maximum(np.arange(n) - grid.lobe, 0)
    end = np.minimum(np.arange(n) + grid.lobe + 1, n)
    summed = padded[..., end] - padded[..., first]
    sides = [_median(summed[..., side]) for side in (grid.below, grid.above)]
    around = np.repeat(np.maximum(*sides), _STEP, axis=-1)
    return summed[..., grid.inside], around[..., : grid.inside.size]


def _median(values: FloatArray) -> FloatArray:
    """Return the median of an odd number of values; `np.median` is six times slower."""
    middle = values.shape[-1] // 2
    return np.asarray(np.partition(values, middle, axis=-1)[..., middle])


def _log_ratio(here: FloatArray, around: FloatArray) -> FloatArray:
    return np.asarray(np.log((here + _TINY_UV2) / (around + _TINY_UV2)))


def _peaks(height: FloatArray, *, reach: int) -> list[int]:
    """Return where a height of 1 and more is the largest within `reach`."""
    found = []
    for at in np.flatnonzero(height >= 1).tolist():
        first = max(at - reach, 0)
        if at == first + int(height[first : at + reach + 1].argmax()):
            found.append(at)
    return found


def _place(power: FloatArray, log_ratio: FloatArray, near: int, grid: _Grid) -> float:
    """Return the place of the tone near a bin, in bins (Hann, three bins).

    Parameters
    ----------
    power : (channels, bins).
    log_ratio : (channels,) there; each channel counts by how far it stands out.
    """
    first = near - grid.lobe
    local = power[:, first - 1 : near + grid.lobe + 2]
    shape = (local / (local.sum(axis=1, keepdims=True) + _TINY_UV2)).T @ log_ratio
    top = 1 + int(shape[1:-1].argmax())
    below, peak, above = np.sqrt(np.maximum(shape[top - 1 : top + 2], 0.0)).tolist()
    side = max(below, above) / max(peak, _TINY_UV2)
    shift = (2 * side - 1) / (side + 1)
    return float(first - 1 + top + (shift if above >= below else -shift))


def comb_ratio(window_uv: Float32Array, tr_s: float | None) -> float | None:
    """Return how far the multiples of 1/TR stand out, as a mean logarithm.

    Over the newest whole volumes, so that every multiple falls on a bin. A residue of
    the gradients repeats with the volumes; a brain does not.
    """
    if tr_s is None or (n_volumes := int(WINDOW_S / tr_s + 1e-9)) < LEAST_VOLUMES:
        return None
    n = round(n_volumes * tr_s * MODEL_RATE_HZ)
    power = _power(window_uv[:, window_uv.shape[1] - n :])
    low, high = (hz * tr_s for hz in COMB_HZ)
    multiples = n_volumes * np.arange(int(np.ceil(low)), int(high) + 1)
    half = n_volumes // 2
    between = power[:, multiples + half] + power[:, multiples + n_volumes - half]
    return float(_log_ratio(power[:, multiples], between / 2).mean())
