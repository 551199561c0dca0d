"""The figures of a comparison; each says it where data is simulated."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rtbold.bundle import RoiVerdict
from rtbold.calibration.compare.effects import Estimate
from rtbold.calibration.compare.result import (
    PLAIN,
    Comparison,
    Difference,
    ModelSummary,
    RoiSummary,
    Scored,
)
from rtbold.calibration.compare.run import Evaluation
from rtbold.calibration.compare.training import Trained
from rtbold.calibration.report.brain import glass_brain, known_centres
from rtbold.calibration.report.charts import (
    FAINT,
    INK,
    NETWORK,
    drawing,
    learning_chart,
    sheet,
    svg,
    zero_line,
)
from rtbold.calibration.report.content import LearningCurve

ALPHA: Final = 0.05  # of a filled dot on the brain, over all ROIs
MOST_DIFFERENCES: Final = 24
_ROW_IN: Final = 0.32  # height of a model in a chart
_BY: Final = ("mse", "loss")  # curve of a training that is drawn: the first that it has

_Picture = tuple[str, Figure, str]  # name, figure, what it shows


def pictures_of(evaluation: Evaluation) -> Mapping[str, Markup]:
    """Return name -> SVG of everything that there is something to draw of."""
    found = dict[str, Markup]()
    label = evaluation.comparison.label
    with drawing():
        for name, figure, said in _drawn(evaluation):
            if label:
                figure.suptitle(label, x=0.995, ha="right", fontsize=8, color=FAINT)
            words = f"{label}: {said}" if label else said
            found[name] = svg(figure, name, said=words)
    return found


def _drawn(evaluation: Evaluation) -> Iterator[_Picture]:
    comparison = evaluation.comparison
    yield "overview", overview(comparison), "R of every model with its interval"
    if comparison.differences:
        told = "Paired differences of R between models"
        yield "differences", difference_chart(comparison.differences), told
    yield "traces", trace_chart(evaluation), "Predicted and measured, one scan"
    centres = known_centres(comparison.rois)
    for place, model in enumerate(comparison.of_kind("bundle")):
        rois = [_verdict(each) for each in model.rois]
        if any(roi.roi in centres for roi in rois):
            told = f"R of each ROI of {model.name}, from three sides"
            yield f"brain{place}", glass_brain(rois, centres, ALPHA), told
    known = [model for model in comparison.models if model.coverage]
    if known:
        yield "intervals", coverage_chart(known), "How often intervals held"
    if curves := list(curves_of(evaluation.curves)):
        told = "Error of each training over its epochs"
        yield "learning", learning_chart(curves), told


def overview(comparison: Comparison) -> Figure:
    """Return R (dot) and R without the global signal (ring) of every model."""
    models = comparison.models
    figure = sheet(8, 0.9 + _ROW_IN * len(models))
    axes = figure.add_subplot()
    for row, model in enumerate(models):
        _interval(axes, model.r, row - 0.12, colour=NETWORK, filled=True)
        _interval(axes, model.r_gsr, row + 0.12, colour=INK, filled=False)
    zero_line(axes, upright=True)
    axes.set_yticks(range(len(models)), [model.name for model in models])
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.set_xlabel("R, median over subjects; dot: all, ring: without global signal")
    return figure


def _interval(
    axes: Axes, value: Estimate, row: float, *, colour: str, filled: bool
) -> None:
    if value.low is not None and value.high is not None:
        axes.plot((value.low, value.high), (row, row), color=colour, linewidth=1.1)
    face = colour if filled else "none"
    axes.plot(
        [value.median], [row], "o", color=colour, markerfacecolor=face, markersize=5
    )


def difference_chart(found: Sequence[Difference]) -> Figure:
    """Return the paired differences of R with their intervals."""
    shown = [each for each in found if each.of == PLAIN][:MOST_DIFFERENCES]
    figure = sheet(8, 0.9 + _ROW_IN * len(shown))
    axes = figure.add_subplot()
    for row, each in enumerate(shown):
        if each.low is not None and each.high is not None:
            axes.plot((each.low, each.high), (row, row), color=NETWORK, linewidth=1.1)
        axes.plot([each.mean], [row], "o", color=NETWORK, markersize=5)
    zero_line(axes, upright=True)
    axes.set_yticks(range(len(shown)), [f"{d.a} \u2212 {d.b}" for d in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("difference of R, mean over subjects")
    return figure


def trace_chart(evaluation: Evaluation) -> Figure:
    """Return one scan, as each bundle and baseline predicts it.

    The scan and the ROI are those where the first bundle is in the middle: half of them
    look better, half worse.
    """
    models = [m for m in evaluation.models if m.kind in ("bundle", "baseline")]
    scan, roi = middle_of(models[0])
    figure = sheet(10, 0.6 + 1.25 * len(models))
    grid = figure.subplots(len(models), 1, sharex=True, squeeze=False)[:, 0]
    for axes, model in zip(grid, models, strict=True):
        predicted = model.scores[scan].predicted
        target = predicted.target
        minutes = target.onsets_s / 60
        zero_line(axes)
        axes.plot(minutes, target.plain[:, roi], color=INK, linewidth=0.8)
        axes.plot(minutes, predicted.values[:, roi], color=NETWORK, linewidth=1.4)
        r = model.scores[scan].r[roi]
        axes.set_title(
            f"{model.name}: {target.scan}, {target.rois[roi]}, R {r:.2f}",
            fontsize=8.5,
            pad=2,
        )
        axes.set_ylabel("sd", fontsize=8)
    grid[-1].set_xlabel("minutes; thin: measured, thick: predicted")
    return figure


def middle_of(model: Scored) -> tuple[int, int]:
    """Return the place of the scan, and of its ROI, whose R is in the middle."""
    means = [float(np.nanmean(score.r)) for score in model.scores]
    scan = int(np.argsort(means, kind="stable")[len(means) // 2])
    r = model.scores[scan].r
    known = np.flatnonzero(np.isfinite(r))
    order = known[np.argsort(r[known], kind="stable")]
    return scan, int(order[len(order) // 2])


def coverage_chart(models: Sequence[ModelSummary]) -> Figure:
    """Return how often intervals held, against how often they should."""
    figure = sheet(5, 3.2)
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1), color=FAINT, linewidth=0.8)
    for model in models:
        levels = [each.level for each in model.coverage]
        held = [each.held for each in model.coverage]
        axes.plot(levels, held, color=NETWORK, linewidth=1.4)
        axes.annotate(
            model.name, (levels[-1], held[-1]), (4, 0), textcoords="offset points",
            color=NETWORK, va="center",
        )  # fmt: skip
    axes.set_xlabel("level of the interval")
    axes.set_ylabel("share of volumes inside")
    return figure


def curves_of(found: Mapping[str, Sequence[Trained]]) -> Iterator[LearningCurve]:
    """Yield the validation error of each training, by model and fold."""
    for name, trainings in found.items():
        for each in trainings:
            errors = _errors_of(each)
            many = f", fold {each.fold}" if len(trainings) > 1 else ""
            if errors:
                yield LearningCurve(name=f"{name}{many}", errors=errors)


def _errors_of(trained: Trained) -> tuple[float, ...]:
    """Return the first error that every epoch has; empty: there is none."""
    for name in _BY:
        found = [epoch.get(name) for epoch in trained.epochs]
        known = tuple(value for value in found if value is not None)
        if len(known) == len(found):
            return known
    return ()


def _verdict(roi: RoiSummary) -> RoiVerdict:
    """Return a ROI as the glass brain draws it."""
    return RoiVerdict(
        roi=roi.roi,
        r=roi.r,
        r_with_drift=roi.r,
        r_low=-1.0 if roi.r_low is None else roi.r_low,
        r_high=1.0 if roi.r_high is None else roi.r_high,
        p=1.0 if roi.p is None else roi.p,
        p_max=1.0 if roi.p_max is None else roi.p_max,
        n_eff=0.0,
    )
