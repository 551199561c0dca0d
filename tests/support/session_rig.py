"""A session that is pushed one event after the other; its parts are open to nothing."""

from types import SimpleNamespace

import numpy as np
import pipeline_rig as rig

from rtbold.acquire.acquisition import InletStatus
from rtbold.clock import HandCrankedClock
from rtbold.config import FeedbackSettings
from rtbold.feedback.chain import FeedbackChain
from rtbold.messages import Marker, StreamChanged, TimePassed
from rtbold.publish.control import CommandQueue
from rtbold.publish.wire import Log
from rtbold.session.discretion import Discretion
from rtbold.session.session import Session, SessionParts, TimedModel


class Feed:
    n_encode_errors = 0

    def __init__(self):
        self.sent = []
        self.publish = self.sent.append

    def set_state(self, state, t_stream_s, *, n_refused=0):
        pass

    def wants(self, topic):
        return False

    def of(self, kind):
        return [message for message in self.sent if isinstance(message, kind)]


class Rig:
    """A session that is pushed one event after the other."""

    def __init__(self, **of_run):
        self.feed, card = Feed(), rig.card()
        clock = HandCrankedClock(rig.T0_S)
        parts = SessionParts(
            bundle=SimpleNamespace(card=card),
            pipeline=rig.pipeline(),
            model=TimedModel(rig.RecordingModel(), clock),
            acquisition=SimpleNamespace(
                eeg=InletStatus(state="connected"), marker=None, n_overflow=0
            ),
            feed=self.feed,
            mirror=None,
            recording=None,
            feedback=FeedbackChain(FeedbackSettings(), card),
            upstream_ms=None,
            hello=lambda ms: None,
            trigger_label="R128",
            truth=None,
            **of_run,
        )
        self.session = Session(parts, CommandQueue(), clock, discretion=Discretion())
        self.clock = clock
        self.session._push(StreamChanged(rig.stream(250.0)))

    def hear(self, times_s):
        for t_s in times_s:
            while self.clock.now_s() < t_s:
                self.clock.advance(0.05)
                self.session._push(TimePassed(self.clock.now_s()))
            self.session._push(Marker("R128", t_s, t_s + 0.01))
        return self

    @property
    def said(self):
        return [(log.level, log.text) for log in self.feed.of(Log)]


def train(n, every_s=rig.TR_S, *, after_s=rig.T0_S):
    return after_s + every_s * np.arange(1, n + 1)
