"""Strategies by the word of the option, and what to say before one is run."""

import copy

from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.head import ClosedFormHead
from rtbold.calibration.fit.protocol import Strategy, StrategyName
from rtbold.calibration.fit.tail import cuts_of
from rtbold.calibration.fit.tuned import TrainingSettings, Tuned, attach_low_rank
from rtbold.calibration.settings import StrategyOption


def strategy_of(
    name: StrategyOption, base: Base, settings: TrainingSettings | None = None
) -> Strategy:
    """Return the strategy, if the base has the parts that it trains.

    Parameters
    ----------
    name : as the option says; the ridge is fitted beside any, so alone it needs no
        more than the head.
    base : whose network is looked at and left as it is.

    Raises
    ------
    ConfigError : it has not; as `cuts_of` and `attach_low_rank` say.
    """
    if name == "head" or name == "ridge":
        return ClosedFormHead()
    if name == "last":
        cuts_of(base.network)
    if name == "adapters":
        attach_low_rank(copy.deepcopy(base.network), rank=1, alpha=1.0)
    return Tuned(name, settings or TrainingSettings())


def caution(name: StrategyName, base: Base) -> str | None:
    """Return what the user should know of this strategy on this base, if anything."""
    if base.learned or name == "all":
        return None
    return (
        f"strategy '{name}' on a network that was never trained: what it reads of the "
        "EEG is random, so expect less than the ridge on the same folds. Give a "
        "trained --base, or take the ridge that is fitted beside it."
    )
