"""What is known of predicted and measured BOLD, while a run lasts and after it."""

from dataclasses import dataclass

from rtbold.messages import FloatArray
from rtbold.rolling_r import RollingR


@dataclass(frozen=True, slots=True, eq=False)
class TruthState:
    """What is known after one measured volume. Columns: the ROIs, then the contrast."""

    volume_index: int  # of the session
    t_volume_s: float | None
    rois: tuple[str, ...]  # those of the model that are measured, in its order
    measured: FloatArray  # (rois,), as it came; nan: missing
    filtered: FloatArray  # (rois,), causal low-pass, the scanner's unit
    predicted: FloatArray  # (rois,), for this volume, model units; nan: none
    rolling: RollingR  # (columns,)


@dataclass(frozen=True, slots=True, eq=False)
class AfterRun:
    """The score over a whole run, low-passed forwards and backwards as the target."""

    rois: tuple[str, ...]
    score: RollingR  # (columns,)
    n_volumes: int
