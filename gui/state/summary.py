"""What a session came to: numbers for the page after it, for print and text. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final, get_args

from rtbold.gui.state.latency import LatencyBook, StageTimes
from rtbold.gui.state.received import FeedbackValue
from rtbold.gui.state.story import Mark, Story
from rtbold.gui.state.words import (
    Level,
    reason_words,
    run_kind_words,
    span_words,
    status_words,
    wall_words,
)
from rtbold.messages import Reason
from rtbold.pages import rendered
from rtbold.publish import Hello, Quality, Truth, TruthScore
from rtbold.run_names import parse

# What is counted over a session, for the summary. Bounded by its closed lists.

MOST_CHANNELS = 1024
KNOWN_REASONS = frozenset(get_args(Reason))


class Counts:
    """Predictions by status and reason, lost volumes, and how good each channel was."""

    def __init__(self) -> None:
        self.by_status: Counter[str] = Counter()  # of the feedback value
        self.by_reason: Counter[str] = Counter()
        self.n_predictions = 0  # all, those without a volume too
        self.n_volumes = 0  # predictions for a volume
        self.n_lost_volumes = 0  # volumes whose prediction never came here
        self.n_runs = 0  # times the volume count began
        self.n_flips = 0  # usable values
        self.worst_age_ms: float | None = None  # of a usable value
        self.channel_looks: Counter[str] = Counter()
        self.channel_good: Counter[str] = Counter()
        self._last_volume: int | None = None

    @property
    def n_late(self) -> int:
        """Predictions that came after the next one was due."""
        return self.by_reason["late"]

    def take_feedback(self, fb: FeedbackValue) -> None:
        """Count one prediction."""
        self.by_status[fb.status] += 1
        self.by_reason.update(KNOWN_REASONS & set(fb.reasons))
        self.n_predictions += 1
        if fb.usable:
            self.n_flips += 1
            self.worst_age_ms = max(fb.age_ms, self.worst_age_ms or fb.age_ms)
        if fb.volume_index is not None:
            self._count_volume(fb.volume_index)

    def take_quality(self, quality: Quality) -> None:
        """Count one look at all channels."""
        for channel in quality.channels[:MOST_CHANNELS]:
            known = channel.label in self.channel_looks
            if known or len(self.channel_looks) < MOST_CHANNELS:
                self.channel_looks[channel.label] += 1
                self.channel_good[channel.label] += channel.state == "good"

    def channel_share(self) -> dict[str, float]:
        """Return the share of looks at which each channel was good."""
        return {
            label: self.channel_good[label] / n
            for label, n in self.channel_looks.items()
        }

    def _count_volume(self, volume: int) -> None:
        self.n_volumes += 1
        last = self._last_volume
        if last is None or volume <= last:
            self.n_runs += 1
        else:
            self.n_lost_volumes += volume - last - 1
        self._last_volume = volume


SHOWN_STATUSES: Final[tuple[Level, ...]] = (
    "ok", "degraded", "invalid", "warmup", "paused",
)  # fmt: skip
R_NOTE: Final = (
    "R is causal, so far: both series after the same causal low-pass, over the newest "
    "150 volumes. The score with the zero-phase target stands in the session's last "
    "lines."
)


@dataclass(frozen=True, slots=True)
class RoiScore:
    """R of one ROI; None: not enough independent volumes."""

    roi: str
    score: TruthScore

    @property
    def words(self) -> str:
        """R with its interval, or that there is not enough."""
        found = self.score
        if found.r is None or found.low is None or found.high is None:
            return f"not enough ({found.n_eff:.1f} independent volumes)"
        return (
            f"R {found.r:+.2f} [{found.low:+.2f}, {found.high:+.2f}], {found.n} volumes"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """The numbers of one session."""

    session: str
    model_name: str
    subject: str | None
    target: str
    simulated: bool
    n_runs: int
    n_volumes: int
    by_status: Mapping[str, int]  # predictions
    n_late: int
    n_lost_volumes: int  # their prediction never came here
    n_triggers: int | None  # None: no quality message came
    n_triggers_missed: int | None
    n_triggers_double: int | None
    n_gaps: int | None
    n_missing_samples: int | None
    n_messages_lost: int
    age: StageTimes  # end of window to publication, usable predictions
    infer: StageTimes
    worst_age_ms: float | None
    channel_good: Mapping[str, float]  # share of looks
    target_score: TruthScore | None
    scores: tuple[RoiScore, ...]
    ended: str  # reason of the bye; empty: it did not say goodbye
    run: str = ""  # number and kind; empty: not said
    lost_s: float | None = None  # of EEG; None: no quality message came
    n_late_triggers: int = 0
    by_reason: Mapping[str, int] = field(default_factory=dict)  # predictions
    marks: tuple[Mark, ...] = ()
    begun_unix_ms: float | None = None
    ended_unix_ms: float | None = None  # of the newest message
    file: str = ""  # of the recording; empty: nothing is recorded, as far as known
    n_bytes: int = 0


def summarise(
    counts: Counts,
    latency: LatencyBook,
    *,
    hello: Hello | None,
    quality: Quality | None,
    truth: Truth | None,
    story: Story,
    n_messages_lost: int = 0,
    ended: str = "",
) -> RunSummary:
    """Return the summary of what came so far."""
    told = quality is not None
    return RunSummary(
        session=hello.session if hello else "",
        model_name=hello.model_name if hello else "",
        subject=hello.subject if hello else None,
        target=hello.target if hello else "",
        simulated=bool(hello and hello.simulated_stream),
        n_runs=counts.n_runs,
        n_volumes=counts.n_volumes,
        by_status=dict(counts.by_status),
        n_late=counts.n_late,
        n_lost_volumes=counts.n_lost_volumes,
        n_triggers=round(story.total("n_triggers")) if told else None,
        n_triggers_missed=round(story.total("n_triggers_missed")) if told else None,
        n_triggers_double=round(story.total("n_triggers_double")) if told else None,
        n_gaps=story.n_gaps if told or story.n_gaps else None,
        n_missing_samples=round(story.total("n_missing_samples")) if told else None,
        n_messages_lost=n_messages_lost,
        age=latency.times("age"),
        infer=latency.times("infer"),
        worst_age_ms=counts.worst_age_ms,
        channel_good=counts.channel_share(),
        target_score=truth.target_score if truth else None,
        scores=_scores(truth),
        ended=ended,
        run=_run(story),
        lost_s=story.total("lost_s") if told else None,
        n_late_triggers=story.n_late_triggers,
        by_reason=dict(counts.by_reason.most_common()),
        marks=story.marks,
        begun_unix_ms=story.begun_unix_ms,
        ended_unix_ms=story.ended_unix_ms,
        file=_path(story),
        n_bytes=story.n_bytes,
    )


def _run(story: Story) -> str:
    """Return the number and the kind of the newest run; empty: nobody said."""
    if not story.blocks:
        return ""
    newest = story.blocks[-1]
    return f"{newest.run:02d} {run_kind_words(newest.run_type)}"


def _path(story: Story) -> str:
    """Return where the recording is: its name alone where the folder is not known."""
    name = parse(story.file)
    if name is None or not story.folder:
        return story.file
    return str(name.folder(Path(story.folder)) / story.file)


def _scores(truth: Truth | None) -> tuple[RoiScore, ...]:
    if truth is None or len(truth.scores) != len(truth.rois):
        return ()
    return tuple(map(RoiScore, truth.rois, truth.scores))


def summary_rows(summary: RunSummary) -> tuple[tuple[str, str], ...]:
    """Return (what, how much) in words, in the order of the page."""
    shares = summary.channel_good
    worst = sorted(shares, key=shares.__getitem__)[:5]
    channels = ", ".join(f"{label} {100 * shares[label]:.0f} %" for label in worst)
    return (
        ("model", f"{summary.model_name or 'not said'}{_simulated(summary)}"),
        ("subject", summary.subject or "none"),
        ("run", summary.run or "not said"),
        ("target", summary.target or "not said"),
        ("start", when_words(summary.begun_unix_ms)),
        ("end", _end(summary)),
        ("recording", _recording(summary)),
        ("trains of triggers, volumes", f"{summary.n_runs}, {summary.n_volumes}"),
        ("predictions", _by_status(summary.by_status)),
        ("late predictions", str(summary.n_late)),
        ("predictions that did not arrive here", str(summary.n_lost_volumes)),
        ("reasons", _reasons(summary.by_reason)),
        ("triggers", _triggers(summary)),
        ("gaps in the EEG", _gaps(summary)),
        ("age when published", _times(summary.age)),
        ("model's own time", _times(summary.infer)),
        ("channels, share of time good (worst five)", channels or "not said"),
        (f"measured against predicted: {summary.target or 'target'}", _target(summary)),
    )


MARK_WORDS: Final = {
    "mark": "mark",
    "note": "note",
    "pause": "paused",
    "resume": "resumed",
    "start": "started",
    "stop": "stopped",
}


def mark_rows(summary: RunSummary) -> tuple[tuple[str, str], ...]:
    """Return (time of day, number in the picture and what was done) in order."""
    return tuple(
        (
            wall_words(mark.t_unix_ms),
            f"{n}  {MARK_WORDS[mark.kind]}{': ' if mark.text else ''}{mark.text}",
        )
        for n, mark in enumerate(summary.marks, start=1)
    )


def when_words(t_unix_ms: float | None) -> str:
    """Return date and time of day at this computer's place."""
    if t_unix_ms is None:
        return "not said"
    try:
        return f"{datetime.fromtimestamp(t_unix_ms / 1000):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "not said"


def _end(summary: RunSummary) -> str:
    how = summary.ended or "no goodbye came: crashed, killed or cut off"
    if how.startswith("not yet"):
        return how
    if summary.ended_unix_ms is None or summary.begun_unix_ms is None:
        return how
    lasted_s = (summary.ended_unix_ms - summary.begun_unix_ms) / 1000
    when = when_words(summary.ended_unix_ms)
    return f"{when}, after {span_words(lasted_s)} ({how})"


def _recording(summary: RunSummary) -> str:
    if not summary.file:
        return "none that this window knows of"
    return f"{summary.file}, {summary.n_bytes / 1e6:.1f} MB"


def _reasons(by_reason: Mapping[str, int]) -> str:
    """Return how many predictions had each reason, the most frequent first."""
    parts = (f"{reason_words(reason).short} ({n})" for reason, n in by_reason.items())
    return "; ".join(parts) or "none"


def as_html(summary: RunSummary) -> str:
    """Return the summary as HTML for a text view."""
    return _rendered("summary.html.j2", summary)


def as_page(summary: RunSummary, picture: str = "") -> str:
    """Return the summary as a page that browsers show and print.

    Parameters
    ----------
    picture : of the run, PNG in base64; empty: there is none.
    """
    return _rendered("summary_page.html.j2", summary, picture)


def _rendered(template: str, summary: RunSummary, picture: str = "") -> str:
    return rendered(
        "rtbold.gui",
        template,
        summary=summary,
        rows=summary_rows(summary),
        marks=mark_rows(summary),
        note=R_NOTE,
        picture=picture,
    )


def _simulated(summary: RunSummary) -> str:
    return " (SIMULATED EEG)" if summary.simulated else ""


def _by_status(by_status: Mapping[str, int]) -> str:
    total = sum(by_status.values())
    if not total:
        return "none"
    parts = [
        f"{by_status[status]} {status_words(status).word.lower()} "
        f"({100 * by_status[status] / total:.0f} %)"
        for status in SHOWN_STATUSES
        if by_status.get(status)
    ]
    return f"{total}: {', '.join(parts)}"


def _triggers(summary: RunSummary) -> str:
    if summary.n_triggers is None:
        return "not said"
    return (
        f"{summary.n_triggers}, missed {summary.n_triggers_missed}, double "
        f"{summary.n_triggers_double}, late {summary.n_late_triggers}"
    )


def _gaps(summary: RunSummary) -> str:
    if summary.n_gaps is None:
        return "not said"
    if summary.lost_s is None:
        return f"at least {summary.n_gaps}; the session did not say how much"
    if summary.n_gaps and not summary.lost_s:
        return f"{summary.n_gaps}, of unknown length"
    return (
        f"{summary.n_gaps}, {summary.lost_s:.3g} s lost "
        f"({summary.n_missing_samples} samples)"
    )


def _times(times: StageTimes) -> str:
    if times.p50 is None:
        return "none measured"
    return (
        f"median {times.p50:.0f} ms, 95 % {times.p95:.0f}, 99 % {times.p99:.0f}, "
        f"largest {times.most:.0f} (n {times.n})"
    )


def _target(summary: RunSummary) -> str:
    if summary.target_score is None:
        return "not measured"
    return RoiScore(summary.target, summary.target_score).words
