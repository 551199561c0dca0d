"""The report's charts as SVG inside of the page; colours are the page's own. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from markupsafe import Markup, escape

from rtbold.report.blocks import FedBack, RunSummary
from rtbold.report.effects import Effect

WIDTH: Final = 860.0
TRACE_PX: Final = 170.0
LEFT_PX: Final = 46.0
TOP_PX: Final = 16.0
BOTTOM_PX: Final = 20.0
LONGEST_LINE: Final = 4000  # points of a trace


class _Axis:
    """From a value to a pixel; equal ends are moved apart."""

    def __init__(
        self, low: float, high: float, first_px: float, last_px: float
    ) -> None:
        if not high > low:
            low, high = low - 1.0, high + 1.0
        self.low, self.high = low, high
        self._first_px = first_px
        self._scale = (last_px - first_px) / (high - low)

    def __call__(self, value: float) -> float:
        return round(self._first_px + (value - self.low) * self._scale, 2)


def trace(rows: Sequence[FedBack], unit: str) -> Markup | None:
    """Return the fed back value over time, with the blocks behind it.

    Volumes without a usable value are marked at the foot. None: nothing to draw.
    """
    shown = [(row, v) for row in rows if (v := _value(row, unit)) is not None]
    if not shown or len(rows) > LONGEST_LINE:
        return None
    first_s, last_s = rows[0].t_s, rows[-1].t_s
    x = _Axis(0.0, last_s - first_s, LEFT_PX, WIDTH - 6)
    values = [value for _, value in shown]
    y = _Axis(min(values), max(values), TRACE_PX - BOTTOM_PX, TOP_PX)
    parts = [
        *_bands(rows, x, first_s),
        *_scale(y, unit),
        *_line(rows, x, y, unit),
        *(
            f'<path class="void" d="M{x(r.t_s - first_s)} {TRACE_PX - 14} v6"/>'
            for r in rows
            if not r.usable
        ),
        f'<text x="{LEFT_PX}" y="{TRACE_PX - 1}" class="tick">0 s</text>',
        f'<text x="{WIDTH - 6}" y="{TRACE_PX - 1}" class="tick" text-anchor="end">'
        f"{last_s - first_s:.0f} s</text>",
    ]
    return _svg(TRACE_PX, "".join(parts), f"Fed back value over time, {unit}")


def _value(row: FedBack, unit: str) -> float | None:
    if not row.usable:
        return None
    return row.z if unit == "z" else row.value


def _bands(rows: Sequence[FedBack], x: _Axis, first_s: float) -> Iterator[str]:
    begun: FedBack | None = None
    for row, after in zip(rows, [*rows[1:], None], strict=True):
        if row.block is None:
            continue
        if begun is None or begun.block is None:
            begun = row
        ends = after is None or after.block is None
        if ends or (after and after.block and after.block.block != row.block.block):
            left, right = x(begun.t_s - first_s), x((after or row).t_s - first_s)
            task, way = row.block.task, row.block.direction or ""
            yield (
                f'<rect class="band {task} {way}" x="{left}" y="{TOP_PX}" '
                f'width="{max(right - left, 0.5):.2f}" '
                f'height="{TRACE_PX - TOP_PX - BOTTOM_PX}"/>'
                f'<text class="tick" x="{left + 2}" y="{TOP_PX - 4}">'
                f"{escape(row.block.name)}</text>"
            )
            begun = None


def _line(rows: Sequence[FedBack], x: _Axis, y: _Axis, unit: str) -> Iterator[str]:
    """Yield the line; it is broken where there is no value."""
    path, pen = [], "M"
    for row in rows:
        value = _value(row, unit)
        if value is None:
            pen = "M"
            continue
        path.append(f"{pen}{x(row.t_s - rows[0].t_s)} {y(value)}")
        pen = "L"
    yield f'<path class="line" d="{" ".join(path)}"/>'


def _scale(y: _Axis, unit: str) -> Iterator[str]:
    yield (
        f'<text x="{LEFT_PX - 4}" y="{TOP_PX + 4}" class="tick" text-anchor="end">'
        f"{y.high:.2g}</text>"
        f'<text x="{LEFT_PX - 4}" y="{TRACE_PX - BOTTOM_PX}" class="tick" '
        f'text-anchor="end">{y.low:.2g}</text>'
    )
    if y.low < 0 < y.high:
        yield (
            f'<path class="zero" d="M{LEFT_PX} {y(0)} H{WIDTH - 6}"/>'
            f'<text x="{LEFT_PX - 4}" y="{y(0) + 4}" class="tick" text-anchor="end">'
            "0</text>"
        )


def effects_chart(
    effects: Sequence[tuple[RunSummary, Effect]], unit: str
) -> Markup | None:
    """Return the effect of each run with its interval, in their order."""
    if not effects:
        return None
    ends = [v for _, e in effects for v in (e.mean, e.low, e.high) if v is not None]
    x = _Axis(min(*ends, 0.0), max(*ends, 0.0), 260.0, WIDTH - 60)
    height = 26.0 * len(effects) + 24
    parts = [f'<path class="zero" d="M{x(0)} 4 V{height - 18}"/>']
    for k, (run, each) in enumerate(effects):
        middle = 18 + 26.0 * k
        parts.append(
            f'<text x="0" y="{middle + 4}">{escape(run.title)}</text>'
            + (
                f'<path class="reach" d="M{x(each.low)} {middle} H{x(each.high)}"/>'
                if each.low is not None and each.high is not None
                else ""
            )
            + f'<circle class="dot" cx="{x(each.mean)}" cy="{middle}" r="4"/>'
            f'<text x="{WIDTH - 50}" y="{middle + 4}">{each.mean:+.2f}</text>'
        )
    parts.append(
        f'<text x="{x(0)}" y="{height - 4}" class="tick" text-anchor="middle">'
        f"0 {escape(unit)}</text>"
    )
    return _svg(height, "".join(parts), f"Regulation against rest by run, {unit}")


def _svg(height: float, inside: str, said: str) -> Markup:
    return Markup(  # numbers, and texts that were escaped above
        f'<svg class="drawn" role="img" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'aria-label="{escape(said)}">{inside}</svg>'
    )
