"""The result of a rehearsal as one sheet of A4: HTML without a script. Pure."""

from dataclasses import dataclass
from typing import Final

from rtbold.pages import rendered
from rtbold.preflight.rehearse import Outcome
from rtbold.rehearsal_figures import Figures

SYMBOLS: Final = {"ok": "✓", "warn": "▲", "fail": "✕"}
WORDS: Final = {"ok": "ok", "warn": "look", "fail": "NOT OK"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """What the page says of when and where; told by whoever writes it."""

    date: str
    machine: str
    software: str
    command: str


def rehearsal_page(outcome: Outcome, facts: PageFacts) -> str:
    """Return the page; every text from outside is escaped."""
    found = {finding.name: finding.found for finding in reversed(outcome.before)}
    return rendered(
        "rtbold.cli",
        "rehearsal.html.j2",
        outcome=outcome,
        facts=facts,
        about={name: found.get(name, "not found") for name in ("model", "stream")},
        figures=_figure_rows(outcome.figures) if outcome.figures else (),
        symbols=SYMBOLS,
        words=WORDS,
    )


def _figure_rows(figures: Figures) -> tuple[tuple[str, str], ...]:
    """Return what was measured, and how much it came to."""
    return (
        ("run time", f"{figures.ran_s:.0f} s"),
        ("volume triggers", str(figures.n_triggers)),
        ("trigger interval", _known(figures.trigger_every_s, "{:.3f} s")),
        ("answers", str(figures.n_answers)),
        ("usable", str(figures.n_usable)),
        ("late", str(figures.n_late)),
        ("age p50", _known(figures.age_p50_ms, "{:.0f} ms")),
        ("age p99", _known(figures.age_p99_ms, "{:.0f} ms")),
        ("age, largest", _known(figures.age_max_ms, "{:.0f} ms")),
        ("model p99", _known(figures.infer_p99_ms, "{:.1f} ms")),
        ("feed p99", _known(figures.feed_p99_ms, "{:.1f} ms")),
        ("control socket", _known(figures.control_ms, "{:.0f} ms")),
        ("longest silence", f"{figures.longest_silence_s:.1f} s"),
        ("EEG rate", _known(figures.rate_hz, "{:.2f} Hz")),
        ("EEG gaps", str(figures.n_gaps)),
        ("memory", _known(figures.memory_end_mb, "{:.0f} MB")),
    )


def _known(value: float | None, form: str) -> str:
    return "not known" if value is None else form.format(value)
