"""What the prediction reads: specificity, and what the model makes use of."""

from typing import Final

from rtbold.calibration.explain_figure import draw
from rtbold.calibration.explain_text import summary as explained
from rtbold.calibration.nuisances import ARTEFACT, EVERYTHING, GLOBAL
from rtbold.calibration.report.charts import own_other_matrix
from rtbold.calibration.report.content import Chance, ReportContent
from rtbold.calibration.report.markup import (
    Markup,
    Piece,
    element,
    figure,
    listed,
    paragraph,
    section,
    table,
    together,
)
from rtbold.calibration.report.theme import drawing, svg
from rtbold.calibration.report.words import number, p_value
from rtbold.verdict import Specificity, Verdict

WITHOUT: Final = {
    ARTEFACT: "artefacts",
    GLOBAL: "global signal, vigilance and slow time",
    EVERYTHING: "all of these at once",
}


def specificity_section(content: ReportContent) -> Markup:
    """Return whether the prediction reads its region, or artefact and arousal."""
    verdict, found = content.verdict, content.verdict.specificity
    return section(
        "specificity",
        "Brain, or artefact and arousal?",
        _partials(verdict),
        _controls(found),
        _matrix(content.chance, verdict),
    )


def explained_section(content: ReportContent) -> Markup:
    """Return which channels, times and bands the predictions rest on."""
    title = "What the model uses"
    if not content.attributions:
        why = content.not_explained or "It was not looked at."
        return section("uses", title, paragraph(why, class_="note"))
    with drawing():
        picture = svg(
            draw(content.attributions, title="What predictions rest on"),
            "uses",
            said="Share of channels, times and bands in the predictions",
            papered=True,
        )
    told = [element("pre", explained(found)) for found in content.attributions]
    return section(
        "uses",
        title,
        figure(
            picture,
            "By which channels, seconds before the volume and bands the predictions of "
            "some windows of this scan differ from each other.",
        ),
        *told,
    )


def _partials(verdict: Verdict) -> Markup:
    found, gate = verdict.specificity, verdict.gate
    unknown = listed(found.not_known)
    if not found.partial_r:
        return paragraph(
            "Nothing was controlled for, so nothing can be called specific."
        )
    rows: list[tuple[Piece, ...]] = [("nothing", number(gate.r), p_value(gate.p))]
    rows += [
        (
            WITHOUT.get(name, name),
            number(r),
            p_value(found.partial_p.get(name)),
        )
        for name, r in found.partial_r.items()
    ]
    parts = [
        paragraph(
            f"R of {gate.target} once these are taken out of prediction and "
            "measurement. Specific asks that at least half of R is left, and that it "
            "passes by itself."
        ),
        table(("Taken out", "R", "p"), rows),
    ]
    if found.not_known:
        parts += [paragraph("Not known, so not taken out:"), unknown]
    return together(parts)


def _controls(found: Specificity) -> Markup:
    if not found.controls:
        return paragraph("No control was run.", class_="note")
    rows: list[tuple[Piece, ...]] = [
        (name, number(r)) for name, r in found.controls.items()
    ]
    return together(
        [
            paragraph(
                "Controls that must not explain the measurement: ridge on the same "
                "folds, from each of these alone."
            ),
            table(("Predicted from", "R"), rows),
        ]
    )


def _matrix(chance: Chance | None, verdict: Verdict) -> Markup:
    found = verdict.specificity
    if found.n_rois < 2 or chance is None:
        why = (
            "There is one ROI, so there is no other to compare it with."
            if found.n_rois < 2
            else "The ROIs were not compared with each other."
        )
        return paragraph(why, class_="note")
    with drawing():
        picture = svg(
            own_other_matrix([roi.roi for roi in verdict.rois], chance.cross_r),
            "matrix",
            said="R of each prediction with each measured ROI",
        )
    told = "Each prediction (rows) with each measured ROI (columns)."
    if found.rank is not None:
        told += (
            f" The prediction of {verdict.gate.target} fits its own ROI as number "
            f"{found.rank} of {found.n_rois} (1: best)."
        )
    return figure(picture, told)
