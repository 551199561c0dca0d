from dataclasses import replace

import pipeline_rig as rig
import pytest

from rtbold.acquire.acquisition import InletStatus
from rtbold.clock import HandCrankedClock
from rtbold.messages import BoldPrediction, Tick
from rtbold.predict.status import marked_late
from rtbold.session.session import TimedModel, stream_state


def prediction(status="ok", reasons=()):
    return BoldPrediction(
        tick=Tick(3, 100.0, True),
        t_start_s=84.0,
        t_end_s=100.0,
        bold_time_s=100.0,
        status=status,
        reasons=reasons,
        values=None,
        next_due_s=102.1,
    )


def test_what_comes_after_the_next_is_due_says_late():
    late = marked_late(prediction(reasons=("bridged",)), 102.2)
    assert (late.status, late.reasons) == ("degraded", ("bridged", "late"))


@pytest.mark.parametrize("status", ["invalid", "warmup", "degraded"])
def test_lateness_never_makes_a_status_better(status):
    assert marked_late(prediction(status), 102.2).status == status


def test_in_time_or_paused_nothing_is_marked():
    for given, now_s in (
        (prediction(), 102.0),
        (prediction("paused"), 110.0),
        (replace(prediction(), next_due_s=None), 110.0),
    ):
        assert marked_late(given, now_s) is given


def test_the_model_is_timed_by_the_clock_it_was_given():
    clock = HandCrankedClock(5.0)

    def slow(eeg_uv):
        clock.advance(0.25)
        return eeg_uv

    model = TimedModel(slow, clock)
    assert model.infer_ms is None
    assert model(rig.eeg(200.0, 1.0)) is not None
    assert model.infer_ms == 250.0


@pytest.mark.parametrize(
    ("inlet", "wire"),
    [
        ("starting", "searching"),
        ("connected", "running"),
        ("stalled", "stalled"),
        ("lost", "lost"),
        ("closed", "lost"),
    ],
)
def test_inlet_states_in_the_words_of_the_wire(inlet, wire):
    assert stream_state(InletStatus(state=inlet)) == wire
