"""Attributions as a picture, in words and in numbers.

The picture shows scalp, time, bands, and which way power pulls.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator

from rtbold.calibration.explain.attribution import BANDS, Attribution, Shares
from rtbold.electrodes import positions
from rtbold.errors import ConfigError, RtboldError
from rtbold.messages import FloatArray
from rtbold.owner_only import write_bytes

FORMATS: Final = (".png", ".svg", ".pdf")
MOST_ROIS: Final = 8  # in one figure
HEAD_M: Final = 0.095  # radius of the circle that MNE draws
N_NAMED: Final = 4  # channels and bands, in words
NAMED_UP_TO: Final = 34  # channels; with more, names on the scalp would overlap
MAPPED_FROM: Final = 4  # channels; fewer span no map
COLOURS: Final = "RdBu_r"
INK: Final = "#2b6a9e"
RIM: Final = 0.88  # T7 and T8 lie at this part of the circle's radius
NOTE: Final = (
    "Share of what makes predictions differ; band and whiskers: 95 % interval over "
    "windows. It shows what the model uses, not where brain activity is."
)


def draw(attributions: Sequence[Attribution], *, title: str) -> Figure:
    """Return a figure with one block for each ROI.

    Raises
    ------
    ConfigError : none, or more than `MOST_ROIS`; a channel that has no position.
    """
    check_number(attributions)
    height = 5.6 * len(attributions) + 0.9
    layout = ConstrainedLayoutEngine(rect=(0, 0.25 / height, 1, 1 - 0.7 / height))
    figure = Figure(figsize=(11.5, height), layout=layout)
    FigureCanvasAgg(figure)
    figure.text(0.5, 1 - 0.15 / height, title, ha="center", va="top", fontsize=13)
    figure.text(0.5, 0.08 / height, NOTE, ha="center", va="bottom", fontsize=8.5)
    blocks = figure.subfigures(len(attributions), 1, squeeze=False)[:, 0]
    for block, attribution in zip(blocks, attributions, strict=True):
        _draw_block(block, attribution)
    return figure


def check_number(rois: Sequence[object]) -> None:
    """Refuse more ROIs than one figure holds."""
    if not 0 < len(rois) <= MOST_ROIS:
        raise ConfigError(
            f"{len(rois)} ROIs for one figure, expected 1 to {MOST_ROIS}; make several "
            "figures"
        )


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format that its name says.

    Raises
    ------
    ConfigError : the name ends in none of `FORMATS`.
    RtboldError : it cannot be written.
    """
    check_format(path)
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lower()[1:], dpi=130)
    try:
        write_bytes(path, picture.getvalue())
    except OSError as error:
        raise RtboldError(
            f"cannot write {path}: {error.strerror}. Expected a file that can be "
            "written; choose another with --out."
        ) from error


def check_format(path: Path) -> None:
    """Refuse a file name that says no format of a picture."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"the figure {path.name!r} ends in {path.suffix or 'nothing'!r}, expected "
            f"one of {', '.join(FORMATS)}. Choose another name with --out."
        )


def scalp(channels: Sequence[str]) -> FloatArray:
    """Return (channels, 2) metres: azimuthal equidistant, within MNE's circle."""
    xyz = positions([*channels, "T7"])
    angle = np.arccos(np.clip(xyz[:, 2], -1, 1))  # from the top
    flat = np.hypot(xyz[:, 0], xyz[:, 1])
    direction = xyz[:, :2] / np.maximum(flat, 1e-9)[:, None]
    out: FloatArray = direction * (angle / angle[-1] * RIM * HEAD_M)[:, None]
    return out[:-1]


def _draw_block(block: SubFigure, attribution: Attribution) -> None:
    found = attribution
    block.suptitle(
        f"{found.roi}: {found.n_windows} windows, {found.n_pairs} pairs, "
        f"{found.method.replace('-', ' ')}",
        fontsize=11.5,
    )
    grid = block.add_gridspec(2, 3, width_ratios=(1.15, 1.35, 1), height_ratios=(5, 4))
    _draw_scalp(block.add_subplot(grid[0, 0]), found)
    _draw_time(block.add_subplot(grid[0, 1]), found)
    _draw_bands(block.add_subplot(grid[0, 2]), found)
    _draw_doubled(block.add_subplot(grid[1, :]), found)


def _draw_scalp(axes: Axes, found: Attribution) -> None:
    percent, places_m = 100 * found.channel.share, scalp(found.channels)
    most = max(float(np.abs(percent).max()), 1e-3)
    named = len(found.channels) <= NAMED_UP_TO
    paint = _topography if len(percent) >= MAPPED_FROM else _spots
    image = paint(axes, percent, places_m, most=most)
    if not named:
        axes.plot(*places_m.T, "k.", markersize=2)
    for name, (x, y) in zip(found.channels, places_m, strict=True):
        if named:
            text = axes.text(x, y, name, ha="center", va="center", fontsize=6.5)
            text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.75, pad=0.03)
    bar.set_label("% of the difference", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    axes.set_title("Channels", fontsize=10)


def _topography(
    axes: Axes, percent: FloatArray, places_m: FloatArray, *, most: float
) -> ScalarMappable:
    import mne

    image: ScalarMappable
    image, _ = mne.viz.plot_topomap(
        percent,
        places_m,
        sphere=HEAD_M,
        cmap=COLOURS,
        vlim=(-most, most),
        sensors=False,
        contours=0,
        axes=axes,
        show=False,
    )
    return image


def _spots(
    axes: Axes, percent: FloatArray, places_m: FloatArray, *, most: float
) -> ScalarMappable:
    axes.set(xlim=(-HEAD_M, HEAD_M), ylim=(-HEAD_M, HEAD_M), aspect="equal")
    axes.axis("off")
    x, y = places_m.T
    return axes.scatter(x, y, 900, percent, cmap=COLOURS, vmin=-most, vmax=most)


def _draw_time(axes: Axes, found: Attribution) -> None:
    low, high = 100 * found.time.low, 100 * found.time.high
    axes.fill_between(found.lags_s, low, high, color=INK, alpha=0.2, linewidth=0)
    axes.plot(found.lags_s, 100 * found.time.share, color=INK, marker="o", ms=3)
    axes.set_xlim(found.lags_s.max() + 0.5, 0)
    axes.xaxis.set_major_locator(MultipleLocator(2))
    axes.set_xlabel("seconds before the volume", fontsize=8)
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_ylabel("% of the difference", fontsize=8)
    axes.tick_params(labelsize=8)
    _plain(axes, "Time")


def _draw_bands(axes: Axes, found: Attribution) -> None:
    place, percent = np.arange(len(found.bands)), 100 * found.band.share
    axes.barh(place, percent, color=INK, height=0.65)
    axes.errorbar(
        percent,
        place,
        xerr=_whiskers(found.band),
        fmt="none",
        ecolor="black",
        elinewidth=0.9,
        capsize=2,
    )
    labels = [f"{b} {BANDS[b][0]:g}-{BANDS[b][1]:g}" for b in found.bands]
    axes.set_yticks(place, labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color="black", linewidth=0.6)
    axes.set_xlabel("% of the difference", fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    _plain(axes, "Bands, Hz")


def _whiskers(shares: Shares) -> FloatArray:
    """Return how far the interval reaches down and up, percent, never negative."""
    ends = np.stack([shares.share - shares.low, shares.high - shares.share])
    return np.asarray(100 * np.maximum(ends, 0.0))


def _plain(axes: Axes, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=10)


def _draw_doubled(axes: Axes, found: Attribution) -> None:
    doubled = found.doubled.T  # (bands, channels)
    most = max(float(np.abs(doubled).max()), 1e-6)
    image = axes.imshow(doubled, cmap=COLOURS, vmin=-most, vmax=most, aspect="auto")
    many = len(found.channels) > NAMED_UP_TO
    axes.set_xticks(
        np.arange(len(found.channels)),
        found.channels,
        fontsize=6 if many else 8,
        rotation=90 if many else 0,
    )
    axes.set_yticks(np.arange(len(found.bands)), found.bands, fontsize=8)
    bar = axes.figure.colorbar(image, ax=axes, pad=0.01)
    bar.set_label("model units", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    axes.set_title(
        "Which way it pulls: change of the prediction per doubling of power (slope; "
        f"predictions have sd {found.prediction_sd:.2f})",
        fontsize=10,
    )


def shares_summary(found: Attribution) -> str:
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
