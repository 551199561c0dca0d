from rtbold.cli.monitor import Losses, Pace, line
from rtbold.client import Message


def message(topic="pred.fb", t_received_s=0.0, **body):
    fields = {
        "session": "s", "seq": 4, "replayed": False, "volume_index": 3, "age_ms": 110.4,
        "target": "V1", "value": 0.42, "z": -1.0, "status": "ok", "reasons": [],
    }  # fmt: skip
    return Message(topic, fields | body, t_received_s)


def test_line_says_value_or_that_there_is_none():
    assert "volume 3 V1 +0.420 z -1.00 ok" in line(message())
    assert "V1 +0.420 [-1.000, +2.000] z" in line(message(low=-1.0, high=2.0))
    invalid = message(value=None, z=None, status="invalid", reasons=["gap", "rate"])
    assert "V1 -- z -- invalid gap,rate age 110 ms" in line(invalid)
    assert "(re-sent)" in line(message(replayed=True))
    assert line(message("hb", state="running")).startswith("hb       #4")


def truth(score, **body):
    fields = {"volume_index": 9, "rois": ["V1", "A1"], "values": [812.5, None],
              "target": "V1", "target_score": score, "enough_n_eff": 20.0}  # fmt: skip
    return message("truth", **(fields | body))


def test_line_says_r_or_that_there_is_not_enough():
    score = {"r": 0.414, "low": 0.2, "high": 0.58, "n_eff": 44.2, "n": 120}
    assert "volume 9 V1 measured +812.5 R +0.41 [+0.20, +0.58]" in line(truth(score))
    few = {"r": None, "low": None, "high": None, "n_eff": 12.34, "n": 30}
    assert line(truth(few)).endswith("R not enough (12.3 of 20 volumes)")
    assert line(truth(few, target="A1")).endswith(
        "A1 R not enough (12.3 of 20 volumes)"
    )
    assert line(truth(None)).endswith("V1 is not measured")


def test_pace_takes_steps_within_a_session_only():
    pace = Pace()
    pace.add(message(t_received_s=1.0))
    pace.add(message(t_received_s=3.1))
    pace.add(message(t_received_s=3.2, replayed=True))
    pace.add(message(t_received_s=9.0, session="restarted"))
    pace.add(message(t_received_s=11.0, session="restarted"))
    assert [round(x, 6) for x in pace.intervals_s] == [2.1, 2.0]


def test_what_the_publisher_lost_is_told_when_it_grows():
    losses = Losses()
    assert losses.take(message("hb", n_dropped=0)) == ""
    told = losses.take(message("hb", n_dropped=0, n_encode_errors=2))
    assert told == "the publisher lost messages that could not be encoded: 2"
    assert losses.take(message("hb", n_encode_errors=2)) == ""
    both = losses.take(message("quality", n_overflow_samples=480, trigger_lag_ms=35.2))
    assert "samples that the session did not take in time: 480" in both
    assert losses.take(message("hb", session="restarted", n_encode_errors=2)) != ""


def test_the_summary_says_what_was_lost_and_how_late_triggers_come():
    losses = Losses()
    assert losses.summary() == ""
    losses.take(message("hb", n_dropped=3, n_encode_errors=1))
    losses.take(message("quality", trigger_lag_ms=35.2))
    assert losses.summary() == (
        "; the publisher lost messages that could not be encoded: 1, messages of eeg, "
        "bands or log that nobody took in time: 3; the newest trigger came 35 ms after "
        "its time"
    )
