"""What a calibration is told: frozen, checked before any file is read. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, get_args

from rtbold.bundle import Cleaning
from rtbold.calibration.inputs.choices import Pairing, WindowSettings
from rtbold.config import SCANNERS, check_range
from rtbold.errors import ConfigError
from rtbold.run_names import check_label

if TYPE_CHECKING:
    from rtbold.calibration.declaration import DeclaredTarget

NOTHING: Final = "nothing"
AUTO: Final = "auto"
CONTRAST: Final = "contrast"
OTHERS: Final = "others"  # in a contrast: every ROI that it does not name, alike

StrategyOption = Literal["head", "last", "adapters", "all", "ridge"]
STRATEGIES: Final[tuple[str, ...]] = get_args(StrategyOption)
SIZES: Final = ("small", "base")
MAX_HORIZON: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFiles:
    """The files of one scan, and how they are read."""

    eeg: Path
    bold: str  # a path; of MAT and XDF with ":NAME" of a part
    rois: tuple[str, ...] = ()  # empty: all columns that are no confound
    atlas: Path | None = None
    confounds: tuple[Path, ...] = ()  # files; what they say is regressed out
    confound_columns: tuple[str, ...] = ()  # NAME or NAME=KIND; empty: all that fit
    physio_start_s: float | None = None  # from a log's first sample to the first row
    stream: str | None = None  # EEG stream of an XDF
    unit: str | None = None
    trigger_channel: str | None = None
    pairing: Pairing = field(default_factory=Pairing)
    windows: WindowSettings = field(default_factory=WindowSettings)
    other_eeg: tuple[Path, ...] = ()  # other subjects', as a control
    events: Path | None = None  # a table of the task's blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationSettings:
    """Everything that ``rtbold calibrate`` can be told."""

    subject: str
    scan: ScanFiles
    cleaning: Cleaning
    root: Path
    base: str = NOTHING  # a bundle's path or name, or "nothing"
    size: str = "small"  # of the network that starts from nothing
    channels: tuple[str, ...] = ()  # empty: the base's, else all known electrodes
    target: str | None = None  # a ROI, or the contrast's name; None: the first ROI
    contrast: Mapping[str, float] = field(default_factory=dict)
    strategy: str = "head"  # a `StrategyOption`
    n_folds: int = 5
    horizon: int | None = 0  # volumes ahead; None: auto
    slices_per_tr: int | None = None  # groups of a multiband sequence
    scanner: str = "inside_running"  # a `ScannerName`
    seed: int = 0
    n_threads: int | None = None  # None: as torch chooses
    declared: "DeclaredTarget | None" = None  # before the scan

    def __post_init__(self) -> None:
        """Refuse what is wrong by itself or contradicts something else."""
        check_label("subject", self.subject)
        for option, value, choices in (
            ("--strategy", self.strategy, STRATEGIES),
            ("--scanner", self.scanner, SCANNERS),
            ("--size", self.size, SIZES),
        ):
            if value not in choices:
                raise ConfigError(
                    f"{option} is {value!r}, expected one of {', '.join(choices)}."
                )
        check_range("--folds", self.n_folds, 5, 20)
        check_range("--horizon", self.horizon, 0, MAX_HORIZON)
        check_range("--threads", self.n_threads, 1, 256)
        if self.contrast and not any(self.contrast.values()):
            raise ConfigError(
                "every weight of --contrast is 0, expected one that is not."
            )

    @property
    def split(self) -> str:
        """The split of the verdict; the published one's R is always told beside it."""
        return "strict"

    @property
    def target_name(self) -> str | None:
        """What is fed back; None: the first ROI."""
        return (self.target or CONTRAST) if self.contrast else self.target


def parse_contrast(words: Sequence[str]) -> dict[str, float]:
    """Return ROI -> weight from ``ROI=WEIGHT`` words.

    Raises
    ------
    ConfigError : a word is no such pair, or a ROI comes twice.
    """
    found: dict[str, float] = {}
    for word in words:
        roi, equals, weight = word.rpartition("=")
        try:
            value = float(weight)
        except ValueError:
            value = float("nan")
        if not (equals and roi.strip() and abs(value) < float("inf")):
            raise ConfigError(
                f"--contrast is {word!r}, expected ROI=WEIGHT such as Putamen=1; give "
                "it once for each ROI."
            )
        if roi.strip() in found:
            raise ConfigError(
                f"--contrast names {roi.strip()!r} twice, expected each ROI once."
            )
        found[roi.strip()] = value
    return found


def whole_contrast(
    weights: Mapping[str, float], rois: Sequence[str]
) -> dict[str, float]:
    """Return a contrast with `others` shared among all ROIs that it does not name."""
    found = dict(weights)
    if OTHERS not in found or not set(rois) - set(found) or OTHERS in rois:
        return found
    share = found.pop(OTHERS)
    rest = [roi for roi in rois if roi not in found]
    return found | {roi: share / len(rest) for roi in rest}


def parse_horizon(text: str) -> int | None:
    """Return the number of volumes; None for ``auto``.

    Raises
    ------
    ConfigError : neither a number from 0 to 3 nor auto.
    """
    if text == AUTO:
        return None
    if text.isdecimal() and int(text) <= MAX_HORIZON:
        return int(text)
    raise ConfigError(
        f"--horizon is {text!r}, expected 0 to {MAX_HORIZON} volumes ahead, or auto."
    )
