"""The comparison as tables: what the terminal, the page and the TSV show."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rtbold.calibration.compare.effects import Estimate
from rtbold.calibration.compare.result import (
    OWN_CONTROLS,
    PLAIN,
    WITHOUT_GLOBAL,
    Comparison,
    ModelSummary,
    Scored,
)
from rtbold.calibration.compare.scores import ScanScore, Target, direction_agreement
from rtbold.calibration.report.page import UNKNOWN, number, p_value, percent, span
from rtbold.messages import FloatArray

OWN: Final = "own EEG"
TSV_COLUMNS: Final = (
    "data", "model", "kind", "eeg", "subject", "session", "scan", "fold", "roi",
    "volumes", "r", "r_gsr", "r_without_drift", "mse", "direction", "direction_gsr",
    "own_rank",
)  # fmt: skip
DIGITS: Final = 3  # of R


@dataclass(frozen=True, slots=True)
class ComparisonTable:
    """Head and rows as text; the title says it where data is simulated."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)  # columns that hold words; the others are numbers


def comparison_tables(comparison: Comparison) -> tuple[ComparisonTable, ...]:
    """Return what the terminal shows, in order; empty tables are left out."""
    every = (
        scores_table(comparison),
        nature_table(comparison),
        controls_table(comparison),
        differences_table(comparison),
    )
    return tuple(table for table in every if table.rows)


def titled(comparison: Comparison, title: str) -> str:
    """Return a title that says it where data is simulated."""
    return f"{comparison.label}: {title}" if comparison.label else title


def scores_table(comparison: Comparison) -> ComparisonTable:
    """Return how well all models predict; medians over subjects."""
    return ComparisonTable(
        titled(comparison, f"models on {sample_of(comparison)}"),
        (
            "Model",
            "R",
            "95 %",
            "R without global signal",
            "95 %",
            "Mean R",
            "MSE",
            "Direction",
            "p",
        ),
        tuple(_score_row(model) for model in comparison.models),
    )


def _score_row(model: ModelSummary) -> tuple[str, ...]:
    return (
        model.name,
        number(model.r.median, DIGITS),
        _interval(model.r.low, model.r.high, DIGITS),
        number(model.r_gsr.median, DIGITS),
        _interval(model.r_gsr.low, model.r_gsr.high, DIGITS),
        number(model.r.mean, DIGITS),
        number(model.mse.median, DIGITS),
        percent(model.direction, 1),
        p_value(model.p),
    )


def nature_table(comparison: Comparison) -> ComparisonTable:
    """Return whether a model says more than one thing, and of which region."""
    return ComparisonTable(
        titled(comparison, "what the predictions are"),
        (
            "Model",
            "Kind",
            "ROIs",
            "First component",
            "Own ROI first",
            "Own rank",
            "R of mean",
            "95 %",
        ),
        tuple(_nature_row(model) for model in comparison.models),
        words=(0, 1),
    )


def _nature_row(model: ModelSummary) -> tuple[str, ...]:
    return (
        model.name,
        model.kind,
        str(model.n_rois),
        percent(model.first_share),
        percent(model.own_first),
        number(model.own_rank, 1),
        number(model.r_of_mean.median, DIGITS),
        _interval(model.r_of_mean.low, model.r_of_mean.high, DIGITS),
    )


def controls_table(comparison: Comparison) -> ComparisonTable:
    """Return what each bundle gets when it is fed something else."""
    return ComparisonTable(
        titled(comparison, "R of each model when it is fed something else"),
        ("Model", *(w for name in OWN_CONTROLS for w in (_begun(name), "95 %"))),
        tuple(
            (model.name, *_of_controls(model)) for model in comparison.of_kind("bundle")
        ),
    )


def _interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Return both ends; one dash where there are too few subjects for an interval."""
    return UNKNOWN if low is None or high is None else span(low, high, digits)


def _begun(words: str) -> str:
    """Return words with a capital at their beginning, and as they are after it."""
    return words[:1].upper() + words[1:]


def _of_controls(model: ModelSummary) -> Iterator[str]:
    for name in OWN_CONTROLS:
        found: Estimate | None = model.controls.get(name)
        yield number(None if found is None else found.mean, DIGITS)
        low, high = (None, None) if found is None else (found.mean_low, found.mean_high)
        yield _interval(low, high, DIGITS)


def differences_table(comparison: Comparison) -> ComparisonTable:
    """Return paired differences of mean R, and their effect sizes."""
    found = {(d.a, d.b, d.of): d for d in comparison.differences}
    pairs = dict.fromkeys((d.a, d.b) for d in comparison.differences)
    rows = []
    for a, b in pairs:
        cells = [f"{a} \u2212 {b}"]
        for of in (PLAIN, WITHOUT_GLOBAL):
            each = found[a, b, of]
            cells += [
                number(each.mean, DIGITS),
                _interval(each.low, each.high, DIGITS),
                number(each.dz),
                _interval(each.dz_low, each.dz_high),
            ]
        rows.append(tuple(cells))
    columns = ("{}", "95 %", "dz", "95 %")
    return ComparisonTable(
        titled(comparison, "paired differences over subjects, mean and Cohen's dz"),
        ("Models", *(c.format(of) for of in (PLAIN, WITHOUT_GLOBAL) for c in columns)),
        tuple(rows),
    )


def rois_table(comparison: Comparison) -> ComparisonTable:
    """Return R of every ROI for the bundles and baselines, medians over subjects."""
    models = comparison.of_kind("bundle", "baseline")
    of = [{each.roi: each for each in model.rois} for model in models]
    rows = []
    for roi in comparison.rois:
        cells = [roi]
        for known in of:
            each = known.get(roi)
            cells.append(number(None if each is None else each.r))
            cells.append(number(None if each is None else each.r_gsr))
        rows.append(tuple(cells))
    head = (w for m in models for w in (m.name, f"{m.name}, without global signal"))
    return ComparisonTable(
        titled(comparison, "R of each ROI, median over subjects"),
        ("ROI", *head),
        tuple(rows),
    )


def sample_of(comparison: Comparison) -> str:
    """Return how many were scored, and by which split."""
    subjects, scans = len(comparison.subjects), len(comparison.scans)
    rois = len(comparison.common_rois)
    return (
        f"{subjects} subject{'s' * (subjects != 1)}, {scans} scan{'s' * (scans != 1)}, "
        f"{rois} ROI{'s' * (rois != 1)} ({comparison.split}, "
        f"fold {', '.join(map(str, comparison.folds))})"
    )


# The long form: one line a model, scan and ROI.


def tsv(models: Sequence[Scored]) -> str:
    """Return every score as text, tab between columns; an unknown value is empty."""
    out = io.StringIO()
    writer = csv.writer(out, dialect="excel-tab", lineterminator="\n")
    writer.writerow(TSV_COLUMNS)
    for model in models:
        for score in model.scores:
            writer.writerows(_lines(model, score))
        for name, found in model.controls.items():
            for target, r in found:
                writer.writerows(_control_lines(model, name, target=target, r=r))
    return out.getvalue()


def _lines(model: Scored, score: ScanScore) -> Iterator[list[str]]:
    target = score.predicted.target
    drift_free = score.r_without_drift
    direction, direction_gsr = (direction_agreement(r) for r in (score.r, score.r_gsr))
    for place in np.flatnonzero(np.isfinite(score.r)):
        values = (
            score.r[place],
            score.r_gsr[place],
            np.nan if drift_free is None else drift_free[place],
            score.mse[place],
            direction[place],
            direction_gsr[place],
            score.own_rank[place],
        )
        yield [
            *_keys(model, OWN, target, place=int(place)),
            str(score.n),
            *map(_number, values),
        ]


def _control_lines(
    model: Scored, name: str, *, target: Target, r: FloatArray
) -> Iterator[list[str]]:
    for place in np.flatnonzero(np.isfinite(r)):
        empty = [""] * (len(TSV_COLUMNS) - TSV_COLUMNS.index("r") - 1)
        keys = _keys(model, name, target, place=int(place))
        yield [*keys, str(len(target.volume)), _number(r[place]), *empty]


def _keys(model: Scored, eeg: str, target: Target, *, place: int) -> list[str]:
    return [
        "simulated" if target.simulated else "measured",
        model.name,
        model.kind,
        eeg,
        target.subject,
        target.session,
        target.scan,
        str(target.fold),
        target.rois[place],
    ]


def _number(value: float) -> str:
    return f"{value:.6g}" if np.isfinite(value) else ""
