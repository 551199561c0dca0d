"""Whether a measured volume is the one whose trigger has its number. Pure.

The session counts the triggers that it heard; the source of measured BOLD counts on its
own. A session that came late, or a missed trigger, makes two counts of the same scan,
and a pair of two different volumes looks like any other pair.
"""

from dataclasses import dataclass
from typing import Final

from rtbold.messages import MeasuredVolume

ANOTHER_TR: Final = 0.5  # an onset further than this from the trigger is another volume
BEFORE_TR: Final = 0.25  # so long before its trigger nothing of a volume can come
AHEAD_MOST: Final = 1  # volumes before its trigger, which may be on its way
SOON_TR: Final = 0.5  # a measurement sooner after its trigger is hardly of that volume


@dataclass(frozen=True, slots=True)
class Misnumbered:
    """A measured volume that began at another time than the trigger of its number."""

    source_index: int  # the source's own number
    off_s: float  # onset less the trigger; arrival, where no onset is told
    by_onset: bool

    def in_words(self) -> str:
        """Return what came and what was expected."""
        what = "began" if self.by_onset else "arrived"
        expected = "the same moment" if self.by_onset else "a TR later or more"
        return (
            f"measured volume {self.source_index} {what} {self.off_s:+.2f} s from the "
            f"trigger of that number, expected {expected}"
        )


def onset_s(volume: MeasuredVolume, tr_s: float) -> float | None:
    """Return the volume's onset if the source tells it.

    A stamp of less than half a TR before the arrival is when it was sent, as a sender
    gives it who says nothing else: a volume takes a TR to be scanned.
    """
    t_s = volume.t_volume_s
    return None if t_s is None or volume.t_arrived_s - t_s < SOON_TR * tr_s else t_s


def misnumbered(
    volume: MeasuredVolume, trigger_s: float, tr_s: float
) -> Misnumbered | None:
    """Return what is wrong with a volume's number; None: nothing that can be seen.

    Parameters
    ----------
    trigger_s : of that number, on this machine's LSL clock.
    tr_s : of the volumes.
    """
    told_s = onset_s(volume, tr_s)
    if told_s is not None:
        off_s = told_s - trigger_s
        wrong = abs(off_s) > ANOTHER_TR * tr_s
        return Misnumbered(volume.volume_index, off_s, True) if wrong else None
    off_s = volume.t_arrived_s - trigger_s
    wrong = off_s < -BEFORE_TR * tr_s
    return Misnumbered(volume.volume_index, off_s, False) if wrong else None


def came_soon(volume: MeasuredVolume, trigger_s: float, tr_s: float) -> bool:
    """Whether a volume came sooner after its trigger than a scanner measures one."""
    return volume.t_arrived_s - trigger_s < SOON_TR * tr_s
