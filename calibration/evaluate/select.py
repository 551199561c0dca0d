"""Which of the fitted models is kept, at which horizon, and the verdict on it. Pure.

Every model that was fitted is a candidate, the base as it is among them. All of them
are held against surrogates of one set of phases, and the p of the verdict is that of
the best of them by chance: comparing costs little, and nobody is lucky twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

import numpy as np

from rtbold.bundle import Bundle
from rtbold.calibration.evaluate.confounds import Beside, Confounds, scan_confounds
from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.calibration.evaluate.learnable import ScanFacts
from rtbold.calibration.evaluate.muscle import leaning, muscle_reference
from rtbold.calibration.evaluate.nulls import (
    Redraw,
    pairing,
    surrogates_for,
    turned,
)
from rtbold.calibration.evaluate.ood import (
    head_inputs,
    lines_of,
    ood_reference,
    statistics_of,
)
from rtbold.calibration.evaluate.scores import (
    Declared,
    OutOfFold,
    block_length,
    bootstrap_interval,
    combined,
)
from rtbold.calibration.evaluate.verdict import (
    Examined,
    VerdictSettings,
    examine,
    judge,
    target_p,
)
from rtbold.calibration.fit.folds import (
    FinalFit,
    FitOptions,
    FoldedScan,
    Kept,
    PreparedScan,
    fit_all,
    furthest_horizon,
    own_models,
)
from rtbold.calibration.fit.linear import Smoother
from rtbold.calibration.fit.protocol import Hooks, Pace, Task
from rtbold.calibration.fit.split import final_part, published_split
from rtbold.calibration.fit.target import (
    MeasuredScan,
    TargetSettings,
    fit_scaling,
    targets,
)
from rtbold.calibration.gather import AlignedScan
from rtbold.calibration.inputs.confound_kinds import acting
from rtbold.calibration.inputs.events import conditions_of
from rtbold.calibration.inputs.windows import CalibrationScan
from rtbold.calibration.predictions import OutOfFoldPredictions
from rtbold.calibration.result import (
    NAMES,
    CalibrationResult,
    Choice,
    Evaluated,
    PublishedScore,
    TargetScore,
)
from rtbold.calibration.settings import CalibrationSettings
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray
from rtbold.truth import lowpassed, pearson_r

_ASKED: Final = "the subject's ridge, as asked"
_NO_ENCODER: Final = (
    "from nothing there is no encoder to read, only band power: this is the subject's "
    "ridge"
)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Everything that was fitted out of fold."""

    settings: CalibrationSettings
    declared: Declared
    base: Bundle | None
    folded: Mapping[int, FoldedScan]
    scan: CalibrationScan
    regressed: tuple[str, ...] = ()  # confounds that are taken out of the target


def select(
    candidates: Candidates, verdict: VerdictSettings | None = None
) -> tuple[Choice, dict[str, Examined]]:
    """Return what is kept, with the reasons, and all that it was held against."""
    verdict = verdict or VerdictSettings()
    asked = candidates.settings.horizon
    first = asked if asked is not None else min(candidates.folded)
    names, reasons = _compared(candidates)
    looked: dict[str, Examined] = {
        name: _examined(candidates, first, name, verdict) for name in names
    }
    kept = _best(looked, names, verdict)
    if len(names) > 1:
        reasons.append(_comparison(candidates.base, looked, kept, verdict))
    scores = {h: _score(candidates, h, kept, looked[kept]) for h in candidates.folded}
    if asked is not None:
        return Choice(kept, asked, scores, len(looked), tuple(reasons)), looked
    chosen = furthest_horizon({h: score.r for h, score in scores.items()})
    for ahead in candidates.folded:
        if ahead != first:
            looked[f"{kept}, {ahead} ahead"] = _examined(
                candidates, ahead, kept, verdict
            )
    reasons.append(
        f"horizon {chosen}: the furthest within 0.02 of the best R of the target"
    )
    return Choice(kept, chosen, scores, len(looked), tuple(reasons)), looked


def out_of_fold_of(folded: FoldedScan, name: str, scan: CalibrationScan) -> OutOfFold:
    """Return one series on the scan's grid of volumes, as it is scored."""
    n = len(scan.bold)
    return OutOfFold(
        folded.on_grid(name, scan.volume, n),
        folded.on_grid("scored", scan.volume, n),
        scan.rois,
        cross_fitted=name != "base",
    )


def redraw_of(smoother: Smoother, bold: FloatArray, tr_s: float) -> Redraw:
    """Return what fits surrogates of a scan's BOLD anew.

    Parameters
    ----------
    bold : (volumes, rois), as measured, but without what its confounds explain: the fit
        takes that off the real scan, and its spectrum is not that of what is left.
        Each surrogate is then weighed against the confounds again, as the scan was.
    """

    def redraw(phases: FloatArray) -> tuple[FloatArray, FloatArray]:
        # Half the precision is enough, and takes half the time
        measured = cast("FloatArray", turned(bold, phases).astype(np.float32))
        predicted, left = smoother.anew(measured)
        flat = np.moveaxis(left, 1, 0)  # (volumes, surrogates, rois)
        scored = lowpassed(flat, tr_s, TargetSettings().lowpass_hz)
        return predicted, np.moveaxis(scored, 0, 1)

    return redraw


def _without_confounds(scan: CalibrationScan, regressed: tuple[str, ...]) -> FloatArray:
    given = {name: scan.confounds[name] for name in regressed}
    unfolded = acting(given, tr_s=scan.tr_s)
    if not len(unfolded):
        return scan.bold
    known = np.isfinite(scan.bold).all(axis=1) & np.isfinite(scan.onsets_s)
    measured = MeasuredScan(
        scan.bold[known], scan.onsets_s[known], scan.rois, unfolded.values[known],
        unfolded.names, unfolded=True,
    )  # fmt: skip
    scaling = fit_scaling(measured, np.arange(int(known.sum())))
    weights: FloatArray = np.array(scaling.confound_weights)
    cleaned: FloatArray = scan.bold - unfolded.values @ weights
    return cleaned


def _compared(candidates: Candidates) -> tuple[tuple[Kept, ...], list[str]]:
    """Return the models that may be kept, and why there is only one, if so."""
    settings, base = candidates.settings, candidates.base
    if settings.strategy == "ridge":
        return ("subject",), [_ASKED]
    if base is None and settings.strategy == "head":
        return ("subject",), [_NO_ENCODER]
    if base is None:
        return ("network",), []
    first = next(iter(candidates.folded.values()))
    names: list[Kept] = ["network", "subject"]
    if first.stacked and settings.strategy == "head":
        names = ["stack", "subject"]  # the head solved anew is a part of the stack
    elif first.stacked:
        names.append("stack")
    if (np.nanstd(first.base, axis=0) > 0).all():  # it knows all ROIs
        names.append("base")
    return tuple(names), []


def _best(
    looked: Mapping[str, Examined], names: tuple[Kept, ...], verdict: VerdictSettings
) -> Kept:
    """Return the highest R of those that pass, or of all if none does."""
    p = target_p([looked[name] for name in names])
    level = verdict.alpha / verdict.tries.n
    passed = [name for name, found in zip(names, p, strict=True) if found <= level]
    return max(passed or names, key=lambda name: looked[name].r)


def _comparison(
    base: Bundle | None,
    looked: Mapping[str, Examined],
    kept: Kept,
    verdict: VerdictSettings,
) -> str:
    assert base is not None
    made = ", of simulated data" if base.card.origin.simulated_lineage else ""
    p = target_p(list(looked.values()))
    told = ", ".join(
        f"{NAMES[name]} {each.r:.3f} (p {found:.2g})"  # type: ignore[index]
        for (name, each), found in zip(looked.items(), p, strict=True)
    )
    passes = min(p) <= verdict.alpha / verdict.tries.n
    why = "the highest R that passes" if passes else "the highest R; none passes"
    return (
        f"base '{base.card.name}'{made}, compared on common phases, R of the target: "
        f"{told}; kept: {NAMES[kept]}, {why}"
    )


def _examined(
    candidates: Candidates, horizon: int, name: Kept, verdict: VerdictSettings
) -> Examined:
    """Return one candidate at one horizon, with its null."""
    scan, folded = candidates.scan, candidates.folded[horizon]
    scored = out_of_fold_of(folded, name, scan)
    others = folded.others_on_grid(name, scan.volume, len(scan.bold))
    smoother = folded.smoothers.get(name)
    redraw = None
    if smoother is not None:
        bold = _without_confounds(scan, candidates.regressed)
        redraw = redraw_of(smoother, bold, scan.tr_s)
    scored = replace(scored, others=others, redraw=redraw)
    return examine(scored, candidates.declared, verdict)


def _score(
    candidates: Candidates, horizon: int, name: Kept, like: Examined
) -> TargetScore:
    """Return R of the target at a horizon; its reuse is that of another one."""
    scan, declared = candidates.scan, candidates.declared
    series = out_of_fold_of(candidates.folded[horizon], name, scan)
    target = combined(series, declared.column(scan.rois), (declared.target,))
    pair = pairing(target.predicted, target.measured)
    reuse = float(like.scores.reuse[like.n_rois])
    seed = candidates.settings.seed
    low, high = bootstrap_interval(pair, block_length(pair), seed=seed, reuse=reuse)
    return TargetScore(float(pair.r[0]), float(low[0]), float(high[0]))


# Stage 4: the verdicts on both candidates, and the model that is kept.


def evaluate_predictions(
    predictions: OutOfFoldPredictions, hooks: Hooks
) -> CalibrationResult:
    """Choose between the candidates, pass the verdicts, and fit on the whole scan."""
    aligned, declared = predictions.aligned, predictions.declared
    session = predictions.session
    hooks.say("judging the predictions")
    settings = _verdict_settings(aligned)
    candidates = Candidates(
        aligned.settings, declared, aligned.base, predictions.folded, aligned.scan,
        aligned.regressed,
    )  # fmt: skip
    choice, looked = select(candidates, settings)
    folded = predictions.folded[choice.horizon_tr]
    confounds = _nuisances(aligned, folded)
    kept = _kept_name(choice, aligned.settings)
    judged = _judged(looked, kept, confounds, settings)
    beside, other = judged, _beside(aligned, choice, folded)
    if other is not None:
        alone = looked.get(other) or _examined(
            candidates, choice.horizon_tr, other, settings
        )
        beside = _judged({other: alone}, other, confounds, settings)
    hooks.say("fitting the model that is kept, on the whole scan")
    options = replace(predictions.options, horizon_tr=choice.horizon_tr)
    part = final_part(session.measured.onsets_s, predictions.split)
    final = fit_all(session, part, options)
    features = _head_inputs(predictions, choice, final)
    statistics = statistics_of(aligned.scan.batches())
    lines = lines_of(aligned.scan.batches(), tr_s=aligned.scan.tr_s)
    leans_on = leaning(confounds, judged.scored, declared)
    return CalibrationResult(
        aligned=aligned,
        measured=session.measured,
        folded=folded,
        choice=choice,
        declared=declared,
        confounds=confounds,
        kept=judged,
        beside=beside,
        intervals=conformal_intervals(getattr(folded, choice.kept), folded.target),
        published=published_score(session, choice, predictions.options),
        final=final,
        likeness=ood_reference(statistics, features=features, lines=lines),
        head_inputs=features,
        muscle=muscle_reference(
            aligned.scan.batches(), aligned.card.channels, leans_on
        ),
    )


def _judged(
    looked: Mapping[str, Examined],
    name: str,
    confounds: Confounds,
    settings: VerdictSettings,
) -> Evaluated:
    """Return one candidate with its verdict, against all that was looked at."""
    verdict = judge(looked, name, confounds=confounds, settings=settings)
    return Evaluated(looked[name].scored, verdict, looked[name].null)


def _beside(aligned: AlignedScan, choice: Choice, folded: FoldedScan) -> Kept | None:
    """Return what is told beside what is kept; None: nothing else was fitted."""
    if choice.kept != "subject":
        return "subject"
    if aligned.settings.strategy not in ("head", "ridge"):
        return "network"
    return "stack" if folded.stacked else None


def _nuisances(aligned: AlignedScan, folded: FoldedScan) -> Confounds:
    """Return what else could explain the predictions."""
    scan, parts = aligned.scan, [fold.part for fold in folded.folds]
    return scan_confounds(
        scan,
        aligned.card.channels,
        Beside(folded.scored, parts, scan.onsets_s[scan.volume]),
        slices_per_tr=aligned.settings.slices_per_tr,
    )


def _verdict_settings(aligned: AlignedScan) -> VerdictSettings:
    """Return level, look and earlier calibrations of this scan."""
    scan, settings = aligned.scan, aligned.settings
    alpha = aligned.alpha
    return VerdictSettings(
        alpha=alpha,
        n_surrogates=surrogates_for(alpha),
        seed=settings.seed,
        tries=aligned.tries,
        declaration=aligned.declaration,
        facts=ScanFacts(
            scan.tr_s, conditions_of(aligned.events, len(scan.bold), scan.tr_s)
        ),
    )


def _kept_name(choice: Choice, settings: CalibrationSettings) -> str:
    """Return by which name the kept candidate was looked at."""
    first = settings.horizon if settings.horizon is not None else min(choice.horizons)
    if choice.horizon_tr == first:
        return choice.kept
    return f"{choice.kept}, {choice.horizon_tr} ahead"


def _head_inputs(
    predictions: OutOfFoldPredictions, choice: Choice, final: FinalFit
) -> FloatArray:
    """Return what the kept model's head reads; read anew only if the encoder moved."""
    session = predictions.session
    read, power = session.prepared.fit_features.features, session.table.features
    if choice.kept == "subject":
        found = power
    elif choice.kept == "stack":
        found = np.concatenate([read, power], axis=1)
    elif choice.kept == "base" or session.strategy.name == "head":
        found = read
    else:
        batches = predictions.aligned.scan.batches()
        return head_inputs(final.fitted.module(), batches)
    return np.asarray(found, dtype=np.float64)


# The publication's way of scoring, for comparison only: one split, whole-scan scaling.
#
# 8:1:1 in time, low-pass and 95th percentile over the whole scan, windows of different
# parts overlapping. The last tenth of 20 minutes holds some 12 independent volumes, so
# the number decides nothing (Li et al., NeurIPS 2024).


def published_score(
    session: PreparedScan, choice: Choice, options: FitOptions
) -> PublishedScore | None:
    """Return R of each ROI on the last tenth, at horizon 0, drift left in.

    None for a scan that is too short for this split: it only serves comparison, so a
    scan that the verdict can judge is calibrated without it.
    """
    scan = session.measured
    rows = np.arange(len(scan.onsets_s))
    try:
        part = published_split(len(rows), float(np.median(np.diff(scan.onsets_s))))
    except DataFileError:
        return None
    scaling = fit_scaling(scan, rows, TargetSettings(drift_degree=0, method="p95"))
    units = targets(scan, rows, scaling)
    task = Task(units, part.train, part.stop, options.seed)
    if choice.kept == "base":
        predicted = session.prepared.fit_features.prior[part.test]
    elif choice.kept != "network":
        subject, stack = own_models(session, task, options)
        made = subject if choice.kept == "subject" or stack is None else stack
        base = session.prepared.fit_features.prior
        predicted = made.predict(session.table.features[part.test], base[part.test])
    else:
        total = session.strategy.n_steps(len(part.train))
        pace = Pace("published split", total, now_s=options.now_s, tell=options.tell)
        fitted = session.strategy.fit(
            session.prepared, task, pace=pace, cancel=options.cancel
        )
        predicted = fitted.predict(part.test)
    r = pearson_r(predicted, units[part.test])
    return PublishedScore(
        roi_r=dict(zip(scan.rois, r.tolist(), strict=True)),
        n_train=len(part.train),
        n_test=len(part.test),
    )
