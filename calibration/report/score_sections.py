"""How well it predicts: traces, chance, horizons, intervals, learning."""

from collections.abc import Mapping

import numpy as np

from rtbold.calibration.conformal import conformal_intervals
from rtbold.calibration.report.charts import (
    horizon_chart,
    learning_chart,
    null_histogram,
)
from rtbold.calibration.report.content import ReportContent
from rtbold.calibration.report.coverage import held_out_coverage
from rtbold.calibration.report.markup import (
    Markup,
    Piece,
    element,
    figure,
    paragraph,
    section,
    table,
)
from rtbold.calibration.report.theme import drawing, svg
from rtbold.calibration.report.traces import (
    PER_SHEET,
    all_traces,
    half_widths_of,
    target_traces,
    weighted,
)
from rtbold.calibration.report.words import (
    UNKNOWN,
    count,
    number,
    p_value,
    percent,
    span,
)
from rtbold.conformal import Intervals


def traces_section(content: ReportContent) -> Markup:
    """Return the target's series over the whole scan."""
    gate = content.verdict.gate
    alone = len(gate.weights) == 1
    shown = content.traces if alone else weighted(content.traces, gate.weights)
    column = shown.rois.index(next(iter(gate.weights))) if alone else 0
    made = content.intervals
    if made is not None and not alone:
        made = conformal_intervals(shown.predicted, shown.measured, made.levels)
    widths = half_widths_of(made, column)
    with drawing():
        picture = svg(
            target_traces(shown, column, widths),
            "target",
            said=f"Predicted and measured {gate.target} over the scan",
        )
    return section(
        "traces",
        "Predicted and measured, out of fold",
        figure(
            picture,
            f"{gate.target}, {count(content.verdict.n_volumes, 'volume')} scored. "
            "Each part between dashed lines was predicted by a model that saw neither "
            "that part nor 36 s around it. The measurement is low-passed forward and "
            f"backward. {_bands(made, widths)}",
        ),
    )


def chance_section(content: ReportContent) -> Markup:
    """Return what R would be by chance."""
    gate, verdict = content.verdict.gate, content.verdict
    told = (
        f"R {number(gate.r)} of {gate.target} against {verdict.n_surrogates} "
        f"predictions with random phases: p {p_value(gate.p_phase)}"
        + (", wider because folds are trained on each other" * verdict.cross_fitted)
        + ". "
    )
    if gate.p_other is None:
        told += "No other subject's EEG was given. "
    else:
        told += (
            f"Fed the EEG of {count(verdict.n_other_subjects, 'other subject')} at "
            f"equal scan time, the model reaches R {number(gate.r_other)}: "
            f"p {p_value(gate.p_other)}. "
        )
    told += (
        f"The larger p counts: {p_value(gate.p)}, against {gate.alpha:g}. R with drift "
        f"left in: {number(gate.r_with_drift)}."
    )
    if content.chance is None:
        return section("chance", "Against chance", paragraph(told))
    with drawing():
        picture = svg(
            null_histogram(content.chance, gate),
            "chance",
            said=f"R by chance, and the observed {gate.r:.2f}",
        )
    return section("chance", "Against chance", figure(picture, told))


def horizons_section(content: ReportContent) -> Markup:
    """Return R for each number of volumes ahead."""
    if len(content.horizons) < 2:
        return section(
            "horizons",
            "Looking ahead",
            paragraph(
                f"Fitted for {count(content.horizon_tr, 'volume')} ahead only; others "
                "were not tried.",
                class_="note",
            ),
        )
    tr_s = content.alignment.tr_s
    with drawing():
        picture = svg(
            horizon_chart(content.horizons, content.horizon_tr, tr_s),
            "horizons",
            said="R of the target for each number of volumes ahead",
        )
    simulated = (
        " This is a simulation; no lab has measured it." if content.simulated else ""
    )
    return section(
        "horizons",
        "Looking ahead",
        figure(
            picture,
            "BOLD follows the neural event by about 5 s, so EEG up to now holds part "
            f"of the volumes to come. Full dot: chosen.{simulated}",
        ),
        _horizon_table(content),
    )


def _horizon_table(content: ReportContent) -> Markup:
    tr_s = content.alignment.tr_s
    rows: list[tuple[Piece, ...]] = [
        (
            f"{ahead}{' (chosen)' * (ahead == content.horizon_tr)}",
            f"{ahead * tr_s:.1f}",
            number(found.r),
            span(found.low, found.high),
        )
        for ahead, found in content.horizons.items()
    ]
    return table(("Volumes ahead", "s", "R", "95 %"), rows)


def intervals_section(content: ReportContent) -> Markup:
    """Return how wide the intervals are, and how often they held."""
    made = content.intervals
    if made is None:
        told = paragraph("No intervals were made.", class_="note")
        return section("intervals", "Intervals of the prediction", told)
    found = held_out_coverage(content.traces, made.levels)
    rows: list[tuple[Piece, ...]] = [
        (
            percent(level),
            UNKNOWN if share is None else percent(share, 1),
            _median_width(made, i),
        )
        for i, (level, share) in enumerate(zip(made.levels, found, strict=True))
    ]
    return section(
        "intervals",
        "Intervals of the prediction",
        paragraph(
            "Conformal, from the out-of-fold residuals of each ROI, widened by their "
            "effective number. They hold on average over volumes like this scan's, "
            "and are void where the EEG is unlike it. Coverage: each fold asked with "
            "intervals from the other folds, all ROIs together."
        ),
        table(
            ("Level", "held in this scan", "median half-width, model units"),
            rows,
            words=(),
        ),
    )


def learning_section(content: ReportContent) -> Markup:
    """Return the learning curves, where the fit had epochs."""
    curves = [curve for curve in content.learning if len(curve.errors) > 1]
    if not curves:
        told = paragraph(
            "The fit has a closed form: there are no epochs, so there is no learning "
            "curve.",
            class_="note",
        )
        return section("learning", "Learning curve", told)
    with drawing():
        picture = svg(
            learning_chart(curves), "learning", said="Error of each fit over epochs"
        )
    return section(
        "learning",
        "Learning curve",
        figure(
            picture,
            "Error on the part that picks the epoch; it is neither trained on nor "
            "scored. Dots: the epoch that was kept.",
        ),
    )


def published_section(content: ReportContent) -> Markup:
    """Return R under the published split, named for what it is."""
    score = content.published
    title = "The published split, for comparison only"
    if score is None or not score.roi_r:
        return section(
            "published",
            title,
            paragraph("Not computed: the scan is too short for it.", class_="note"),
        )
    mean = float(np.mean(list(score.roi_r.values())))
    rows: list[tuple[Piece, ...]] = [(roi, number(r)) for roi, r in score.roi_r.items()]
    rows.append((element("strong", "Mean"), number(mean)))
    return section(
        "published",
        title,
        paragraph(
            f"One fit on the first {score.n_train} volumes, scored on the last "
            f"{score.n_test}, with windows that overlap and scaling by the whole scan, "
            "as in the publication. So few volumes decide nothing: this is for "
            "comparison with the paper, and the verdict does not use it."
        ),
        table(("ROI", "R"), rows),
    )


def all_traces_section(content: ReportContent) -> Markup:
    """Return the series of every ROI, the last part of the page."""
    columns = list(range(len(content.traces.rois)))
    title = "All ROIs over the scan"
    if len(columns) == 1:
        told = paragraph("There is one ROI; its series is above.", class_="note")
        return section("all-traces", title, told)
    sheets = [columns[i : i + PER_SHEET] for i in range(0, len(columns), PER_SHEET)]
    pictures = []
    for i, chosen in enumerate(sheets):
        with drawing():
            picture = svg(
                all_traces(content.traces, chosen),
                f"all{i}",
                said="Predicted and measured "
                + ", ".join(content.traces.rois[c] for c in chosen),
            )
        pictures.append(element("figure", picture))
    return section(
        "all-traces",
        title,
        paragraph("Thick: predicted out of fold; thin: measured. Model units."),
        *pictures,
    )


def _bands(intervals: Intervals | None, widths: Mapping[float, float]) -> str:
    if intervals is None:
        return "There are no intervals for it."
    missing = [f"{100 * x:g} %" for x in intervals.levels if x not in widths]
    if not missing:
        return ""
    return f"Too few independent volumes for intervals of {' and '.join(missing)}."


def _median_width(made: Intervals, level: int) -> str:
    widths = [row[level] for row in made.half_width]
    finite = [width for width in widths if width is not None]
    if not finite:
        return "not finite: too few independent volumes"
    lost = len(widths) - len(finite)
    return number(float(np.median(finite))) + (
        f" (not finite for {count(lost, 'ROI')})" if lost else ""
    )
