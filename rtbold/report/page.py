"""The report as one page: no scripts, nothing fetched. Pure."""

from typing import Any

from rtbold.pages import rendered
from rtbold.report.build import Report, ReportedSession
from rtbold.report.charts import effects_chart, trace
from rtbold.report.effects import Effect
from rtbold.report.summary import PERCENTILES
from rtbold.report.words import effect_words


def report_html(report: Report) -> str:
    """Return the whole page."""
    return rendered(
        "rtbold.report",
        "session.html.j2",
        report=report,
        sessions=[_session(each) for each in report.sessions],
        percentiles=PERCENTILES,
        change=_change(report.over_sessions, "session", report),
        filled_n=sum(item.state == "filled" for item in report.checklist),
    )


def _session(session: ReportedSession) -> dict[str, Any]:
    """Return what the template shows of one session."""
    summary = session.summary
    return {
        "summary": summary,
        "effect": effect_words(summary.effect, summary.unit, sealed=summary.sealed),
        "found": summary.effect is not None and summary.effect.found,
        "transfer": (
            effect_words(summary.transfer, summary.unit) if summary.transfer else None
        ),
        "learning": (
            effect_words(summary.learning, f"{summary.unit} per run")
            if summary.learning
            else None
        ),
        "effects_chart": effects_chart(summary.run_effects, summary.unit),
        "recordings": [
            {"material": m, "trace": trace(m.rows, summary.unit)}
            for m in session.materials
        ],
    }


def _change(effect: Effect | None, per: str, report: Report) -> str | None:
    if effect is None:
        return None
    return effect_words(effect, f"{report.sessions[-1].summary.unit} per {per}")
