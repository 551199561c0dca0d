"""The comparison as one HTML file that needs nothing beside it."""

from collections.abc import Iterator, Mapping
from typing import Final

from markupsafe import Markup

from rtbold.calibration.compare.figures import pictures_of
from rtbold.calibration.compare.result import Comparison
from rtbold.calibration.compare.run import Evaluation
from rtbold.calibration.compare.tables import (
    ComparisonTable,
    controls_table,
    differences_table,
    nature_table,
    rois_table,
    sample_of,
    scores_table,
)
from rtbold.pages import rendered

HEADINGS: Final = {
    "scores": "All models",
    "nature": "What the predictions are",
    "notes": "What is to be known of them",
    "controls": "The same models on other EEG",
    "differences": "Differences",
    "brain": "Where",
    "traces": "One scan",
    "intervals": "Intervals",
    "learning": "Learning curves",
    "rois": "Every ROI",
    "meaning": "What each model is",
    "provenance": "Provenance",
    "glossary": "Words",
}
TERMS: Final = {
    "R": "Pearson's correlation of predicted and measured over the scored volumes of a "
    "scan; mean over ROIs, then over scans of a subject, then median over subjects",
    "R without global signal": "the same on targets from which the global signal was "
    "regressed: what is left beside the arousal that all regions share",
    "95 %": "interval of the value before it: bootstrap over subjects, so that two "
    "scans of one person do not count as two persons",
    "Mean R": "the mean over subjects instead of the median",
    "MSE": "mean squared error in the target's variance over the scan; the mean as a "
    "prediction gets 1",
    "Direction": "how often prediction and measurement are on the same side of their "
    "mean, 1 - arccos(R) / pi at the median R; chance is 50 %",
    "p": "of the mean R against predictions whose phases were turned at random, "
    "cubic drift removed from both; one-sided",
    "First component": "share of the predictions' variance in their first principal "
    "component: near 100 %, the model says one thing for all ROIs",
    "Own ROI first": "share of ROIs whose prediction fits its own measured series "
    "better than that of any other ROI",
    "Own rank": "place of the own measured series among all, by R with the prediction; "
    "median over ROIs and scans, 1 is best",
    "R of mean": "R of the mean over ROIs",
    "dz": "Cohen's dz: mean of the paired differences over their sd",
}


def comparison_html(evaluation: Evaluation) -> str:
    """Return the whole page."""
    return filled_in(evaluation.comparison, pictures_of(evaluation))


def filled_in(comparison: Comparison, pictures: Mapping[str, Markup]) -> str:
    """Return the page with these pictures in it."""
    tables = {
        "scores": scores_table(comparison),
        "nature": nature_table(comparison),
        "controls": controls_table(comparison),
        "differences": differences_table(comparison),
        "rois": rois_table(comparison),
    }
    bundles = [model.name for model in comparison.of_kind("bundle")]
    return rendered(
        "rtbold.calibration.report",
        "comparison.html.j2",
        comparison=comparison,
        sample=sample_of(comparison),
        tables=tables,
        pictures=pictures,
        bundles=list(enumerate(bundles)),
        headings=HEADINGS,
        terms=TERMS,
        empty=_empty(comparison, tables, pictures),
        meaning=[(model.name, model.meaning) for model in comparison.models],
        provenance=list(_provenance(comparison)),
    )


def _empty(
    comparison: Comparison,
    tables: Mapping[str, ComparisonTable],
    pictures: Mapping[str, Markup],
) -> set[str]:
    """Return the sections that have nothing to show."""
    empty = {name for name, table in tables.items() if not table.rows}
    empty |= {name for name in ("intervals", "learning") if name not in pictures}
    if not comparison.notes:
        empty.add("notes")
    if not any(name.startswith("brain") for name in pictures):
        empty.add("brain")
    return empty


def _provenance(comparison: Comparison) -> Iterator[tuple[str, str]]:
    yield "Data", comparison.data
    yield "Data set", comparison.data_set
    yield "Cache", comparison.cache
    yield "Split", comparison.split
    yield "Fold", ", ".join(map(str, comparison.folds))
    yield "Seed", str(comparison.seed)
    yield "TR", f"{comparison.tr_s:g} s"
    yield "Subjects", ", ".join(comparison.subjects)
    yield "Scans", ", ".join(comparison.scans)
    yield from comparison.software.items()
