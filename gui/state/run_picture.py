"""A whole session as one picture: what is drawn where. Pure; nothing here draws."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtbold.gui.state.history import VolumeHistory
from rtbold.gui.state.roi_traces import RoiTrace, target_trace
from rtbold.gui.state.story import Block, Gap, Mark, Story
from rtbold.gui.state.words import run_kind_words
from rtbold.messages import FloatArray

EVERY: Final = (-math.inf, math.inf)
WAIT_S: Final = 0.5  # before the first volume and after the last


@dataclass(frozen=True, slots=True, eq=False)
class StatusSpan:
    """Predictions of one status in a row."""

    t_from_s: float
    t_to_s: float
    status: str


@dataclass(frozen=True, slots=True, eq=False)
class RunPicture:
    """What is drawn; times are the publisher's clock.

    Parameters
    ----------
    t_from_s, t_to_s : ends of the axis.
    trace : of the target, with its intervals and what was measured.
    statuses : in order; holes where no prediction came.
    """

    t_from_s: float
    t_to_s: float
    target: str
    trace: RoiTrace
    statuses: tuple[StatusSpan, ...]
    marks: tuple[Mark, ...]
    blocks: tuple[Block, ...]
    gaps: tuple[Gap, ...]

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest value of the axis, model units."""
        low, high = self.trace.limits() or (-1.0, 1.0)
        margin = 0.08 * ((high - low) or 1.0)
        return low - margin, high + margin

    def share(self, t_s: float) -> float:
        """Return where a time lies, 0 to 1."""
        whole_s = self.t_to_s - self.t_from_s
        return min(1.0, max(0.0, (t_s - self.t_from_s) / whole_s))


def run_picture(
    history: VolumeHistory, story: Story, *, target: str, tr_s: float
) -> RunPicture | None:
    """Return the picture; None where no volume was predicted yet."""
    view = history.view()
    begun_s = view.t_trigger[np.isfinite(view.t_trigger)]
    if not len(begun_s):
        return None
    column = history.rois.index(target) if target in history.rois else None
    ends = [*begun_s, *(gap.t_to_s for gap in story.gaps)]
    ends += [mark.t_s for mark in story.marks]
    first = float(min(ends)) if story.begun_s is None else story.begun_s
    return RunPicture(
        t_from_s=min(first, float(min(ends))) - WAIT_S,
        t_to_s=float(max(ends)) + tr_s + WAIT_S,
        target=target,
        trace=target_trace(view, column, EVERY),
        statuses=_spans(view.t_trigger, view.target_status, tr_s),
        marks=story.marks,
        blocks=story.blocks,
        gaps=story.gaps,
    )


def _spans(
    t_s: FloatArray, status: NDArray[np.str_], tr_s: float
) -> tuple[StatusSpan, ...]:
    """Join volumes of one status that follow one another."""
    spans: list[StatusSpan] = []
    for at_s, word in zip(t_s.tolist(), status.tolist(), strict=True):
        if not word or not math.isfinite(at_s):
            continue
        newest = spans[-1] if spans else None
        if (
            newest is not None
            and newest.status == word
            and at_s - newest.t_to_s < 0.5 * tr_s
        ):
            spans[-1] = StatusSpan(newest.t_from_s, at_s + tr_s, word)
        else:
            spans.append(StatusSpan(at_s, at_s + tr_s, word))
    return tuple(spans)


def block_words(block: Block) -> str:
    """Return the name of a block, or the kind of a run without blocks."""
    if block.block:
        return block.name
    return f"run {block.run:02d} {run_kind_words(block.run_type)}"


def spoken(picture: RunPicture | None) -> str:
    """Return the picture in one line, for screen readers."""
    if picture is None:
        return "no volume was predicted yet"
    seconds: dict[str, float] = {}
    for span in picture.statuses:
        lasted_s = span.t_to_s - span.t_from_s
        seconds[span.status] = seconds.get(span.status, 0.0) + lasted_s
    parts = [f"{status} {lasted_s:.0f} s" for status, lasted_s in seconds.items()]
    parts += [f"{len(picture.gaps)} gaps", f"{len(picture.marks)} marks and notes"]
    return f"{picture.target}: {', '.join(parts)}"
