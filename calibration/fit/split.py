"""Parts of one scan that learn, stop and test, kept apart in time. Pure.

A window reaches 16 s back and BOLD about 20 s, so two volumes share nothing once they
are 36 s apart. Index arrays count rows of `onsets_s` (usable volumes only).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import WINDOW_S, FloatArray

IntArray = NDArray[np.int64]
HRF_S: Final = 20.0
STRICT_GAP_S: Final = WINDOW_S + HRF_S
SLACK_S: Final = 1e-6  # sums of repetition times do not come out exactly
MIN_N: Final = {
    "train": 60,
    "stop": 10,
    "test": 12,
}  # below, nothing is learned or told
_SEARCH_UP_TO_N: Final = 5000


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One division of a scan: weights from `train`, best epoch by `stop`."""

    train: IntArray
    stop: IntArray
    test: IntArray


@dataclass(frozen=True, slots=True)
class StrictSettings:
    """How the contiguous folds are cut."""

    n_folds: int = 5
    gap_s: float = STRICT_GAP_S  # between onsets of volumes in different parts
    # Of the volumes that are left beside the test fold; 0: nothing is trained by steps
    stop_share: float = 0.15

    def __post_init__(self) -> None:
        """Refuse what would not be the strict split."""
        if self.n_folds < 5:
            raise ConfigError(
                f"n_folds is {self.n_folds}, expected 5 or more: fewer leave too "
                "little of the scan to learn from"
            )
        if self.gap_s < STRICT_GAP_S:
            raise ConfigError(
                f"gap_s is {self.gap_s:g}, expected {STRICT_GAP_S:g} or more "
                f"({WINDOW_S:g} s of window and {HRF_S:g} s of BOLD response)"
            )
        if not 0 <= self.stop_share < 0.5:
            raise ConfigError(
                f"stop_share is {self.stop_share:g}, expected a share in [0, 0.5)"
            )


def published_split(n_volumes: int, tr_s: float) -> Part:
    """Return 8:1:1 in time with ceil(20 s / TR) volumes from part to part.

    For comparison with the publication only (Li et al., NeurIPS 2024): the windows of
    different parts overlap by design, and the last tenth holds about 12 independent
    volumes. The distance is that of the targets: 10 means 9 volumes are left out.

    Raises
    ------
    DataFileError : too few volumes.
    """

    def cut(n: int) -> Part:
        distance = int(np.ceil(HRF_S / tr_s - SLACK_S))
        at = np.arange(n)
        first, second = round(0.8 * n), round(0.9 * n)
        return Part(
            train=at[:first],
            stop=at[first + distance - 1 : second],
            test=at[second + distance - 1 :],
        )

    part = cut(n_volumes)
    if _whole([part]):
        return part
    _refuse(n_volumes, tr_s=tr_s, enough=lambda n: _whole([cut(n)]))


def strict_folds(
    onsets_s: FloatArray, settings: StrictSettings | None = None
) -> tuple[Part, ...]:
    """Return contiguous test folds that tile the scan, each with its own training part.

    The stopping part lies at the end of the scan that is further from the test fold:
    there it costs one gap, elsewhere two.

    Parameters
    ----------
    onsets_s : (volumes,), ascending; volumes without a window may be missing.

    Raises
    ------
    DataFileError : too few volumes; says how many are needed at this TR.
    """
    settings = settings or StrictSettings()
    folds = _cut(onsets_s, settings)
    tr_s = float(np.median(np.diff(onsets_s))) if len(onsets_s) > 1 else 1.0

    def enough(n: int) -> bool:
        onsets_s: FloatArray = np.arange(n) * np.float64(tr_s)
        return _whole(_cut(onsets_s, settings), with_stop=settings.stop_share > 0)

    if _whole(folds, with_stop=settings.stop_share > 0):
        return folds
    _refuse(len(onsets_s), tr_s=tr_s, enough=enough)


def final_part(onsets_s: FloatArray, settings: StrictSettings | None = None) -> Part:
    """Return the division of the fit that is kept: all volumes, `test` empty.

    The stopping part is the scan's last share, behind the same gap.
    """
    settings = settings or StrictSettings()
    rows = np.arange(len(onsets_s))
    return _without_stop(rows, rows[:0], onsets_s, settings)


def inner_blocks(
    rows: IntArray, onsets_s: FloatArray, n_blocks: int, *, gap_s: float = STRICT_GAP_S
) -> tuple[tuple[IntArray, IntArray], ...]:
    """Return (learn, check) pairs inside one training part, `gap_s` apart.

    `check` is contiguous. For penalties by nested cross-validation. Pairs whose
    learning side would be empty are left out, so short parts may give fewer than
    `n_blocks`.
    """
    pairs = []
    for check in np.array_split(rows, n_blocks):
        learn = _apart(rows, check, onsets_s, gap_s)
        if len(check) and len(learn):
            pairs.append((learn, check))
    return tuple(pairs)


def contiguous_runs(rows: IntArray, onsets_s: FloatArray) -> tuple[IntArray, ...]:
    """Return `rows` in pieces without a hole: neighbours at most 1.5 TR apart."""
    if not len(rows):
        return ()
    tr_s = float(np.median(np.diff(onsets_s))) if len(onsets_s) > 1 else 1.0
    holes = np.flatnonzero(
        (np.diff(rows) != 1) | (np.diff(onsets_s[rows]) > 1.5 * tr_s)
    )
    return tuple(np.split(rows, holes + 1))


def _cut(onsets_s: FloatArray, settings: StrictSettings) -> tuple[Part, ...]:
    rows = np.arange(len(onsets_s))
    return tuple(
        _without_stop(
            _apart(rows, test, onsets_s, settings.gap_s), test, onsets_s, settings
        )
        for test in np.array_split(rows, settings.n_folds)
    )


def _without_stop(
    others: IntArray, test: IntArray, onsets_s: FloatArray, settings: StrictSettings
) -> Part:
    n_stop = round(settings.stop_share * len(others))
    middle = len(onsets_s) / 2
    late = not len(test) or float(test.mean()) < middle
    stop = others[len(others) - n_stop :] if late else others[:n_stop]
    train = _apart(others, stop, onsets_s, settings.gap_s)
    return Part(train=train, stop=stop, test=test)


def _apart(
    rows: IntArray, from_rows: IntArray, onsets_s: FloatArray, gap_s: float
) -> IntArray:
    """Return the rows at least `gap_s` from every volume of a contiguous part."""
    if not len(from_rows):
        return rows
    first_s, last_s = onsets_s[from_rows[0]], onsets_s[from_rows[-1]]
    at_s, gap_s = onsets_s[rows], gap_s - SLACK_S
    kept: IntArray = rows[(at_s <= first_s - gap_s) | (at_s >= last_s + gap_s)]
    return kept


def _whole(parts: tuple[Part, ...] | list[Part], *, with_stop: bool = True) -> bool:
    return all(
        len(getattr(part, name)) >= least
        for part in parts
        for name, least in MIN_N.items()
        if name != "stop" or with_stop
    )


def _refuse(n_volumes: int, *, tr_s: float, enough: Callable[[int], bool]) -> NoReturn:
    needed = next((n for n in range(1, _SEARCH_UP_TO_N) if enough(n)), None)
    if needed is None:
        raise ConfigError(
            f"no scan of up to {_SEARCH_UP_TO_N} volumes can be split like this at a "
            f"TR of {tr_s:g} s; use fewer folds or a shorter gap"
        )
    raise DataFileError(
        f"{n_volumes} volumes with a whole EEG window, expected at least {needed} at a "
        f"TR of {tr_s:g} s ({needed * tr_s / 60:.1f} min) for this split; scan longer, "
        "or check that markers and EEG cover the whole scan"
    )
