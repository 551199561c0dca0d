"""EEG and triggers that do not come as they declare are told in words, with figures."""

from types import SimpleNamespace

import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.acquire.rates import RateWatch
from rtbold.condition.arrival_lag import LagWatch
from rtbold.messages import Marker, StreamChanged
from rtbold.session.arrivals import ArrivalWatch


@pytest.fixture
def session():
    said = []
    pipeline = rig.pipeline()
    watch = ArrivalWatch(pipeline, lambda level, text: said.append((level, text)))
    return SimpleNamespace(pipeline=pipeline, watch=watch, said=said)


def trigger(session, lag_s, n=4):
    for k in range(n):
        t_s = 100.0 + k * rig.TR_S
        session.pipeline.push(Marker("R128", t_s, t_s + lag_s))
        session.watch.triggered()
        session.watch.look()


@pytest.mark.parametrize(
    ("lag_s", "told"),
    [
        (-0.3, "triggers are stamped 0.300 s ahead of their arrival, which cannot be"),
        (5.0, "triggers arrive 5.0 s after their stamps, expected below 1 s"),
    ],
)
def test_triggers_whose_stamps_cannot_be_are_told_once(session, lag_s, told):
    trigger(session, lag_s)
    ((level, text),) = session.said
    assert level == "error"
    assert told in text


@pytest.mark.parametrize("lag_s", [0.004, 0.3, -0.001])
def test_triggers_in_time_are_not_worth_a_word(session, lag_s):
    trigger(session, lag_s)
    assert session.said == []


def test_one_late_trigger_is_not_worth_a_word(session):
    trigger(session, 0.01)
    t_s = 100.0 + 4 * rig.TR_S
    session.pipeline.push(Marker("R128", t_s, t_s + 3.0))
    session.watch.triggered()
    session.watch.look()
    assert session.said == []


def look(session, times=3):
    for _ in range(times):
        session.watch.look()


@pytest.mark.parametrize(
    ("lag_s", "told"),
    [
        (-0.3, "EEG: samples are stamped 0.300 s ahead of their arrival"),
        (5.0, "EEG: samples arrive 5.0 s after their stamps, expected below 3 s"),
    ],
)
def test_samples_whose_stamps_cannot_be_are_told(session, lag_s, told):
    session.pipeline.push(StreamChanged(rig.stream(250.0)))
    session.pipeline.intake.lags.note(lag_s, 250)
    look(session)
    ((_, text),) = session.said
    assert told in text
    session.pipeline.intake.lags = LagWatch(250.0)
    session.pipeline.intake.lags.note(0.01, 500)
    look(session)
    assert session.said[1:] == [("info", "EEG stamps: as expected again")]


def test_another_rate_than_declared_is_told(session):
    session.pipeline.push(StreamChanged(rig.stream(250.0)))
    session.pipeline.intake.rates = RateWatch(250.0)
    session.pipeline.intake.rates.push(np.arange(1000) / 125.0, 0)
    look(session)
    ((_, text),) = session.said
    assert "250 Hz declared, 125 arrive by their stamps" in text


def test_bursts_are_told_and_their_end(session):
    for k in range(4):
        session.watch.heard(1.2 * k)
        session.watch.look()
    ((_, text),) = session.said
    assert "samples come in bursts of 1.2 s, expected below 1 s" in text
    for t_s in np.arange(4, 7, 0.05):
        session.watch.heard(t_s)
    session.watch.look()
    assert session.said[1:] == [("info", "EEG bursts: as expected again")]
