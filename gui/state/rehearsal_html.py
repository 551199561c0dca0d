"""A rehearsal on one page for printing, where it left none of its own. Pure."""

from rtbold.gui.state.checks import CHECK_WORDS
from rtbold.gui.state.rehearsal import VERDICT_WORDS, Rehearsal
from rtbold.gui.state.rehearsal_figures import figure_rows
from rtbold.pages import rendered


def as_html(rehearsal: Rehearsal, *, title: str) -> str:
    """Return a page in black on white.

    Parameters
    ----------
    title : subject or model, and when; from the caller.
    """
    symbol, word = verdict_words(rehearsal)
    return rendered(
        "rtbold.gui",
        "rehearsal.html.j2",
        title=title,
        symbol=symbol,
        word=word,
        rehearsal=rehearsal,
        check_words=CHECK_WORDS,
        figures=figure_rows(rehearsal.figures),
    )


def verdict_words(rehearsal: Rehearsal) -> tuple[str, str]:
    """Return symbol and word; one without a verdict is no GO."""
    return VERDICT_WORDS[rehearsal.verdict or "no-go"]
