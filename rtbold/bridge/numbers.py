"""Which number of a message leaves where there is room for one number only. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from rtbold.bridge.news import Shown
from rtbold.client import Body
from rtbold.errors import ConfigError

Quantity = Literal["z", "value", "shown"]
_USABLE: Final = ("ok", "degraded")


@dataclass(frozen=True, slots=True)
class NumberChoice:
    """The number that is sent, and the one that stands for "nothing to show".

    Parameters
    ----------
    quantity : ``z``, against the baseline, ``value``, in the model's units, or
        ``shown``, 0 to 1, where the session makes it.
    neutral : what is sent when nothing may be shown; None: nothing is sent.
    """

    quantity: Quantity = "z"
    neutral: float | None = 0.0

    @classmethod
    def parse(cls, quantity: str, neutral: str) -> "NumberChoice":
        """Read the options ``--quantity`` and ``--neutral``.

        Raises
        ------
        ConfigError : one of them is none.
        """
        for known in get_args(Quantity):
            if quantity == known:
                return cls(known, _neutral(neutral))
        raise ConfigError(
            f"--quantity is {quantity!r}, expected z (against the baseline), value "
            "(the model's units) or shown (0 to 1, of a session that makes it)."
        )

    def of(self, shown: Shown) -> float | None:
        """Return the number to send for what is shown; None: none."""
        return {"z": shown.z, "value": shown.value, "shown": shown.shown}[self.quantity]


def _neutral(text: str) -> float | None:
    if text == "nothing":
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        raise ConfigError(
            f"--neutral is {text!r}, expected a number, or the word nothing."
        )
    return number


def numbers_of(
    topic: str, body: Body, rois: Sequence[str], quantity: Quantity
) -> dict[str, float | None] | None:
    """Return the numbers of one prediction by name, lower case; None where unusable.

    Parameters
    ----------
    rois : of the session, in the order of ``pred.roi``; empty: not told yet.

    Returns
    -------
    None : the message is no prediction, or its ROIs have no names yet.
    """
    usable = body.get("status") in _USABLE
    if topic == "pred.fb":
        number = _number(body.get(quantity)) if usable else None
        hidden = body.get("value") is None or body.get("shown", 0) is None
        number = None if hidden else number
        return {str(body.get("target")).lower(): number}
    if topic != "pred.roi" or not rois:
        return None
    names = {"z": "values_z", "value": "values"}  # there is no `shown` of a ROI
    values = body.get(names.get(quantity, ""))
    if not usable or not isinstance(values, list) or len(values) != len(rois):
        return dict.fromkeys(rois)
    return {name: _number(value) for name, value in zip(rois, values, strict=True)}


def _number(given: object) -> float | None:
    """Return a finite number, or None for whatever else stands there."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if math.isfinite(given) else None
