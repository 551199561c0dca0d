from collections import Counter

import pipeline_rig as rig
import pytest

from rtbold.preflight.stream_checks import (
    ChannelLine,
    ReceivedSamples,
    ReceivedTriggers,
    check_amplitude,
    check_clock,
    check_quality,
    check_rate,
    check_samples,
    check_triggers,
    check_truth,
)

STREAM = rig.stream(250.0, host="eeg-pc")


def samples(**changes):
    known = {"seconds": 6.0, "n_samples": 1500, "age_s": 0.03, "rate_hz": 250.0}
    return ReceivedSamples(**{**known, **changes})


@pytest.mark.parametrize(
    ("changes", "state", "must", "text"),
    [
        ({}, "ok", False, "1500 samples in 6 s, 30 ms old"),
        ({"n_samples": 0, "age_s": None}, "fail", True, "sent nothing in 6 s"),
        ({"silent_s": 3.0}, "fail", True, "none in the last 3.0 s"),
        ({"age_s": 5.0}, "fail", True, "stamps are wrong"),
        ({"age_s": -2.0}, "fail", True, "stamps are wrong"),
        ({"age_s": 0.8}, "warn", False, "late by as much"),
        ({"n_gaps": 2, "n_missing": 80}, "warn", False, "2 gaps (80 samples missing)"),
        ({"n_stamp_steps": 1}, "warn", False, "1 steps"),
        ({"age_s": -0.3}, "fail", True, "stamped 0.300 s ahead of their arrival"),
        ({"age_s": 5.0}, "fail", True, "5000 ms old when they arrive"),
        ({"burst_s": 1.2}, "fail", True, "bursts of 1.2 s, expected below 1 s"),
        ({"burst_s": 1.2, "silent_s": 1.1}, "fail", True, "bursts of 1.2 s"),
        ({"n_gaps": 2, "other_rate_hz": 125.0}, "warn", False, "see the rate"),
    ],
)
def test_samples(changes, state, must, text):
    finding = check_samples(samples(**changes), STREAM)
    assert (finding.state, finding.must) == (state, must)
    assert text in f"{finding.found}; {finding.advice}"


@pytest.mark.parametrize(
    ("rate_hz", "state"), [(250.1, "ok"), (240.0, "warn"), (None, "warn")]
)
def test_the_rate(rate_hz, state):
    finding = check_rate(samples(rate_hz=rate_hz), STREAM)
    assert finding.state == state
    assert "250 Hz declared" in finding.found


def test_quite_another_rate_than_declared_is_what_is_wrong():
    finding = check_rate(samples(rate_hz=None, other_rate_hz=125.0), STREAM)
    assert (finding.state, finding.must) == ("fail", True)
    assert "250 Hz declared, 125 Hz arrive by their stamps" in finding.found
    assert "correct the rate in the sender" in finding.advice


def test_a_measured_rate_is_taken_for_the_one_that_was_set():
    finding = check_rate(samples(), rig.stream(249.9983))
    assert finding.state == "ok"
    assert "249.9983 Hz declared (a measured rate: taken as 250 Hz)" in finding.found


def lines(*states, rms_uv=12.0):
    return [
        ChannelLine(f"C{k}", state, f"C{k}", rms_uv, "same")
        for k, state in enumerate(states)
    ]


def test_the_amplitude_is_the_monitors_word():
    assert "median 12.0 uV" in check_amplitude(lines("good"), "").found
    wrong = check_amplitude(lines("good"), "median is 1e6 uV: is the unit right? a: b")
    assert (wrong.state, wrong.found) == ("fail", "median is 1e6 uV")
    assert wrong.advice == "is the unit right? a: b"
    assert check_amplitude(lines("unknown", rms_uv=None), "").state == "warn"


@pytest.mark.parametrize(
    ("states", "state", "text"),
    [
        (("good",) * 8, "ok", "no channel"),
        (("good",) * 7 + ("line_noise",), "warn", "C7 line noise"),
        (("good",) * 5 + ("flat",) * 3, "fail", "3 of 8"),
        (("missing",) + ("good",) * 7, "ok", "no channel"),
    ],
)
def test_bad_channels_are_named(states, state, text):
    finding = check_quality(lines(*states))
    assert finding.state == state
    assert text in finding.found


def test_nothing_heard_is_not_called_good():
    assert check_quality(lines("unknown", rms_uv=None)).state == "warn"


@pytest.mark.parametrize(
    ("changes", "offsets_s", "uncertainty_s", "state", "text"),
    [
        ({}, (0.1, 0.1001), None, "ok", "+0.100050 s (2 measured, within 0.100 ms"),
        ({}, (0.1, 0.15), None, "warn", "within 50.000 ms"),
        ({}, (), None, "fail", "no clock offset"),
        ({"host": "Here"}, (), None, "ok", "this machine"),
        ({"foreign_clock": True}, (), 0.004, "warn", "within 4.0 ms"),
    ],
)
def test_the_clock(changes, offsets_s, uncertainty_s, state, text):
    stream = rig.stream(250.0, **{"host": "eeg-pc", **changes})
    finding = check_clock(stream, offsets_s, uncertainty_s, here="here")
    assert finding.state == state
    assert text in finding.found


def triggers(*stamps_s, labels=None):
    seen = Counter({"R128": len(stamps_s)} if stamps_s else {})
    return ReceivedTriggers(
        seconds=6.0, labels=Counter(labels) if labels else seen, stamps_s=stamps_s
    )


@pytest.mark.parametrize(
    ("heard", "every_s", "state", "must", "text"),
    [
        (triggers(), 2.1, "warn", False, "none came in 6 s; normal before"),
        (triggers(labels={"S 1": 3}), 2.1, "warn", False, "no 'R128' in 6 s, but"),
        (triggers(1.0), 2.1, "warn", False, "one says nothing"),
        (triggers(1.0, 3.1, 5.2), 2.1, "ok", False, "every 2.100 s"),
        (triggers(1.0, 3.1, 5.2), 2.0, "fail", True, "expected every 2.000 s"),
        (triggers(1.0, 3.1, 5.2, 9.4), 2.1, "warn", False, "some are missing"),
        (triggers(1.0, 3.1), None, "warn", False, "not known"),
    ],
)
def test_triggers(heard, every_s, state, must, text):
    finding = check_triggers(heard, source="M", wanted="R128", every_s=every_s)
    assert (finding.state, finding.must) == (state, must)
    assert text in f"{finding.found}; {finding.advice}"


def test_measured_bold():
    assert check_truth("lsl:b", 3, problem="", seconds=6).state == "ok"
    assert check_truth("lsl:b", 0, problem="gone", seconds=6).found == "gone"
    assert "none came" in check_truth("lsl:b", 0, problem="", seconds=6).found


@pytest.mark.parametrize(
    ("lag_s", "state", "text"),
    [
        (0.01, "ok", "every 2.100 s"),
        (-0.3, "warn", "stamped 0.300 s ahead of their arrival, which cannot be"),
        (5.0, "fail", "they arrive 5.0 s after their stamps, expected below 1 s"),
        (float("nan"), "ok", "every 2.100 s"),
    ],
)
def test_triggers_by_their_arrival(lag_s, state, text):
    heard = ReceivedTriggers(
        seconds=6.0, labels=Counter(R128=3), stamps_s=(0.0, 2.1, 4.2), lag_s=lag_s
    )
    finding = check_triggers(heard, source="scanner", wanted="R128", every_s=2.1)
    assert finding.state == state
    assert text in finding.found


def test_many_labels_are_not_all_named():
    labels = Counter(f"volume {k:03}" for k in range(300))
    heard = ReceivedTriggers(seconds=6.0, labels=labels)
    finding = check_triggers(heard, source="s", wanted="R128", every_s=2.1)
    assert "'volume 004' and 295 more" in finding.found
    assert "--trigger 'volume *'" in finding.advice
