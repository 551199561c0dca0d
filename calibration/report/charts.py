"""The report's charts, and how they become SVG inside of a page.

Colours follow the page, light or dark: matplotlib draws with a few marker colours,
which become the page's CSS variables. The SVG refers to nothing outside of the page,
and two of them do not share an id.
"""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from markupsafe import Markup, escape
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, MultipleLocator

from rtbold.bundle import Gate
from rtbold.calibration.inputs.lag import USUAL_S, LagScan
from rtbold.calibration.report.content import Chance, LearningCurve, Traces
from rtbold.calibration.result import TargetScore
from rtbold.messages import FloatArray
from rtbold.pages import printable

# Marker colours: nothing else in a picture has them. CSS variables of the same name.
INK: Final = "#010203"
FAINT: Final = "#010204"
NETWORK: Final = "#010205"
STEPS: Final = tuple(f"#0103{i:02x}" for i in range(6))  # of R on the brain
VARIABLES: Final = {
    INK: "--ink", FAINT: "--faint", NETWORK: "--network",
    **{colour: f"--step-{i}" for i, colour in enumerate(STEPS)},
}  # fmt: skip

PX_PER_IN: Final = 96

_STYLE: Final[Any] = {  # the stubs list every key there is
    "svg.fonttype": "none",
    "svg.hashsalt": "rtbold",
    "text.parse_math": False,  # a name with dollars in it is a name
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
}

NAMED_UP_TO: Final = 16  # ROIs beside the matrix
# Opaque where R is 1 and clear where it is 0, so that the page's ground is "nothing".
_CLEAR: Final = np.linspace(1, 0, 64)[:, None]
SIGNED: Final = ListedColormap(
    np.concatenate(
        [
            np.concatenate([np.tile((0.80, 0.36, 0.13), (64, 1)), _CLEAR], axis=1),
            np.concatenate([np.tile((0.15, 0.43, 0.72), (64, 1)), _CLEAR[::-1]], 1),
        ]
    )
)
PER_SHEET: Final = 8  # ROIs in one figure of all
BAND_ALPHA: Final = (0.26, 0.14)  # from the narrowest; wider ones lie around it


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the report's style inside of this block; `svg` belongs into it too."""
    with rc_context(_STYLE), warnings.catch_warnings():
        # The browser's font draws the letters; matplotlib's need not have them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def sheet(width_in: float, height_in: float, *, square: bool = False) -> Figure:
    """Return an empty figure; 10 inches are the page's width."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    if square:
        figure.set_layout_engine("compressed")
    FigureCanvasAgg(figure)
    return figure


def zero_line(axes: Axes, value: float = 0.0, *, upright: bool = False) -> None:
    """Draw a faint line at a value of interest."""
    draw = axes.axvline if upright else axes.axhline
    draw(value, color=FAINT, linewidth=0.6, zorder=0)


def svg(figure: Figure, name: str, *, said: str, papered: bool = False) -> Markup:
    """Return a figure as an element of the page.

    Parameters
    ----------
    name : unique on the page.
    said : what it shows, for those who cannot see it.
    papered : it has a white ground and its own colours in the dark too.
    """
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    inner = printable(text.getvalue())
    inner = inner[inner.index("<svg") :]
    for pattern, instead in _TO_PAGE:
        inner = re.sub(pattern, instead, inner, flags=re.DOTALL)
    inner = _renamed(inner, name)
    inner = re.sub(r' d="([^"]*)"', _rounded, inner)
    if not papered:
        inner = re.sub(r' style="[^"]*"', _by_variable, inner)
    box = inner[inner.index("viewBox") : inner.index(">")]
    kind = "papered" if papered else "drawn"
    opening = (
        f'<svg role="img" aria-label="{escape(printable(said))}" class="{kind}" {box} '
        f'style="max-width: {PX_PER_IN * figure.get_figwidth():.0f}px">'
    )
    return Markup(opening + inner[inner.index(">") + 1 :].strip())


# What an SVG file needs and an SVG element of a page does not.
_TO_PAGE: Final = (
    (r"<metadata>.*?</metadata>", ""),
    (r"<style.*?</style>", ""),
    (r' xmlns(:\w+)?="[^"]*"', ""),
    (r"xlink:href=", "href="),
    (r"font-family: [^;\"]*", "font-family: var(--font)"),
    (r"(font: [^;\"]*?px) [^;\"]*", r"\1 var(--font)"),
)


def _renamed(inner: str, name: str) -> str:
    """Count the ids: unique on the page, and the same for the same picture."""
    found = dict.fromkeys(re.findall(r' id="([^"]*)"', inner))
    new = {old: f"{name}-{place}" for place, old in enumerate(found)}

    def renamed(match: re.Match[str]) -> str:
        return match.group(1) + new[match.group(2)] + match.group(3)

    return re.sub(r'( id="|href="#|url\(#)([^")]+)("|\))', renamed, inner)


def _by_variable(style: re.Match[str]) -> str:
    text = style.group(0)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return text


def _rounded(path: re.Match[str]) -> str:
    """Hundredths of a point are finer than any printer."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path.group(0))


def target_traces(
    traces: Traces, column: int, half_widths: Mapping[float, float]
) -> Figure:
    """Return one ROI over the whole scan, with a band for each level."""
    figure = sheet(10, 3)
    axes = figure.add_subplot()
    _draw_traces(axes, traces, column, half_widths=half_widths)
    axes.set_xlabel("minutes")
    axes.set_ylabel("model units")
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0, fontsize=8.5
    )
    return figure


def all_traces(traces: Traces, columns: Sequence[int]) -> Figure:
    """Return some ROIs, one below the other."""
    figure = sheet(10, 0.95 * len(columns) + 0.5)
    grid = figure.subplots(len(columns), 1, sharex=True, squeeze=False)[:, 0]
    for axes, column in zip(grid, columns, strict=True):
        _draw_traces(axes, traces, column, half_widths={})
        axes.set_title(traces.rois[column], fontsize=8.5, pad=2)
        axes.tick_params(labelsize=7.5)
    grid[-1].set_xlabel("minutes")
    return figure


def _draw_traces(
    axes: Axes, traces: Traces, column: int, *, half_widths: Mapping[float, float]
) -> None:
    minutes = traces.onsets_s / 60
    predicted, measured = traces.predicted[:, column], traces.measured[:, column]
    for place in _edges(traces):
        axes.axvline(minutes[place], color=FAINT, linewidth=1, linestyle=(0, (2, 3)))
    zero_line(axes)
    for alpha, (level, half) in zip(BAND_ALPHA, half_widths.items(), strict=False):
        axes.fill_between(
            minutes,
            predicted - half,
            predicted + half,
            color=NETWORK,
            alpha=alpha,
            linewidth=0,
            label=f"{100 * level:g} % interval",
        )
    axes.plot(minutes, measured, color=INK, linewidth=0.8, label="measured")
    axes.plot(minutes, predicted, color=NETWORK, linewidth=1.5, label="predicted")
    axes.set_xlim(minutes[0], minutes[-1])


def _edges(traces: Traces) -> list[int]:
    """Return the first volume of each test fold but the first."""
    known = np.flatnonzero(traces.fold >= 0)
    changes = np.flatnonzero(np.diff(traces.fold[known]) != 0)
    return [int(known[place + 1]) for place in changes]


def lag_curve(lag: LagScan) -> Figure:
    """Return R at each lag, with the peak, its interval and the usual range."""
    figure = sheet(7, 2.6)
    axes = figure.add_subplot()
    axes.axvspan(*USUAL_S, color=FAINT, alpha=0.15, linewidth=0)
    zero_line(axes)
    zero_line(axes, upright=True)
    axes.plot(lag.lags_s, lag.r, color=NETWORK, linewidth=1.5)
    height = lag.peak_r
    axes.plot(lag.interval_s, (height, height), color=INK, linewidth=0.9)
    axes.plot([lag.peak_s], [height], "o", color=INK, markersize=5)
    axes.set_xlabel("seconds by which BOLD follows EEG")
    axes.set_ylabel("R, mean over ROIs")
    axes.set_xlim(lag.lags_s[0], lag.lags_s[-1])
    axes.xaxis.set_major_locator(MultipleLocator(5))
    return figure


def null_histogram(chance: Chance, gate: Gate) -> Figure:
    """Return how often chance gives which R, and the R that was observed."""
    figure = sheet(7, 2.6)
    axes = figure.add_subplot()
    axes.hist(chance.null_r, bins=40, color=FAINT, alpha=0.55)
    limit = float(np.quantile(chance.null_r, 1 - gate.alpha))
    zero_line(axes, limit, upright=True)
    axes.axvline(gate.r, color=NETWORK, linewidth=2)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, 1.15 * top)
    at = 1.13 * top
    right, most = gate.r > limit, f"{100 * (1 - gate.alpha):.4g} % of chance"
    _word(axes, "observed", (gate.r, at), right=right, colour=NETWORK)
    _word(axes, most, (limit, at), right=not right, colour=INK)
    axes.set_xlabel("R of the target")
    axes.set_ylabel("surrogates")
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    return figure


def _word(
    axes: Axes,
    word: str,
    xy: tuple[float, float],
    *,
    colour: str,
    right: bool = True,
    va: str = "top",
) -> None:
    """Write a word beside a point."""
    axes.annotate(
        word,
        xy,
        (4 if right else -4, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        va=va,
        color=colour,
        fontsize=8,
    )


def horizon_chart(
    scores: Mapping[int, TargetScore], chosen_tr: int, tr_s: float
) -> Figure:
    """Return R with its interval for each number of volumes ahead."""
    figure = sheet(5, 2.6)
    axes = figure.add_subplot()
    for horizon_tr, score in scores.items():
        chosen = horizon_tr == chosen_tr
        axes.plot([horizon_tr] * 2, (score.low, score.high), color=NETWORK, lw=1.2)
        axes.plot(
            [horizon_tr],
            [score.r],
            "o",
            color=NETWORK,
            markerfacecolor=NETWORK if chosen else "none",
            markersize=7,
        )
    zero_line(axes)
    places = list(scores)
    axes.set_xticks(places, [f"{n}\n{n * tr_s:.1f} s" for n in places])
    axes.set_xlim(min(places) - 0.5, max(places) + 0.5)
    axes.set_xlabel("volumes ahead")
    axes.set_ylabel("R of the target")
    return figure


def learning_chart(curves: Sequence[LearningCurve]) -> Figure:
    """Return the error of each fit over its epochs, with the one that was kept."""
    figure = sheet(7, 2.8)
    axes = figure.add_subplot()
    for curve in curves:
        last = curve.name == "final"
        colour, width = (NETWORK, 1.8) if last else (FAINT, 1.0)
        axes.plot(curve.errors, color=colour, linewidth=width)
        axes.plot([curve.best], [curve.errors[curve.best]], "o", color=colour, ms=5)
        end = (len(curve.errors) - 1, curve.errors[-1])
        _word(axes, curve.name, end, va="center", colour=colour)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch (0: before the first)")
    axes.set_ylabel("error, stopping part")
    return figure


def own_other_matrix(rois: Sequence[str], cross_r: FloatArray) -> Figure:
    """Return R of each prediction (rows) with each measured ROI (columns)."""
    many = len(rois) > NAMED_UP_TO
    side_in = 2.2 + (0.13 if many else 0.35) * len(rois)
    side_in = min(side_in, 11.0 if many else 5.4)
    figure = sheet(side_in + 1.6, side_in, square=True)
    axes = figure.add_subplot()
    most = max(float(np.abs(cross_r).max()), 0.1)
    image = axes.imshow(
        cross_r, cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest"
    )
    places = np.arange(len(rois))
    short = [roi if len(roi) <= 28 else f"{roi[:26]}..." for roi in rois]
    if many:  # each row has its name, and columns the rows' numbers
        numbered = [f"{roi}  {k}" for k, roi in enumerate(short, start=1)]
        axes.set_yticks(places, numbered, fontsize=6)
        axes.set_xticks(places[::4], [str(k + 1) for k in places[::4]], fontsize=6)
    else:
        axes.set_yticks(places, short)
        axes.set_xticks(places, short, rotation=40, ha="right")
    axes.set_xlabel("measured ROI")
    axes.set_ylabel("predicted ROI")
    bar = figure.colorbar(image, ax=axes, shrink=0.6)
    bar.set_label("R")
    bar.outline.set_visible(False)
    return figure
