"""A rehearsal on one page for printing, where it left none of its own. Pure."""

from html import escape

from rtbold.gui.state.checks import CHECK_WORDS, CheckLine
from rtbold.gui.state.rehearsal import VERDICT_WORDS, Rehearsal
from rtbold.gui.state.rehearsal_figures import figure_rows


def as_html(rehearsal: Rehearsal, *, title: str) -> str:
    """Return a page in black on white.

    Parameters
    ----------
    title : subject or model, and when; from the caller.
    """
    symbol, word = verdict_words(rehearsal)
    why = "".join(f"<li>{escape(each)}</li>" for each in rehearsal.why)
    checks = "".join(_row(line) for line in rehearsal.checks)
    figures = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
        for name, value in figure_rows(rehearsal.figures)
    )
    return (
        f"<html><head><meta charset='utf-8'><title>{escape(title)}</title></head>"
        f"<body><h1>{symbol} {word}</h1><p>Rehearsal: {escape(title)}</p>"
        f"<p>{_text(rehearsal.problem)}</p><ul>{why}</ul>"
        f"<table cellpadding='3'>{checks}</table>"
        f"<h3>Figures</h3><table cellpadding='3'>{figures}</table></body></html>"
    )


def verdict_words(rehearsal: Rehearsal) -> tuple[str, str]:
    """Return symbol and word; one without a verdict is no GO."""
    return VERDICT_WORDS[rehearsal.verdict or "no-go"]


def _row(line: CheckLine) -> str:
    advice = f"<br>→ {_text(line.advice)}" if line.advice else ""
    return (
        f"<tr><td>{CHECK_WORDS[line.state][0]}</td><td><b>{escape(line.name)}</b></td>"
        f"<td>{_text(line.found)}{advice}</td></tr>"
    )


def _text(text: str) -> str:
    return escape(text).replace("\n", "<br>")
