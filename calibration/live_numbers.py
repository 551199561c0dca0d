"""Whether a recorded scan's measured volumes are those of its triggers. Pure.

A recording that is started after the scan's first triggers counts from the first that
it heard, and everything would be learnt from the wrong EEG.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtbold.calibration.live.protocol import VolumeCount
from rtbold.errors import RtboldError
from rtbold.messages import MeasuredVolume
from rtbold.volume_number import Misnumbered, misnumbered

MOST_WRONG = 0.5  # of the measured volumes; more, and the scan is not fitted


class LiveNumbers:
    """The measured volumes of a scan, held against its triggers.

    Parameters
    ----------
    first : number that the source gives to the first volume after the dummies.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._volumes: list[MeasuredVolume] = []
        self._told = False

    def tell(
        self, volume: MeasuredVolume, count: VolumeCount, say: Callable[[str], None]
    ) -> None:
        """Take one measured volume; say once that its number is wrong."""
        found = self.take(volume, count)
        if found is None or self._told or count.tr_s is None:
            return
        self._told = True
        text = said(found, count.tr_s)
        say(f"NUMBERS: {text}. Stop with Ctrl-C, and begin before the scan.")

    def require(self, count: VolumeCount, folder: Path) -> None:
        """Refuse a scan whose volumes are not those of its triggers.

        Raises
        ------
        RtboldError : most volumes have another number than their triggers.
        """
        wrong = self.wrong(count)
        if count.tr_s is None or len(wrong) <= MOST_WRONG * len(self._volumes):
            return
        raise RtboldError(
            f"{len(wrong)} of {len(self._volumes)} measured volumes are not those of "
            f"their number: {said(wrong[-1], count.tr_s)}. Nothing was fitted. The "
            f"files are in {folder}: calibrate on them with --eeg and --bold, and "
            "leave the rows without a trigger out with --drop-volumes."
        )

    def take(self, volume: MeasuredVolume, count: VolumeCount) -> Misnumbered | None:
        """Take one measured volume; return what is wrong with its number."""
        self._volumes.append(replace(volume, rois=(), values=()))
        return self._look(volume, count)

    def wrong(self, count: VolumeCount) -> list[Misnumbered]:
        """Return all that are wrong, by all triggers."""
        found = [self._look(volume, count) for volume in self._volumes]
        return [each for each in found if each is not None]

    def _look(self, volume: MeasuredVolume, count: VolumeCount) -> Misnumbered | None:
        begun_s, tr_s = count.begun_s, count.tr_s
        if begun_s is None or tr_s is None:
            return None
        index = volume.volume_index - self._first
        return misnumbered(volume, begun_s + index * tr_s, tr_s)


def said(found: Misnumbered, tr_s: float) -> str:
    """Return what is wrong, in words."""
    n = max(1, round(-found.off_s / tr_s))
    return (
        f"{found.in_words()}: the recording seems to have missed the scan's first "
        f"triggers (about {n}), or the source counts from another number "
        "(--bold-first)"
    )
