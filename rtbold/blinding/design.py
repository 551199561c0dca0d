"""What a study compares: its arms, and what each of them needs. Public. Pure."""

import math
from typing import Literal, get_args

import msgspec

from rtbold.errors import ConfigError

ArmName = Literal["real", "yoked", "delayed", "inverse", "other_roi"]
ARMS: tuple[ArmName, ...] = get_args(ArmName)
# The target's autocorrelation must be over; for BOLD that is a minute.
SHORTEST_DELAY_S, LONGEST_DELAY_S = 60.0, 600.0
DEFAULT_DELAY_S = 64.0
LONGEST_NAME = 100
LARGEST_WEIGHT = 20


class Design(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arms of a study; everybody may read it.

    Raises
    ------
    ConfigError : it contradicts itself.
    """

    study: str
    arms: tuple[ArmName, ...]
    weights: tuple[int, ...]  # subjects per block and arm
    delay_s: float = DEFAULT_DELAY_S  # of the arm `delayed`
    other_roi: str | None = None  # of the arm `other_roi`
    protocol_sha256: str | None = None  # None: a session without a protocol

    def __post_init__(self) -> None:
        """Refuse what cannot be a study."""
        if not self.study.strip() or len(self.study) > LONGEST_NAME:
            raise ConfigError(
                f"the study is called {self.study[:LONGEST_NAME]!r}, expected a name "
                f"of 1 to {LONGEST_NAME} characters."
            )
        if len(self.arms) < 2 or len(set(self.arms)) < len(self.arms):
            raise ConfigError(
                f"the arms are {', '.join(self.arms) or 'none'}; expected at least two "
                f"different ones of {', '.join(ARMS)}."
            )
        if len(self.weights) != len(self.arms) or not all(
            1 <= weight <= LARGEST_WEIGHT for weight in self.weights
        ):
            raise ConfigError(
                f"the weights are {self.weights}, expected one of 1 to "
                f"{LARGEST_WEIGHT} for each of {', '.join(self.arms)}."
            )
        self._check_ingredients()

    def _check_ingredients(self) -> None:
        if not SHORTEST_DELAY_S < self.delay_s <= LONGEST_DELAY_S:
            raise ConfigError(
                f"the delay is {self.delay_s!r} s, expected above "
                f"{SHORTEST_DELAY_S:g}, where BOLD no longer resembles itself, and at "
                f"most {LONGEST_DELAY_S:g}."
            )
        if ("other_roi" in self.arms) is not bool(self.other_roi):
            raise ConfigError(
                "the arm other_roi and the name of that ROI belong together: arms are "
                f"{', '.join(self.arms)}, the ROI is {self.other_roi!r}. Give both, or "
                "neither."
            )

    def delay_volumes(self, tr_s: float) -> int:
        """Return the delay in volumes: the first whole number above `delay_s`."""
        return math.floor(self.delay_s / tr_s) + 1
