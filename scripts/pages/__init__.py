"""Build the pages' measured sections: figures in docs/data, templates here, markdown.

A section is named as its data file and its template are: ``bench_gui`` reads
docs/data/bench_gui.json and is drawn by bench_gui.md.j2. Its place is between two
marks, on whatever page under docs/ has them.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SIMULATED = "SIMULATED subjects, seeds that nothing was developed on"
MODELS = {
    "stack": "base with the subject's band power on top",
    "network": "calibrated network (strategy `head`)",
    "base": "shipped base as it is",
    "subject": "subject's model, from nothing",
    "ridge": "ridge of before, lags to 16 or 24 s",
    "ridge_live": "ridge of before that can run live (16 s)",
}

Figures = Mapping[str, Any]


def render(section: str, found: Figures) -> str:
    """Return a section's figures as markdown, without where they were measured."""
    return _templates().get_template(f"{section}.md.j2").render(found=found).strip()


def build(section: str, docs: Path = DOCS) -> str:
    """Return a whole section from its data file, and put it into its page."""
    data = data_file(section, docs)
    found = json.loads(data.read_text("utf-8"))
    page = page_of(section, docs)
    link = Path(os.path.relpath(data, page.parent)).as_posix()
    # Early files of the evaluation have the sentence in `measured`.
    said = found.get("facts", found["measured"])
    text = f"{render(section, found)}\n\nData: [{data.name}]({link}). {said}"
    put(mark(section), text, page=page)
    return text


def keep(section: str, found: Figures, docs: Path = DOCS) -> Path:
    """Write figures into the section's data file."""
    data = data_file(section, docs)
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return data


def data_file(section: str, docs: Path = DOCS) -> Path:
    """Return where a section's figures are."""
    return docs / "data" / f"{section}.json"


def mark(section: str) -> str:
    """Return the name between which marks a section stands."""
    return section.removeprefix("bench_").replace("_", "-")


def page_of(section: str, docs: Path = DOCS) -> Path:
    """Return the page that has a place for a section."""
    wanted = f"<!-- bench:{mark(section)} -->"
    pages = [p for p in sorted(docs.rglob("*.md")) if wanted in p.read_text("utf-8")]
    if len(pages) != 1:
        raise SystemExit(
            f"{len(pages)} pages under {docs} have the mark {wanted}, expected one: "
            "write it and its end where the section should stand"
        )
    return pages[0]


def put(name: str, text: str, *, page: Path) -> None:
    """Replace the section of `page` between its marks, or append it."""
    page.write_text(filled(page.read_text("utf-8"), name, text), encoding="utf-8")


def filled(page: str, name: str, text: str) -> str:
    """Return a page's text with a section between its marks."""
    block = f"<!-- bench:{name} -->\n{text}\n<!-- /bench:{name} -->"
    pattern = rf"<!-- bench:{name} -->.*?<!-- /bench:{name} -->"
    new, n = re.subn(pattern, lambda _: block, page, flags=re.DOTALL)
    return new if n else f"{page.rstrip()}\n\n{block}\n"


def interval(
    value: Figures, *, scale: float = 1, unit: str = "", digits: int = 3
) -> str:
    """Return ``mean (low to high)``."""
    mean, low, high = (
        f"{scale * value[k]:.{digits}f}" for k in ("mean", "low", "high")
    )
    return f"{mean}{unit} ({low} to {high})"


def signed(value: Figures) -> str:
    """Return a difference with its interval."""
    return f"{value['mean']:+.3f} ({value['low']:+.3f} to {value['high']:+.3f})"


def estimated(value: Figures) -> str:
    """Return a mean with its interval, of `rtbold evaluate`; none of few subjects."""
    if value["mean_low"] is None:
        return or_dash(value["mean"])
    low, high = value["mean_low"], value["mean_high"]
    return f"{value['mean']:.3f} ({low:.3f} to {high:.3f})"


def or_dash(value: Figures | float | None) -> str:
    """Return a figure, or the mean of an estimate; a dash where there is none."""
    if isinstance(value, Mapping):
        value = value["mean"]
    return "\u2013" if value is None else f"{value:.3f}"


def percent(share: float) -> str:
    """Return a share in per cent."""
    return f"{100 * float(share):.1f} %"


def hits(value: Figures) -> str:
    """Return a count with its share."""
    return f"{value['hits']} of {value['n']} ({percent(value['share'])})"


def span(seconds: float) -> str:
    """Return a duration in the unit that reads best."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def number(value: float, how: str = ".1f") -> str:
    """Return a number in Python's own format."""
    return format(value, how)


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # markdown
    )
    filters = (interval, signed, percent, hits, span, number, estimated, or_dash)
    made.filters |= {each.__name__: each for each in filters}
    made.globals |= {"SIMULATED": SIMULATED, "MODELS": MODELS}
    return made
