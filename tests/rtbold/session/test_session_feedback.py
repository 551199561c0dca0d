"""What a session feeds back: as its settings say, and again from its record."""

import json
from dataclasses import replace
from types import SimpleNamespace

import msgspec
import numpy as np
import pipeline_rig as rig
import pytest
from session_rig import Feed
from verdicts import make_verdict

from rtbold.acquire.acquisition import InletStatus
from rtbold.bundle.card import Contrast
from rtbold.clock import HandCrankedClock
from rtbold.config import FeedbackSettings, RunSettings
from rtbold.feedback.chain import FeedbackChain
from rtbold.messages import StreamChanged, TimePassed
from rtbold.predict.pipeline import PipelineSettings
from rtbold.publish.control import CommandQueue
from rtbold.publish.wire import Hello, Log, Ports, PredFb
from rtbold.session.baseline import BASELINE_NAME, KeptBaseline, whole_run
from rtbold.session.discretion import Discretion
from rtbold.session.open import feedback_chain, withheld_text
from rtbold.session.recompute import Recomputation, on_wire
from rtbold.session.recorded import RunAsked
from rtbold.session.session import Session, SessionParts, TimedModel
from rtbold.window.schedule import ScheduleSettings

SECONDS, RATE_HZ = 50.0, 250.0
EVERYTHING = FeedbackSettings(
    target="a - 0.5*Global", smooth="mean", smooth_n=2, baseline="running",
    skip_n=0, winsorise_sd=2.0, low=-1.0, high=1.0, max_step=0.2, reward=0.6,
    hysteresis=0.1, success_rate=0.5,
)  # fmt: skip
MEASURES = replace(EVERYTHING, baseline="block")


class Recording:
    def __init__(self, folder):
        self.paths = SimpleNamespace(folder=folder)

    def take(self, event):
        pass

    def published(self, topic, message):
        pass


def events():
    found = rig.in_order(
        rig.samples(rig.eeg(RATE_HZ, SECONDS), RATE_HZ, rig.every(RATE_HZ, SECONDS)),
        rig.triggers(SECONDS),
        rig.passing(SECONDS),
    )
    return [StreamChanged(rig.stream(RATE_HZ)), *found]


def ran(settings, folder, *, kind, carried=None):
    """Return a session after all events, and its feed."""
    feed, clock = Feed(), HandCrankedClock(rig.T0_S)
    parts = SessionParts(
        bundle=SimpleNamespace(card=rig.card(), sha256="ab" * 32),
        pipeline=rig.pipeline(), model=TimedModel(rig.RecordingModel(), clock),
        acquisition=SimpleNamespace(
            eeg=InletStatus(state="connected"), marker=None, n_overflow=0
        ),
        feed=feed, mirror=None, recording=Recording(folder),
        feedback=FeedbackChain(settings, rig.card(), carried=carried),
        upstream_ms=None, hello=lambda ms: None, trigger_label="R128", truth=None,
        kind=kind, where=whole_run(kind),
    )  # fmt: skip
    session = Session(parts, CommandQueue(), clock, discretion=Discretion())
    for event in events():
        session._push(event)
    session.stop()
    session.run()
    return session, feed


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """Return what a baseline run has kept, and its feed."""
    folder = tmp_path_factory.mktemp("run-01")
    _, feed = ran(MEASURES, folder, kind="baseline")
    (line,) = (folder / BASELINE_NAME).read_text().splitlines()  # once
    kept = json.loads(line)
    return msgspec.convert(kept, KeptBaseline), feed


def test_a_baseline_run_feeds_nothing_back_and_keeps_what_it_measured(baseline):
    kept, feed = baseline
    usable = [fb for fb in feed.of(PredFb) if fb.status in ("ok", "degraded")]
    assert len(feed.of(PredFb)) > 15
    assert not usable
    assert {fb.value for fb in feed.of(PredFb)} == {None}
    assert kept.weights == {"a": 0.75, "b": -0.25}
    assert 10 <= kept.reference.n < 60


@pytest.fixture(scope="module")
def training(baseline, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run-02")
    made = ran(MEASURES, folder, kind="training", carried=baseline[0].reference)
    assert not (folder / BASELINE_NAME).exists()  # it is the earlier run's
    return made


def test_the_training_after_it_is_held_against_it(training, baseline):
    session, feed = training
    usable = [fb for fb in feed.of(PredFb) if fb.value is not None]
    assert len(usable) > 10
    assert {fb.norm.baseline for fb in usable} == {"baseline"}
    assert {fb.norm.n for fb in usable} == {baseline[0].reference.n}
    assert all("short_baseline" in fb.reasons for fb in usable)
    assert all(0 <= fb.shown <= 1 for fb in usable)
    assert all(fb.low is None for fb in usable)  # an interval is of single volumes
    shown = [0.5, *(fb.shown for fb in usable)]
    assert max(np.abs(np.diff(shown))) <= 0.2 + 1e-6
    assert f"{len(usable)} values shown" in session.summary.shown
    (said,) = [log.text for log in feed.of(Log) if "values shown" in log.text]
    assert said == f"feedback: {session.summary.shown}"


def test_what_it_published_comes_out_again_from_its_record(training, baseline):
    _, feed = training
    again = Recomputation(
        rig.card(),
        rig.RecordingModel(),
        PipelineSettings(schedule=ScheduleSettings(tr_s=rig.TR_S)),
        feedback=MEASURES,
        carried=baseline[0].reference,
        where=whole_run("training"),
    )
    events_of_run = [*events(), TimePassed(rig.T0_S)]  # the last is of `run` itself
    # without the envelope and the moments
    said = {"t_lsl", "t_unix_ms", "seq", "session", "age_ms", "latency_ms"}
    published = [on_wire(fb) for fb in feed.of(PredFb)]
    remade = [one.messages(late=False)[1] for one in again(events_of_run)]
    assert len(remade) == len(published)
    for was, now in zip(published, remade, strict=True):
        late = "late" in was["reasons"]  # the hand-cranked clock stands still
        assert not late
        assert {k: v for k, v in was.items() if k not in said} == {
            k: v for k, v in now.items() if k not in said
        }


# A model that was not found fit

JUDGED = rig.card(target="a", verdict=make_verdict("a", "undecided", {"b": "specific"}))


def fed_back(run, of=JUDGED):
    return bool(feedback_chain(run, of)._withheld)


def test_nothing_is_fed_back_of_an_unfit_model_without_an_approval():
    allowed = RunSettings(allow_unvalidated=True)
    assert "nothing is fed back" in withheld_text(allowed, JUDGED)
    assert fed_back(allowed)
    assert not fed_back(replace(allowed, approval="EC-1"))
    assert not fed_back(replace(allowed, target="b"))  # that one is specific
    assert fed_back(replace(allowed, target="b - a", approval=None), with_sd("b - a"))


def with_sd(name):
    weights = {"a": -1.0, "b": 1.0}
    contrast = Contrast(name=name, weights=weights, mean=0.0, sd=1.0)
    return rig.card(target="a", verdict=JUDGED.verdict, contrast=contrast)


def test_a_record_says_whether_it_was_withheld_and_old_ones_were_not():
    asked = {"target": "a"}
    old = msgspec.convert(asked, RunAsked)
    new = msgspec.convert({**asked, "approval": None}, RunAsked)
    approved = msgspec.convert({**asked, "approval": "EC-1"}, RunAsked)
    assert not old.withheld(JUDGED)
    assert new.withheld(JUDGED)
    assert not approved.withheld(JUDGED)
    assert not new.withheld(rig.card())
    assert old.fed_back == FeedbackSettings(target="a")


def test_hello_says_how_and_under_which_approval():
    from rtbold.publish.compose import SessionFacts, hello

    facts = SessionFacts(
        model_sha256="", simulated_stream=True, ports=Ports(feed=1), tr_s=2.1,
        approval="EC-1",
    )  # fmt: skip
    said = on_wire(hello(rig.card(), facts, settings=EVERYTHING))
    assert (said["target"], said["approval"]) == ("a - 0.5*Global", "EC-1")
    assert said["norm"]["baseline"] == "none yet"
    assert said["feedback"]["neutral"] == 0.5
    plain = hello(rig.card(), replace(facts, approval=""), settings=FeedbackSettings())
    assert not {"feedback", "approval"} & on_wire(plain).keys()
    assert isinstance(plain, Hello)
