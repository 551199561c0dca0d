"""R of each ROI: on a glass brain, and as a table with everything that is known."""

from rtbold.calibration.report.brain import CAPTION, glass_brain
from rtbold.calibration.report.content import ReportContent
from rtbold.calibration.report.interval_mark import domain_of, interval_mark
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
from rtbold.calibration.report.words import UNKNOWN, count, number, p_value, span
from rtbold.verdict import RoiVerdict


def rois_section(content: ReportContent) -> Markup:
    """Return R of each ROI: on the brain and as a table."""
    rois = content.verdict.rois
    return section(
        "rois",
        "R of each ROI",
        _brain(content),
        _roi_table(content),
        paragraph(
            "R is out of fold over the whole scan, without cubic drift; its interval "
            "by block bootstrap. p: one-sided, the larger of the nulls, for this ROI "
            f"alone; p over ROIs: by the largest of {count(len(rois), 'ROI')}. n: "
            f"independent volumes (Bartlett). Marks: dot and line, {content.kept} with "
            f"its interval{_ring(content)}.",
            class_="note",
        ),
    )


def _brain(content: ReportContent) -> Markup:
    rois = content.verdict.rois
    unplaced = [roi.roi for roi in rois if roi.roi not in content.centres]
    if len(unplaced) == len(rois):
        return paragraph(
            "No centre is known for any of these ROIs, so they are not drawn on a "
            "brain.",
            class_="note",
        )
    with drawing():
        picture = svg(
            glass_brain(rois, content.centres, content.verdict.gate.alpha),
            "brain",
            said="R of each ROI at its centre, from three sides",
        )
    missing = f" Without a known centre: {', '.join(unplaced)}." if unplaced else ""
    return figure(picture, CAPTION.format(alpha=content.verdict.gate.alpha) + missing)


def _roi_table(content: ReportContent) -> Markup:
    rois = content.verdict.rois
    beside = {r.roi: r for r in content.beside.rois} if content.beside else {}
    domain, weights = domain_of(rois), content.verdict.gate.weights
    head = ["ROI", "", "R", "95 %", "p", "p over ROIs", "n", "R with drift"]
    head += [f"R, {content.beside_name}"] * bool(beside)
    rows = [
        _roi_row(roi, beside.get(roi.roi), domain=domain, target=roi.roi in weights)
        for roi in sorted(rois, key=lambda roi: (roi.roi not in weights, -roi.r))
    ]
    if not beside:
        rows = [(*row[:8], row[-1]) for row in rows]
    return table([*head, "label"], rows, words=(0, 1, len(head)), class_="wide rois")


def _roi_row(
    roi: RoiVerdict,
    beside: RoiVerdict | None,
    *,
    domain: tuple[float, float],
    target: bool,
) -> tuple[Piece, ...]:
    return (
        element("strong", f"{roi.roi} (target)") if target else roi.roi,
        interval_mark(roi, beside, domain),
        number(roi.r),
        span(roi.r_low, roi.r_high),
        p_value(roi.p),
        p_value(roi.p_max),
        number(roi.n_eff, 0),
        number(roi.r_with_drift),
        number(beside.r) if beside else UNKNOWN,
        roi.label,
    )


def _ring(content: ReportContent) -> str:
    if content.beside is None:
        return ""
    return f"; ring, {content.beside_name} on the same folds"
