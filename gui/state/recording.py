"""Whether this run is recorded, which one it is, and for how long it goes. Pure.

What nobody says counts as not recorded: an operator who believes in a recording that
is not there loses the run.
"""

from dataclasses import dataclass
from typing import Final

from msgspec import UNSET

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.session_words import not_shown_words, run_type_words
from rtbold.gui.state.words import Level, span_words
from rtbold.publish import RecordingPart

MB: Final = 1e6
NOT_RECORDED: Final = "NOT RECORDED"
OLD_S: Final = 10.0  # the session says once a second how its recording is


@dataclass(frozen=True, slots=True)
class RecordLine:
    """What the bar of the session page says.

    Parameters
    ----------
    level : colour of `chip`.
    run : run, kind and subject.
    file : name and MB; empty: there is none.
    elapsed : since the run began.
    """

    level: Level = "none"
    chip: str = "NO SESSION"
    run: str = ""
    file: str = ""
    elapsed: str = ""
    address: str = ""

    @property
    def spoken(self) -> str:
        """All of it in one line, for screen readers."""
        parts = (self.chip, self.run, self.file, self.elapsed, self.address)
        return ", ".join(part for part in parts if part)


def record_line(state: DashboardState, now_s: float) -> RecordLine:
    """Return what to show at `now_s`."""
    level, chip = _chip(state, now_s)
    return RecordLine(
        level,
        chip,
        run_words(state),
        file_words(state),
        elapsed_words(state, now_s),
        state.address,
    )


def run_words(state: DashboardState) -> str:
    """Return run, kind and subject; what is not known is left out."""
    phase, hello = state.phase, state.hello
    parts = []
    if phase is not None:
        parts.append(f"run {phase.run:02d} {run_type_words(phase)}")
        parts += ["no feedback shown"] if not_shown_words(state) else []
    if hello is not None:
        parts.append(hello.subject or "no subject")
    return "  ·  ".join(parts)


def file_words(state: DashboardState) -> str:
    """Return the file with its size; empty: nothing is written."""
    part = _part(state)
    if part is None:
        return ""
    return f"{part.file}  {part.n_bytes / MB:.1f} MB"


def elapsed_words(state: DashboardState, now_s: float) -> str:
    """Return how long the run has gone on; it stands still once it has ended."""
    phase = state.phase
    if phase is None:
        return ""
    if state.bye is not None:
        return span_words(state.bye.t_lsl - phase_begin(state))
    lsl_s = state.lsl_now_s(now_s)
    if lsl_s is None:
        return ""
    silent_s = state.silent_s(now_s) if state.headline(now_s).stale else 0.0
    return span_words(lsl_s - silent_s - phase_begin(state))


def phase_begin(state: DashboardState) -> float:
    """Return when the run began, the publisher's clock; that of its first phase."""
    first = state.story.begun_s
    return first if first is not None else state.phase.t_on if state.phase else 0.0


def _part(state: DashboardState) -> RecordingPart | None:
    told = state.quality.recording if state.quality else UNSET
    return told if isinstance(told, RecordingPart) else None


def _chip(state: DashboardState, now_s: float) -> tuple[Level, str]:
    """Return what is said in the colour of its level."""
    headline = state.headline(now_s)
    if state.session is None or state.link is None:
        return "none", "NO SESSION"
    part = _part(state)
    if state.bye is not None:
        return _at_the_end(part)
    if headline.level == "silent" and headline.word.startswith("NO HEARTBEAT"):
        return "silent", "REC? no heartbeat"
    told = state.quality.recording if state.quality else UNSET
    if state.quality is None:
        return "warmup", "REC? not said yet"
    if told is UNSET:  # a session of an earlier version
        return "degraded", f"{NOT_RECORDED}, or not said"
    if part is None:
        return "degraded", NOT_RECORDED
    lsl_s = state.lsl_now_s(now_s)
    old_s = 0.0 if lsl_s is None else lsl_s - state.quality.t_lsl
    if old_s > OLD_S:
        return "degraded", f"REC? not said for {span_words(old_s)}"
    return _of_part(part, lsl_s)


def _at_the_end(part: RecordingPart | None) -> tuple[Level, str]:
    """Return what came of it, as the session said last."""
    if part is not None and part.state in ("failed", "stopped"):
        return "invalid", "REC FAILED"
    if part is None or part.state == "starting":
        return ("degraded" if part else "none"), f"ENDED, {NOT_RECORDED}"
    return "none", "RECORDED"


def _of_part(part: RecordingPart, lsl_s: float | None) -> tuple[Level, str]:
    if part.state in ("failed", "stopped"):
        return "invalid", "REC FAILS"
    if part.state == "starting" or part.t_begun is None:
        return "degraded", f"{NOT_RECORDED} yet"
    since = "" if lsl_s is None else f" {span_words(lsl_s - part.t_begun)}"
    trouble = part.state != "recording"
    return ("degraded" if trouble else "ok"), f"REC{since}"
