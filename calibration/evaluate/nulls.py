"""Null distributions of R for two autocorrelated series. Pure.

Turning the phases of the prediction at random keeps its spectrum and takes the pairing
away (Theiler 1992). R is linear in the prediction, so every surrogate's R is a sum over
the cross-spectrum, and one set of phases for all columns keeps what ROIs share.

Cross-fitted predictions need more. Every volume serves in training and in test in turn,
so each pair of volumes enters the out-of-fold covariance twice: once when one predicts
the other, once the other way round. Its variance under the null is therefore up to
twice that of a prediction made without the measurement, and phase randomisation as it
stands passed 7 to 15 % of null scans at 5 % (decision 0009). How much wider the null is
can be computed where the prediction is a closed form of the measurement: the phases of
the *measurement* are turned instead, and every surrogate goes through the whole fit
again (decision 0035). Where weights are trained by steps, surrogates are widened by
the root of the reuse at its worst, which is 2.

Candidates that were compared share one set of phases, so that the null of their best is
that of the largest of several alike R, and costs little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import FloatArray
from rtbold.truth import BoolArray, centred_r, effective_n

DRIFT_DEGREE: Final = 3
CROSS_FITTED_REUSE: Final = 2.0
MIN_SURROGATES: Final = 999
MIN_VOLUMES: Final = 30  # below, not even the null is known
_CHUNK_N: Final = 250  # surrogates at a time, which bounds memory
_REFITS_N: Final = 500  # the same, of whole scans
_COUNTED: Final = 5  # surrogates beyond R that a level must leave room for

# Phases (surrogates, frequencies) -> what was predicted and measured in each surrogate
# scan, (surrogates, volumes, columns) each; nan where nothing is predicted.
Redraw = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class Pairing:
    """Predicted and measured series, without drift; 0 where a volume is missing."""

    predicted: FloatArray  # (volumes, columns)
    measured: FloatArray  # (volumes, columns)
    mask: BoolArray  # (volumes,), scored
    n_removed: int  # columns that were regressed out, the constant among them

    @property
    def r(self) -> FloatArray:
        """Pearson R per column; 0 where either does not vary."""
        return centred_r(self.predicted, self.measured)

    @property
    def n_eff(self) -> FloatArray:
        """Independent volumes per column (Bartlett)."""
        return effective_n(self.predicted, self.measured, self.mask)

    @property
    def _norm(self) -> FloatArray:
        power = (self.predicted**2).sum(axis=0) * (self.measured**2).sum(axis=0)
        norm: FloatArray = np.where(power > 0, np.sqrt(power), np.inf)
        return norm

    def surrogate_r(self, phases: FloatArray) -> FloatArray:
        """Return R of each surrogate, (surrogates, columns).

        Parameters
        ----------
        phases : (surrogates, frequencies), radian, as `random_phases` draws them.
        """
        n = len(self.mask)
        spectrum = np.fft.rfft(self.predicted, axis=0)[1:]
        cross = spectrum * np.conj(np.fft.rfft(self.measured, axis=0)[1:])
        weight = np.full(len(cross), 2.0)
        if n % 2 == 0:
            weight[-1] = 1.0  # the highest frequency has no mirror image
        cross *= weight[:, None] / n / self._norm
        chunks = [
            np.cos(part) @ cross.real - np.sin(part) @ cross.imag
            for part in np.split(phases, range(_CHUNK_N, len(phases), _CHUNK_N))
        ]
        return np.concatenate(chunks)


def pairing(
    predicted: FloatArray, measured: FloatArray, confound: FloatArray | None = None
) -> Pairing:
    """Return both series without cubic drift, and without `confound` if given.

    Parameters
    ----------
    predicted, measured : (volumes, columns) on the scan's regular grid of volumes; nan
        where not scored.
    confound : (volumes, columns), regressed out of both; a missing value counts as
        the column's mean.

    Raises
    ------
    DataFileError : too few volumes are scored.
    """
    mask: BoolArray = np.asarray(
        np.isfinite(predicted).all(axis=1) & np.isfinite(measured).all(axis=1)
    )
    if mask.sum() < MIN_VOLUMES:
        raise DataFileError(
            f"{mask.sum()} of {len(mask)} volumes have a prediction and a measurement, "
            f"expected at least {MIN_VOLUMES}; scan longer, or check the alignment"
        )
    basis = _orthonormal(mask, confound)
    return Pairing(
        predicted=_without(basis, predicted, mask),
        measured=_without(basis, measured, mask),
        mask=mask,
        n_removed=basis.shape[1],
    )


def random_phases(n_volumes: int, *, n_surrogates: int, seed: int) -> FloatArray:
    """Return (surrogates, frequencies) of uniform phases, radian."""
    if n_surrogates < MIN_SURROGATES:
        raise ConfigError(
            f"{n_surrogates} surrogates, expected at least {MIN_SURROGATES}: p would "
            "be too coarse"
        )
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 2 * np.pi, (n_surrogates, n_volumes // 2))


def surrogates_for(alpha: float) -> int:
    """Return how many surrogates a level needs, so that its p is not too coarse."""
    return max(MIN_SURROGATES, int(np.ceil(_COUNTED / alpha)) if alpha else 0)


def null_r(
    pair: Pairing, phases: FloatArray, *, reuse: float | FloatArray
) -> FloatArray:
    """Return the null distribution of a pairing's R, (surrogates, columns).

    Wider than the surrogates themselves by the root of the reuse (see above), and by
    the independent volumes that regressed confounds have used up.

    Parameters
    ----------
    reuse : how often a pair of volumes counts, one number or one a column: 1 where the
        prediction was made without the measurement.
    """
    used = np.minimum((pair.n_removed - 1 - DRIFT_DEGREE) / pair.n_eff, 0.9)
    widened: FloatArray = pair.surrogate_r(phases) * np.sqrt(reuse / (1 - used))
    return widened


def turned(measured: FloatArray, phases: FloatArray) -> FloatArray:
    """Return surrogates of a measurement, (surrogates, volumes, columns).

    Spectra and what columns share are kept, and the cubic drift as it is: no scan of
    this subject would be without it.

    Parameters
    ----------
    measured : (volumes, columns), nan where missing; surrogates have a value there.
    phases : as `random_phases` draws them.
    """
    mask = np.asarray(np.isfinite(measured).all(axis=1))
    u = np.linspace(-1, 1, len(mask))
    basis = np.polynomial.legendre.legvander(u, DRIFT_DEGREE)
    weights = np.linalg.lstsq(basis[mask], measured[mask], rcond=None)[0]
    drift = basis @ weights
    spectrum = np.fft.rfft(np.where(mask[:, None], measured - drift, 0.0), axis=0)
    turn = np.exp(-1j * phases)  # as if the prediction were turned the other way
    out = np.empty((len(phases), *measured.shape))
    out[:] = drift
    for column in range(measured.shape[1]):
        rotated = spectrum[None, :, column] * np.ones((len(phases), 1))
        rotated[:, 1:] *= turn
        out[:, :, column] += np.fft.irfft(rotated, len(mask), axis=1)
    return out


def redrawn_r(redraw: Redraw, mask: BoolArray, phases: FloatArray) -> FloatArray:
    """Return R of each surrogate scan after its own fit, (surrogates, columns).

    Parameters
    ----------
    mask : (volumes,), scored in the real scan; drift is taken off as there.
    """
    basis = _orthonormal(mask, None)
    found = []
    for part in np.split(phases, range(_REFITS_N, len(phases), _REFITS_N)):
        predicted, measured = (_left(basis, s[:, mask]) for s in redraw(part))
        power = (predicted**2).sum(axis=1) * (measured**2).sum(axis=1)
        norm = np.where(power > 0, np.sqrt(power), np.inf)
        found.append((predicted * measured).sum(axis=1) / norm)
    return np.concatenate(found)


def p_above(observed: FloatArray, null: FloatArray) -> FloatArray:
    """Return the one-sided p per column; the observed value is one of the null's."""
    p: FloatArray = (1 + (null >= observed).sum(axis=0)) / (1 + len(null))
    return p


def p_above_max(observed: FloatArray, null: FloatArray) -> FloatArray:
    """Return p per column against the largest of all columns, each in its null's sd.

    Holds the chance of any false ROI at p (Nichols and Holmes 2002).
    """
    sd = null.std(axis=0)
    sd = np.where(sd > 0, sd, np.inf)
    largest = (null / sd).max(axis=1)
    p: FloatArray = (1 + (largest[:, None] >= observed / sd).sum(axis=0)) / (
        1 + len(null)
    )
    return p


def p_above_rivals(
    observed: Sequence[float], nulls: Sequence[FloatArray]
) -> list[float]:
    """Return p of each candidate for one target, against the best of all of them.

    Holds whichever candidate is kept, and why: chance has to bring *any* of them so far
    into its own null (minimum of p on common phases, Westfall and Young 1993).

    Parameters
    ----------
    nulls : (surrogates,) of each candidate, of the same phases.
    """
    alone = [_ranked(r, null) for r, null in zip(observed, nulls, strict=True)]
    least = np.min([drawn for _, drawn in alone], axis=0)
    n = len(least)
    return [float((1 + (least <= p).sum()) / (1 + n)) for p, _ in alone]


def other_subjects_null(
    own: tuple[FloatArray, FloatArray],
    others: tuple[FloatArray, ...],
    phases: FloatArray,
    *,
    reuse: float | FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return (excess, null of the excess, others' mean R), per column.

    The excess is the R of the own EEG minus that of the same model fed others' EEG at
    equal scan time: what all sessions share (falling vigilance) is in both. A few
    others cannot give a p by rank, so the null of the excess comes from the same random
    phases for all; it is wider the fewer others there are.

    Parameters
    ----------
    own : predicted and measured, (volumes, columns), nan where not scored.
    others : predictions from other subjects' EEG, same shape; nan beyond their end.

    Raises
    ------
    DataFileError : another subject's predictions cover less than half of the scan.
    """
    predicted, measured = own
    n_own = int(np.isfinite(predicted).all(axis=1).sum())
    excess, null, r_others = [], [], []
    for other in others:
        both = np.where(np.isfinite(other), predicted, np.nan)
        _require_half(int(np.isfinite(both).all(axis=1).sum()), n_own)
        mine = pairing(both, measured)
        theirs = pairing(np.where(np.isfinite(both), other, np.nan), measured)
        excess.append(mine.r - theirs.r)
        r_others.append(theirs.r)
        # Others' EEG was in nobody's training part: no pair of volumes serves twice.
        null.append(
            null_r(mine, phases, reuse=reuse) - null_r(theirs, phases, reuse=1.0)
        )
    return np.mean(excess, axis=0), np.mean(null, axis=0), np.mean(r_others, axis=0)


def _ranked(observed: float, null: FloatArray) -> tuple[float, FloatArray]:
    """Return p of the observed R, and of each surrogate among all others."""
    n = len(null)
    below = np.searchsorted(np.sort(null), null, side="left")
    # Whoever is looked at, the real scan is one of the others
    drawn = (n - below + (observed >= null)) / (1 + n)
    p = (1 + (null >= observed).sum()) / (1 + n)
    return float(p), np.asarray(drawn, dtype=np.float64)


def _left(basis: FloatArray, series: FloatArray) -> FloatArray:
    """Return (surrogates, scored volumes, columns) without the basis."""
    axes = basis.astype(series.dtype)
    left: FloatArray = series - axes @ (axes.T @ series)
    return left


def _require_half(n_both: int, n_own: int) -> None:
    if n_both < max(n_own / 2, MIN_VOLUMES):
        raise DataFileError(
            f"another subject's EEG covers {n_both} of {n_own} scored volumes, "
            "expected at least half; leave this recording out or give a longer one"
        )


def _orthonormal(mask: BoolArray, confound: FloatArray | None) -> FloatArray:
    """Return (scored volumes, columns): constant, cubic and confounds."""
    u = np.linspace(-1, 1, len(mask))
    columns = [np.polynomial.legendre.legvander(u, DRIFT_DEGREE)[mask]]
    if confound is not None:
        columns.append(_standardised(confound[mask]))
    u_matrix, sizes, _ = np.linalg.svd(
        np.concatenate(columns, axis=1), full_matrices=False
    )
    basis: FloatArray = u_matrix[:, sizes > 1e-8 * sizes[0]]
    return basis


def _standardised(columns: FloatArray) -> FloatArray:
    """Return what varies, without mean, in its own sd; a missing value is 0."""
    known = np.isfinite(columns)
    filled = np.where(known, columns, 0.0)
    mean = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, filled - mean, 0.0)
    sd = centred.std(axis=0)
    # Relative, or rounding would make a regressor of a constant.
    varying = sd > 1e-9 * np.abs(filled).max(axis=0)
    standard: FloatArray = centred[:, varying] / sd[varying]
    return standard


def _without(basis: FloatArray, series: FloatArray, mask: BoolArray) -> FloatArray:
    scored = series[mask].astype(np.float64)
    left = scored - basis @ (basis.T @ scored)
    # What only rounding leaves over of a constant or a pure drift is nothing.
    floor = 1e-9 * np.abs(scored).max(axis=0)
    out = np.zeros((len(mask), series.shape[1]))
    out[mask] = np.where(np.sqrt((left**2).mean(axis=0)) > floor, left, 0.0)
    return out
