"""A calibration as files: a bundle in the subject's folder, all of it or nothing."""

import datetime
import errno
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from rtbold import bundle as bundles
from rtbold.bundle import (
    CHECK_NAME,
    AlignmentFacts,
    Baseline,
    Bundle,
    Card,
    Check,
    Contrast,
    Fitting,
    Normalisation,
    Origin,
    RoiScore,
    Scores,
    reserved_folder,
)
from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.calibration.evaluate.ood import FeatureScale
from rtbold.calibration.fit.target import TargetScaling
from rtbold.calibration.report.build import Made, Sources, report_content
from rtbold.calibration.report.page import report_html
from rtbold.calibration.result import CalibrationResult
from rtbold.calibration.train.demo import software
from rtbold.errors import RtboldError
from rtbold.messages import Float32Array, FloatArray
from rtbold.models import check_file, name_of, options_of, to_onnx, to_safetensors
from rtbold.truth import effective_n_of_mean

# The card of a subject's model.

N_CHECK_WINDOWS = 16


def card_of(result: CalibrationResult, now: datetime.datetime) -> Card:
    """Return the card; hashes of the files are added when they are written."""
    module = result.module()
    return msgspec.structs.replace(
        result.aligned.card,
        architecture=name_of(module),
        architecture_config=options_of(module.config),
        normalisation=_normalisation(result.scaling),
        baseline=_baseline(predictions(result)),
        horizon_tr=result.choice.horizon_tr,
        likeness=result.likeness,
        muscle=result.muscle,
        intervals=result.intervals,
        origin=_origin(result),
        target=result.declared.target,
        contrast=_contrast(result),
        verdict=result.verdict,
        alignment=_alignment(result),
        fitting=_fitting(result),
        scores=_scores(result),
        training_data_sha256=result.aligned.data_sha256,
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
    weights = declared.column(result.aligned.scan.rois)
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
    base = result.kept_base
    return Origin(
        kind="subject",
        simulated_lineage=result.simulated_lineage,
        # A passed gate on a real scan, whatever the weights began as.
        verdict_on_real_data=not result.simulated and result.verdict.fit_for_feedback,
        subject=result.settings.subject,
        base_sha256=base.sha256 if base else None,
    )


def _alignment(result: CalibrationResult) -> AlignmentFacts:
    found, lag = result.aligned.alignment, result.aligned.lag
    warnings = (*found.warnings, *((lag.warning,) if lag.warning else ()))
    return AlignmentFacts(
        marker=found.marker.text,
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


_STRATEGY: Final = {"subject": "ridge", "base": "base"}  # else: as asked


def _fitting(result: CalibrationResult) -> Fitting:
    settings, choice = result.settings, result.choice
    ridge = result.kept if choice.kept == "subject" else result.beside
    kept_base = result.kept_base
    return Fitting(
        strategy=_STRATEGY.get(choice.kept, settings.strategy),
        base=kept_base.card.name if kept_base else "nothing",
        n_volumes=len(result.measured.onsets_s),
        n_folds=len(result.folded.folds),
        seed=settings.seed,
        interrupted=result.interrupted,
        ridge_r=ridge.verdict.gate.r,
        horizon_r={str(h): score.r for h, score in choice.horizons.items()},
        asked=result.aligned.asked,
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


SERIES_NAME: Final = "out_of_fold.npz"
REPORT_NAME: Final = "report.html"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
ShareCallback = Callable[[float], None]


def ignore_progress(share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What was written."""

    bundle: Bundle
    report: Path
    log_line: str


def save_result(
    result: CalibrationResult,
    now: datetime.datetime,
    told: ShareCallback = ignore_progress,
) -> Saved:
    """Write the bundle of a calibration with its report; earlier ones are not touched.

    Parameters
    ----------
    now : aware of its time zone; names the bundle.
    told : is told the share of the report that is done.

    Raises
    ------
    RtboldError : it cannot be written, as on a full disk; nothing is left behind.
    """
    settings = result.settings
    with reserved_folder(settings.root, settings.subject, now) as folder:
        card = card_of(result, now)
        contents = _model(result, card)
        contents[SERIES_NAME] = series_file(result)
        contents[REPORT_NAME] = _report(result, card, folder, now, told)
        written = _write(folder, card, contents)
    return Saved(written, written.path / REPORT_NAME, log_line(result, written, now))


def _model(result: CalibrationResult, card: Card) -> dict[str, bytes | Path]:
    """Return the model's files: its graph, its weights, windows to check engines on."""
    module = result.module()
    scale = FeatureScale.of(result.head_inputs)
    return {
        CHECK_NAME: check_file(
            module,
            check_windows(result.windows),
            channels=card.channels,
            rois=card.rois,
        ),
        "model.onnx": to_onnx(module, len(card.channels), watch=(scale.mean, scale.sd)),
        "weights.safetensors": to_safetensors(
            module, result.lineage, simulated=result.simulated_lineage
        ),
    }


def _report(
    result: CalibrationResult,
    card: Card,
    folder: Path,
    now: datetime.datetime,
    told: ShareCallback,
) -> bytes:
    scan = result.settings.scan
    named = [scan.eeg, Path(scan.bold), *scan.other_eeg, *scan.confounds, scan.atlas]
    sources = Sources(
        files={p.name: _sha256(p) for p in named if p is not None and p.is_file()},
        software=card.software,
    )
    made = Made(
        bundle=folder.name,
        created=now.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        sources=sources,
    )
    return report_html(report_content(result, made, told)).encode()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(folder: Path, card: Card, contents: dict[str, bytes | Path]) -> Bundle:
    try:
        return bundles.write(folder, card, contents)
    except OSError as error:
        what = "the disk is full" if error.errno in _FULL else error.strerror or error
        raise RtboldError(
            f"the model could not be written to {folder}: {what}. Nothing of it was "
            "left behind, and earlier models are as they were. Make room or choose "
            "another folder with --root, and calibrate again."
        ) from error


def check_windows(windows: Float32Array, n: int = N_CHECK_WINDOWS) -> Float32Array:
    """Return windows spread over the scan, for ``check.npz``."""
    spread = np.linspace(0, len(windows) - 1, n).round().astype(int)
    chosen: Float32Array = windows[spread]
    return chosen


def series_file(result: CalibrationResult) -> bytes:
    """Return what was predicted out of fold beside what was measured, as NPZ.

    One row a volume that has a window: ``volume``, ``onsets_s``, ``fold``; per ROI
    ``predicted`` and ``measured`` in model units, ``scored`` in the scanner's.
    """
    folded, scan = result.folded, result.aligned.scan
    fold = np.full(len(scan), -1)
    for number, each in enumerate(folded.folds):
        fold[each.part.test] = number
    file = io.BytesIO()
    np.savez_compressed(
        file,
        rois=np.array(scan.rois),
        volume=scan.volume,
        onsets_s=result.measured.onsets_s,
        fold=fold,
        predicted=getattr(folded, result.choice.kept).astype(np.float32),
        measured=folded.target.astype(np.float32),
        scored=folded.scored.astype(np.float32),
    )
    return file.getvalue()


def log_line(result: CalibrationResult, written: Bundle, now: datetime.datetime) -> str:
    """Return one line for a lab's log, tab-separated."""
    gate, card = result.verdict.gate, written.card
    fields = (
        now.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        result.settings.subject + (" SIMULATED" if result.simulated else ""),
        written.path.name,
        f"{result.aligned.scan.name} + {Path(result.settings.scan.bold).name}",
        f"{gate.target}: {gate.label}",
        f"R {gate.r:.3f} ({gate.r_low:.3f} to {gate.r_high:.3f}), p {gate.p:.2g}",
        f"{result.verdict.n_volumes} volumes, TR {card.tr_s:g} s",
        f"{card.fitting.strategy if card.fitting else ''}, horizon {card.horizon_tr}",
        f"sha256 {written.sha256[:16]}",
    )
    return "\t".join(fields)
