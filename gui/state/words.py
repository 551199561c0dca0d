"""What the feed's closed words mean to an operator, and what to do. Pure."""

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from rtbold.gui.state.received import Link
from rtbold.messages import Reason, Status

Level = Literal["ok", "degraded", "invalid", "warmup", "paused", "silent", "none"]


@dataclass(frozen=True, slots=True)
class Words:
    """A reason in words; `do` is what the operator can do, perhaps nothing."""

    short: str
    do: str


@dataclass(frozen=True, slots=True)
class StatusWords:
    """A status: the shape of its symbol differs, not only its colour."""

    word: str
    symbol: str


STATUS_WORDS: Final[dict[Level, StatusWords]] = {
    "ok": StatusWords("OK", "●"),
    "degraded": StatusWords("DEGRADED", "▲"),
    "invalid": StatusWords("INVALID", "■"),
    "warmup": StatusWords("WARM-UP", "◌"),
    "paused": StatusWords("PAUSED", "❚❚"),
    "silent": StatusWords("SILENT", "✕"),
    "none": StatusWords("NO SESSION", "○"),
}
REASON_WORDS: Final[dict[Reason, Words]] = {
    "warmup": Words(
        "filters settle and the window of 16 s fills",
        "Wait about 20 s. If it lasts, look whether the cleaning software has started.",
    ),
    "gap": Words(
        "a gap in the EEG within the last 16 s",
        "Wait 20 s. If it comes again: network, amplifier, load of the computer.",
    ),
    "bridged": Words(
        "a short gap in the EEG was bridged",
        "Nothing. If it comes often: network and load of the computer.",
    ),
    "no_data": Words(
        "no EEG comes",
        "Look whether the amplifier and the cleaning software still run.",
    ),
    "stamp_step": Words(
        "the time stamps of the EEG jumped",
        "Wait 16 s. If it comes again, restart the program that sends the EEG.",
    ),
    "stream_changed": Words(
        "EEG or triggers come from another sender of the same name",
        "Is it the same program, started again? If not, end it.",
    ),
    "lag": Words(
        "the EEG does not arrive when its time stamps say",
        "Samples were lost or held up: restart the program that sends the EEG.",
    ),
    "rate": Words(
        "the sampling rate is not the one declared",
        "The log says both rates. Correct the sender's; look for lost samples.",
    ),
    "channel_missing": Words(
        "a channel of the model is not in the stream",
        "Check the montage and the channels' names.",
    ),
    "channel_flat": Words(
        "a channel is flat", "Check that electrode: is it plugged in, is there gel?"
    ),
    "channel_railed": Words(
        "a channel is at its limit",
        "Check that electrode's contact and the amplifier's range.",
    ),
    "line_noise": Words(
        "mains hum on a channel",
        "Check that electrode's contact, the ground and cables near mains leads.",
    ),
    "amplitude": Words(
        "implausible amplitude",
        "Is the scanner's artefact still in? Did the head move? Is the unit right?",
    ),
    "nonfinite": Words(
        "a channel sends no numbers",
        "Check the cleaning software; restart it if it lasts.",
    ),
    "interpolated": Words(
        "a bad channel is filled in from its neighbours",
        "See the head map which one; mend it in the next break.",
    ),
    "late": Words(
        "predictions or triggers come too late",
        "Close other programs on this computer; look at the latency row.",
    ),
    "tr_changed": Words(
        "the scanner's TR is not the one that the model needs",
        "Start the right sequence; give this TR on the Set-up page if the model was "
        "made for it.",
    ),
    "triggers_lost": Words(
        "no volume triggers any more",
        "Is the scanner running? Check the trigger cable and its box.",
    ),
    "waiting_for_scanner": Words(
        "waiting for the first volume trigger", "Start the scanner."
    ),
    "short_baseline": Words(
        "the baseline is short, so z is uncertain",
        "Read z with care until the baseline is longer.",
    ),
    "unvalidated": Words(
        "the model was not shown to predict this subject",
        "Calibrate and validate before the values are believed.",
    ),
    "simulated_model": Words(
        "the model learned from simulated data only",
        "For trials of the set-up only; use a model of real data.",
    ),
    "unlike_calibration": Words(
        "the EEG is not like the calibration's",
        "Check cap, cables, gain, cleaning, helium pump, mains; else calibrate again.",
    ),
    "muscle": Words(
        "muscles of the head are tense",
        "Ask the participant to relax jaw, brow and neck; a pause helps.",
    ),
    "domain_shift": Words(
        "other cleaning or place than the calibration's",
        "Use the same cleaning and scanner, or calibrate under these conditions.",
    ),
    "upstream_delay_unknown": Words(
        "the delay of the cleaning software is not known",
        "Measure it once (the how-to “Measure the cleaning delay”) and give it on the "
        "Set-up page, under Advanced.",
    ),
    "operator_pause": Words("paused by the operator", "Resume when all is ready."),
}
CHANNEL_WORDS: Final[dict[str, str]] = {
    "good": "good",
    "missing": "not in the stream",
    "flat": "flat",
    "railed": "at its limit",
    "line_noise": "mains hum",
    "amplitude": "implausible amplitude",
    "nonfinite": "sends no numbers",
}


def reason_words(reason: str) -> Words:
    """Return a reason in words; one of a newer publisher is named as it came."""
    for known, words in REASON_WORDS.items():
        if known == reason:
            return words
    return Words(reason.replace("_", " "), "")


def status_words(status: Status | Level) -> StatusWords:
    """Return word and symbol."""
    return STATUS_WORDS[status]


def channel_words(state: str) -> str:
    """Return the state of a channel in words."""
    return CHANNEL_WORDS.get(state, state.replace("_", " "))


RUN_WORDS: Final = {
    "train": "training",
    "transfer": "transfer",
    "rest": "baseline",
    "calib": "localiser",
}


def run_kind_words(run_type: str) -> str:
    """Return the kind of a run; one of a newer publisher is named as it came."""
    return RUN_WORDS.get(run_type, run_type)


# Times.


def wall_words(t_unix_ms: float | None) -> str:
    """Return hours, minutes and seconds at this computer's place; empty for None."""
    if t_unix_ms is None:
        return ""
    try:
        return f"{datetime.fromtimestamp(t_unix_ms / 1000):%H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return ""


def span_words(seconds: float) -> str:
    """Return minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(max(0, math.floor(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# Reasons that cannot end before the session does: said once, then left out.

STANDING: Final[frozenset[str]] = frozenset(
    {"upstream_delay_unknown", "simulated_model", "unvalidated", "domain_shift"}
)
LASTS: Final = "for the whole session"


def status_line_words(text: str, said: set[str]) -> str:
    """Return a line of the session's log with a status' reasons in words.

    Parameters
    ----------
    text : such as ``status degraded: channel_flat, unvalidated``; another line comes
        back as it is.
    said : standing reasons that were said before; gets those of this line.
    """
    status, colon, named = text.removeprefix("status ").partition(": ")
    words = next((w for level, w in STATUS_WORDS.items() if level == status), None)
    if not text.startswith("status ") or not colon or words is None:
        return text
    codes = [] if named == "well" else named.split(", ")
    told = [reason_words(c).short for c in codes if c not in STANDING]
    for code in codes:
        if code in STANDING and code not in said:
            said.add(code)
            told.append(f"{reason_words(code).short} ({LASTS})")
    if not told and codes and status != "ok":
        told = ["as was said before"]
    return f"{words.symbol} {words.word}" + (f": {'; '.join(told)}" if told else "")


# What the command line calls by an option, the window calls by the field's name.

FIELD_WORDS: Final[dict[str, str]] = {
    "--stream": "“EEG stream”",
    "--host": "“EEG stream”",
    "--subject": "“Subject or model”",
    "--model": "“Subject or model”",
    "--root": "“Subjects in”",
    "--target": "“Target”",
    "--trigger-stream": "“TR from”",
    "--trigger-host": "“TR from”",
    "--trigger-channel": "“TR from”",
    "--trigger": "“label”",
    "--trigger-every": "“Triggers per volume”",
    "--tr": "“TR (s)”",
    "--dummy-volumes": "“dum.”",
    "--record": "“Record into”",
    "--record-copy": "“Second copy”",
    "--cleaning": "“Cleaned by”",
    "--scanner": "“Scanner”",
    "--truth": "“Measured BOLD”",
    "--truth-roi": "“ROIs of measured BOLD”",
    "--truth-first": "“Its first volume”",
    "--truth-by-onset": "“Number measured volumes by their onsets”",
    "--unit": "“Unit”",
    "--reference": "“Reference”",
    "--interpolate": "“Fill missing channels from neighbours”",
    "--upstream-delay-ms": "“Delay before us (ms)”",
    "--engine": "“Engine”",
    "--precision": "“Precision”",
    "--kind": "the kind of the run",
    "--run": "the number of the run",
    "--record-as": "“Subject, session, task”",
    "--session": "“Subject, session, task”",
    "--task": "“Subject, session, task”",
    "--port": "“Port of the feed”",
    "--control-port": "“Port of commands”",
    "--without-scanner": "“Without the scanner”",
    "--allow-unvalidated": "“Override…”",
    "--allow-domain-shift": "“Override…”",
    "--allow-simulated-model": "“Override…”",
}
COMMAND_WORDS: Final[tuple[tuple[str, str], ...]] = (
    (r"rtbold gui --connect (\S+?)(?=[;,. ]*(?:\s|$))", r"“Join…” with \1"),
    (r"rtbold preflight", "“Check”"),
    (r"rtbold rehearse", "“Rehearse…”"),
    (r"rtbold streams", "the list of streams"),
    (r"rtbold calibrate(?: --subject \S+)?", "a calibration"),
    (r"rtbold subjects list(?: \S+)?", "the list of subjects"),
)
_OPTION: Final = re.compile(r"(?<![\w-])(--[a-z][a-z-]*[a-z])(?: (?:[A-Z]{1,4}|N)\b)?")


def window_words(text: str) -> str:
    """Return what a command said, with the window's words for its options."""
    for pattern, words in COMMAND_WORDS:
        text = re.sub(pattern, words, text)
    return _OPTION.sub(lambda m: FIELD_WORDS.get(m[1], m[0]), text)


NEAR_LIMIT: Final = 0.8


@dataclass(frozen=True, slots=True)
class OodWords:
    """How far the EEG is from the calibration's."""

    level: Literal["ok", "near", "beyond", "unknown"]
    word: str
    why: str


def ood_words(unlikeness: float | None) -> OodWords:
    """Return what an OOD score means; 1 is the limit, None: not known."""
    if unlikeness is None:
        return OodWords(
            "unknown",
            "not known",
            "There is no prediction now, or the model's card has nothing to compare "
            "with.",
        )
    share = f"out-of-distribution score {unlikeness:.2f}, limit 1"
    if unlikeness <= NEAR_LIMIT:
        return OodWords("ok", "like the calibration", share)
    if unlikeness <= 1:
        return OodWords("near", "near the limit", share)
    return OodWords(
        "beyond",
        "unlike the calibration",
        f"{share}. {REASON_WORDS['unlike_calibration'].do}",
    )


# Why nothing is heard at an address, and what to do.


def stale_reason(link: Link | None, feed: str) -> str:
    """Return what is wrong with a feed where no session was heard.

    Parameters
    ----------
    feed : its address.
    """
    if link is not None and link.error:
        return f"{feed} cannot be read: {link.error}. Join another address (Ctrl+J)."
    if link is not None and link.foreign_schema is not None:
        return (
            f"At {feed} a session of another version speaks ({link.foreign_schema}). "
            "Use the dashboard of the rtbold that runs the session."
        )
    if link is not None and link.n_bad:
        return (
            f"What comes from {feed} cannot be read ({link.n_bad} messages). A session "
            "that is to be seen here publishes JSON, as is usual, and no msgpack. "
            "Or another program uses that port."
        )
    return (
        f"Nothing is heard from {feed}. Is a session running there, is that its feed's "
        "port, and does it publish beyond its own machine, with keys? This "
        "window goes on listening; Ctrl+J joins another address."
    )
