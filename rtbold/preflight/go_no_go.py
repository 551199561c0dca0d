"""Whether a rehearsed session was good enough for the real one. Pure.

docs/reference/checks.md lists what must be green for a GO, with the reason for each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rtbold.messages import TR_TOLERANCE
from rtbold.preflight.checks import Finding, FindingState

# What was counted and measured of a rehearsed session.


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFigures:
    """What a recording holds, read again after the session."""

    path: str
    problem: str = ""  # why it cannot be read; empty: it can
    n_parts: int = 1
    n_samples: int = 0  # of the EEG; each proven to be what the session saw
    n_markers: int = 0
    n_bytes: int = 0  # of all files of the session
    free_bytes: int = 0  # on that disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was counted and measured of a rehearsed session."""

    asked_s: float
    tr_s: float
    locked: bool  # to volume triggers; False: a free run
    ran_s: float = 0.0  # from the first state of the loop to the last message
    returncode: int | None = None  # of the session; None: it did not end
    said: str = ""  # its last words
    interrupted: bool = False
    n_triggers: int = 0
    trigger_every_s: float | None = None  # median
    n_triggers_missed: int = 0
    n_triggers_double: int = 0
    since_trigger_s: float = 0.0  # from the last trigger to the end
    n_gaps: int = 0  # of the EEG stream
    n_missing_samples: int = 0
    stream_lost: bool = False  # it stalled, or was not there, for a while
    rate_hz: float | None = None  # effective, at the end
    n_answers: int = 0
    n_volumes: int = 0
    n_volumes_missed: int = 0
    n_volumes_double: int = 0
    n_late: int = 0
    n_after_usable: int = 0  # answers since the first usable one, itself too
    n_usable: int = 0
    by_status: Mapping[str, int] = field(default_factory=dict)
    by_reason: Mapping[str, int] = field(default_factory=dict)
    n_measured: int | None = None  # volumes of measured BOLD; None: not asked for
    n_sequence_gaps: int = 0
    longest_silence_s: float = 0.0  # between two heartbeats
    control_ms: float | None = None  # from a request to its answer; None: not asked
    control_problem: str = ""  # why there was no answer of this session
    age_p50_ms: float | None = None  # from the window's end to publication
    age_p99_ms: float | None = None
    age_max_ms: float | None = None
    infer_p99_ms: float | None = None
    feed_p99_ms: float | None = None  # from publication to the subscriber
    memory_begin_mb: float | None = None  # of the session's processes
    memory_end_mb: float | None = None
    recording: RecordingFigures | None = None  # None: nothing was recorded


Verdict = Literal["go", "no-go"]
SILENCE_S = 2.0  # after so long without a heartbeat, apps go neutral
ENOUGH_TRIGGERS = 3
CONTROL_WARN_MS = 500.0
SHORT_OF = 0.95  # of the time that was asked for
NOT_USABLE_SHARE = 0.05  # of the answers after the first usable one
MEMORY_WARN_MB, MEMORY_FAIL_MB = 10.0, 30.0
UNRECORDED_S = 2.0  # of the session's time, at most, before the first sample
WHOLE_SHARE = 0.99  # of the samples that time and rate let expect
HOUR_S = 3600.0


def judge(figures: Figures, *, without_scanner: bool = False) -> tuple[Finding, ...]:
    """Return one finding for each thing that was rehearsed.

    Parameters
    ----------
    without_scanner : triggers were left out on purpose.
    """
    findings = [_session(figures)]
    begun = figures.ran_s > 0.0 or figures.n_answers > 0
    if figures.interrupted or not begun:
        return tuple(findings)  # there is no more to be judged
    return (
        *findings,
        _run_time(figures),
        _stream(figures),
        _triggers(figures, without_scanner=without_scanner),
        _one_per_tr(figures),
        _on_time(figures),
        _answers(figures),
        _heartbeat(figures),
        _sequence(figures),
        _control(figures),
        _latency(figures),
        _memory(figures),
        *_recording(figures),
        *_measured(figures),
    )


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """Return go unless anything failed; warnings do not count."""
    return "no-go" if any(f.state == "fail" for f in findings) else "go"


def why_of(findings: Sequence[Finding]) -> list[str]:
    """Return what stands against a go, in words."""
    return [f"{f.name}: {f.found}" for f in findings if f.state == "fail"]


def _finding(name: str, state: FindingState, found: str, advice: str = "") -> Finding:
    return Finding(name, state, found, advice if state != "ok" else "", must=True)


def _session(figures: Figures) -> Finding:
    name = "session"
    if figures.interrupted:
        return _finding(name, "fail", "interrupted before its end", "rehearse it again")
    if figures.returncode is None:
        advice = "look at its log; rehearse it again"
        found = figures.said or "it did not end and had to be killed"
        return _finding(name, "fail", found, advice)
    if figures.returncode < 0:
        found = f"was killed from outside, by signal {-figures.returncode}"
        return _finding(name, "fail", found, "rehearse it again")
    if figures.returncode != 0:
        said = figures.said or "it said nothing"
        found = f"ended with exit code {figures.returncode}: {said}"
        return _finding(name, "fail", found, "mend that; rehearse it again")
    return _finding(name, "ok", "started, and ended in order")


def _run_time(figures: Figures) -> Finding:
    found = f"{figures.ran_s:.0f} s of {figures.asked_s:.0f} s"
    short = figures.ran_s < SHORT_OF * figures.asked_s - 1.0
    advice = "rehearse it again, to the end"
    return _finding("run time", "fail" if short else "ok", found, advice)


def _stream(figures: Figures) -> Finding:
    name = "EEG stream"
    rate = "unknown rate" if figures.rate_hz is None else f"{figures.rate_hz:.2f} Hz"
    found = (
        f"{rate}, {figures.n_gaps} gaps, {figures.n_missing_samples} samples missing"
    )
    advice = "look at the sender, its cable and the network"
    if figures.rate_hz is None:
        found = f"nothing was said of it in the end; {found}"
        return _finding(name, "fail", found, advice)
    if figures.stream_lost:
        return _finding(name, "fail", f"it stalled or was lost; {found}", advice)
    return _finding(name, "warn" if figures.n_gaps else "ok", found, advice)


def _triggers(figures: Figures, *, without_scanner: bool) -> Finding:
    name = "volume triggers"
    if without_scanner:
        found = "NOT REHEARSED: --without-scanner, the session ran free"
        return _finding(name, "warn", found, "rehearse them as soon as it can run")
    if not figures.locked:
        found = "a free run, as asked for: no trigger is waited for"
        return _finding(name, "warn", found, "predictions are locked to no volume")
    n, every_s = figures.n_triggers, figures.trigger_every_s
    if n == 0:
        advice = (
            "start the scanner and rehearse again, or give --without-scanner to have "
            "the rest judged"
        )
        return _finding(name, "fail", "none came: the session waited", advice)
    found = f"{n} came"
    if n < ENOUGH_TRIGGERS or every_s is None:
        advice = f"at least {ENOUGH_TRIGGERS} are needed: let the scanner run longer"
        return _finding(name, "fail", found, advice)
    found += (
        f", every {every_s:.3f} s (TR {figures.tr_s:g} s); "
        f"{figures.n_triggers_missed} missed, {figures.n_triggers_double} double"
    )
    if abs(every_s / figures.tr_s - 1) > TR_TOLERANCE:
        return _finding(name, "fail", found, "give the scanner's TR with --tr")
    if figures.n_triggers_missed or figures.n_triggers_double:
        advice = "look at the trigger cable, the box between, and the pulse's length"
        return _finding(name, "fail", found, advice)
    if figures.since_trigger_s > 3 * figures.tr_s:
        found += f"; none in the last {figures.since_trigger_s:.0f} s"
        advice = "well if the scanner was stopped; else look at the cable"
        return _finding(name, "warn", found, advice)
    return _finding(name, "ok", found)


def _one_per_tr(figures: Figures) -> Finding:
    name = "one answer per TR"
    expected = figures.ran_s / figures.tr_s
    found = (
        f"{figures.n_answers} answers in {figures.ran_s:.0f} s, {figures.n_volumes} of "
        f"them for volumes; {figures.n_volumes_missed} volumes without, "
        f"{figures.n_volumes_double} with two"
    )
    bad = figures.n_volumes_missed or figures.n_volumes_double
    if bad or figures.n_answers < SHORT_OF * expected - 3:
        return _finding(name, "fail", found, "report it: this must not be")
    return _finding(name, "ok", found)


def _on_time(figures: Figures) -> Finding:
    found = f"{figures.n_late} of {figures.n_answers} late"
    advice = "close other programs; a smaller model or a faster machine; rehearse again"
    late = figures.n_late or not figures.n_answers
    return _finding("on time", "fail" if late else "ok", found, advice)


def _answers(figures: Figures) -> Finding:
    name = "usable answers"
    shares = ", ".join(f"{n} {status}" for status, n in figures.by_status.items())
    reasons = ", ".join(f"{reason} {n}" for reason, n in figures.by_reason.items())
    found = f"{shares}; reasons: {reasons or 'none'}".replace("_", " ")
    if figures.n_usable == 0:
        advice = "see the reasons; a rehearsal shorter than the warm-up proves nothing"
        return _finding(name, "fail", f"none was usable ({found})", advice)
    # warm-up and waiting come first by nature; what is invalid then is no part of them
    n_after = figures.n_after_usable - figures.n_usable
    n_not = max(n_after, figures.by_status.get("invalid", 0))
    share = n_not / (figures.n_usable + n_not)
    found = f"{figures.n_usable} usable, {n_not} not ({found})"
    if share > NOT_USABLE_SHARE:
        return _finding(name, "fail", found, "see the reasons: mend what can be mended")
    if n_not or figures.by_status.get("degraded"):
        return _finding(name, "warn", found, "see the reasons")
    return _finding(name, "ok", found)


def _heartbeat(figures: Figures) -> Finding:
    silent = figures.longest_silence_s
    found = f"never silent for more than {silent:.1f} s"
    advice = f"apps go neutral after {SILENCE_S:g} s: close other programs"
    state: FindingState = "fail" if silent > SILENCE_S else "ok"
    return _finding("heartbeat", state, found, advice)


def _sequence(figures: Figures) -> Finding:
    n = figures.n_sequence_gaps
    found = f"{n} messages missing for the subscriber"
    advice = "look at the network, or at what keeps this machine busy"
    return _finding("sequence", "fail" if n else "ok", found, advice)


def _control(figures: Figures) -> Finding:
    name, ms = "control socket", figures.control_ms
    if figures.control_problem:
        advice = "without it nobody can pause or mark: look at --control-port"
        return _finding(name, "fail", figures.control_problem, advice)
    if ms is None:
        found = "NOT REHEARSED: the session ended before it was asked"
        return _finding(name, "warn", found, "rehearse it again")
    found = f"asked who it is, the session answered within {ms:.0f} ms"
    advice = "buttons act late: see what keeps this machine busy"
    return _finding(name, "warn" if ms > CONTROL_WARN_MS else "ok", found, advice)


def _latency(figures: Figures) -> Finding:
    name = "latency"
    if figures.age_p99_ms is None or figures.age_max_ms is None:
        return _finding(name, "fail", "not measured: nothing was predicted")
    found = (
        f"window's end to publication {figures.age_p50_ms:.0f} ms (p50), "
        f"{figures.age_p99_ms:.0f} ms (p99), {figures.age_max_ms:.0f} ms at most"
    )
    tr_ms = 1000 * figures.tr_s
    advice = "see what takes so long: rtbold doctor, and other programs"
    if figures.age_max_ms > tr_ms:
        return _finding(name, "fail", found, advice)
    state: FindingState = "warn" if figures.age_p99_ms > tr_ms / 2 else "ok"
    return _finding(name, state, found, advice)


def _memory(figures: Figures) -> Finding:
    name = "memory"
    begin_mb, end_mb = figures.memory_begin_mb, figures.memory_end_mb
    if begin_mb is None or end_mb is None:
        return _finding(name, "warn", "not measured: the session was too short")
    grown_mb = end_mb - begin_mb
    found = f"{end_mb:.0f} MB at the end, {grown_mb:+.1f} MB since its first third"
    advice = "report it: a session must not grow"
    if grown_mb > MEMORY_FAIL_MB:
        return _finding(name, "fail", found, advice)
    return _finding(name, "warn" if grown_mb > MEMORY_WARN_MB else "ok", found, advice)


def _recording(figures: Figures) -> list[Finding]:
    recorded, name = figures.recording, "recording"
    if recorded is None:
        found = "NOT REHEARSED: nothing was recorded"
        advice = "pip install 'rtbold[record]', and give --record DIR"
        return [_finding(name, "warn", found, advice)]
    if recorded.problem:
        found = f"{recorded.path}: {recorded.problem}"
        return [_finding(name, "fail", found, "see labrecorder-part-01.log beside it")]
    found = (
        f"opened again: {recorded.n_samples} samples, all as the session saw them, and "
        f"{recorded.n_markers} markers"
    )
    expected_n = (figures.ran_s - UNRECORDED_S) * (figures.rate_hz or 0.0)
    short = recorded.n_samples + figures.n_missing_samples < WHOLE_SHARE * expected_n
    if short or recorded.n_samples == 0:
        found += f"; expected at least {expected_n:.0f} samples"
    unmarked = figures.locked and recorded.n_markers < figures.n_triggers
    if unmarked:
        found += f"; expected at least the {figures.n_triggers} triggers as markers"
    if recorded.n_parts > 1:
        found += f"; in {recorded.n_parts} parts, because a stream or LabRecorder went"
    bad = short or unmarked or recorded.n_samples == 0 or recorded.n_parts > 1
    advice = "look at the disk, and at streams that came back under another name"
    return [_finding(name, "fail" if bad else "ok", found, advice), _room(figures)]


def _measured(figures: Figures) -> list[Finding]:
    """Say whether measured BOLD came, where it was asked for."""
    n, name = figures.n_measured, "measured BOLD"
    if n is None:
        return []
    if n == 0:
        found = "NOT REHEARSED: none came that is a volume of this session"
        advice = (
            "look at its source (--truth); where it came, the scan began before the "
            "session, which counts from the first trigger that it hears"
        )
        return [_finding(name, "warn", found, advice)]
    return [_finding(name, "ok", f"{n} volumes came")]


def _room(figures: Figures) -> Finding:
    recorded = figures.recording
    assert recorded is not None  # the caller looked
    per_hour = recorded.n_bytes / max(figures.ran_s, 1.0) * HOUR_S
    hours = recorded.free_bytes / max(per_hour, 1.0)
    found = (
        f"an hour takes {per_hour / 1e9:.2f} GB, {recorded.free_bytes / 1e9:.0f} GB "
        f"are free"
    )
    state: FindingState = "fail" if hours < 1 else "warn" if hours < 2 else "ok"
    return _finding("disk room", state, found, "make room, or take another disk")
