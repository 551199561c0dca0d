"""What the user says of a scan's files: markers, pairing, windows. Nothing is read.

Imports nothing slow, so that a wrong option is refused at once.
"""

from dataclasses import dataclass, field
from pathlib import Path

from rtbold.config import check_tr
from rtbold.errors import ConfigError


@dataclass(frozen=True, slots=True)
class MarkerChoice:
    """What the user said of the volume marker."""

    label: str | None = None
    stream: str | None = None
    every: int = 1  # markers a volume: slice triggers


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """What the user says of EEG and BOLD; the defaults: both hold the same volumes."""

    tr_s: float | None = None  # None: the BOLD's header, else the triggers' interval
    marker: MarkerChoice = field(default_factory=MarkerChoice)
    run: int | None = None  # from 1; of several trains of triggers in one EEG file
    dummy_volumes: int = 0  # first triggers of the run: no row belongs to them
    spare_triggers: int = 0  # last triggers of the run: no row belongs to them
    drop_volumes: int = 0  # first rows of BOLD: left out
    drop_last_volumes: int = 0  # last rows of BOLD: left out
    # Rows say which volume they are, and this number is the first after the dummies;
    # None: rows are counted.
    numbered_from: int | None = None

    def __post_init__(self) -> None:
        """Refuse counts below zero, and a TR in milliseconds."""
        check_tr("--tr", self.tr_s)
        for option in ("dummy_volumes", "spare_triggers", "drop_volumes",
                       "drop_last_volumes"):  # fmt: skip
            if (n := getattr(self, option)) < 0:
                raise ConfigError(
                    f"--{option.replace('_', '-')} is {n}, expected 0 or more."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings:
    """What may be done to the EEG on the way to windows; as in a session."""

    reference: str | None = None  # overrides what the file says
    interpolate_missing: bool = False
    upstream_delay_s: float = 0.0  # of the cleaning software
    store: Path | None = None  # .npy that holds the windows; None: memory
