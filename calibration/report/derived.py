"""What a page says beyond its content: the target's series, coverage, warnings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtbold.bundle import LEVELS, Intervals
from rtbold.calibration.evaluate.intervals import MIN_RESIDUALS, conformal_intervals
from rtbold.calibration.inputs.alignment import Alignment
from rtbold.calibration.report.content import ReportContent, Traces
from rtbold.messages import FloatArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TargetSeries:
    """The target over the scan: a ROI, or the weighted sum of a contrast."""

    traces: Traces
    column: int
    half_widths: Mapping[float, float]  # of the levels that have one
    unbounded: tuple[float, ...] | None  # the other levels; None: no intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelFacts:
    """How wide the intervals of one level are, and how often they held."""

    level: float
    held: float | None  # share of volumes; None: not known
    median: float | None  # half-width over ROIs, model units; None: none is finite
    n_unbounded: int  # ROIs


def target_series(content: ReportContent) -> TargetSeries:
    """Return the target's series with the intervals made for it."""
    weights, made = content.verdict.gate.weights, content.intervals
    if len(weights) == 1:
        traces = content.traces
        column = traces.rois.index(next(iter(weights)))
    else:
        traces, column = weighted(content.traces, weights), 0
        if made is not None:
            made = conformal_intervals(traces.predicted, traces.measured, made.levels)
    widths = half_widths_of(made, column)
    levels = None if made is None else made.levels
    return TargetSeries(
        traces=traces,
        column=column,
        half_widths=widths,
        unbounded=levels and tuple(level for level in levels if level not in widths),
    )


def weighted(traces: Traces, weights: dict[str, float]) -> Traces:
    """Return one column: the ROIs' weighted sum, as feedback adds them."""
    column = np.array([weights.get(roi, 0.0) for roi in traces.rois])[:, None]
    return Traces(
        rois=("target",),
        onsets_s=traces.onsets_s,
        predicted=traces.predicted @ column,
        measured=traces.measured @ column,
        fold=traces.fold,
    )


def half_widths_of(intervals: Intervals | None, column: int) -> dict[float, float]:
    """Return level -> half-width, of the levels that have one."""
    if intervals is None:
        return {}
    pairs = zip(intervals.levels, intervals.half_width[column], strict=True)
    return {level: width for level, width in pairs if width is not None}


def level_facts(content: ReportContent) -> tuple[LevelFacts, ...]:
    """Return width and coverage of each level; nothing where no intervals were made."""
    made = content.intervals
    if made is None:
        return ()
    held = held_out_coverage(content.traces, made.levels)
    return tuple(
        _level_facts(level, share, [row[i] for row in made.half_width])
        for i, (level, share) in enumerate(zip(made.levels, held, strict=True))
    )


def _level_facts(
    level: float, held: float | None, widths: Sequence[float | None]
) -> LevelFacts:
    finite = [width for width in widths if width is not None]
    return LevelFacts(
        level=level,
        held=held,
        median=float(np.median(finite)) if finite else None,
        n_unbounded=len(widths) - len(finite),
    )


def held_out_coverage(
    traces: Traces, levels: Sequence[float] = LEVELS
) -> tuple[float | None, ...]:
    """Return, per level, the share of measurements inside; None: not known.

    Each fold's volumes are asked with half-widths from the other folds' residuals.
    ROIs and folds whose half-width is not finite are left out.
    """
    inside: list[list[FloatArray]] = [[] for _ in levels]
    residual = np.abs(traces.measured - traces.predicted)  # (volumes, rois)
    scored = np.isfinite(residual).all(axis=1)
    for fold in np.unique(traces.fold[traces.fold >= 0]):
        asked = scored & (traces.fold == fold)
        others = scored & (traces.fold != fold)
        if not asked.any() or others.sum() < MIN_RESIDUALS:
            continue
        for held, widths in zip(inside, _widths(traces, others, levels), strict=True):
            finite = np.isfinite(widths)
            held.append((residual[asked][:, finite] <= widths[finite]).ravel())
    return tuple(_mean(held) for held in inside)


def _widths(
    traces: Traces, rows: np.ndarray, levels: Sequence[float]
) -> list[FloatArray]:
    """Return for each level the ROIs' half-widths, nan where there is none."""
    chosen = rows[:, None]
    made = conformal_intervals(
        np.where(chosen, traces.predicted, np.nan),
        np.where(chosen, traces.measured, np.nan),
        levels,
    )
    table = [
        [np.nan if width is None else width for width in widths]
        for widths in made.half_width
    ]
    return list(np.array(table).T)


def _mean(held: Sequence[FloatArray]) -> float | None:
    values = np.concatenate(held) if held else np.zeros(0)
    return float(values.mean()) if len(values) else None


def length_s(alignment: Alignment) -> float:
    """Return the length of the scan, from its first volume to the end of its last."""
    known = alignment.onsets_s[np.isfinite(alignment.onsets_s)]
    return alignment.tr_s + (float(known[-1] - known[0]) if len(known) else 0.0)


def warnings_of(content: ReportContent) -> Iterator[str]:
    """Yield what a reader must be wary of."""
    verdict, windows = content.verdict, content.windows
    yield from content.warnings
    yield from content.alignment.warnings
    if content.lag is not None and content.lag.warning:
        yield f"lag scan: {content.lag.warning}"
    if verdict.specificity.not_known:
        not_known = ", ".join(verdict.specificity.not_known)
        yield f"not measured, so not excluded: {not_known}"
    muscle = verdict.specificity.muscle
    if muscle is not None and muscle.leans:
        yield (
            f"muscle tension explains {100 * muscle.share:.0f} % of the prediction, "
            f"and R without it is {muscle.r_without:.2f}: whoever clenches moves the "
            "feedback; a session says `muscle` and gives no value while it lasts"
        )
    if not verdict.n_other_subjects:
        yield (
            "no other subject's EEG was given as a control (--other-eeg): what every "
            "session shares, such as falling vigilance, is judged by the confounds only"
        )
    if lost := windows.n_volumes - windows.n_used:
        volumes = "1 volume" if lost == 1 else f"{lost} volumes"
        yield f"{volumes} of {windows.n_volumes} had no EEG that could be used"
