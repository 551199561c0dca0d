"""Attributions in words and numbers."""

from typing import Any

import numpy as np

from rtbold.calibration.explain import Attribution, Shares
from rtbold.calibration.explain_tiles import BANDS
from rtbold.messages import FloatArray

N_NAMED = 4  # channels and bands


def summary(found: Attribution) -> str:
    """Return a few lines: what the prediction rests on, and how sure that is."""
    first_s, last_s = span_of_half(found.time.share, found.lags_s)
    return "\n".join(
        [
            f"{found.roi}: {found.method.replace('-', ' ')}, {found.n_windows} windows "
            f"in {found.n_pairs} pairs",
            f"  channels  {_largest(found.channels, found.channel)}",
            f"  time      half of it {first_s:g} to {last_s:g} s before the volume",
            f"  bands     {_largest(found.bands, found.band)}",
            f"  {_completeness(found)}",
        ]
    )


def span_of_half(share: FloatArray, lags_s: FloatArray) -> tuple[float, float]:
    """Return the shortest span that holds half of the share, seconds before the volume.

    Returns
    -------
    Its far and its near end.
    """
    half = share.sum() / 2
    n, step_s = len(share), abs(float(lags_s[1] - lags_s[0]))
    for length in range(1, n):
        held = np.convolve(share, np.ones(length), mode="valid")
        if held.max() >= half:
            first = int(held.argmax())
            far_s = float(lags_s[first]) + step_s / 2
            return far_s, far_s - length * step_s
    return float(lags_s[0]) + step_s / 2, float(lags_s[-1]) - step_s / 2


def as_dict(found: Attribution) -> dict[str, Any]:
    """Return everything as plain values, for JSON."""
    return {
        "roi": found.roi,
        "method": found.method,
        "windows": found.n_windows,
        "pairs": found.n_pairs,
        "channels": _rows(found.channels, found.channel),
        "seconds_before_volume": _rows(tuple(map(float, found.lags_s)), found.time),
        "bands": [
            {**row, "low_hz": BANDS[name][0], "high_hz": BANDS[name][1]}
            for name, row in zip(
                found.bands, _rows(found.bands, found.band), strict=True
            )
        ],
        "slope_per_doubling_of_power": {
            channel: dict(zip(found.bands, map(float, row), strict=True))
            for channel, row in zip(found.channels, found.doubled, strict=True)
        },
        "prediction_sd": found.prediction_sd,
        "sum_of_shares": {
            "channels": float(found.channel.share.sum()),
            "seconds": float(found.time.share.sum()),
            "bands": float(found.band.share.sum()),
        },
        "rms_error_sd": found.rms_error,
    }


def _rows(names: tuple[Any, ...], shares: Shares) -> list[dict[str, Any]]:
    columns = zip(names, shares.share, shares.low, shares.high, strict=True)
    return [
        {"name": name, "share": float(share), "low": float(low), "high": float(high)}
        for name, share, low, high in columns
    ]


def _largest(names: tuple[str, ...], shares: Shares) -> str:
    order = np.argsort(-shares.share)[:N_NAMED]
    return ", ".join(
        f"{names[i]} {100 * shares.share[i]:.0f} % "
        f"({100 * shares.low[i]:.0f} to {100 * shares.high[i]:.0f})"
        for i in order
    )


def _completeness(found: Attribution) -> str:
    sums = [s.share.sum() for s in (found.channel, found.time, found.band)]
    if found.rms_error is None:
        told = ", ".join(f"{100 * value:.0f} %" for value in sums)
        return (
            f"shares of channels, times and bands sum to {told}: occlusion need not "
            "add up"
        )
    return (
        f"completeness: attributions sum to {100 * sums[0]:.1f} % of the differences "
        f"of predictions (exact: 100); single pairs are off by "
        f"{found.rms_error:.3f} sd (rms)"
    )
