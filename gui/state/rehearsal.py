"""What a rehearsal said so far, and its end. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from rtbold.gui.state.checks import (
    CHECK_WORDS,
    MOST_LINES,
    changed_words,
    read_check,
    read_object,
    texts,
)
from rtbold.gui.state.setup import duration_words
from rtbold.gui.state.words import wall_words, window_words
from rtbold.messages import Check
from rtbold.pages import rendered

GoNoGo = Literal["go", "no-go"]
STOPPED = ("□", "STOPPED")
SIMULATED = (
    "SIMULATED: EEG or model of this rehearsal are not real. It says that the programs "
    "work together, and nothing of a session with a person."
)
VERDICT_WORDS: dict[GoNoGo, tuple[str, str]] = {
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
    stopped : the operator ended it before it had one; what it says then is none.
    simulated : stream or model are not real.
    done_unix_s : when it ended, by the clock on the wall.
    page : file of its report, once there is one.
    """

    made_for: object = None
    running: bool = False
    stage: str = ""
    elapsed_s: float = 0.0
    remaining_s: float | None = None
    said: tuple[str, ...] = ()  # newest last
    checks: tuple[Check, ...] = ()
    verdict: GoNoGo | None = None
    why: tuple[str, ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
    page: str = ""
    problem: str = ""
    stopped: bool = False
    simulated: bool = False
    done_unix_s: float | None = None

    @property
    def ended(self) -> bool:
        """Whether it has said what it came to, or will say nothing any more."""
        if self.stopped:
            return not self.running
        return self.verdict is not None or bool(self.problem)

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
        stopped=rehearsal.stopped and said["verdict"] != "go",  # else it came too late
        why=texts(said.get("why")),
        figures=figures if isinstance(figures, dict) else {},
        page=str(said.get("page") or ""),
        remaining_s=0.0,
    )


def _seconds(said: object) -> float | None:
    return float(said) if isinstance(said, int | float) else None


# The figures of a rehearsal in words, in the order in which one reads them.

UNITS: Final = {"s": "s", "ms": "ms", "hz": "Hz", "mb": "MB", "gb": "GB", "uv": "µV"}
BYTES_PER_MB: Final = 1e6
KNOWN: Final[dict[str, str]] = {
    "ran_s": "the session ran",
    "n_volumes": "volumes",
    "by_status": "predictions",
    "by_reason": "reasons",
    "n_volumes_missed": "volumes without a prediction",
    "n_volumes_double": "volumes with two",
    "n_late": "late predictions",
    "n_triggers": "triggers",
    "trigger_every_s": "from trigger to trigger",
    "tr_s": "TR",
    "n_triggers_missed": "triggers missed",
    "n_triggers_double": "triggers doubled",
    "rate_hz": "rate of the EEG",
    "n_gaps": "gaps in the EEG",
    "n_missing_samples": "samples missing",
    "age_p50_ms": "age when published, median",
    "age_p99_ms": "age when published, 99 %",
    "age_max_ms": "age when published, worst",
    "infer_p99_ms": "model's own time, 99 %",
    "feed_p99_ms": "feed to subscriber, 99 %",
    "n_sequence_gaps": "messages lost on the feed",
    "longest_silence_s": "longest silence of the feed",
    "control_ms": "answer of the control socket",
    "memory_begin_mb": "memory at the start",
    "memory_end_mb": "memory at the end",
    "recording": "recording",
    "said": "the session's last words",
}
LEFT_OUT: Final = frozenset(  # told by a check or by the verdict, or no news
    {
        "asked_s", "locked", "returncode", "interrupted", "since_trigger_s",
        "stream_lost", "n_answers", "n_after_usable", "n_usable", "n_measured",
        "control_problem",
    }
)  # fmt: skip


def figure_rows(figures: Mapping[str, object]) -> list[tuple[str, str]]:
    """Return names and values for people; what is not known here comes last."""
    names = [name for name in KNOWN if name in figures]
    names += [n for n in figures if n not in KNOWN and n not in LEFT_OUT]
    rows = [(name, figure_words(name, figures[name])) for name in names]
    return [(KNOWN.get(name, words[0]), words[1]) for name, words in rows if words[1]]


def figure_words(name: str, value: object) -> tuple[str, str]:
    """Return a figure's name and value for people: ``latency_p99_ms`` -> with unit."""
    stem, _, unit = name.rpartition("_")
    if not stem or unit not in UNITS:
        stem, unit = name, ""
    if name == "recording" and isinstance(value, Mapping):
        return stem, _recording(value)
    said = (
        "unknown" if value is None else f"{_figure_text(value)} {UNITS.get(unit, '')}"
    )
    return stem.replace("_", " "), said.strip()


def _recording(value: Mapping[str, object]) -> str:
    if problem := value.get("problem"):
        return str(problem)
    size = value.get("n_bytes")
    mb = f", {size / BYTES_PER_MB:.1f} MB" if isinstance(size, int) else ""
    counts = f"{value.get('n_samples')} samples, {value.get('n_markers')} markers{mb}"
    return f"{counts}, in {value.get('path')}"


def _figure_text(value: object) -> str:
    if isinstance(value, Mapping):
        said = [
            f"{_figure_text(n)} {str(name).replace('_', ' ')}"
            for name, n in value.items()
        ]
        return ", ".join(said) or "none"
    if isinstance(value, list):
        return ", ".join(_figure_text(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# A rehearsal on one page for printing, where it left none of its own.


def as_html(rehearsal: Rehearsal, *, title: str) -> str:
    """Return a page in black on white, for a rehearsal that left none of its own.

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
    """Return symbol and word; one without a verdict is no GO, unless it was stopped."""
    if rehearsal.stopped:
        return STOPPED
    return VERDICT_WORDS[rehearsal.verdict or "no-go"]


def rehearsed_words(rehearsal: Rehearsal, wanted: object) -> str:
    """Return what the set-up page says of it, such as "rehearsed GO 21:28".

    Parameters
    ----------
    wanted : settings of now.
    """
    if rehearsal.running:
        return "◌ A rehearsal is running."
    if not rehearsal.ended or rehearsal.done_unix_s is None:
        return "Not rehearsed yet."
    symbol, word = verdict_words(rehearsal)
    at = wall_words(1000 * rehearsal.done_unix_s)[:5]
    said = f"{symbol} rehearsed {word} {at}"
    if rehearsal.simulated:
        said += ", SIMULATED"
    if rehearsal.stale(wanted):
        said += f"; you changed {changed_words(rehearsal.made_for, wanted)} since"
    return said


# What the rehearsal page says beside its verdict.

NOTHING_YET = (
    "A rehearsal runs the real path for some minutes: streams, triggers, model, "
    "recording, feed. Choose everything on the Set-up page and press Rehearse there."
)
STOPPED_BY_HAND = (
    "You stopped it before its end, so it is neither GO nor NO-GO. Rehearse again to "
    "know."
)


def ready_words(rehearsal: Rehearsal, *, what: str) -> str:
    """Return that it can begin now, where nothing runs and nothing was rehearsed.

    Parameters
    ----------
    what : subject or model, and the run.
    """
    if rehearsal.running or rehearsal.ended or not what:
        return ""
    return f"Ready to rehearse {what}. Choose how long, then press Begin."


def left_words(rehearsal: Rehearsal) -> str:
    """Return its stage and the time that is left."""
    if rehearsal.remaining_s is None:
        return f"{rehearsal.stage or 'starting'} …"
    return f"{rehearsal.stage}: {duration_words(rehearsal.remaining_s)} left"


def why_words(rehearsal: Rehearsal) -> str:
    """Return what is behind the verdict."""
    if rehearsal.stopped:
        return "It is being stopped …" if rehearsal.running else STOPPED_BY_HAND
    if rehearsal.problem:
        problem = window_words(rehearsal.problem)
        return f"It ended without a verdict, so it is no GO: {problem}"
    if rehearsal.verdict == "go" and not rehearsal.why:
        return _go_words(rehearsal)
    if rehearsal.verdict:
        return "\n".join(f"• {window_words(each)}" for each in rehearsal.why)
    return "" if rehearsal.running else NOTHING_YET


def stale_words(rehearsal: Rehearsal, now: object, *, begun_at: str) -> str:
    """Return that these are not the settings of now, and what to do."""
    changed = changed_words(rehearsal.made_for, now)
    if rehearsal.running:
        return f"You changed {changed} since it began: it rehearses what was before."
    return (
        f"You changed {changed} since this rehearsal of {begun_at}: it says nothing of "
        "the settings of now. Rehearse again from the Set-up page. What it found is "
        "below, in grey; it counts again if you change back."
    )


def _go_words(rehearsal: Rehearsal) -> str:
    """Return what a GO means; what was not rehearsed is not said to have worked."""
    look = dict.fromkeys(c.name for c in rehearsal.checks if c.state != "ok")
    if not look:
        return "Everything that a session needs worked for the whole rehearsal."
    return f"Nothing failed. Not rehearsed, or to be looked at: {', '.join(look)}."
