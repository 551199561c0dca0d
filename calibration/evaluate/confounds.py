"""What may stand behind a prediction, and what is left of R without it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtbold.calibration.evaluate.eeg_confounds import (
    MUSCLE,
    ConfoundSettings,
    window_confounds,
)
from rtbold.calibration.evaluate.nulls import DRIFT_DEGREE, null_r, p_above, pairing
from rtbold.calibration.evaluate.scores import r_with_drift
from rtbold.calibration.fit.nuisance import explaining_weights
from rtbold.calibration.fit.ridge import ridge_weights
from rtbold.calibration.fit.split import IntArray, Part, inner_blocks
from rtbold.calibration.fit.target import filtered_rows
from rtbold.calibration.inputs.confound_kinds import Acting, Kind, acting, kind_of
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.messages import FloatArray
from rtbold.truth import TARGET_CUTOFF_HZ

SLOW_DEGREE: Final = 6  # of time: falling vigilance is no cubic
ARTEFACT: Final = "artefacts"
GLOBAL: Final = "global and vigilance"
EVERYTHING: Final = "everything"


@dataclass(frozen=True, slots=True, eq=False)
class Confounds:
    """What may stand behind a prediction; rows are the scan's volumes, nan: missing."""

    artefacts: Mapping[str, FloatArray] = field(default_factory=dict)  # (volumes, n)
    vigilance: Mapping[str, FloatArray] = field(default_factory=dict)  # (volumes, n)
    global_signal: FloatArray | None = None  # (volumes,), measured
    # Out-of-fold predictions by each control alone, (volumes, rois).
    artefact_control: FloatArray | None = None
    vigilance_control: FloatArray | None = None
    time_control: FloatArray | None = None
    # What was given, as it acts on BOLD and filtered as the target is, and what of
    # each ROI it explains: (volumes, columns), (volumes, rois).
    acting: FloatArray | None = None
    given_control: FloatArray | None = None
    # Muscle tension, each 2 s of a window, and what it alone predicts out of fold.
    muscle: FloatArray | None = None
    muscle_control: FloatArray | None = None
    not_known: tuple[str, ...] = ()

    def combined(self, weights: FloatArray) -> "Confounds":
        """Return the same with the controls' ROIs combined, (rois, columns)."""

        def mix(control: FloatArray | None) -> FloatArray | None:
            return None if control is None else control @ weights

        return Confounds(
            artefacts=self.artefacts,
            vigilance=self.vigilance,
            global_signal=self.global_signal,
            artefact_control=mix(self.artefact_control),
            vigilance_control=mix(self.vigilance_control),
            time_control=mix(self.time_control),
            acting=self.acting,
            given_control=mix(self.given_control),
            muscle=self.muscle,
            muscle_control=mix(self.muscle_control),
            not_known=self.not_known,
        )

    def groups(self, column: int, predicted: FloatArray) -> dict[str, FloatArray]:
        """Return group -> (volumes, confounds) for one predicted column.

        What was given is two columns: what it explains of the measurement and of the
        prediction. So what the fit to one of them leaves over, the other's takes.

        Parameters
        ----------
        predicted : (volumes,), nan where not predicted.
        """
        n_volumes = len(predicted)
        artefacts = [
            *self.artefacts.values(),
            *_column(self.artefact_control, column),
            *_column(self.given_control, column),
        ]
        if self.acting is not None:
            artefacts.append(explained(self.acting, predicted[:, None]))
        state = [*self.vigilance.values(), *_column(self.vigilance_control, column)]
        if self.global_signal is not None:
            state.append(self.global_signal[:, None])
        slow = _slow_time(n_volumes)
        groups = {GLOBAL: np.concatenate([*state, slow], axis=1)}
        if artefacts:
            groups[ARTEFACT] = np.concatenate(artefacts, axis=1)
            groups[EVERYTHING] = np.concatenate([*artefacts, *state, slow], axis=1)
        return groups


def explained(columns: FloatArray, series: FloatArray) -> FloatArray:
    """Return (volumes, series): what given confounds explain of each series.

    By evidence, without the drift that no score has; nan where a value is missing.

    Parameters
    ----------
    columns : (volumes, columns), as they act, filtered as `series` are.
    """
    both = np.concatenate([series, columns], axis=1)
    known = np.asarray(np.isfinite(both).all(axis=1))
    found = np.full(series.shape, np.nan)
    if known.sum() <= DRIFT_DEGREE + 1:
        return found
    drift = np.polynomial.legendre.legvander(
        np.linspace(-1, 1, len(known)), DRIFT_DEGREE
    )[known]

    def straight(rows: FloatArray) -> FloatArray:
        rows = rows[known]
        left: FloatArray = rows - drift @ np.linalg.lstsq(drift, rows, rcond=None)[0]
        return left

    x = straight(columns)
    found[known] = x @ explaining_weights(x, straight(series))
    return found


def partial_scores(
    predicted: FloatArray,
    measured: FloatArray,
    *,
    groups: Mapping[str, FloatArray],
    phases: FloatArray,
    reuse: float,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return R and its p of one column given each group of confounds.

    Parameters
    ----------
    predicted, measured : (volumes,), nan where not scored.
    groups : name -> (volumes, confounds).
    reuse : as `nulls.null_r` takes it.
    """
    r, p = {}, {}
    for name, confound in groups.items():
        pair = pairing(predicted[:, None], measured[:, None], confound)
        null = null_r(pair, phases, reuse=reuse)
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


def control_scores(confounds: Confounds, measured: FloatArray) -> dict[str, float]:
    """Return the out-of-fold R of each control for one measured column.

    The clock's is with drift: without it nothing is left of a cubic.
    """
    scores = {}
    for name, control in (
        ("artefact features", confounds.artefact_control),
        ("vigilance index", confounds.vigilance_control),
    ):
        if control is not None:
            scores[name] = float(pairing(control, measured).r[0])
    if confounds.time_control is not None:
        drifting = r_with_drift(confounds.time_control, measured)
        scores["time polynomial, with drift"] = float(drifting[0])
    return scores


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


# Controls that must not explain a prediction: ridge on what is not the brain. Pure.

ALPHAS: Final = tuple(float(alpha) for alpha in np.logspace(-1, 4, 11))
N_INNER: Final = 4
TIME_DEGREE: Final = 3


def control_predictions(
    features: FloatArray,
    measured: FloatArray,
    *,
    folds: Sequence[Part],
    onsets_s: FloatArray,
) -> FloatArray:
    """Return out-of-fold predictions from `features` alone, (volumes, rois).

    Closed-form ridge on the same folds as the model's. Features are scaled by the
    training volumes, and each ROI's penalty is chosen by blocks inside them. A
    training part's mean is not added back (see `target.scored_target`).

    Parameters
    ----------
    features : (volumes, features), finite.
    measured : (volumes, rois), each test fold filtered on its own.
    """
    out = np.full(measured.shape, np.nan)
    for fold in folds:
        learn = np.sort(np.concatenate([fold.train, fold.stop]))
        best = _best_alphas(features, measured, learn=learn, onsets_s=onsets_s)
        guesses = _predictions(features, measured, learn=learn, ask=fold.test)
        out[fold.test] = np.stack(
            [guesses[alpha][:, roi] for roi, alpha in enumerate(best)], axis=1
        )
    return out


def time_features(onsets_s: FloatArray) -> FloatArray:
    """Return (volumes, 3): what a clock alone knows."""
    u = 2 * (onsets_s - onsets_s[0]) / (onsets_s[-1] - onsets_s[0]) - 1
    basis = np.polynomial.legendre.legvander(u, TIME_DEGREE)[:, 1:]
    return np.asarray(basis, dtype=np.float64)


def _best_alphas(
    features: FloatArray, measured: FloatArray, *, learn: IntArray, onsets_s: FloatArray
) -> list[int]:
    """Return per ROI the place in `ALPHAS` of the smallest squared error."""
    error = np.zeros((len(ALPHAS), measured.shape[1]))
    for inner, check in inner_blocks(learn, onsets_s, N_INNER):
        truth = measured[check] - measured[inner].mean(axis=0)
        guesses = _predictions(features, measured, learn=inner, ask=check)
        for row, guess in enumerate(guesses):
            error[row] += ((guess - truth) ** 2).sum(axis=0)
    return [int(place) for place in error.argmin(axis=0)]


def _predictions(
    features: FloatArray,
    measured: FloatArray,
    *,
    learn: IntArray,
    ask: IntArray,
) -> list[FloatArray]:
    """Return (asked, rois) for each of `ALPHAS`."""
    mean, sd = features[learn].mean(axis=0), features[learn].std(axis=0)
    sd = np.where(sd > 0, sd, np.inf)  # what does not vary here weighs nothing
    x = (features[learn] - mean) / sd
    y = measured[learn] - measured[learn].mean(axis=0)
    asked = (features[ask] - mean) / sd
    return [asked @ weights for weights in ridge_weights(x.T @ x, x.T @ y, ALPHAS)]


# What else could explain a prediction: everything that the verdict controls for.
#
# Artefacts and vigilance are read from the EEG windows themselves; the global signal,
# motion, heart rate and respiration come from the tables that were given.

GLOBAL_SIGNAL: Final = "global_signal"
ENOUGH_ROIS_N: Final = 20  # whose mean stands in for the global signal
EXPECTED: Final = {  # what a table of the body is for -> how its columns begin
    "motion": ("framewise_displacement", "fd", "trans", "rot", "rmsd", "dvars"),
    "heart rate": ("heart",),
    "respiration": ("resp",),
}
_NEEDED: Final[dict[str, tuple[Kind, ...]]] = {  # and the kinds that tell of it
    "motion": ("motion", "displacement"),
    "heart rate": ("heart rate",),
    "respiration": ("respiration",),
}


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """Out-of-fold series that stand beside the predictions: rows are the windows."""

    measured: FloatArray  # (windows, rois), as scored
    folds: Sequence[Part]
    onsets_s: FloatArray
    lowpass_hz: float | None = TARGET_CUTOFF_HZ  # of `measured`, fold by fold


def scan_confounds(
    scan: CalibrationScan,
    channels: Sequence[str],
    beside: Beside,
    *,
    slices_per_tr: int | None = None,
) -> Confounds:
    """Return the confounds on the scan's grid of volumes; says what is not known."""
    settings = ConfoundSettings(tuple(channels), scan.tr_s, slices_per_tr)
    found = window_confounds(scan.batches(), settings)
    artefacts, vigilance = found.summaries()
    artefact_features, vigilance_features = found.features()
    given = {k: v for k, v in scan.confounds.items() if kind_of(k) != "global signal"}
    controls = [
        scan.on_grid(_control(features, beside))
        for features in (
            artefact_features,
            vigilance_features,
            time_features(beside.onsets_s),
            found.artefacts[MUSCLE],
        )
    ]
    global_signal, unknown = _global_signal(scan)
    filtered, given_control = _given(given, scan, beside)
    return Confounds(
        artefacts={k: scan.on_grid(v) for k, v in artefacts.items()},
        vigilance={k: scan.on_grid(v) for k, v in vigilance.items()},
        global_signal=global_signal,
        artefact_control=controls[0],
        vigilance_control=controls[1],
        time_control=controls[2],
        acting=filtered,
        given_control=given_control,
        muscle=scan.on_grid(_in_units(found.artefacts[MUSCLE])),
        muscle_control=controls[3],
        not_known=(*unknown, *_not_given(given, slices_per_tr)),
    )


def _given(
    given: Mapping[str, FloatArray], scan: CalibrationScan, beside: Beside
) -> tuple[FloatArray | None, FloatArray | None]:
    """Return what was given as it acts, and what of each ROI it explains."""
    if not given:
        return None, None
    unfolded = acting(given, tr_s=scan.tr_s)
    filtered = scan.on_grid(_filtered(unfolded, scan, beside))
    return filtered, explained(filtered, scan.on_grid(beside.measured))


def _filtered(unfolded: Acting, scan: CalibrationScan, beside: Beside) -> FloatArray:
    """Return (windows, columns), each test part low-passed as its target is."""
    rows = unfolded.values[scan.volume]
    out = np.full(rows.shape, np.nan)
    for fold in beside.folds:
        out[fold.test] = filtered_rows(
            rows[fold.test],
            fold.test,
            beside.onsets_s,
            lowpass_hz=beside.lowpass_hz,
        )
    return out


def _in_units(features: FloatArray) -> FloatArray:
    """Return features without mean whose variances sum to 1, as evidence takes them."""
    centred = features - features.mean(axis=0)
    power = float(centred.var(axis=0).sum())
    return np.asarray(centred / np.sqrt(power) if power > 0 else centred)


def _control(features: FloatArray, beside: Beside) -> FloatArray:
    known = np.asarray(np.isfinite(beside.measured).all(axis=1))
    measured = np.where(known[:, None], beside.measured, 0.0)
    out = control_predictions(
        features, measured, folds=beside.folds, onsets_s=beside.onsets_s
    )
    return np.where(known[:, None], out, np.nan)


def _global_signal(
    scan: CalibrationScan,
) -> tuple[FloatArray | None, tuple[str, ...]]:
    """Return the measured one; the mean over many ROIs stands in for it."""
    if GLOBAL_SIGNAL in scan.confounds:
        return scan.confounds[GLOBAL_SIGNAL], ()
    if len(scan.rois) < ENOUGH_ROIS_N:
        return None, ("global signal",)
    sd = np.nanstd(scan.bold, axis=0)
    mean: FloatArray = (scan.bold / sd).mean(axis=1)
    return mean, (f"global signal (the mean of {len(scan.rois)} ROIs stands for it)",)


def _not_given(
    given: Mapping[str, FloatArray], slices_per_tr: int | None
) -> tuple[str, ...]:
    kinds = {kind_of(name) for name in given}
    missing = [name for name, any_of in _NEEDED.items() if not kinds & set(any_of)]
    return (*missing, *(() if slices_per_tr else ("comb at slice rate",)))
