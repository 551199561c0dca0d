"""The card of a subject's model."""

import datetime

import msgspec
import numpy as np

from rtbold.autocorrelation import effective_n_of_mean
from rtbold.bundle.card import (
    AlignmentFacts,
    Baseline,
    Card,
    Check,
    Contrast,
    Fitting,
    Normalisation,
    Origin,
    RoiScore,
    Scores,
)
from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.calibration.fit.target import TargetScaling
from rtbold.calibration.result import CalibrationResult
from rtbold.calibration.train.demo import software
from rtbold.messages import FloatArray
from rtbold.models.registry import name_of, options_of

N_CHECK_WINDOWS = 16


def card_of(result: CalibrationResult, now: datetime.datetime) -> Card:
    """Return the card; hashes of the files are added when they are written."""
    module = result.module()
    return msgspec.structs.replace(
        result.gathered.card,
        architecture=name_of(module),
        architecture_config=options_of(module.config),
        normalisation=_normalisation(result.scaling),
        baseline=_baseline(predictions(result)),
        horizon_tr=result.choice.horizon_tr,
        likeness=result.likeness,
        intervals=result.intervals,
        origin=_origin(result),
        target=result.declared.target,
        contrast=_contrast(result),
        verdict=result.verdict,
        alignment=_alignment(result),
        fitting=_fitting(result),
        scores=_scores(result),
        training_data_sha256=result.gathered.data_sha256,
        lineage=result.lineage,
        check=Check(
            windows="simulated" if result.simulated else "recorded", n=N_CHECK_WINDOWS
        ),
        software=software(),
        created=now.astimezone(datetime.UTC).date().isoformat(),
        note=_note(result),
    )


def predictions(result: CalibrationResult) -> FloatArray:
    """Return what the kept model predicted out of fold, (windows, rois)."""
    found: FloatArray = getattr(result.folded, result.choice.kept)
    return found


def _normalisation(scaling: TargetScaling) -> Normalisation:
    confounds = zip(scaling.confound_names, scaling.confound_weights, strict=True)
    return Normalisation(
        method=scaling.method,
        mean=scaling.mean,
        scale=scaling.scale,
        lowpass_hz=scaling.lowpass_hz,
        drift=scaling.drift,
        drift_s=(scaling.drift_start_s, scaling.drift_end_s),
        confounds=dict(confounds),
    )


def _baseline(predicted: FloatArray) -> Baseline:
    known = np.isfinite(predicted).all(axis=1)
    rows = predicted[known]
    centred = np.zeros_like(predicted)
    centred[known] = rows - rows.mean(axis=0)
    return Baseline(
        mean=tuple(rows.mean(axis=0).tolist()),
        sd=tuple(rows.std(axis=0).tolist()),
        n=len(rows),
        n_eff=float(effective_n_of_mean(centred, np.asarray(known)).min()),
    )


def _contrast(result: CalibrationResult) -> Contrast | None:
    declared = result.declared
    if not declared.weights:
        return None
    weights = declared.column(result.gathered.scan.rois)
    predicted = predictions(result) @ weights
    own = _baseline(predicted)
    intervals = conformal_intervals(predicted, result.folded.target @ weights)
    return Contrast(
        name=declared.target,
        weights=declared.weight_of(),
        mean=own.mean[0],
        sd=own.sd[0],
        half_width=intervals.half_width[0],
    )


def _origin(result: CalibrationResult) -> Origin:
    base = result.base if result.choice.kept == "network" else None
    return Origin(
        kind="subject",
        simulated_lineage=result.simulated_lineage,
        # A passed gate on a real scan, whatever the weights began as.
        verdict_on_real_data=not result.simulated and result.verdict.fit_for_feedback,
        subject=result.settings.subject,
        base_sha256=base.sha256 if base else None,
    )


def _alignment(result: CalibrationResult) -> AlignmentFacts:
    found, lag = result.gathered.alignment, result.gathered.lag
    warnings = (*found.warnings, *((lag.warning,) if lag.warning else ()))
    return AlignmentFacts(
        marker=found.marker.said,
        n_volumes=len(found),
        n_found=found.n_found,
        n_filled=found.n_filled,
        n_missed=found.n_missed,
        n_double=found.n_double,
        jitter_sd_ms=found.jitter_sd_ms,
        drift_ppm=found.drift_ppm,
        lag_peak_s=lag.peak_s,
        lag_low_s=lag.interval_s[0],
        lag_high_s=lag.interval_s[1],
        lag_p=lag.p,
        warnings=warnings,
    )


def _fitting(result: CalibrationResult) -> Fitting:
    settings, choice = result.settings, result.choice
    ridge = result.kept if choice.kept == "ridge_live" else result.beside
    kept_base = result.base if choice.kept == "network" else None
    return Fitting(
        strategy="ridge" if choice.kept == "ridge_live" else settings.strategy,
        base=kept_base.card.name if kept_base else "nothing",
        n_volumes=len(result.measured.onsets_s),
        n_folds=len(result.folded.folds),
        seed=settings.seed,
        interrupted=result.interrupted,
        ridge_r=ridge.verdict.gate.r,
        horizon_r={str(h): score.r for h, score in choice.horizons.items()},
    )


def _scores(result: CalibrationResult) -> Scores:
    rois = result.verdict.rois
    whose = f"one scan of {result.settings.subject}, out of fold"
    return Scores(
        data=f"simulated: {whose}" if result.simulated else whose,
        mean_r=float(np.mean([roi.r for roi in rois])),
        n_subjects=1,
        per_roi=tuple(
            RoiScore(roi=v.roi, r=v.r, r_low=v.r_low, r_high=v.r_high, p=v.p_max)
            for v in rois
        ),
        controls=dict(result.verdict.specificity.controls),
    )


def _note(result: CalibrationResult) -> str:
    notes = list(result.choice.reasons)
    if result.simulated:
        notes.insert(0, "SIMULATED data only; says nothing about real brains")
    if result.not_checked:
        notes.append(result.not_checked)
    if result.interrupted:
        notes.append("interrupted: the best so far was kept")
    return "; ".join(notes)
