"""Attributions as a picture: scalp, time, bands, and which way power pulls."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MultipleLocator

from rtbold.calibration.explain import Attribution, Shares
from rtbold.calibration.explain_tiles import BANDS
from rtbold.electrodes import positions
from rtbold.errors import ConfigError, RtboldError
from rtbold.messages import FloatArray

FORMATS: Final = (".png", ".svg", ".pdf")
MOST_ROIS: Final = 8  # in one figure
HEAD_M: Final = 0.095  # radius of the circle that MNE draws
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


def save(figure: Figure, path: Path) -> None:
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
        path.write_bytes(picture.getvalue())
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
