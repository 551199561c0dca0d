import pytest

from rtbold.acquire.inlet_eeg import CHUNKS_NEEDED, REOPEN_S, STALL_S, Flow


def steps(silence_s, step_s=0.125):
    flow = Flow(0.0)
    for _ in range(CHUNKS_NEEDED):
        flow.step(0.0, 5)
    n = int(silence_s / step_s)
    return {
        i * step_s: step for i in range(1, n + 1) if (step := flow.step(i * step_s, 0))
    }


def test_a_second_of_silence_is_a_stall_said_once():
    assert steps(STALL_S + 1.0) == {STALL_S: "stalled"}


def test_less_than_a_second_is_none():
    assert steps(STALL_S - 0.125) == {}


def test_a_connection_that_stays_silent_is_opened_again():
    assert steps(STALL_S + REOPEN_S) == {
        STALL_S: "stalled",
        STALL_S + REOPEN_S: "reopen",
    }


def test_samples_end_a_stall():
    flow = Flow(0.0)
    assert flow.step(1.0, 0) == "stalled"
    assert flow.stalled
    assert flow.step(1.5, 3) == ""
    assert not flow.stalled
    assert flow.step(2.0, 0) == ""


def test_a_stream_that_never_sends_is_stalled_too():
    assert Flow(10.0).step(11.0, 0) == "stalled"


@pytest.mark.parametrize(
    ("every_s", "told_s"), [(0.02, 0.75), (0.5, 0.75), (0.625, 1.0), (0.9375, 1.0)]
)
def test_a_stall_is_told_within_a_second_and_by_how_chunks_come(every_s, told_s):
    flow, now_s = Flow(0.0), 0.0
    for _ in range(20):
        now_s += every_s
        assert flow.step(now_s - 0.001, 0) == ""  # nothing between two chunks is one
        flow.step(now_s, 5)
    silent_s = 0.0
    while flow.step(now_s + silent_s, 0) != "stalled":
        silent_s += 0.0625
    assert told_s - 0.07 < silent_s <= told_s
