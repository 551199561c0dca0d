"""A protocol as a timeline: text for a terminal, and a picture (SVG). Pure."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from rtbold.protocol.plan import PlannedBlock, RunPlan, plan_run
from rtbold.protocol.study import Study
from rtbold.text import printable

WIDTH: Final = 60  # characters of a lane
LONGEST_LABEL: Final = 16
KEY: Final = "# feedback shown   o shown at the block's end   - none shown"
_MARKS: Final = {"continuous": "#", "block_end": "o", "none": "-"}


def all_runs(study: Study, *, attempt: int = 1) -> list[RunPlan]:
    """Return the plan of every run."""
    runs = range(1, study.n_runs + 1)
    return [plan_run(study, run, attempt=attempt) for run in runs]


def minutes(seconds: float) -> str:
    """Return ``7:21``."""
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def timeline(study: Study, plans: Sequence[RunPlan]) -> Iterator[str]:
    """Yield the lines of a drawing; a lane for each kind of block of each run."""
    whole_s = sum(plan.duration_s for plan in plans)
    runs = "1 run" if len(plans) == 1 else f"{len(plans)} runs"
    yield (
        f"{study.name}: {runs}, {minutes(whole_s)} min in all, TR {study.tr_s:g} s, "
        f"seed {study.seed}"
    )
    for plan in plans:
        yield ""
        yield run_line(plan)
        longest = max(len(lane_name(block)) for block in plan.blocks)
        for name in dict.fromkeys(lane_name(block) for block in plan.blocks):
            label = name[:LONGEST_LABEL].ljust(min(longest, LONGEST_LABEL))
            yield f"  {label} |{_lane(plan, name)}|"
    yield ""
    yield KEY


def run_line(plan: RunPlan) -> str:
    """Return a run in one line: number, kind, blocks, volumes, minutes."""
    name = f" {plan.name!r}" if plan.name else ""
    again = f", attempt {plan.attempt}" if plan.attempt > 1 else ""
    n = len(plan.blocks)
    blocks = "1 block" if n == 1 else f"{n} blocks"
    return (
        f"Run {plan.run}: {plan.run_type}{name}{again}, {blocks}, {plan.n_volumes} "
        f"volumes, {minutes(plan.duration_s)} min"
    )


def block_lines(plan: RunPlan) -> Iterator[str]:
    """Yield each block of a run: first volume, length, what it is."""
    for block in plan.blocks:
        shown = "" if block.feedback == "none" else f", feedback {block.feedback}"
        yield (
            f"  {block.number:3d}  volume {block.first_volume:5d}  "
            f"{minutes(block.first_volume * plan.tr_s):>6}  {block.n_volumes:4d} "
            f"volumes  {lane_name(block)}{shown}"
        )


def lane_name(block: PlannedBlock) -> str:
    """Return the block's name, and its direction where the name does not tell it."""
    way = block.direction or ""
    told = not way or way in block.name.casefold().split()
    return printable(block.name if told else f"{block.name} {way}")


def _lane(plan: RunPlan, name: str) -> str:
    """Return one character for each part of the run: what most of it is."""
    cells = []
    n = min(WIDTH, plan.n_volumes)
    for cell in range(n):
        block = plan.block_at((2 * cell + 1) * plan.n_volumes // (2 * n))
        here = block is not None and lane_name(block) == name
        cells.append(_MARKS[block.feedback] if block and here else " ")
    return "".join(cells)


# The same as a picture. Colours are told apart by brightness too.

_COLOURS: Final = {
    "rest": "#d9d9d9", "baseline": "#9ecae1", "regulate": "#e6550d",
    "question": "#756bb1", "break": "#f0f0f0",
}  # fmt: skip
_PX: Final = 900
_ROW_PX: Final = 56


def picture(study: Study, plans: Sequence[RunPlan]) -> str:
    """Return an SVG: one row a run, all on one scale of time."""
    longest = max(plan.n_volumes for plan in plans)
    height = 40 + _ROW_PX * len(plans)
    rows = "".join(
        _row(plan, 40 + _ROW_PX * i, longest) for i, plan in enumerate(plans)
    )
    title = escape(f"{printable(study.name)}, TR {study.tr_s:g} s, seed {study.seed}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_PX + 20} {height}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="{title}">\n'
        f'<text x="10" y="20" font-size="14" font-weight="bold">{title}</text>\n'
        f"{rows}</svg>\n"
    )


def _row(plan: RunPlan, y: int, longest: int) -> str:
    parts = [f'<text x="10" y="{y}">{escape(run_line(plan))}</text>\n']
    for block in plan.blocks:
        x = 10 + _PX * block.first_volume / longest
        width = _PX * block.n_volumes / longest
        words = escape(f"{lane_name(block)}, {block.n_volumes} volumes")
        edge = "#000" if block.feedback != "none" else "#999"
        dash = ' stroke-dasharray="3 2"' if block.feedback == "block_end" else ""
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 6}" width="{width:.1f}" height="24" '
            f'fill="{_COLOURS[block.task]}" stroke="{edge}"{dash}>'
            f"<title>{words}</title></rect>\n"
        )
    return "".join(parts)
