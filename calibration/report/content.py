"""What a report says: every number of it, before any of it is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from rtbold.bundle import Intervals, Verdict
from rtbold.calibration.explain.attribution import Attribution
from rtbold.calibration.inputs.alignment import Alignment
from rtbold.calibration.inputs.eeg import ChannelFacts
from rtbold.calibration.inputs.lag import LagScan
from rtbold.calibration.result import PublishedScore, TargetScore
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray

Place = tuple[float, float, float]  # MNI, mm
NETWORK: Final = "network"
RIDGE: Final = "ridge regression"
STACK: Final = "base with ridge regression on top"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFacts:
    """Which volumes had a window of EEG."""

    n_volumes: int
    n_used: int
    why_left_out: Mapping[str, int] = field(default_factory=dict)  # reason -> volumes
    degraded: Mapping[str, int] = field(default_factory=dict)  # used all the same


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Traces:
    """Out-of-fold predictions beside what was measured, both in model units."""

    rois: tuple[str, ...]
    onsets_s: FloatArray  # (volumes,), from the first volume
    predicted: FloatArray  # (volumes, rois); nan where not scored
    measured: FloatArray  # (volumes, rois)
    fold: np.ndarray  # (volumes,), number of the test fold; -1: in none

    def __post_init__(self) -> None:
        """Refuse series that do not belong together."""
        expected = (len(self.onsets_s), len(self.rois))
        for name in ("predicted", "measured"):
            if (found := getattr(self, name).shape) != expected:
                raise DataFileError(
                    f"{name} has shape {found}, expected {expected}: one row a volume, "
                    "one column a ROI"
                )
        if len(self.fold) != len(self.onsets_s):
            raise DataFileError(
                f"fold has {len(self.fold)} entries, expected one for each of "
                f"{len(self.onsets_s)} volumes"
            )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Chance:
    """What R of the target would be by chance, and what ROIs share."""

    null_r: FloatArray  # (surrogates,), phase-randomised predictions of the target
    cross_r: FloatArray  # (rois, rois), prediction of the row with measured column


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """Error of one fit on its stopping part, which picks what is kept."""

    name: str  # "fold 1", "final"
    errors: tuple[float, ...]  # after each epoch

    @property
    def best(self) -> int:
        """Index of the epoch that was kept."""
        return int(np.argmin(self.errors))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReportContent:
    """One calibration. What is not there is said to be missing, never drawn empty."""

    subject: str
    bundle: str  # name of the model that was made
    created: str  # date and time
    simulated: bool  # EEG or BOLD come from a simulation
    simulated_lineage: bool = False  # that, or the base does
    verdict: Verdict
    alignment: Alignment
    windows: WindowFacts
    traces: Traces
    chance: Chance | None = None
    lag: LagScan | None = None
    channels: tuple[ChannelFacts, ...] = ()
    kept: str = NETWORK  # what the verdict is of
    beside: Verdict | None = None  # of the other one, on the same folds
    beside_name: str = RIDGE
    reasons: tuple[str, ...] = ()  # of the choice between them
    intervals: Intervals | None = None
    horizons: Mapping[int, TargetScore] = field(default_factory=dict)
    horizon_tr: int = 0
    learning: tuple[LearningCurve, ...] = ()
    attributions: tuple[Attribution, ...] = ()
    not_explained: str = ""  # why there are none
    published: PublishedScore | None = None
    centres: Mapping[str, tuple[Place, ...]] = field(default_factory=dict)
    # Heading -> name -> value: files and their hashes, options, seeds, versions, ...
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()  # beside those of the alignment and the lag scan
