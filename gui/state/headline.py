"""The one line an operator reads in a second: is what the participant gets real? Pure.

Silence beats everything, then predictions that stay away, then EEG that is dead, then
what the newest prediction says. A pause that nobody ordered is a fault.
"""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from msgspec import UNSET, UnsetType

from rtbold.client import DEAD_AFTER_S, NEUTRAL_AFTER_TRS, STALLED_AFTER_TRS
from rtbold.gui.state.received import FeedbackValue, Link
from rtbold.gui.state.words import Level, channel_words, reason_words, status_words
from rtbold.messages import INFORMING
from rtbold.publish import Bye, Heartbeat, Hello, Quality

# The rule for apps: a usable value, the last one held for one TR, then neutral.
#
# The same rule as `rtbold.client.Subscriber.feedback`, by the publisher's stamps: a
# backlog is no news, whenever it is read.


@dataclass(frozen=True, slots=True)
class ShownValue:
    """What may be shown now; nothing but `flips` if `kind` is neutral."""

    kind: Literal["value", "hold", "neutral"]
    value: float | None = None  # model units
    z: float | None = None
    low: float | None = None  # 95 %
    high: float | None = None
    low_80: float | None = None
    high_80: float | None = None
    flips: int = 0  # updates so far, for the photodiode's square
    share: float | UnsetType | None = UNSET  # 0 to 1, where the session has a range


@dataclass(frozen=True, slots=True)
class FeedbackFacts:
    """What the rule looks at.

    Parameters
    ----------
    silent_s : since the last heartbeat.
    ended : a ``bye`` came.
    newest, usable : the newest feedback value, and the newest that may be shown.
    lsl_now_s : the publisher's clock now; None: not known.
    run_shows : the session has said that this is a training run.
    """

    silent_s: float
    ended: bool
    newest: FeedbackValue | None
    usable: FeedbackValue | None
    lsl_now_s: float | None
    tr_s: float
    stalled: bool = False
    flips: int = 0
    run_shows: bool = False


def age_s(fb: FeedbackValue | None, lsl_now_s: float | None) -> float:
    """Return how long ago `fb` was published; infinite if that is not known."""
    if fb is None or lsl_now_s is None:
        return math.inf
    return lsl_now_s - fb.t_lsl


def is_stalled(facts: FeedbackFacts) -> bool:
    """Return whether heartbeats come and predictions do not."""
    if facts.newest is None or facts.lsl_now_s is None:
        return facts.stalled
    return age_s(facts.newest, facts.lsl_now_s) > STALLED_AFTER_TRS * facts.tr_s


def shown_value(facts: FeedbackFacts) -> ShownValue:
    """Return what a participant may see: nothing, unless the run is a training."""
    if facts.run_shows:
        return value_now(facts)
    return ShownValue("neutral", flips=facts.flips)


def value_now(facts: FeedbackFacts) -> ShownValue:
    """Return the value as the operator sees it, in any run."""
    neutral = ShownValue("neutral", flips=facts.flips)
    usable, newest = facts.usable, facts.newest
    if facts.ended or facts.silent_s > DEAD_AFTER_S or usable is None or newest is None:
        return neutral
    kind: Literal["value", "hold"] = "value"
    if newest is not usable or is_stalled(facts):
        if age_s(usable, facts.lsl_now_s) > NEUTRAL_AFTER_TRS * facts.tr_s:
            return neutral
        kind = "hold"
    return ShownValue(
        kind,
        usable.value,
        usable.z,
        low=usable.low,
        high=usable.high,
        low_80=usable.low_80,
        high_80=usable.high_80,
        flips=facts.flips,
        share=usable.shown,
    )


SILENT_AFTER_S = 1.5  # three heartbeats; said before apps go neutral at 2 s
LINK_OLD_S = 1.0  # the link reports ten times a second
NO_VALUE = "the newest prediction came without a value; apps show none"
NO_VALUE_DO = "Stop the session, and tell who made this publisher."


@dataclass(frozen=True, slots=True)
class Headline:
    """Level, a word that can be read from two metres, why, and what to do."""

    level: Level
    word: str
    why: str = ""
    do: str = ""

    @property
    def stale(self) -> bool:
        """Whether nothing that is drawn may look alive."""
        return self.level in ("silent", "none")


# From the click on Start until the first heartbeat: its programs load.
STARTING = Headline(
    "warmup",
    "STARTING",
    "the session is being started; nothing has come from it yet",
    "Wait. It takes some seconds, and minutes where an engine is built.",
)


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What the headline is made of; None where nothing of the kind has come."""

    link: Link | None
    hello: Hello | None
    beat: Heartbeat | None
    bye: Bye | None
    feedback: FeedbackFacts
    quality: Quality | None = None


def headline(facts: SessionFacts, *, link_age_s: float) -> Headline:
    """Return the headline.

    Parameters
    ----------
    link_age_s : how long ago the link last said how it is.
    """
    found = (
        _no_session(facts)
        or _silence(facts, link_age_s)
        or _stalled(facts)
        or _no_eeg(facts)
        or _dead_eeg(facts)
    )
    return found or _of_prediction(facts)


def _no_session(facts: SessionFacts) -> Headline | None:
    link, heard = facts.link, not math.isinf(facts.feedback.silent_s)
    if link is not None and link.error:
        return Headline("none", "NO CONNECTION", link.error, "Connect to another feed.")
    if link is not None and link.foreign_schema is not None and _is_silent(facts):
        return Headline(
            "none",
            "OTHER VERSION",
            f"a feed speaks there as {link.foreign_schema!r}, which this dashboard "
            "does not read",
            "Use the dashboard of the same rtbold version as the session.",
        )
    if facts.bye is not None:
        return Headline(
            "none",
            "ENDED",
            _bye_words(facts.bye.reason),
            "See the summary, or start another session.",
        )
    if not heard and link is not None and link.n_bad:
        return Headline(
            "none",
            "NOT READABLE",
            f"{link.n_bad} messages came from this address, none that can be read",
            "Let the session publish JSON, no msgpack, or join another address.",
        )
    if not heard:
        return Headline(
            "none",
            "NO SESSION",
            "nothing has been heard from this address",
            "Start a session on the set-up page, or connect to another address.",
        )
    return None


def _bye_words(reason: str) -> str:
    known = {"end": "the session has ended", "failed": "the session ended by a fault"}
    return known.get(reason, f"the session has ended: {reason}")


def _is_silent(facts: SessionFacts) -> bool:
    return facts.feedback.silent_s > SILENT_AFTER_S


def _silence(facts: SessionFacts, link_age_s: float) -> Headline | None:
    if not _is_silent(facts):
        return None
    if link_age_s > LINK_OLD_S:
        why = "this window's own reader has stopped"
        do = "Close this window and open it again; the session is not touched by that."
    else:
        why = "the session has crashed, was killed, or the network is cut"
        do = "Look at the session's computer. Apps show their neutral screen."
    seconds = math.floor(facts.feedback.silent_s)
    return Headline("silent", f"NO HEARTBEAT for {seconds} s", why, do)


def _stalled(facts: SessionFacts) -> Headline | None:
    begins = facts.beat is not None and facts.beat.state == "starting"
    if (begins and facts.hello is None) or not _outlived_by_heartbeats(facts):
        return None  # an engine may take minutes to be opened
    old_s = age_s(facts.feedback.newest, facts.feedback.lsl_now_s)
    for_s = "" if math.isinf(old_s) else f" for {math.floor(old_s)} s"
    return Headline(
        "silent",
        f"STALLED{for_s}",
        "the session lives but sends no predictions",
        "Stop the session and start it again.",
    )


def _outlived_by_heartbeats(facts: SessionFacts) -> bool:
    """Return whether a heartbeat came after the next prediction was overdue.

    Without one nobody knows yet whether the session stalls or is gone.
    """
    newest, beat = facts.feedback.newest, facts.beat
    if newest is None or beat is None:
        return is_stalled(facts.feedback)
    return beat.t_lsl - newest.t_lsl > STALLED_AFTER_TRS * facts.feedback.tr_s


def _no_eeg(facts: SessionFacts) -> Headline | None:
    """Say at once that the stream stands still; its volume comes up to a TR later."""
    beat = facts.beat
    if beat is None or beat.state != "stalled" or _ordered_pause(facts):
        return None
    do = reason_words("no_data").do
    if beat.stream_age_ms is None:
        return Headline("warmup", "NO EEG YET", "waiting for the EEG stream", do)
    age = f"{beat.stream_age_ms / 1000:.0f} s"
    return Headline("invalid", "NO EEG", f"the newest sample is {age} old", do)


def _ordered_pause(facts: SessionFacts) -> bool:
    """Return whether the operator has paused; then nothing else matters yet."""
    newest = facts.feedback.newest
    return (
        newest is not None
        and newest.status == "paused"
        and "operator_pause" in newest.reasons
    )


DEAD_DO = (
    "Is the amplifier on, the cap plugged in, is there gel on ground and reference? Is "
    "it the right stream?"
)


def _dead_eeg(facts: SessionFacts) -> Headline | None:
    """Say that samples come and none of the channels is of any use."""
    quality = facts.quality
    channels = quality.channels if quality else ()
    if quality is None or not channels or quality.stream_state != "running":
        return None
    n_by_state = Counter(channel.state for channel in channels)
    if n_by_state["good"] or _ordered_pause(facts):
        return None
    if set(n_by_state) == {"flat"}:
        why = f"all {len(channels)} channels are flat"
        return Headline("invalid", "EEG FLAT", why, DEAD_DO)
    parts = (f"{n} {channel_words(state)}" for state, n in n_by_state.most_common())
    why = f"none of the {len(channels)} channels is good: {', '.join(parts)}"
    return Headline("invalid", "EEG DEAD", why, DEAD_DO)


# A pause that nobody ordered is a fault, and has the colour of one.
PAUSE_WORDS = {"triggers_lost": "TRIGGERS LOST", "tr_changed": "OTHER TR"}


def _level_and_word(fb: FeedbackValue) -> tuple[Level, str]:
    """Return how the newest prediction is headlined."""
    if fb.status != "paused":
        return fb.status, status_words(fb.status).word
    if "operator_pause" in fb.reasons:
        return "paused", status_words("paused").word
    if "waiting_for_scanner" in fb.reasons:
        return "paused", "WAITING"
    words = (PAUSE_WORDS[reason] for reason in fb.reasons if reason in PAUSE_WORDS)
    return "invalid", next(words, status_words("paused").word)


def _of_prediction(facts: SessionFacts) -> Headline:
    fb = facts.feedback.newest
    if fb is None:
        return Headline(
            "warmup", "STARTING", "no prediction yet", "Wait a few seconds."
        )
    if fb.status in ("ok", "degraded") and not fb.usable:
        return Headline("invalid", status_words("invalid").word, NO_VALUE, NO_VALUE_DO)
    first = [reason for reason in fb.reasons if reason not in INFORMING]
    told = [*first, *(reason for reason in fb.reasons if reason in INFORMING)]
    words = [reason_words(reason) for reason in told]
    why, unreal = [word.short for word in words], _origins(facts, fb)
    # where all is well, that it is not real is what matters; else the trouble is
    why = [*unreal, *why] if fb.status == "ok" else [*why, *unreal]
    level, word = _level_and_word(fb)
    return Headline(
        level,
        word,
        "; ".join(why),
        words[0].do if words and not _needless(facts, fb, told[0]) else "",
    )


def _needless(facts: SessionFacts, fb: FeedbackValue, reason: str) -> bool:
    """Return whether advice would help nobody, as on the delay of a dry run."""
    simulated = facts.hello is not None and facts.hello.simulated_stream
    return reason in INFORMING and simulated and fb.model_origin == "simulated"


def _origins(facts: SessionFacts, fb: FeedbackValue) -> list[str]:
    """Say what is not real."""
    found = []
    if facts.hello is not None and facts.hello.simulated_stream:
        found.append("SIMULATED EEG")
    if fb.model_origin == "simulated" and "simulated_model" not in fb.reasons:
        found.append("model of simulated data")
    return found
