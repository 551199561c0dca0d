"""What a rehearsal said so far, and its end. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rtbold.gui.state.checks import (
    MOST_LINES,
    CheckLine,
    read_check,
    read_object,
    texts,
)

Verdict = Literal["go", "no-go"]
VERDICT_WORDS: dict[Verdict, tuple[str, str]] = {
    "go": ("●", "GO"),
    "no-go": ("■", "NO-GO"),
}


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One rehearsal.

    Parameters
    ----------
    made_for : the settings that are rehearsed; compared by value.
    problem : why it ended without a verdict.
    page : file of its report, once there is one.
    """

    made_for: object = None
    running: bool = False
    stage: str = ""
    elapsed_s: float = 0.0
    remaining_s: float | None = None
    said: tuple[str, ...] = ()  # newest last
    checks: tuple[CheckLine, ...] = ()
    verdict: Verdict | None = None
    why: tuple[str, ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
    page: str = ""
    problem: str = ""

    def with_line(self, text: str) -> "Rehearsal":
        """Return this with one line of ``rehearse --json`` read; others: unchanged."""
        said = read_object(text)
        changed = self
        if (line := read_check(said.get("check"))) is not None:
            changed = replace(changed, checks=(*self.checks, line)[-MOST_LINES:])
        if "stage" in said:
            changed = _at_stage(changed, said)
        if said.get("verdict") in VERDICT_WORDS:
            changed = _ended(changed, said)
        return changed

    def stale(self, wanted: object) -> bool:
        """Whether other settings were rehearsed than those that are wanted now."""
        return self.made_for is not None and self.made_for != wanted

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        if self.verdict is not None:
            return 1.0
        whole_s = self.elapsed_s + (self.remaining_s or 0.0)
        return self.elapsed_s / whole_s if self.remaining_s and whole_s else 0.0


def _at_stage(rehearsal: Rehearsal, said: Mapping[str, Any]) -> Rehearsal:
    words, known = str(said.get("text") or ""), rehearsal.said
    news = bool(words) and known[-1:] != (words,)
    return replace(
        rehearsal,
        stage=str(said["stage"]),
        elapsed_s=_seconds(said.get("elapsed_s")) or 0.0,
        remaining_s=_seconds(said.get("remaining_s")),
        said=(*known, words)[-MOST_LINES:] if news else known,
    )


def _ended(rehearsal: Rehearsal, said: Mapping[str, Any]) -> Rehearsal:
    figures = said.get("figures")
    return replace(
        rehearsal,
        verdict=said["verdict"],
        why=texts(said.get("why")),
        figures=figures if isinstance(figures, dict) else {},
        page=str(said.get("page") or ""),
        remaining_s=0.0,
    )


def _seconds(said: object) -> float | None:
    return float(said) if isinstance(said, int | float) else None
