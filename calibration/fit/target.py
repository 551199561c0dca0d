"""Targets of one scan: what a training part alone says about scale, drift, confounds.

In this order: confounds and drift are weighed on the training volumes and taken off;
each contiguous run of a part is low-passed on its own, so that the filter (zero-phase,
hence not causal) never crosses a part's edge; mean and scale are those of the filtered
training volumes. Nothing outside the training part is read.

Confounds are weighed by least squares as they came, or by evidence once they are
unfolded as they act, then after the same low-pass as the target.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import msgspec
import numpy as np

from rtbold.calibration.fit.nuisance import explaining_weights
from rtbold.calibration.fit.split import IntArray, contiguous_runs
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import Float32Array, FloatArray
from rtbold.truth import TARGET_CUTOFF_HZ, lowpassed

P95: Final = 95.0
_RELATIVE_SD_FLOOR: Final = 1e-9


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """How measured series become targets."""

    lowpass_hz: float | None = TARGET_CUTOFF_HZ
    drift_degree: int = 1  # 3 in a test fold at the scan's end runs off; 0: none
    method: Literal["zscore", "p95"] = "zscore"

    def __post_init__(self) -> None:
        """Refuse what is no target."""
        if self.lowpass_hz is not None and not 0 < self.lowpass_hz < 1:
            raise ConfigError(
                f"lowpass_hz is {self.lowpass_hz:g}, expected Hz in (0, 1) or None"
            )
        if not 0 <= self.drift_degree <= 3:
            raise ConfigError(
                f"drift_degree is {self.drift_degree}, expected 0 (none), 1, 2 or 3"
            )


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredScan:
    """Measured series of one scan; rows are the volumes that have an EEG window."""

    bold: FloatArray  # (volumes, rois), as measured
    onsets_s: FloatArray  # (volumes,), ascending
    rois: tuple[str, ...]
    confounds: FloatArray | None = None  # (volumes, confounds)
    confound_names: tuple[str, ...] = ()
    # Confounds are unfolded as they act (`confound_kinds.acting`): weighed by evidence.
    unfolded: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be a scan."""
        if self.bold.shape != (len(self.onsets_s), len(self.rois)):
            raise DataFileError(
                f"BOLD has shape {self.bold.shape}, expected {len(self.onsets_s)} "
                f"volumes with {len(self.rois)} ROIs"
            )
        _require_finite("BOLD", self.bold, self.rois)
        if self.confounds is None:
            return
        expected = (len(self.bold), len(self.confound_names))
        if self.confounds.shape != expected:
            raise DataFileError(
                f"confounds have shape {self.confounds.shape}, expected {expected}: "
                "one row a volume, one named column each"
            )
        _require_finite("confounds", self.confounds, self.confound_names)


class TargetScaling(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """Every number that turns measured BOLD into model units; goes on the card.

    ``units = (lowpass(bold - confounds @ confound_weights - basis @ drift) - mean)
    / scale``. The basis are Legendre polynomials 1 to degree of time, which runs from
    -1 at `drift_start_s` to 1 at `drift_end_s`.
    """

    method: Literal["zscore", "p95"]
    mean: tuple[float, ...]  # per ROI, in the scanner's unit
    scale: tuple[float, ...]  # per ROI
    lowpass_hz: float | None
    drift: tuple[tuple[float, ...], ...] = ()  # per degree, per ROI
    drift_start_s: float = 0.0
    drift_end_s: float = 1.0
    confound_names: tuple[str, ...] = ()
    confound_weights: tuple[tuple[float, ...], ...] = ()  # per confound, per ROI


def fit_scaling(
    scan: MeasuredScan, train: IntArray, settings: TargetSettings | None = None
) -> TargetScaling:
    """Return the scaling that the rows `train` of a scan define.

    Raises
    ------
    DataFileError : a ROI does not vary over the training volumes.
    """
    settings = settings or TargetSettings()
    draft = _draft(scan, train, settings)
    clean = _filtered(scan, train, draft)
    mean = clean.mean(axis=0)
    scale = scale_of(clean - mean, settings.method)
    _require_variation(scan, train, scale)
    return msgspec.structs.replace(
        draft, mean=tuple(mean.tolist()), scale=tuple(scale.tolist())
    )


def target_map(
    scan: MeasuredScan,
    part: tuple[IntArray, IntArray],
    settings: TargetSettings | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return how targets of two parts follow from any measurement, but for the scale.

    ``map @ bold`` are the rows as `targets` returns them with a scale of 1, drift and
    confounds weighed on the first part and its mean taken off. Unfolded confounds
    follow from no map: take them off the measurement before (`weighing_of`).

    Parameters
    ----------
    part : rows that learn and rows that stop, as the scaling and `targets` take them.

    Returns
    -------
    Two maps, (rows, volumes of the scan) each.
    """
    settings = settings or TargetSettings()
    n = len(scan.bold)
    one_each = replace(
        scan, bold=np.eye(n), rois=tuple(str(volume) for volume in range(n))
    )
    if scan.unfolded:
        one_each = replace(one_each, confounds=None, confound_names=())
    draft = _draft(one_each, part[0], settings)
    learn, stop = (_filtered(one_each, rows, draft) for rows in part)
    mean = learn.mean(axis=0)
    return learn - mean, stop - mean


def scale_of(clean: FloatArray, method: Literal["zscore", "p95"]) -> FloatArray:
    """Return the scale of training targets without mean, (..., volumes, rois)."""
    if method == "zscore":
        return np.asarray(clean.std(axis=-2))
    return np.asarray(np.percentile(np.abs(clean), P95, axis=-2))


def targets(scan: MeasuredScan, rows: IntArray, scaling: TargetScaling) -> Float32Array:
    """Return the rows of one part in model units, (rows, rois).

    `rows` are one part's alone: the low-pass runs over each of its contiguous runs.
    """
    clean = _filtered(scan, rows, scaling)
    units: Float32Array = (
        (clean - np.array(scaling.mean)) / np.array(scaling.scale)
    ).astype(np.float32)
    return units


def scored_target(
    scan: MeasuredScan, rows: IntArray, scaling: TargetScaling
) -> FloatArray:
    """Return what a test part is scored against, (rows, rois), in the scanner's unit.

    As `targets`, but the drift stays in (the verdict removes one cubic from the whole
    series) and no training mean is taken off: subtracting each fold's own would set
    steps at the folds' edges that are tied to the fold's mean.
    """
    undrifted = msgspec.structs.replace(scaling, drift=())
    return _filtered(scan, rows, undrifted)


def _draft(
    scan: MeasuredScan, train: IntArray, settings: TargetSettings
) -> TargetScaling:
    """Return the scaling with drift and confounds, in the scanner's unit."""
    span = (float(scan.onsets_s[0]), float(scan.onsets_s[-1]))
    drift, weights = _confound_weights(scan, train, settings)
    return TargetScaling(
        method=settings.method,
        mean=(0.0,) * len(scan.rois),
        scale=(1.0,) * len(scan.rois),
        lowpass_hz=settings.lowpass_hz,
        drift=_rows(drift),
        drift_start_s=span[0],
        drift_end_s=span[1],
        confound_names=scan.confound_names,
        confound_weights=_rows(weights),
    )


def _confound_weights(
    scan: MeasuredScan, train: IntArray, settings: TargetSettings
) -> tuple[FloatArray, FloatArray]:
    """Return drift (degree, rois) and confound weights, fitted together."""
    if scan.unfolded and scan.confounds is not None:
        return _unfolded_weights(scan, scan.confounds, train, settings)
    degree = settings.drift_degree
    span = (float(scan.onsets_s[0]), float(scan.onsets_s[-1]))
    basis = _drift_basis(scan.onsets_s[train], degree, span)
    columns = [np.ones((len(train), 1)), basis]
    if scan.confounds is not None:
        columns.append(scan.confounds[train])
    design = np.concatenate(columns, axis=1)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise DataFileError(
            f"the confounds {', '.join(scan.confound_names)} are constant or depend on "
            "each other over the training volumes; leave out the redundant ones"
        )
    solution = np.linalg.lstsq(design, scan.bold[train], rcond=None)[0]
    solved = np.asarray(solution, dtype=np.float64)
    return solved[1 : 1 + degree], solved[1 + degree :]


def _unfolded_weights(
    scan: MeasuredScan,
    confounds: FloatArray,
    train: IntArray,
    settings: TargetSettings,
) -> tuple[FloatArray, FloatArray]:
    """Return drift and the weights of unfolded confounds, by evidence."""
    weights = explaining_weights(
        _straight(scan, confounds, train, settings),
        _straight(scan, scan.bold, train, settings),
    )
    basis = _level_and_drift(scan, train, settings)
    left = scan.bold[train] - confounds[train] @ weights
    solution = np.linalg.lstsq(basis, left, rcond=None)[0]
    return np.asarray(solution, dtype=np.float64)[1:], weights


@dataclass(frozen=True, slots=True, eq=False)
class Weighing:
    """How unfolded confounds are weighed on training volumes, for any measurement."""

    columns: FloatArray  # (volumes of the scan, columns)
    learned: FloatArray  # (training volumes, columns): low-passed, without drift
    straight: FloatArray  # (training volumes, volumes of the scan): makes that of BOLD

    def without(self, measured: FloatArray) -> FloatArray:
        """Return (..., volumes, rois) without what the confounds explain of it."""
        weights = explaining_weights(self.learned, self.straight @ measured)
        left: FloatArray = measured - self.columns @ weights.astype(measured.dtype)
        return left

    def in_type(self, kind: np.dtype[np.floating[Any]]) -> "Weighing":
        """Return the same in another precision."""
        return Weighing(
            self.columns.astype(kind), self.learned, self.straight.astype(kind)
        )


def weighing_of(
    scan: MeasuredScan, train: IntArray, settings: TargetSettings | None = None
) -> Weighing | None:
    """Return how a scan's unfolded confounds are weighed; None: there are none."""
    settings = settings or TargetSettings()
    if not scan.unfolded or scan.confounds is None:
        return None
    return Weighing(
        scan.confounds,
        _straight(scan, scan.confounds, train, settings),
        _straight(scan, np.eye(len(scan.bold)), train, settings),
    )


def _straight(
    scan: MeasuredScan, series: FloatArray, train: IntArray, settings: TargetSettings
) -> FloatArray:
    """Return the training volumes of series, low-passed and without drift."""
    smooth = filtered_rows(
        series[train], train, scan.onsets_s, lowpass_hz=settings.lowpass_hz
    )
    basis = _level_and_drift(scan, train, settings)
    left: FloatArray = smooth - basis @ np.linalg.lstsq(basis, smooth, rcond=None)[0]
    return left


def _level_and_drift(
    scan: MeasuredScan, rows: IntArray, settings: TargetSettings
) -> FloatArray:
    span = (float(scan.onsets_s[0]), float(scan.onsets_s[-1]))
    drift = _drift_basis(scan.onsets_s[rows], settings.drift_degree, span)
    return np.concatenate([np.ones((len(rows), 1)), drift], axis=1)


def _drift_basis(
    onsets_s: FloatArray, degree: int, span: tuple[float, float]
) -> FloatArray:
    """Return (volumes, degree), Legendre polynomials without the constant."""
    u = 2 * (onsets_s - span[0]) / (span[1] - span[0]) - 1
    basis = np.polynomial.legendre.legvander(u, degree)[:, 1:]
    return np.asarray(basis, dtype=np.float64)


def _filtered(scan: MeasuredScan, rows: IntArray, scaling: TargetScaling) -> FloatArray:
    """Return the rows without confounds and drift, low-passed run by run."""
    clean = scan.bold[rows]
    if scaling.drift:
        span = (scaling.drift_start_s, scaling.drift_end_s)
        basis = _drift_basis(scan.onsets_s[rows], len(scaling.drift), span)
        drift: FloatArray = np.array(scaling.drift)
        clean = clean - basis @ drift
    if scaling.confound_weights:
        if scan.confounds is None or scan.confound_names != scaling.confound_names:
            raise DataFileError(
                f"the scan's confounds are {scan.confound_names}, the scaling was "
                f"fitted with {scaling.confound_names}; pass the same columns"
            )
        weights: FloatArray = np.array(scaling.confound_weights)
        clean = clean - scan.confounds[rows] @ weights
    return filtered_rows(clean, rows, scan.onsets_s, lowpass_hz=scaling.lowpass_hz)


def filtered_rows(
    series: FloatArray,
    rows: IntArray,
    onsets_s: FloatArray,
    *,
    lowpass_hz: float | None,
) -> FloatArray:
    """Return series of one part, each contiguous run low-passed on its own.

    Parameters
    ----------
    series : (rows, columns), of the volumes `rows`.
    onsets_s : (volumes,), of the whole scan.
    """
    tr_s = float(np.median(np.diff(onsets_s)))
    runs = contiguous_runs(rows, onsets_s)
    ends = np.cumsum([len(run) for run in runs])[:-1]
    pieces = np.split(series, ends)
    return np.concatenate([lowpassed(p, tr_s, lowpass_hz) for p in pieces])


def _rows(matrix: FloatArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def _require_finite(what: str, values: FloatArray, names: tuple[str, ...]) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=0))
    if len(bad):
        listed = ", ".join(names[i] for i in bad[:5])
        raise DataFileError(
            f"{what} has values that are not finite in {len(bad)} columns ({listed}); "
            "expected a number for every volume. Leave these columns out, or repair "
            "the table"
        )


def _require_variation(scan: MeasuredScan, train: IntArray, scale: FloatArray) -> None:
    floor = _RELATIVE_SD_FLOOR * np.abs(scan.bold[train]).max(axis=0)
    flat = np.flatnonzero(scale <= floor)
    if len(flat):
        listed = ", ".join(scan.rois[i] for i in flat[:5])
        raise DataFileError(
            f"{len(flat)} ROIs do not vary over the training volumes ({listed}); "
            "expected a signal. Check the mask or atlas, or leave them out"
        )
