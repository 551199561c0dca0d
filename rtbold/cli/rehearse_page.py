"""The result of a rehearsal as one sheet of A4: HTML without a script. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rtbold.calibration.report.markup import Markup, element, together
from rtbold.preflight import Finding
from rtbold.rehearsal_figures import Figures
from rtbold.session_rehearsal import Outcome

# Black on white, and by symbol: it is printed, perhaps without colour.
SYMBOLS: Final = {"ok": "✓", "warn": "▲", "fail": "✕"}
WORDS: Final = {"ok": "ok", "warn": "look", "fail": "NOT OK"}
CSS: Final = """
@page { size: A4; margin: 12mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 186mm; padding: 4mm 0; background: #fff; color: #000;
  font: 8.5pt/1.3 system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
header { display: flex; gap: 8mm; align-items: center; border-bottom: 2px solid #000;
  padding-bottom: 3mm; }
.verdict { font-size: 30pt; font-weight: 800; line-height: 1; border: 3px solid #000;
  padding: 2mm 5mm; white-space: nowrap; }
.no-go { background: #000; color: #fff; print-color-adjust: exact;
  -webkit-print-color-adjust: exact; }
h1 { font-size: 13pt; margin: 0 0 1mm; }
h2 { font-size: 9.5pt; margin: 3.5mm 0 1mm; }
p { margin: 0; overflow-wrap: anywhere; }
ul { margin: 0; padding-left: 4mm; }
table { border-collapse: collapse; width: 100%; }
td { vertical-align: top; padding: .5mm 2mm .5mm 0; border-bottom: 1px solid #bbb;
  overflow-wrap: anywhere; }
td:first-child { white-space: nowrap; font-weight: 600; width: 17mm; }
td:nth-child(2) { width: 36mm; }
.fail { font-weight: 700; }
dl { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0 5mm; margin: 0; }
dl div { display: flex; justify-content: space-between; gap: 2mm;
  border-bottom: 1px solid #bbb; }
dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
code { font: 7.5pt/1.35 ui-monospace, Consolas, monospace; }
footer { display: flex; gap: 8mm; margin-top: 5mm; }
footer span { flex: 1; border-top: 1px solid #000; padding-top: 1mm; margin-top: 7mm; }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """What the page says of when and where; told by whoever writes it."""

    date: str
    machine: str
    software: str
    command: str


def rehearsal_page(outcome: Outcome, facts: PageFacts) -> str:
    """Return the page; every text from outside is escaped."""
    head = element(
        "head",
        Markup('<meta charset="utf-8">'),
        element("title", f"Rehearsal {facts.date}: {outcome.verdict.upper()}"),
        element("style", Markup(CSS)),
    )
    parts = [
        _header(outcome, facts),
        _why(outcome),
        _rows("Rehearsed", outcome.rehearsed),
        _before(outcome.before),
        _figures(outcome.figures),
        element("h2", "The session"),
        element("p", element("code", facts.command)),
        element("p", f"{facts.machine}; {facts.software}"),
        element("footer", element("span", "Name"), element("span", "Signature")),
    ]
    body = element("body", together(parts))
    page = element("html", head, body, lang="en")
    return f"<!doctype html>\n{page.html}\n"


def _header(outcome: Outcome, facts: PageFacts) -> Markup:
    go = outcome.verdict == "go"
    box = element(
        "div", "GO" if go else "NO-GO", class_="verdict" if go else "verdict no-go"
    )
    about = f"Subject {outcome.run.subject or 'not named'}; {facts.date}"
    lines = [element("h1", "Rehearsal of a session"), element("p", about)]
    for name in ("model", "stream"):
        found = next((f.found for f in outcome.before if f.name == name), "not found")
        lines.append(element("p", f"{name.capitalize()}: {found}"))
        if "simulated EEG" in found:
            said = "SIMULATED EEG: this says nothing of the amplifier."
            lines.append(element("p", element("strong", said)))
    return element("header", box, element("div", *lines))


def _why(outcome: Outcome) -> Markup:
    if not outcome.why:
        return Markup("")
    items = [element("li", why) for why in outcome.why]
    return together([element("h2", "Why not"), element("ul", *items)])


def _rows(title: str, findings: Iterable[Finding]) -> Markup:
    rows = [
        element(
            "tr",
            element("td", f"{SYMBOLS[f.state]} {WORDS[f.state]}"),
            element("td", f.name),
            element("td", _text(f)),
            class_=f.state,
        )
        for f in findings
    ]
    if not rows:
        return Markup("")
    return together([element("h2", title), element("table", *rows)])


def _text(finding: Finding) -> str:
    if not finding.advice:
        return finding.found
    return f"{finding.found}. To do: {finding.advice}."


def _before(findings: Iterable[Finding]) -> Markup:
    """Say in one line what was well before the session, and list the rest."""
    well = [f.name for f in findings if f.state == "ok"]
    rest = [f for f in findings if f.state != "ok"]
    said = f"{SYMBOLS['ok']} {len(well)} checks are well: {', '.join(well)}."
    return together(
        [_rows("Before the session", rest) if rest else element("h2", "Before"),
         element("p", said)]
    )  # fmt: skip


def _figures(figures: Figures | None) -> Markup:
    if figures is None:
        return element("p", "No session was started, so nothing was measured.")
    pairs = [
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
    ]
    rows = [element("div", element("dt", a), element("dd", b)) for a, b in pairs]
    return together([element("h2", "Figures"), element("dl", *rows)])


def _known(value: float | None, form: str) -> str:
    return "not known" if value is None else form.format(value)
