"""The rule for apps: a usable value, the last one held for one TR, then neutral. Pure.

The same rule as `rtbold.client.Subscriber.feedback`, by the publisher's stamps: a
backlog is no news, whenever it is read.
"""

import math
from dataclasses import dataclass
from typing import Literal

from rtbold.client import DEAD_AFTER_S, NEUTRAL_AFTER_TRS, STALLED_AFTER_TRS
from rtbold.gui.state.received_kinds import FeedbackValue


@dataclass(frozen=True, slots=True)
class ShownValue:
    """What may be shown now; nothing but `flips` if `kind` is neutral."""

    kind: Literal["value", "hold", "neutral"]
    value: float | None = None  # model units
    z: float | None = None
    low: float | None = None  # 95 %
    high: float | None = None
    low_80: float | None = None
    high_80: float | None = None
    flips: int = 0  # updates so far, for the photodiode's square


@dataclass(frozen=True, slots=True)
class FeedbackFacts:
    """What the rule looks at.

    Parameters
    ----------
    silent_s : since the last heartbeat.
    ended : a ``bye`` came.
    newest, usable : the newest feedback value, and the newest that may be shown.
    lsl_now_s : the publisher's clock now; None: not known.
    """

    silent_s: float
    ended: bool
    newest: FeedbackValue | None
    usable: FeedbackValue | None
    lsl_now_s: float | None
    tr_s: float
    stalled: bool = False
    flips: int = 0


def age_s(fb: FeedbackValue | None, lsl_now_s: float | None) -> float:
    """Return how long ago `fb` was published; infinite if that is not known."""
    if fb is None or lsl_now_s is None:
        return math.inf
    return lsl_now_s - fb.t_lsl


def is_stalled(facts: FeedbackFacts) -> bool:
    """Return whether heartbeats come and predictions do not."""
    if facts.newest is None or facts.lsl_now_s is None:
        return facts.stalled
    return age_s(facts.newest, facts.lsl_now_s) > STALLED_AFTER_TRS * facts.tr_s


def shown_value(facts: FeedbackFacts) -> ShownValue:
    """Return what may be shown."""
    neutral = ShownValue("neutral", flips=facts.flips)
    usable, newest = facts.usable, facts.newest
    if facts.ended or facts.silent_s > DEAD_AFTER_S or usable is None or newest is None:
        return neutral
    kind: Literal["value", "hold"] = "value"
    if newest is not usable or is_stalled(facts):
        if age_s(usable, facts.lsl_now_s) > NEUTRAL_AFTER_TRS * facts.tr_s:
            return neutral
        kind = "hold"
    return ShownValue(
        kind,
        usable.value,
        usable.z,
        low=usable.low,
        high=usable.high,
        low_80=usable.low_80,
        high_80=usable.high_80,
        flips=facts.flips,
    )
