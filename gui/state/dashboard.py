"""All that the dashboard knows: the newest of each kind, and bounded history.

Pure: what came and the time go in, views read. Nothing here waits, draws or asks a
clock.
"""

import math
from dataclasses import replace

from rtbold.client import STALLED_AFTER_TRS
from rtbold.gui.state.event_log import EventLog
from rtbold.gui.state.headline import (
    STARTING,
    FeedbackFacts,
    Headline,
    SessionFacts,
    ShownValue,
    headline,
    shown_value,
    value_now,
)
from rtbold.gui.state.history import VolumeHistory
from rtbold.gui.state.latency import LatencyBook
from rtbold.gui.state.received import (
    BandPowers,
    EegBlock,
    FeedbackValue,
    Link,
    Received,
)
from rtbold.gui.state.signals import ScopeBuffer, Vigilance, VigilanceIndex
from rtbold.gui.state.story import Story
from rtbold.gui.state.summary import Counts, RunSummary, summarise
from rtbold.gui.state.words import status_line_words, window_words
from rtbold.publish import (
    Bye,
    Heartbeat,
    Hello,
    Log,
    Phase,
    PredRoi,
    Quality,
    Trigger,
    Truth,
)

DEFAULT_TR_S = 2.1  # until a message tells
MOST_FINISHED = 20
MOST_LOGGED = 100
GIVE_WAY_BEFORE_S, GIVE_WAY_AFTER_S = 0.030, 0.005  # of a prediction; a frame is 33 ms
MOST_EARLY = 8  # predictions kept while their ROIs' names are not known

_KINDS: dict[type, str] = {
    Hello: "hello", PredRoi: "prediction", FeedbackValue: "fb", Truth: "truth",
    EegBlock: "eeg", BandPowers: "bands", Quality: "quality", Trigger: "trigger",
    Heartbeat: "beat", Log: "log", Phase: "phase", Bye: "bye", Link: "link",
}  # fmt: skip
KINDS = (*_KINDS.values(), "session")


class DashboardState:
    """The state of the dashboard; one thread writes and reads it.

    The newest of each kind is an attribute, None before the first. A new session
    empties all but the log and `finished`. `versions` counts what came of each kind, so
    that a widget draws only what has changed. Sub-objects are replaced with a new
    session: reach them through the state each time.
    """

    def __init__(self) -> None:
        self.log = EventLog()
        self.finished: tuple[RunSummary, ...] = ()
        self.versions: dict[str, int] = dict.fromkeys(KINDS, 0)
        self.link: Link | None = None
        self.session: str | None = None
        self.address = ""  # of the feed that is read
        self.folder = ""  # that the next session records into; it is on no wire
        self._told: set[str] = set()
        self._standing: set[str] = set()  # reasons that hold all session long, as said
        self.starting = False  # a session was started from here and is not heard yet
        self._n_flips = 0  # of the sessions before
        self._forget()

    def _forget(self) -> None:
        self.hello: Hello | None = None
        self.fb: FeedbackValue | None = None
        self.prediction: PredRoi | None = None
        self.quality: Quality | None = None
        self.bands: BandPowers | None = None
        self.trigger: Trigger | None = None
        self.beat: Heartbeat | None = None
        self.bye: Bye | None = None
        self.phase: Phase | None = None
        self.truth: Truth | None = None
        self.history = VolumeHistory()
        self.scope = ScopeBuffer()
        self.latency = LatencyBook()
        self.vigilance = VigilanceIndex()
        self.counts = Counts()
        self.story = Story()
        self._n_lost_before = 0  # messages, on connections that were left
        self._usable: FeedbackValue | None = None
        self._tr_s: float | None = None
        self._early: list[PredRoi] = []
        self._told.clear()
        self._standing.clear()

    # What came

    def take(self, received: Received, now_s: float) -> None:
        """Take in one thing that the link received."""
        kind = _KINDS[type(received)]
        match received:
            case Link():
                self._take_link(received, now_s)
            case Hello():
                self._take_hello(received, now_s)
            case FeedbackValue():
                self._take_feedback(received)
            case PredRoi():
                self._take_prediction(received, now_s)
            case Truth():
                self.truth = received
                self.history.take_truth(received)
            case EegBlock():
                self.scope.take(received)
            case BandPowers():
                self.bands = received
                channels = self.hello.channels if self.hello else ()
                self.vigilance.take(received, channels, self.bad_channels())
            case Quality():
                self.quality = received
                self.counts.take_quality(received)
                self.story.take_quality(received)
            case Log():
                text = window_words(status_line_words(received.text, self._standing))
                t_unix_ms = received.t_unix_ms
                self.log.add(text, now_s, level=received.level, t_unix_ms=t_unix_ms)
                self.story.take_log(received)
            case Phase():
                self.phase = received
                self.story.take_phase(received)
            case Trigger():
                self.trigger = received
                self.story.take_trigger(received)
            case Bye():
                self.bye = received
                self.story.take_bye(received)
            case Heartbeat():
                self.beat = received
        self.versions[kind] += 1

    def _take_link(self, link: Link, now_s: float) -> None:
        before, self.link = self.link, link
        if link.session is not None:
            self._meet(link.session, now_s)
        if link.error:
            self._tell(f"no connection: {link.error}", now_s)
        if link.foreign_schema is not None:
            schema = link.foreign_schema
            self._tell(f"a feed of another version speaks: {schema}", now_s)
        if before is not None and before.alive and not link.alive and self.bye is None:
            self.log.add("no heartbeat: the session is silent", now_s, level="error")
        if before is not None and not before.alive and link.alive:
            self.log.add("heartbeats come", now_s)

    def _take_hello(self, hello: Hello, now_s: float) -> None:
        self._meet(hello.session, now_s)
        before, self.hello = self.hello, hello
        self._tr_s = hello.tr_s
        if (self.history.rois, self.history.roi_hash) != (hello.rois, hello.roi_hash):
            if before is not None:
                text = "the session names other ROIs than before; the history is empty"
                self.log.add(text, now_s, level="warning")
            self.history.begin(hello.rois, hello.roi_hash)
            self.prediction = None  # its columns have other names
        early, self._early = self._early, []
        for prediction in early:
            self._write_history(prediction, now_s)

    def _take_feedback(self, fb: FeedbackValue) -> None:
        if fb.replayed and self.fb is not None and fb.seq <= self.fb.seq:
            return  # joined once more: it has been here
        self.fb = fb
        if fb.usable:
            self._usable = fb
        if fb.next_due_lsl is not None and fb.t_trigger is not None:
            tr_s = fb.next_due_lsl - fb.t_trigger
            self._tr_s = tr_s if tr_s > 0 else self._tr_s
        self.counts.take_feedback(fb)
        self.story.take_feedback(fb)
        self.latency.take(fb, self.link.offset_s if self.link else math.inf)
        self.history.take_feedback(fb)

    def _take_prediction(self, prediction: PredRoi, now_s: float) -> None:
        if self.hello is None:  # its ROIs have no names yet
            self._early = [*self._early, prediction][-MOST_EARLY:]
        else:
            self._write_history(prediction, now_s)

    def _write_history(self, prediction: PredRoi, now_s: float) -> None:
        try:
            self.history.take_prediction(prediction)
        except ValueError as error:
            self._tell(str(error), now_s)
            return
        self.prediction = prediction

    def _meet(self, session: str, now_s: float) -> None:
        """Begin anew with another session; the very first one keeps what came."""
        if session == self.session:
            return
        if self.session is not None:
            self.finished = (*self.finished, self.summary())[-MOST_FINISHED:]
            self._n_flips += self.counts.n_flips
            self._forget()
        self.session = session
        self.story.folder, self.folder = self.folder, ""  # the next is another's
        self.versions["session"] += 1
        self.log.add(f"session {session[:8]} is heard", now_s)

    def _tell(self, text: str, now_s: float) -> None:
        """Log an error that would come with each message, once per session."""
        if text not in self._told and len(self._told) < MOST_LOGGED:
            self._told.add(text)
            self.log.add(text, now_s, level="error")

    def disconnect(self) -> None:
        """Take nothing of before as current: another feed is going to be read."""
        self._n_lost_before = self._n_messages_lost
        self.link = None
        self.versions["link"] += 1

    # What is asked

    @property
    def tr_s(self) -> float:
        """The TR as the newest message that tells has it."""
        return DEFAULT_TR_S if self._tr_s is None else self._tr_s

    def lsl_now_s(self, now_s: float) -> float | None:
        """Return the publisher's clock; None before the first heartbeat."""
        if self.link is None or math.isinf(self.link.offset_s):
            return None
        return now_s - self.link.offset_s

    def gives_way(self, now_s: float) -> bool:
        """Return whether the session is about to publish a prediction.

        Each comes a TR after the one before. It takes some milliseconds of a core, and
        so does a frame; the prediction goes first.
        """
        lsl_s = self.lsl_now_s(now_s)
        if lsl_s is None or self.fb is None or self.fb.next_due_lsl is None:
            return False
        ahead_s = self.fb.t_lsl + self.tr_s - lsl_s
        return -GIVE_WAY_AFTER_S < ahead_s < GIVE_WAY_BEFORE_S

    def silent_s(self, now_s: float) -> float:
        """Return how long ago the last heartbeat was; infinite before the first."""
        if self.link is None:
            return math.inf
        return self.link.silent_s + max(0.0, now_s - self.link.t_s)

    def bad_channels(self) -> frozenset[str]:
        """Return the labels of channels that are not good now."""
        channels = self.quality.channels if self.quality else ()
        return frozenset(part.label for part in channels if part.state != "good")

    def age_s(self, now_s: float) -> float | None:
        """Return how old the EEG behind the newest usable value is; None: unknown."""
        lsl_s = self.lsl_now_s(now_s)
        if lsl_s is None or self._usable is None:
            return None
        return lsl_s - self._usable.window.t_end

    def current_prediction(self, now_s: float) -> PredRoi | None:
        """Return the newest prediction of all ROIs; None if it is not of this volume.

        The feedback value may come and this one not: what it said stays no truth.
        """
        newest, lsl_s = self.prediction, self.lsl_now_s(now_s)
        if newest is None or lsl_s is None:
            return None
        old = lsl_s - newest.t_lsl > STALLED_AFTER_TRS * self.tr_s
        return None if old else newest

    @property
    def run_shows(self) -> bool:
        """Whether the run, and its block, are known to show feedback."""
        phase = self.phase
        if phase is None or phase.stopped is True or phase.feedback == "none":
            return False
        return phase.run_type == "train" and phase.name != "end"

    def shown(self, now_s: float) -> ShownValue:
        """Return what an app may show now: nothing, but in a training run.

        Where a protocol is followed, values of its block alone.
        """
        facts = self._feedback_facts(now_s)
        first = self.phase.shows_from if self.phase else None
        volume = facts.usable.volume_index if facts.usable else None
        if isinstance(first, int) and (volume is None or volume < first):
            facts = replace(facts, usable=None)
        return shown_value(facts)

    def value_now(self, now_s: float) -> ShownValue:
        """Return the value as the operator sees it, whether it is shown or not."""
        return value_now(self._feedback_facts(now_s))

    def headline(self, now_s: float) -> Headline:
        """Return the operator's line."""
        if self.starting:
            return STARTING
        link_age_s = math.inf if self.link is None else now_s - self.link.t_s
        facts = SessionFacts(
            self.link,
            self.hello,
            self.beat,
            self.bye,
            self._feedback_facts(now_s),
            self.quality,
        )
        return headline(facts, link_age_s=link_age_s)

    def vigilance_now(self, now_s: float) -> Vigilance:
        """Return the indicator of drowsiness."""
        return self.vigilance.now(self.lsl_now_s(now_s))

    def summary(self) -> RunSummary:
        """Return what this session came to so far."""
        return summarise(
            self.counts,
            self.latency,
            hello=self.hello,
            quality=self.quality,
            truth=self.truth,
            story=self.story,
            n_messages_lost=self._n_messages_lost,
            ended=self.bye.reason if self.bye else "",
        )

    @property
    def _n_messages_lost(self) -> int:
        """How many messages were lost on all connections to this session."""
        return self._n_lost_before + (self.link.n_gaps if self.link else 0)

    def _feedback_facts(self, now_s: float) -> FeedbackFacts:
        return FeedbackFacts(
            silent_s=self.silent_s(now_s),
            ended=self.bye is not None,
            newest=self.fb,
            usable=self._usable,
            lsl_now_s=self.lsl_now_s(now_s),
            tr_s=self.tr_s,
            stalled=bool(self.link and self.link.stalled),
            flips=self._n_flips + self.counts.n_flips,
            run_shows=self.run_shows,
        )
