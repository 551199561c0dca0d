"""Whether a rehearsed session was good enough for the real one. Pure.

docs/reference/checks.md lists what must be green for a GO, with the reason for each.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rtbold.client import DEAD_AFTER_S
from rtbold.distribution import pip_install
from rtbold.messages import TR_TOLERANCE, Check
from rtbold.preflight.checks import Rule, decided

ENOUGH_TRIGGERS = 3
CONTROL_WARN_MS = 500.0
SHORT_OF = 0.95  # of the time that was asked for
NOT_USABLE_SHARE = 0.05  # of the answers after the first usable one
MEMORY_WARN_MB, MEMORY_FAIL_MB = 10.0, 30.0
UNRECORDED_S = 2.0  # of the session's time, at most, before the first sample
WHOLE_SHARE = 0.99  # of the samples that time and rate let expect
HOUR_S = 3600.0
AGAIN = "rehearse it again"
REASONS = "see the reasons"


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


def evaluate(figures: Figures, *, without_scanner: bool = False) -> tuple[Check, ...]:
    """Return one check for each thing that was rehearsed.

    Parameters
    ----------
    without_scanner : triggers were left out on purpose.
    """
    session = _session(figures)
    begun = figures.ran_s > 0.0 or figures.n_answers > 0
    if figures.interrupted or not begun:
        return (session,)  # there is no more to be judged
    return (
        session,
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


def _must(name: str, found: str, *rules: Rule) -> Check:
    return decided(name, found, *rules, must=True)


def _fail(name: str, found: str, advice: str = "") -> Check:
    return Check(name, "fail", found, advice, must=True)


def _warn(name: str, found: str, advice: str = "") -> Check:
    return Check(name, "warn", found, advice, must=True)


def _session(figures: Figures) -> Check:
    name, code, said = "session", figures.returncode, figures.said
    if figures.interrupted:
        return _fail(name, "interrupted before its end", AGAIN)
    if code is None:
        found = said or "it did not end and had to be killed"
        return _fail(name, found, f"look at its log; {AGAIN}")
    if code < 0:
        return _fail(name, f"was killed from outside, by signal {-code}", AGAIN)
    if code:
        found = f"ended with exit code {code}: {said or 'it said nothing'}"
        return _fail(name, found, f"mend that; {AGAIN}")
    return _must(name, "started, and ended in order")


def _run_time(figures: Figures) -> Check:
    found = f"{figures.ran_s:.0f} s of {figures.asked_s:.0f} s"
    short = figures.ran_s < SHORT_OF * figures.asked_s - 1.0
    return _must("run time", found, (short, "fail", f"{AGAIN}, to the end"))


def _stream(figures: Figures) -> Check:
    rate = "unknown rate" if figures.rate_hz is None else f"{figures.rate_hz:.2f} Hz"
    found = (
        f"{rate}, {figures.n_gaps} gaps, {figures.n_missing_samples} samples missing"
    )
    lost = figures.rate_hz is None or figures.stream_lost
    if figures.rate_hz is None:
        found = f"nothing was said of it in the end; {found}"
    elif lost:
        found = f"it stalled or was lost; {found}"
    mend = "look at the sender, its cable and the network"
    return _must(
        "EEG stream", found, (lost, "fail", mend), (figures.n_gaps, "warn", mend)
    )


def _triggers(figures: Figures, *, without_scanner: bool) -> Check:
    name, n, every_s = "volume triggers", figures.n_triggers, figures.trigger_every_s
    if without_scanner:
        found = "NOT REHEARSED: --without-scanner, the session ran free"
        return _warn(name, found, "rehearse them as soon as it can run")
    if not figures.locked:
        found = "a free run, as asked for: no trigger is waited for"
        return _warn(name, found, "predictions are locked to no volume")
    if n == 0:
        advice = (
            "start the scanner and rehearse again, or give --without-scanner to have "
            "the rest judged"
        )
        return _fail(name, "none came: the session waited", advice)
    if n < ENOUGH_TRIGGERS or every_s is None:
        advice = f"at least {ENOUGH_TRIGGERS} are needed: let the scanner run longer"
        return _fail(name, f"{n} came", advice)
    missed, double = figures.n_triggers_missed, figures.n_triggers_double
    found = (
        f"{n} came, every {every_s:.3f} s (TR {figures.tr_s:g} s); "
        f"{missed} missed, {double} double"
    )
    if abs(every_s / figures.tr_s - 1) > TR_TOLERANCE:
        return _fail(name, found, "give the scanner's TR with --tr")
    if missed or double:
        advice = "look at the trigger cable, the box between, and the pulse's length"
        return _fail(name, found, advice)
    if figures.since_trigger_s > 3 * figures.tr_s:
        found += f"; none in the last {figures.since_trigger_s:.0f} s"
        return _warn(
            name, found, "well if the scanner was stopped; else look at the cable"
        )
    return _must(name, found)


def _one_per_tr(figures: Figures) -> Check:
    expected = SHORT_OF * (figures.ran_s / figures.tr_s) - 3
    missed, double = figures.n_volumes_missed, figures.n_volumes_double
    found = (
        f"{figures.n_answers} answers in {figures.ran_s:.0f} s, {figures.n_volumes} of "
        f"them for volumes; {missed} volumes without, {double} with two"
    )
    bad = missed or double or figures.n_answers < expected
    return _must(
        "one answer per TR", found, (bad, "fail", "report it: this must not be")
    )


def _on_time(figures: Figures) -> Check:
    found = f"{figures.n_late} of {figures.n_answers} late"
    mend = "close other programs; a smaller model or a faster machine; rehearse again"
    late = figures.n_late or not figures.n_answers
    return _must("on time", found, (late, "fail", mend))


def _answers(figures: Figures) -> Check:
    name = "usable answers"
    shares = ", ".join(f"{n} {status}" for status, n in figures.by_status.items())
    reasons = ", ".join(f"{reason} {n}" for reason, n in figures.by_reason.items())
    found = f"{shares}; reasons: {reasons or 'none'}".replace("_", " ")
    if figures.n_usable == 0:
        advice = f"{REASONS}; a rehearsal shorter than the warm-up proves nothing"
        return _fail(name, f"none was usable ({found})", advice)
    # warm-up and waiting come first by nature; what is invalid then is no part of them
    n_after = figures.n_after_usable - figures.n_usable
    n_not = max(n_after, figures.by_status.get("invalid", 0))
    too_many = n_not / (figures.n_usable + n_not) > NOT_USABLE_SHARE
    return _must(
        name,
        f"{figures.n_usable} usable, {n_not} not ({found})",
        (too_many, "fail", f"{REASONS}: mend what can be mended"),
        (n_not or figures.by_status.get("degraded"), "warn", REASONS),
    )


def _heartbeat(figures: Figures) -> Check:
    silent = figures.longest_silence_s
    found = f"never silent for more than {silent:.1f} s"
    mend = f"apps go neutral after {DEAD_AFTER_S:g} s: close other programs"
    return _must("heartbeat", found, (silent > DEAD_AFTER_S, "fail", mend))


def _sequence(figures: Figures) -> Check:
    n = figures.n_sequence_gaps
    mend = "look at the network, or at what keeps this machine busy"
    return _must(
        "sequence", f"{n} messages missing for the subscriber", (n, "fail", mend)
    )


def _control(figures: Figures) -> Check:
    name, ms = "control socket", figures.control_ms
    if figures.control_problem:
        advice = "without it nobody can pause or mark: look at --control-port"
        return _fail(name, figures.control_problem, advice)
    if ms is None:
        return _warn(
            name, "NOT REHEARSED: the session ended before it was asked", AGAIN
        )
    found = f"asked who it is, the session answered within {ms:.0f} ms"
    mend = "buttons act late: see what keeps this machine busy"
    return _must(name, found, (ms > CONTROL_WARN_MS, "warn", mend))


def _latency(figures: Figures) -> Check:
    p99_ms, max_ms = figures.age_p99_ms, figures.age_max_ms
    if p99_ms is None or max_ms is None:
        return _fail("latency", "not measured: nothing was predicted")
    found = (
        f"window's end to publication {figures.age_p50_ms:.0f} ms (p50), "
        f"{p99_ms:.0f} ms (p99), {max_ms:.0f} ms at most"
    )
    tr_ms = 1000 * figures.tr_s
    mend = "see what takes so long: rtbold doctor, and other programs"
    return _must(
        "latency",
        found,
        (max_ms > tr_ms, "fail", mend),
        (p99_ms > tr_ms / 2, "warn", mend),
    )


def _memory(figures: Figures) -> Check:
    begin_mb, end_mb = figures.memory_begin_mb, figures.memory_end_mb
    if begin_mb is None or end_mb is None:
        return _warn("memory", "not measured: the session was too short")
    grown_mb = end_mb - begin_mb
    mend = "report it: a session must not grow"
    return _must(
        "memory",
        f"{end_mb:.0f} MB at the end, {grown_mb:+.1f} MB since its first third",
        (grown_mb > MEMORY_FAIL_MB, "fail", mend),
        (grown_mb > MEMORY_WARN_MB, "warn", mend),
    )


def _recording(figures: Figures) -> Iterator[Check]:
    recorded, name = figures.recording, "recording"
    if recorded is None:
        found = "NOT REHEARSED: nothing was recorded"
        yield _warn(name, found, f"{pip_install('record')}, and give --record DIR")
        return
    if recorded.problem:
        found = f"{recorded.path}: {recorded.problem}"
        yield _fail(name, found, "see labrecorder-part-01.log beside it")
        return
    yield _whole(figures, recorded)
    yield _room(figures, recorded)


def _whole(figures: Figures, recorded: RecordingFigures) -> Check:
    found = (
        f"opened again: {recorded.n_samples} samples, all as the session saw them, and "
        f"{recorded.n_markers} markers"
    )
    expected_n = (figures.ran_s - UNRECORDED_S) * (figures.rate_hz or 0.0)
    n = recorded.n_samples
    short = n == 0 or n + figures.n_missing_samples < WHOLE_SHARE * expected_n
    unmarked = figures.locked and recorded.n_markers < figures.n_triggers
    parted = recorded.n_parts > 1
    if short:
        found += f"; expected at least {expected_n:.0f} samples"
    if unmarked:
        found += f"; expected at least the {figures.n_triggers} triggers as markers"
    if parted:
        found += f"; in {recorded.n_parts} parts, because a stream or LabRecorder went"
    mend = "look at the disk, and at streams that came back under another name"
    return _must("recording", found, (short or unmarked or parted, "fail", mend))


def _room(figures: Figures, recorded: RecordingFigures) -> Check:
    per_hour = recorded.n_bytes / max(figures.ran_s, 1.0) * HOUR_S
    hours = recorded.free_bytes / max(per_hour, 1.0)
    found = (
        f"an hour takes {per_hour / 1e9:.2f} GB, {recorded.free_bytes / 1e9:.0f} GB "
        f"are free"
    )
    mend = "make room, or take another disk"
    return _must(
        "disk room", found, (hours < 1, "fail", mend), (hours < 2, "warn", mend)
    )


def _measured(figures: Figures) -> Iterator[Check]:
    """Say whether measured BOLD came, where it was asked for."""
    n, name = figures.n_measured, "measured BOLD"
    if n:
        yield _must(name, f"{n} volumes came")
    elif n == 0:
        found = "NOT REHEARSED: none came that is a volume of this session"
        advice = (
            "look at its source (--truth); where it came, the scan began before the "
            "session, which counts from the first trigger that it hears"
        )
        yield _warn(name, found, advice)
