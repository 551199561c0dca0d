"""R with its interval as a small mark in a table's cell, another model's beside it."""

from collections.abc import Sequence
from typing import Final

from rtbold.calibration.report.markup import Markup, escaped
from rtbold.verdict import RoiVerdict

WIDTH_PX: Final = 120
HEIGHT_PX: Final = 14


def domain_of(rois: Sequence[RoiVerdict]) -> tuple[float, float]:
    """Return the range of R that all marks of a table share."""
    low = min((roi.r_low for roi in rois), default=0.0)
    high = max((roi.r_high for roi in rois), default=1.0)
    return min(low, -0.1), max(high, 0.5)


def interval_mark(
    roi: RoiVerdict, beside: RoiVerdict | None, domain: tuple[float, float]
) -> Markup:
    """Return interval and dot of `roi`, a ring for `beside`, a line at 0."""

    def x(r: float) -> float:
        low, high = domain
        inside = min(max((r - low) / (high - low), 0.0), 1.0)
        return 5 + inside * (WIDTH_PX - 10)

    middle = HEIGHT_PX / 2
    said = f"R {roi.r:.2f}, 95 % {roi.r_low:.2f} to {roi.r_high:.2f}"
    parts = [
        f'<svg class="mark" role="img" aria-label="{escaped(said)}" '
        f'width="{WIDTH_PX}" height="{HEIGHT_PX}">',
        f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{HEIGHT_PX}"/>',
        f'<line class="reach" x1="{x(roi.r_low):.1f}" x2="{x(roi.r_high):.1f}" '
        f'y1="{middle}" y2="{middle}"/>',
        f'<circle class="dot" cx="{x(roi.r):.1f}" cy="{middle}" r="3.5"/>',
    ]
    if beside is not None:
        parts.append(
            f'<circle class="ring" cx="{x(beside.r):.1f}" cy="{middle}" r="3.5"/>'
        )
    return Markup("".join([*parts, "</svg>"]))
