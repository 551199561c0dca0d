"""Units of EEG as streams and files write them, and the factor to microvolt."""

from collections.abc import Sequence

import numpy as np

from rtbold.errors import ConfigError, StreamMismatch
from rtbold.messages import Channel, ChannelKind, FloatArray

# Keys are case-folded, which turns both micro signs into the Greek letter. MNE-LSL
# writes the power of ten over the SI unit instead of a name.
_WORDS = {
    "v": 1e6, "volt": 1e6, "volts": 1e6,
    "mv": 1e3, "millivolt": 1e3, "millivolts": 1e3,
    "uv": 1.0, "μv": 1.0, "microvolt": 1.0, "microvolts": 1.0,
}  # fmt: skip
_POWERS = {"0": 1e6, "-3": 1e3, "-6": 1.0}
_POTENTIALS: frozenset[ChannelKind] = frozenset({"eeg", "ecg", "eog", "emg", "cwl"})


def to_uv_factor(unit: str) -> float | None:
    """Return what to multiply by to get microvolt; None if the unit is not known."""
    key = unit.strip().casefold()
    return _WORDS.get(key, _POWERS.get(key))


def factors_to_uv(channels: Sequence[Channel], unit: str | None = None) -> FloatArray:
    """Return the factor to microvolt of each channel.

    Parameters
    ----------
    channels : of the stream, in order.
    unit : overrides what the stream says of its potentials (EEG, ECG, ...).

    Returns
    -------
    (channels,). Channels that are no potentials keep their values (factor 1) unless
    their unit is a voltage by name; trigger channels always keep them.

    Raises
    ------
    ConfigError
        `unit` is no unit of voltage.
    StreamMismatch
        The unit of an EEG channel is missing or unknown.
    """
    given = None
    if unit is not None and (given := to_uv_factor(unit)) is None:
        raise ConfigError(
            f"--unit is {unit!r}, expected one of V, mV, uV (or their full names)."
        )
    found = [given if _is_potential(c) and given else _factor(c) for c in channels]
    _refuse_unknown([c for c, f in zip(channels, found, strict=True) if f is None])
    return np.array([1.0 if f is None else f for f in found])


def _is_potential(channel: Channel) -> bool:
    return channel.kind in _POTENTIALS


def _factor(channel: Channel) -> float | None:
    if channel.kind == "trigger":
        return 1.0
    if _is_potential(channel):
        known = to_uv_factor(channel.unit)
        return 1.0 if known is None and channel.kind != "eeg" else known
    # A bare power of ten says nothing of a quantity that may not be a voltage.
    return _WORDS.get(channel.unit.strip().casefold(), 1.0)


def _refuse_unknown(channels: Sequence[Channel]) -> None:
    if not channels:
        return
    units = sorted({c.unit for c in channels})
    labels = ", ".join(c.label for c in channels[:4])
    more = ", ..." if len(channels) > 4 else ""
    said = "no unit" if units == [""] else f"unit {' and '.join(map(repr, units))}"
    raise StreamMismatch(
        f"{len(channels)} EEG channels ({labels}{more}) come with {said}, expected V, "
        "mV or uV. Say what the values are with --unit, for example --unit uV."
    )
