"""The page as a whole, from its templates. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from markupsafe import Markup

from rtbold.bundle import RoiVerdict
from rtbold.calibration.evaluate.confounds import ARTEFACT, EVERYTHING, GLOBAL
from rtbold.calibration.explain.figure import shares_summary
from rtbold.calibration.report.advice import (
    HEADINGS,
    TERMS,
    empty_sections,
    next_steps,
)
from rtbold.calibration.report.content import RIDGE, ReportContent
from rtbold.calibration.report.derived import (
    TargetSeries,
    length_s,
    level_facts,
    target_series,
    warnings_of,
)
from rtbold.calibration.report.pictures import pictures_of
from rtbold.calibration.result import learnable_lines, level_lines
from rtbold.pages import rendered

UNKNOWN: Final = "\N{EN DASH}"
MINUS: Final = "\N{MINUS SIGN}"
MARK_PX: Final = (5.0, 115.0)  # where the range of R begins and ends in a mark
WITHOUT: Final = {
    ARTEFACT: "artefacts",
    GLOBAL: "global signal, vigilance and slow time",
    EVERYTHING: "all of these at once",
}


def report_html(content: ReportContent) -> str:
    """Return the whole page."""
    target = target_series(content)
    return filled_in(content, target, pictures_of(content, target))


def filled_in(
    content: ReportContent, target: TargetSeries, pictures: Mapping[str, Markup]
) -> str:
    """Return the page with these pictures in it.

    Parameters
    ----------
    pictures : name -> SVG, all that the content has something to draw for.
    """
    verdict = content.verdict
    gate, rois, beside = verdict.gate, verdict.rois, content.beside
    return rendered(
        "rtbold.calibration.report",
        "report.html.j2",
        content=content,
        verdict=verdict,
        gate=gate,
        target=target,
        pictures=pictures,
        headings=HEADINGS,
        terms=TERMS,
        empty=empty_sections(content, pictures),
        steps=list(next_steps(content)),
        warnings=list(warnings_of(content)),
        levels=level_facts(content),
        learned=[_sentence(line) for line in learnable_lines(verdict)],
        levels_said=[_sentence(line) for line in level_lines(gate)],
        scan_min=length_s(content.alignment) / 60,
        rois=sorted(rois, key=lambda roi: (roi.roi not in gate.weights, -roi.r)),
        beside={roi.roi: roi for roi in beside.rois} if beside else {},
        place_px=_scale(rois),
        explained=[shares_summary(found) for found in content.attributions],
        without=WITHOUT,
        RIDGE=RIDGE,
        number=number,
        p_value=p_value,
        span=span,
        percent=percent,
        count=count,
        is_finite=math.isfinite,
    )


def _sentence(line: str) -> str:
    return f"{line[:1].upper()}{line[1:]}."


def _scale(rois: Sequence[RoiVerdict]) -> Callable[[float], float]:
    """Return R -> place in a mark, px; all marks of a table share it."""
    low = min([-0.1, *(roi.r_low for roi in rois)])
    high = max([0.5, *(roi.r_high for roi in rois)])
    first_px, last_px = MARK_PX

    def place_px(r: float) -> float:
        inside = min(max((r - low) / (high - low), 0.0), 1.0)
        return first_px + inside * (last_px - first_px)

    return place_px


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with so many digits behind the point; a dash where none is."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")  # no negative zero
    return text.replace("-", MINUS)


def p_value(p: float | None) -> str:
    """Return p with three digits behind the point, never as zero."""
    if p is None or not math.isfinite(p):
        return UNKNOWN
    return f"{p:.3f}" if p >= 0.00095 else f"{p:.1g}"


def span(low: float | None, high: float | None, digits: int = 2) -> str:
    """Return both ends of an interval."""
    return f"{number(low, digits)} to {number(high, digits)}"


def percent(share: float | None, digits: int = 0) -> str:
    """Return a share, 0 to 1, in percent."""
    return UNKNOWN if share is None else f"{number(100 * share, digits)} %"


def count(n: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
