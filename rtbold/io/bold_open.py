"""Open a source of measured BOLD, whichever it is."""

from collections.abc import Sequence

from rtbold.acquire.bold import BoldFeed, OpenFeed
from rtbold.acquire.bold_readers import BoldSource, open_reader
from rtbold.clock import Clock
from rtbold.io.bold_lsl import LslVolumes


def open_bold(source: BoldSource, rois: Sequence[str], clock: Clock) -> OpenFeed:
    """Return the open source; whoever opens it closes it.

    Parameters
    ----------
    rois : names for a source that sends numbers alone.
    clock : LSL's.
    """
    if source.kind == "lsl":
        return LslVolumes(source.name)
    return BoldFeed(open_reader(source, rois), clock, what=f"measured BOLD ({source})")
