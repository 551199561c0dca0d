"""Targets of a prepared scan: what a model learns, and is scored against.

In this order: confounds (and drift, if asked for) are weighed by least squares over the
whole scan and taken off; the rest is low-passed to and fro, so that a target sees some
seconds of its own future; its mean is taken off, and it is divided by its standard
deviation or by the 95th percentile of its magnitude. All of it once without and once
with the global signal among the confounds.

A calibration does this on a training part alone (`rtbold.calibration.fit.target`). Here
a scan is a whole, as in the publication: R does not depend on mean and scale, and a
gap of tens of seconds stands between parts where a scan is split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np

from rtbold.calibration.fit.target import (
    MeasuredScan,
    TargetScaling,
    TargetSettings,
    fit_scaling,
    targets,
)
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import FloatArray
from rtbold.text import did_you_mean, first_few

GLOBAL_SIGNAL: Final = "global signal"
FEW_FOR_GLOBAL: Final = 8  # of fewer ROIs the mean is hardly global
_LEAST_SD: Final = 1e-9  # of the largest value: below, a series is constant
_DEPENDENT: Final = 1e-6  # of its length, what a column must have of its own
_MOST_SHARE: Final = 0.5  # confounds per volume


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredBold:
    """What a scan measured, volume by volume."""

    bold: FloatArray  # (volumes, rois); a row of nan: there is none
    rois: tuple[str, ...]
    tr_s: float
    confounds: Mapping[str, FloatArray]  # (volumes,) each
    global_signal: FloatArray | None  # (volumes,); None: the data set has none


@dataclass(frozen=True, slots=True, eq=False)
class ScanTargets:
    """Targets of every volume of a scan; nan where there is no row."""

    bold: FloatArray  # (volumes, rois)
    bold_gsr: FloatArray  # (volumes, rois), with global-signal regression
    rois: tuple[str, ...]
    scaling: TargetScaling
    scaling_gsr: TargetScaling
    dropped: Mapping[str, str]  # ROI -> why
    regressed: tuple[str, ...]  # confounds
    global_signal: str  # where it came from
    notes: tuple[str, ...]


def scan_targets(
    measured: MeasuredBold,
    settings: TargetSettings,
    confounds: Sequence[str] | None = None,
) -> ScanTargets:
    """Return the targets of one scan.

    Parameters
    ----------
    confounds : names to regress out, with ``*``; None: all that there are.

    Raises
    ------
    DataFileError : no ROI has a signal, or a confound has no numbers.
    ConfigError : there is no such confound.
    """
    there = np.flatnonzero(np.isfinite(measured.bold).any(axis=1))
    kept, dropped = _usable(measured, there)
    bold = measured.bold[there][:, kept]
    rois = tuple(measured.rois[k] for k in kept)
    columns, notes = _confounds(measured, there, confounds)
    scan = MeasuredScan(
        bold=bold,
        onsets_s=there * np.float64(measured.tr_s),
        rois=rois,
        confounds=np.stack(list(columns.values()), axis=1) if columns else None,
        confound_names=tuple(columns),
    )
    every = np.arange(len(there))
    scaling = fit_scaling(scan, every, settings)
    signal, source = _global_signal(measured, there, bold)
    plain = np.full((len(measured.bold), len(rois)), np.nan)
    gsr = plain.copy()
    plain[there] = targets(scan, every, scaling)
    scaling_gsr = scaling
    if signal is not None:
        with_global = _with(scan, signal)
        scaling_gsr = fit_scaling(with_global, every, settings)
        gsr[there] = targets(with_global, every, scaling_gsr)
    if signal is None or (measured.global_signal is None and _few(rois)):
        notes.append(_poor_global(rois))
    return ScanTargets(
        bold=plain,
        bold_gsr=gsr,
        rois=rois,
        scaling=scaling,
        scaling_gsr=scaling_gsr,
        dropped=dropped,
        regressed=tuple(columns),
        global_signal=source,
        notes=tuple(notes),
    )


# ROIs.


def _usable(
    measured: MeasuredBold, there: np.ndarray
) -> tuple[list[int], dict[str, str]]:
    """Return the columns with a signal at every volume, and why the others have not."""
    if len(there) < 2:
        raise DataFileError(
            f"{len(there)} volumes have measured BOLD, expected a whole scan. Is it "
            "the BOLD of this run?"
        )
    dropped = {}
    for roi, series in zip(measured.rois, measured.bold[there].T, strict=True):
        if n_bad := int((~np.isfinite(series)).sum()):
            dropped[roi] = f"no number at {n_bad} of {len(series)} volumes"
        elif series.std() <= _LEAST_SD * max(float(np.abs(series).max()), 1e-300):
            dropped[roi] = "constant"
    kept = [k for k, roi in enumerate(measured.rois) if roi not in dropped]
    if not kept:
        told = [f"{roi}: {why}" for roi, why in dropped.items()]
        raise DataFileError(
            f"not one of the {len(measured.rois)} ROIs has a signal at every volume "
            f"({first_few(told)}), expected at least one. Check the mask or atlas."
        )
    return kept, dropped


# Confounds.


def _confounds(
    measured: MeasuredBold, there: np.ndarray, wanted: Sequence[str] | None
) -> tuple[dict[str, FloatArray], list[str]]:
    """Return the columns to regress out, each standardised, and what is to be said."""
    names = _named(tuple(measured.confounds), wanted)
    columns, notes = {}, []
    for name in names:
        column = _filled(name, measured.confounds[name][there])
        spread = float(column.std())
        if spread <= _LEAST_SD * max(float(np.abs(column).max()), 1e-300):
            notes.append(f"confound {name} is constant and was left out")
        else:
            columns[name] = (column - column.mean()) / spread
    independent = _independent(columns)
    if more := [name for name in columns if name not in independent]:
        notes.append(
            f"{len(more)} confounds follow from the others and were left out: "
            f"{first_few(more)}"
        )
    if len(independent) > _MOST_SHARE * len(there):
        raise DataFileError(
            f"{len(independent)} confounds for {len(there)} volumes, expected at most "
            "half as many: nothing of the signal would be left. Choose fewer "
            "(--confounds trans_*,rot_*)."
        )
    return {name: columns[name] for name in independent}, notes


def _named(there: tuple[str, ...], wanted: Sequence[str] | None) -> tuple[str, ...]:
    if wanted is None:
        return there
    missing = [w for w in wanted if not any(fnmatchcase(n, w) for n in there)]
    if missing:
        raise ConfigError(
            f"there is no confound {first_few(missing)}; the scan has "
            f"{first_few(there, 12) or 'none'}.{did_you_mean(missing, there)}"
        )
    return tuple(n for n in there if any(fnmatchcase(n, w) for w in wanted))


def _filled(name: str, column: FloatArray) -> FloatArray:
    """Return a column whose first value may be missing, as a derivative's is."""
    finite = np.isfinite(column)
    if finite.all():
        return column
    if not finite[1:].all() or len(column) < 2:
        raise DataFileError(
            f"the confound {name!r} has no number at {int((~finite).sum())} of "
            f"{len(column)} volumes, expected at most the first one missing. Leave it "
            "out (--confounds), or repair the table."
        )
    return np.concatenate([column[1:2], column[1:]])


def _independent(columns: Mapping[str, FloatArray]) -> tuple[str, ...]:
    """Return the names of columns that do not follow from those before them."""
    basis: list[FloatArray] = []
    kept = []
    for name, column in columns.items():
        rest = column / np.sqrt(len(column))
        for _ in range(2):  # twice: once leaves rounding
            for known in basis:
                rest = rest - (known @ rest) * known
        size = float(np.sqrt(rest @ rest))
        if size > _DEPENDENT:
            basis.append(rest / size)
            kept.append(name)
    return tuple(kept)


# The global signal.


def _global_signal(
    measured: MeasuredBold, there: np.ndarray, bold: FloatArray
) -> tuple[FloatArray | None, str]:
    """Return the signal that is regressed out, and where it came from."""
    given = measured.global_signal
    if given is not None:
        series = given[there]
        if not np.isfinite(series).all() or series.std() == 0:
            raise DataFileError(
                "the data set's global signal is constant or has no number at "
                f"{int((~np.isfinite(series)).sum())} of {len(series)} volumes, "
                "expected one at each. Repair the table, or leave the column out."
            )
        return series, "of the data set"
    if bold.shape[1] < 2:
        return None, "none"
    scaled = (bold - bold.mean(axis=0)) / bold.std(axis=0)
    return scaled.mean(axis=1), f"mean over {bold.shape[1]} ROIs"


def _with(scan: MeasuredScan, signal: FloatArray) -> MeasuredScan:
    """Return a scan whose confounds hold the global signal too, if it is one more."""
    scaled = ((signal - signal.mean()) / signal.std())[:, None]
    named = dict(zip(scan.confound_names, _columns(scan), strict=True))
    if GLOBAL_SIGNAL not in _independent({**named, GLOBAL_SIGNAL: scaled[:, 0]}):
        return scan  # it is among the confounds already
    given = scan.confounds
    return MeasuredScan(
        bold=scan.bold,
        onsets_s=scan.onsets_s,
        rois=scan.rois,
        confounds=scaled if given is None else np.concatenate([given, scaled], axis=1),
        confound_names=(*scan.confound_names, GLOBAL_SIGNAL),
    )


def _columns(scan: MeasuredScan) -> FloatArray:
    return np.zeros((0, 0)) if scan.confounds is None else scan.confounds.T


def _few(rois: Sequence[str]) -> bool:
    return len(rois) < FEW_FOR_GLOBAL


def _poor_global(rois: Sequence[str]) -> str:
    if len(rois) < 2:
        return (
            "one ROI and no global signal: targets with global-signal regression are "
            "not known"
        )
    return (
        f"the mean over {len(rois)} ROIs stands for the global signal; of so few it is "
        "their own signal in part"
    )
