"""The 16 s before a TR, cut from the newest conditioned samples."""

from dataclasses import dataclass

from rtbold.condition import Block, Segment
from rtbold.messages import WINDOW_S, WINDOW_SAMPLES, Float32Array
from rtbold.window.ring import Ring

RING_SAMPLES = 5600  # a window, and 12 s for late triggers to ask for it


@dataclass(frozen=True, slots=True, eq=False)
class CutWindow:
    """The conditioned samples of one window, and what happened to them."""

    data_uv: Float32Array | None  # (stream EEG, 3200), a view: read it before the next
    # block; None: not all samples are there, still or already
    source_first: int  # source index of the first and one past the last sample whose
    source_end: int  # time lies in the window
    first_200hz: int  # of the first; negative: it begins before the filters started
    bridged_share: float
    stepped: bool  # the stamps stepped
    t_needed_s: float  # time of the last sample needed, on the stream's clock
    t_needed_arrived_s: float | None

    @property
    def before_start(self) -> bool:
        """Whether it begins before the filters started."""
        return self.first_200hz < 0

    @property
    def whole(self) -> bool:
        """Whether all of its samples are there."""
        return self.data_uv is not None


class Window:
    """The newest conditioned samples of one stream with their times, ready to be cut.

    Parameters
    ----------
    n_channels : EEG channels of the stream that are used.
    """

    def __init__(self, n_channels: int) -> None:
        self._ring = Ring(n_channels, RING_SAMPLES)
        self._segment: Segment | None = None

    @property
    def segment(self) -> Segment | None:
        """What the newest samples are of; another one: the filters started anew."""
        return self._segment

    @property
    def newest_s(self) -> float | None:
        """Time of the newest source sample, on the stream's clock; None: none yet."""
        return self._segment.newest_s if self._segment else None

    @property
    def end_200hz(self) -> int:
        """Index after the newest conditioned sample; 0 when the filters start."""
        return self._ring.end

    def append(self, block: Block) -> None:
        """Take the next block; one of another segment forgets what was before it."""
        self._ring.write(block.data_uv, block.index_200hz)
        self._segment = block.segment

    def latest(self, n: int) -> Float32Array:
        """Return the newest conditioned samples, (stream EEG, n).

        A view: read it before the next block.
        """
        return self._ring.latest(n)

    def time_of(self, index_200hz: int) -> float:
        """Return the time of a conditioned sample, on the stream's clock.

        Call it once `newest_s` is known.
        """
        assert self._segment is not None
        return self._segment.time_of_200hz(index_200hz)

    def cut(self, t_end_s: float) -> CutWindow | None:
        """Return the window before `t_end_s`; None: its last samples are not in yet.

        Parameters
        ----------
        t_end_s : on the stream's clock. The window has the 3200 samples before it.
        """
        segment = self._segment
        if segment is None or not segment.timed:
            return None
        source_end = segment.first_at(t_end_s)
        end = segment.end_200hz(source_end)
        if end > self._ring.end:
            return None
        first = end - WINDOW_SAMPLES
        source_first = segment.first_at(t_end_s - WINDOW_S)
        if first >= 0:  # a full window can begin less than a grid step before sample 0
            source_first = max(source_first, segment.source_first)
        n = source_end - source_first
        bridged_n = segment.n_bridged(source_first, source_end)
        needed = segment.needed(max(end - 1, 0))
        whole = first >= self._ring.begin
        return CutWindow(
            data_uv=self._ring.latest(WINDOW_SAMPLES, end) if whole else None,
            source_first=source_first,
            source_end=source_end,
            first_200hz=first,
            bridged_share=bridged_n / n if n else 0.0,
            stepped=segment.stepped(source_first, source_end),
            t_needed_s=segment.time_of(needed),
            t_needed_arrived_s=segment.arrival_of(needed),
        )
