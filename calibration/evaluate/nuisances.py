"""What may stand behind a prediction, and what is left of R without it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtbold.calibration.evaluate.nulls import DRIFT_DEGREE, null_r, p_above, pairing
from rtbold.calibration.score import pearson_r
from rtbold.messages import FloatArray

SLOW_DEGREE: Final = 6  # of time: falling vigilance is no cubic
ARTEFACT: Final = "artefacts"
GLOBAL: Final = "global and vigilance"
EVERYTHING: Final = "everything"


@dataclass(frozen=True, slots=True, eq=False)
class Nuisances:
    """What may stand behind a prediction; rows are the scan's volumes, nan: missing."""

    artefacts: Mapping[str, FloatArray] = field(default_factory=dict)  # (volumes, n)
    vigilance: Mapping[str, FloatArray] = field(default_factory=dict)  # (volumes, n)
    global_signal: FloatArray | None = None  # (volumes,), measured
    # Out-of-fold predictions by each control alone, (volumes, rois).
    artefact_control: FloatArray | None = None
    vigilance_control: FloatArray | None = None
    time_control: FloatArray | None = None
    not_known: tuple[str, ...] = ()

    def combined(self, weights: FloatArray) -> "Nuisances":
        """Return the same with the controls' ROIs combined, (rois, columns)."""

        def mix(control: FloatArray | None) -> FloatArray | None:
            return None if control is None else control @ weights

        return Nuisances(
            artefacts=self.artefacts,
            vigilance=self.vigilance,
            global_signal=self.global_signal,
            artefact_control=mix(self.artefact_control),
            vigilance_control=mix(self.vigilance_control),
            time_control=mix(self.time_control),
            not_known=self.not_known,
        )

    def groups(self, column: int, n_volumes: int) -> dict[str, FloatArray]:
        """Return group -> (volumes, nuisances) for one predicted column."""
        artefacts = [*self.artefacts.values(), *_column(self.artefact_control, column)]
        state = [*self.vigilance.values(), *_column(self.vigilance_control, column)]
        if self.global_signal is not None:
            state.append(self.global_signal[:, None])
        slow = _slow_time(n_volumes)
        groups = {GLOBAL: np.concatenate([*state, slow], axis=1)}
        if artefacts:
            groups[ARTEFACT] = np.concatenate(artefacts, axis=1)
            groups[EVERYTHING] = np.concatenate([*artefacts, *state, slow], axis=1)
        return groups


def partial_scores(
    predicted: FloatArray,
    measured: FloatArray,
    *,
    groups: Mapping[str, FloatArray],
    phases: FloatArray,
    cross_fitted: bool,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return R and its p of one column given each group of nuisances.

    Parameters
    ----------
    predicted, measured : (volumes,), nan where not scored.
    groups : name -> (volumes, nuisances).
    """
    r, p = {}, {}
    for name, nuisance in groups.items():
        pair = pairing(predicted[:, None], measured[:, None], nuisance)
        null = null_r(pair, phases, cross_fitted=cross_fitted)
        r[name], p[name] = float(pair.r[0]), float(p_above(pair.r, null)[0])
    return r, p


def cross_r(predicted: FloatArray, measured: FloatArray) -> FloatArray:
    """Return R of each prediction (rows) with each measured ROI (columns)."""
    pair = pairing(predicted, measured)
    a, b = (_unit(series) for series in (pair.predicted, pair.measured))
    r: FloatArray = a.T @ b
    return r


def own_rank(r: FloatArray) -> list[int]:
    """Return, per row of `cross_r`, the place of the own ROI; 1: it fits best."""
    own = np.diagonal(r)
    return [int(n) for n in 1 + (r > own[:, None]).sum(axis=1)]


def control_scores(nuisances: Nuisances, measured: FloatArray) -> dict[str, float]:
    """Return the out-of-fold R of each control for one measured column.

    The clock's is with drift: without it nothing is left of a cubic.
    """
    scores = {}
    for name, control in (
        ("artefact features", nuisances.artefact_control),
        ("vigilance index", nuisances.vigilance_control),
    ):
        if control is not None:
            scores[name] = float(pairing(control, measured).r[0])
    if nuisances.time_control is not None:
        drifting = r_with_drift(nuisances.time_control, measured)
        scores["time polynomial, with drift"] = float(drifting[0])
    return scores


def r_with_drift(predicted: FloatArray, measured: FloatArray) -> FloatArray:
    """Return the plain R per column over the scored volumes."""
    both = np.isfinite(predicted).all(axis=1) & np.isfinite(measured).all(axis=1)
    return pearson_r(predicted[both], measured[both])


def _column(control: FloatArray | None, column: int) -> list[FloatArray]:
    return [] if control is None else [control[:, column : column + 1]]


def _slow_time(n_volumes: int) -> FloatArray:
    """Return the polynomials beyond the cubic that every score is without."""
    u = np.linspace(-1, 1, n_volumes)
    basis = np.polynomial.legendre.legvander(u, SLOW_DEGREE)[:, DRIFT_DEGREE + 1 :]
    return np.asarray(basis, dtype=np.float64)


def _unit(series: FloatArray) -> FloatArray:
    norm = np.sqrt((series**2).sum(axis=0))
    unit: FloatArray = series / np.where(norm > 0, norm, 1.0)
    return unit
