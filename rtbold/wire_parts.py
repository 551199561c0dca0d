"""Blocks inside the messages that leave rtbold; `rtbold.wire` has the messages."""

from typing import Literal

import msgspec

from rtbold.messages import ChannelState


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A block inside a message."""


class WindowPart(_Part, frozen=True, kw_only=True):
    """The EEG that a prediction rests on: [t_start, t_end)."""

    t_start: float
    t_end: float
    clock: Literal["lsl"] = "lsl"


class NormPart(_Part, frozen=True, kw_only=True):
    """The baseline that ``z`` is relative to."""

    method: Literal["zscore"] = "zscore"
    baseline: str
    n: int
    n_eff: float | None = None


class LatencyPart(_Part, frozen=True, kw_only=True):
    """Milliseconds per stage; null where a stage is not known or did not run."""

    upstream: float | None = None
    arrive: float | None = None  # needed sample's LSL time to its arrival at the inlet
    acquire: float | None = None  # the same LSL time to the pipeline; covers `arrive`
    prepare: float | None = None
    infer: float | None = None
    publish: float | None = None


class Ports(_Part, frozen=True, kw_only=True):
    """TCP ports of this session; null where a socket is not open."""

    feed: int
    control: int | None = None


class ChannelPart(_Part, frozen=True, kw_only=True):
    """The state of one channel of the model."""

    label: str
    state: ChannelState
    interpolated: bool = False


class TruthScore(_Part, frozen=True, kw_only=True):
    """R of prediction and measurement over the newest volumes; null: not enough."""

    r: float | None
    low: float | None  # 95 % interval
    high: float | None
    n_eff: float  # independent volumes (Bartlett)
    n: int  # volumes with both
