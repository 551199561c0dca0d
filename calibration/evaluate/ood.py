"""Reference of the out-of-distribution monitor, from the windows of a calibration.

Quantiles come from windows that their own scale had not seen: each group (a stretch of
the scan, or a subject) is compared with the others. Compared with itself, a scan looks
more like itself than any later EEG of the same subject can.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

import msgspec
import numpy as np
import torch
from torch import nn

from rtbold.bundle import (
    KnownLine,
    KnownLines,
    LikenessReference,
    Spread,
    Statistic,
)
from rtbold.condition import (
    STEADY_TO_HZ,
    Line,
    WindowLines,
    WindowStatistics,
    window_lines,
    window_statistics,
)
from rtbold.errors import DataFileError
from rtbold.messages import WINDOW_S, Float32Array, FloatArray
from rtbold.predict import Comparison, ood_score

QUANTILES: Final = (0.005, 0.5, 0.995)
N_BLOCKS: Final = 5
MIN_WINDOWS: Final = 60
TWO_SIDED: Final[tuple[Statistic, ...]] = ("level", "slope")
SMALLEST_SD: Final = 1e-6  # of a feature that never moved
DIGITS: Final = 6  # on the card
LINE_SHARE: Final = 0.02  # of the windows: fewer, and a line is not the calibration's
LINE_APART_HZ: Final = 0.5  # what lies nearer is one line
Groups = Literal["blocks", "subjects"]
IntArray = np.ndarray[tuple[int, ...], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureScale:
    """Mean and sd of what the head reads, (features,); goes into ``model.onnx``."""

    mean: FloatArray
    sd: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> "FeatureScale":
        """Return the scale of features (windows, features)."""
        mean, sd = features.mean(axis=0), features.std(axis=0)
        floor = max(SMALLEST_SD, 0.01 * float(np.median(sd)))
        return cls(mean, np.maximum(sd, floor))

    def distance(self, features: FloatArray) -> FloatArray:
        """Return the rms of the standardised features, (windows,)."""
        return np.asarray(
            np.sqrt((((features - self.mean) / self.sd) ** 2).mean(axis=1))
        )


def head_inputs(model: nn.Module, batches: Iterable[Float32Array]) -> FloatArray:
    """Return what the model's linear head reads, (windows, features), float64.

    Parameters
    ----------
    batches : windows as (n, channels, 3200) microvolt.
    """
    rows: list[FloatArray] = []
    head = cast("nn.Linear", model.head)
    handle = head.register_forward_pre_hook(
        lambda _, given: rows.append(given[0].numpy().astype(np.float64))
    )
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                model(torch.from_numpy(batch))
    finally:
        handle.remove()
        model.train(was_training)
    return np.concatenate(rows)


def statistics_of(batches: Iterable[Float32Array]) -> list[WindowStatistics]:
    """Return the statistics of windows that come as (n, channels, 3200) microvolt."""
    return [window_statistics(window) for batch in batches for window in batch]


def lines_of(
    batches: Iterable[Float32Array], *, tr_s: float | None
) -> list[WindowLines]:
    """Return the lines of windows that come as (n, channels, 3200) microvolt."""
    return [window_lines(window, tr_s=tr_s) for batch in batches for window in batch]


def known_lines(windows: Sequence[WindowLines]) -> KnownLines:
    """Return the lines that the card lists: what windows had again and again."""
    found = sorted(
        ((line, at) for at, window in enumerate(windows) for line in window.lines),
        key=lambda each: each[0].hz,
    )
    groups: list[list[tuple[Line, int]]] = []
    for each in found:
        if groups and each[0].hz - groups[-1][-1][0].hz < LINE_APART_HZ:
            groups[-1].append(each)
        else:
            groups.append([each])
    combs = [window.comb for window in windows if window.comb is not None]
    return KnownLines(
        lines=tuple(
            _known_line([line for line, _ in group])
            for group in groups
            if len({at for _, at in group}) >= LINE_SHARE * len(windows)
        ),
        comb=_rounded(max(combs)) if combs else None,
    )


def _known_line(lines: Sequence[Line]) -> KnownLine:
    """Return one line of the card, as large as it was where it was steady.

    What pieces of a window have beside it comes from movements, and is far larger.
    """
    steady = [line for line in lines if line.known_to_hz == STEADY_TO_HZ]
    kept = steady or lines
    return KnownLine(
        low_hz=_rounded(kept[0].hz),
        high_hz=_rounded(kept[-1].hz),
        mean_uv2=_rounded(max(float(line.excess_uv2.mean()) for line in kept)),
        channel_uv2=_rounded(max(float(line.excess_uv2.max()) for line in kept)),
    )


def blocks_of(n_windows: int) -> IntArray:
    """Return the block number (windows,) of the windows of one scan, in order."""
    return np.arange(n_windows) * N_BLOCKS // n_windows


def ood_reference(
    windows: Sequence[WindowStatistics],
    *,
    group: IntArray | None = None,
    features: FloatArray | None = None,
    lines: Sequence[WindowLines] | None = None,
    tr_s: float = 2.0,
) -> LikenessReference:
    """Return what the card keeps of the calibration EEG.

    Parameters
    ----------
    windows : in order of time.
    group : (windows,), subject of each; None: one scan, cut into five blocks.
    features : (windows, features) that the head reads; None: no such statistic.
    lines : of the same windows; None: the card lists no lines.
    tr_s : from window to window; those that share EEG with a block are not its scale.

    Raises
    ------
    DataFileError : fewer than 60 windows.
    """
    if len(windows) < MIN_WINDOWS:
        raise DataFileError(
            f"{len(windows)} windows, expected at least {MIN_WINDOWS} to say what the "
            "EEG looks like; scan longer"
        )
    groups: Groups = "blocks" if group is None else "subjects"
    of = blocks_of(len(windows)) if group is None else group
    guard = math.ceil(WINDOW_S / tr_s) if group is None else 0
    held_out = _held_out(windows, of, features, guard=guard)
    spreads = {
        name: _spread(np.array([w[name] for w in held_out]), name)
        for name in held_out[0]
    }
    worst = [ood_score(each, spreads) for each in held_out]
    return msgspec.structs.replace(
        _scale(windows),
        spreads=spreads,
        limit=float(np.quantile(worst, QUANTILES[-1])),
        n_windows=len(windows),
        groups=groups,
        lines=None if lines is None else known_lines(lines),
    )


def _held_out(
    windows: Sequence[WindowStatistics],
    group: IntArray,
    features: FloatArray | None,
    *,
    guard: int,
) -> list[dict[Statistic, float]]:
    """Return the statistics of each window by the scale of the other groups."""
    found: list[dict[Statistic, float]] = [{} for _ in windows]
    for each in np.unique(group):
        inside = np.flatnonzero(group == each)
        others = np.flatnonzero(group != each)
        if guard:
            away = np.abs(others[:, None] - inside[[0, -1]]).min(axis=1)
            others = others[away > guard]
        compare = Comparison(_scale([windows[i] for i in others.tolist()]))
        for i in inside.tolist():
            found[i] = compare(windows[i])
        if features is not None:
            distance = FeatureScale.of(features[others]).distance(features[inside])
            for i, value in zip(inside.tolist(), distance, strict=True):
                found[i]["features"] = float(value)
    return found


def _scale(windows: Sequence[WindowStatistics]) -> LikenessReference:
    power = np.array([w.log_power for w in windows])
    slope = np.array([w.slope for w in windows])
    covariance = np.mean([w.covariance for w in windows], axis=0)
    return LikenessReference(
        log_power=_rows(power.mean(axis=0)),
        log_power_sd=_rows(np.maximum(power.std(axis=0), SMALLEST_SD)),
        slope=_row(slope.mean(axis=0)),
        slope_sd=_row(np.maximum(slope.std(axis=0), SMALLEST_SD)),
        covariance=_rows(covariance),
    )


def _spread(values: FloatArray, name: Statistic) -> Spread:
    low, middle, high = np.quantile(values, QUANTILES).tolist()
    return Spread(low=low if name in TWO_SIDED else None, middle=middle, high=high)


def _rows(table: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(_row(row) for row in table)


def _row(values: FloatArray) -> tuple[float, ...]:
    return tuple(_rounded(float(value)) for value in values)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
