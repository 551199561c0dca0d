"""What the calibration EEG looked like, as the card keeps it."""

from typing import Final, Literal, get_args

import msgspec

Statistic = Literal["level", "channels", "slope", "pattern", "features"]
STATISTICS: Final[tuple[Statistic, ...]] = get_args(Statistic)


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Quantiles of one statistic over calibration windows that its scale had not seen.

    A `low` of None: the statistic is a distance, and small ones are no matter.
    """

    low: float | None = None  # 0.5 %
    middle: float
    high: float  # 99.5 %


class LikenessReference(msgspec.Struct, frozen=True, kw_only=True):
    """Empty by default: nothing is known, and nothing is monitored.

    Unknown keys are let through: the first cards had other ones here, which nothing
    ever read.
    """

    log_power: tuple[tuple[float, ...], ...] = ()  # (channels, bands), mean, ln uV^2
    log_power_sd: tuple[tuple[float, ...], ...] = ()
    slope: tuple[float, ...] = ()  # (channels,), mean aperiodic exponent
    slope_sd: tuple[float, ...] = ()
    covariance: tuple[tuple[float, ...], ...] = ()  # (channels, channels), trace 1
    spreads: dict[Statistic, Spread] = {}
    limit: float = 1.0  # 99.5 % quantile of the unlikeness over calibration windows
    n_windows: int = 0
    groups: Literal["blocks", "subjects", ""] = ""  # what each scale had not seen

    @property
    def known(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.spreads)
