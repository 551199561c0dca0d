"""Figures as SVG inside a page: colours follow the page, light or dark.

matplotlib draws with a few marker colours, which become the page's CSS variables. The
SVG refers to nothing outside of the page, and two of them do not share an id.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from rtbold.calibration.report.markup import Markup, escaped, printable

# Marker colours: nothing else in a picture has them. CSS variables of the same name.
INK: Final = "#010203"
FAINT: Final = "#010204"
NETWORK: Final = "#010205"
RIDGE: Final = "#010206"
PAPER: Final = "#010207"
STEPS: Final = tuple(f"#0103{i:02x}" for i in range(6))  # of R on the brain
VARIABLES: Final = {
    INK: "--ink", FAINT: "--faint", NETWORK: "--network", RIDGE: "--ridge",
    PAPER: "--paper", **{colour: f"--step-{i}" for i, colour in enumerate(STEPS)},
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
        f'<svg role="img" aria-label="{escaped(said)}" class="{kind}" {box} '
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
