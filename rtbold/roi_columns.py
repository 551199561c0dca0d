"""Which of a source's ROIs are the model's, by name. Pure."""

import numpy as np

from rtbold.errors import StreamMismatch
from rtbold.messages import FloatArray, MeasuredVolume


class RoiColumns:
    """The model's ROIs that a source measures, in the model's order.

    Parameters
    ----------
    rois : of the model, in its order.
    """

    def __init__(self, rois: tuple[str, ...]) -> None:
        self._rois = rois
        self.of_model: list[int] = []
        self._of_source: list[int] = []
        self._source_rois: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The model's ROIs that are measured; empty before the first volume."""
        return tuple(self._rois[k] for k in self.of_model)

    def take(self, volume: MeasuredVolume) -> None:
        """Look at the names that came with a volume.

        Raises
        ------
        StreamMismatch : none is an ROI of the model, or the number of values is not
            that of the names.
        """
        if len(volume.values) != len(volume.rois):
            raise StreamMismatch(
                f"measured volume {volume.volume_index} has {len(volume.values)} "
                f"values for {len(volume.rois)} ROIs, expected one each."
            )
        if volume.rois == self._source_rois:
            return
        places = {plain(name): k for k, name in enumerate(volume.rois)}
        found = [k for k, roi in enumerate(self._rois) if plain(roi) in places]
        if not found:
            raise StreamMismatch(
                f"the source measures {', '.join(volume.rois[:8]) or 'no ROI'}, and "
                f"the model predicts {', '.join(self._rois[:8])}: expected "
                "names in common. Name the source's ROIs as the bundle does "
                "(rtbold models show), for bare numbers with --truth-roi."
            )
        self.of_model, self._source_rois = found, volume.rois
        self._of_source = [places[plain(roi)] for roi in self.names]

    def values(self, volume: MeasuredVolume) -> FloatArray:
        """Return what was measured of `names`, (rois,); nan: missing."""
        given = [volume.values[k] for k in self._of_source]
        return np.array([np.nan if v is None else v for v in given], dtype=np.float64)


def plain(roi: str) -> str:
    """Return an ROI's name with a plain apostrophe, whoever wrote it."""
    return roi.strip().replace("\u2019", "'")
