"""The page as a whole, and its file."""

import os
import tempfile
from importlib.resources import files
from pathlib import Path

from rtbold.calibration.report.content import ReportContent
from rtbold.calibration.report.data_sections import alignment_section, volumes_section
from rtbold.calibration.report.markup import (
    Markup,
    element,
    facts,
    section,
    together,
)
from rtbold.calibration.report.reading_sections import (
    explained_section,
    specificity_section,
)
from rtbold.calibration.report.roi_section import rois_section
from rtbold.calibration.report.score_sections import (
    all_traces_section,
    chance_section,
    horizons_section,
    intervals_section,
    learning_section,
    published_section,
    traces_section,
)
from rtbold.calibration.report.summary import banner, fit_word, summary
from rtbold.errors import RtboldError

_PARTS = (
    summary,
    traces_section,
    rois_section,
    chance_section,
    specificity_section,
    explained_section,
    horizons_section,
    intervals_section,
    alignment_section,
    volumes_section,
    learning_section,
    published_section,
)


def write_report(content: ReportContent, path: Path) -> None:
    """Write the page; nothing is left behind where it cannot be written.

    Raises
    ------
    RtboldError : the file cannot be written.
    """
    text = report_html(content)
    try:
        number, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(draft).chmod(0o644)
            Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise RtboldError(
            f"cannot write {path}: {error.strerror or error}. Expected a folder with "
            "room for a few MB; make room, or choose another with --root."
        ) from error


def report_html(content: ReportContent) -> str:
    """Return the whole page."""
    gate = content.verdict.gate
    title = f"Calibration of {content.subject}: {gate.target}, {gate.label}"
    title += " (simulated)" * content.simulated
    style = (files("rtbold.calibration.report") / "report.css").read_text("utf-8")
    head = together(
        [
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width">'),
            Markup('<meta name="color-scheme" content="light dark">'),
            element("title", title),
            element("style", Markup(style)),
        ]
    )
    body = together(
        [
            _heading(content),
            banner(content),
            *(part(content) for part in _PARTS),
            provenance_section(content),
            all_traces_section(content),
        ]
    )
    page = element(
        "html", element("head", head), element("body", element("main", body)), lang="en"
    )
    return f"<!DOCTYPE html>\n{page.html}\n"


def provenance_section(content: ReportContent) -> Markup:
    """Return where everything comes from: files, options, seeds, versions."""
    groups = []
    for heading, pairs in content.provenance.items():
        if pairs:
            told = [(name, value or "none") for name, value in pairs.items()]
            groups += [
                element("h3", heading),
                element("div", facts(told), class_="long"),
            ]
    return section("provenance", "Provenance", *groups)


def _heading(content: ReportContent) -> Markup:
    return element(
        "header",
        element("h1", f"Calibration of {content.subject}"),
        element(
            "p",
            f"{content.created}, model {content.bundle}, "
            f"{content.verdict.gate.target}: {fit_word(content)}",
        ),
    )
