"""Closed forms: models whose out-of-fold predictions follow from the targets at once.

A model that is solved, and not trained by steps, can be refitted to a surrogate of the
measurement as wholly as to the measurement itself, thousands of times. So its null
distribution need not be guessed at from that of a model that never saw the scan.
"""

from typing import Protocol

from rtbold.messages import FloatArray


class Smoother(Protocol):
    """How out-of-fold predictions come from the measured targets.

    The whole recipe runs again for every set of targets: scaling, drift, confounds and
    low-pass of each fold, components, penalties, weights.
    """

    def refit(self, measured: FloatArray) -> FloatArray:
        """Return out-of-fold predictions in model units, nan where no fold predicts.

        Parameters
        ----------
        measured : (..., volumes, rois), as the scanner gave it, on the scan's regular
            grid of volumes. All leading axes are sets of targets of their own.
        """
