import pytest
from feed_messages import CHANNELS, LAG_S, TR_S, Played, message, received
from msgspec import structs

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.received import Link, parse
from rtbold.gui.state.session_words import not_shown_words
from rtbold.publish.wire import ChannelPart


@pytest.fixture
def state():
    return DashboardState()


@pytest.fixture
def played(state):
    session = Played(state)
    session.hello()
    session.wait(0.1)
    return session


def texts(state, level):
    return [e.text for e in state.log.entries if e.level == level]


@pytest.mark.parametrize(
    ("status", "reasons", "word", "why", "do"),
    [
        ("ok", (), "OK", "", ""),
        ("degraded", ("interpolated",), "DEGRADED", "filled in", "head map"),
        ("invalid", ("no_data",), "INVALID", "no EEG", "amplifier"),
        ("warmup", ("warmup",), "WARM-UP", "16 s", "Wait"),
        ("paused", ("waiting_for_scanner",), "WAITING", "first volume", "Start"),
    ],
)
def test_headline_of_each_status(state, played, status, reasons, word, why, do):
    played.tick(status, reasons)
    found = state.headline(played.now_s)
    assert (found.level, found.word, found.stale) == (status, word, False)
    assert why in found.why
    assert do in found.do


def test_an_informing_reason_comes_last(state, played):
    played.tick("degraded", ("upstream_delay_unknown", "bridged"))
    found = state.headline(played.now_s)
    assert found.why.index("bridged") < found.why.index("cleaning software")


def test_what_is_not_real_is_named(state, played):
    played.send("hello", simulated_stream=True)
    played.tick(model_origin="simulated")
    found = state.headline(played.now_s)
    assert found.level == "ok"
    assert "SIMULATED EEG" in found.why
    assert "model of simulated data" in found.why


def test_silence_is_said_within_two_seconds_and_beats_the_status(state, played):
    played.tick()
    heard_s = played.now_s - 0.1
    assert state.headline(heard_s + 1.4).level == "ok"
    found = state.headline(heard_s + 1.6)
    assert (found.level, found.word, found.stale) == (
        "silent",
        "NO HEARTBEAT for 1 s",
        True,
    )
    assert state.headline(heard_s + 12.3).word == "NO HEARTBEAT for 12 s"


def test_a_link_that_itself_stands_still_is_told_apart(state, played):
    played.tick()
    found = state.headline(played.now_s + 5)
    assert "own reader has stopped" in found.why
    played.now_s += 5
    played.link(silent_s=5.1, alive=False)
    assert "crashed" in state.headline(played.now_s).why


def test_heartbeats_without_predictions_are_stalled(state, played):
    played.tick()
    for _ in range(4):
        played.wait(0.75)
    assert state.headline(played.now_s).level == "ok"
    played.wait(0.4)
    found = state.headline(played.now_s)
    assert (found.level, found.word) == ("silent", "STALLED for 3 s")


def test_no_prediction_at_all_is_stalled_when_the_link_says_so(state, played):
    assert state.headline(played.now_s).word == "STARTING"
    played.wait(4, stalled=True)
    assert state.headline(played.now_s).word == "STALLED"


def test_a_stream_that_stands_still_is_said_before_the_next_volume(state, played):
    played.tick()
    played.now_s += 0.7
    played.send("hb", state="stalled", stream_age_ms=1200.0)
    played.link()
    found = state.headline(played.now_s)
    assert (found.level, found.word) == ("invalid", "NO EEG")
    assert "1 s old" in found.why


def test_no_eeg_yet_is_no_fault(state, played):
    played.send("hb", state="stalled", stream_age_ms=None)
    assert state.headline(played.now_s).level == "warmup"
    assert state.headline(played.now_s).word == "NO EEG YET"


def test_an_ended_session_says_so_whatever_time_goes_by(state, played):
    played.tick()
    played.send("bye")
    assert state.headline(played.now_s).word == "ENDED"
    assert state.headline(played.now_s + 100).word == "ENDED"
    played.send("bye", reason="failed")
    assert "fault" in state.headline(played.now_s).why


def test_another_version_and_a_wrong_address_in_words(state):
    state.take(Link(t_s=5.0, heard=True, foreign_schema="rtbold.hb/2"), 5.0)
    found = state.headline(5.0)
    assert (found.level, found.word) == ("none", "OTHER VERSION")
    assert "rtbold.hb/2" in found.why
    state.take(Link(t_s=6.0, error="'tcp:/x' is no address"), 6.0)
    assert state.headline(6.0).word == "NO CONNECTION"
    assert "'tcp:/x' is no address" in state.headline(6.0).why
    assert texts(state, "error") == [
        "a feed of another version speaks: rtbold.hb/2",
        "no connection: 'tcp:/x' is no address",
    ]


def test_another_version_beside_a_living_session_does_not_hide_it(state, played):
    played.tick()
    played.link(foreign_schema="rtbold.hb/2")
    assert state.headline(played.now_s).level == "ok"


# What is shown


def test_a_value_is_shown_held_for_one_tr_and_then_neutral(state, played):
    played.tick(value=0.5)
    shown = state.shown(played.now_s)
    assert (shown.kind, shown.value, shown.low, shown.flips) == (
        "value",
        0.5,
        -0.5,
        1,
    )
    played.tick("invalid", ("gap",))
    shown = state.shown(played.now_s)
    assert (shown.kind, shown.value, shown.flips) == ("hold", 0.5, 1)
    played.tick("invalid", ("gap",))
    played.wait(0.1)
    assert state.shown(played.now_s).kind == "neutral"
    assert state.shown(played.now_s).value is None
    played.tick(value=0.1)
    assert state.shown(played.now_s).flips == 2


def test_a_stalled_feed_is_neutral_after_two_trs(state, played):
    played.tick()
    played.wait(1.5 * TR_S + 0.1)
    assert state.shown(played.now_s).kind == "hold"
    played.wait(0.5 * TR_S)
    assert state.shown(played.now_s).kind == "neutral"


def test_silence_and_a_goodbye_are_neutral_at_once(state, played):
    played.tick()
    assert state.shown(played.now_s + 1.8).kind == "value"
    assert state.shown(played.now_s + 1.95).kind == "neutral"
    played.send("bye")
    assert state.shown(played.now_s).kind == "neutral"


def test_a_backlog_is_no_notice(state, played):
    """The window froze for a minute: what was queued is as old as its stamps say."""
    old_s = played.now_s + LAG_S
    played.now_s += 60
    played.wait(0.0)
    played.send("pred.fb", t_lsl=old_s, value=0.9)
    assert state.shown(played.now_s).kind == "neutral"
    assert state.headline(played.now_s).level == "silent"


def test_without_a_heartbeat_nothing_is_shown(state):
    state.take(Link(t_s=5.0, heard=True), 5.0)
    state.take(received("pred.fb"), 5.0)
    assert state.shown(5.0).kind == "neutral"


def test_the_tr_of_the_newest_message_holds(state, played):
    played.send("pred.fb", t_trigger=1010.0, next_due_lsl=1011.5)
    assert state.tr_s == 1.5


def test_a_prediction_that_is_late_is_no_stall_before_a_heartbeat_says_so(
    state, played
):
    """Without one nobody knows whether the session stalls or is gone."""
    played.send("pred.fb", t_trigger=1010.0, next_due_lsl=1010.1)  # TR 0.1 s
    assert state.headline(played.now_s + 0.4).level == "ok"
    played.wait(0.4)
    assert state.headline(played.now_s).word == "STALLED for 0 s"


def test_paused_by_the_operator_beats_a_stream_that_stands_still(state, played):
    played.tick("paused", ("operator_pause",))
    played.send("hb", state="stalled", stream_age_ms=5000.0)
    assert state.headline(played.now_s).level == "paused"


def test_a_session_that_still_opens_its_parts_is_not_stalled(state):
    starting = Played(state)
    starting.link()
    for _ in range(5):
        starting.now_s += 1.0
        starting.send("hb", state="starting", stream_age_ms=None)
        starting.link(stalled=True)
    found = state.headline(starting.now_s)
    assert (found.level, found.word) == ("warmup", "STARTING")


def test_a_prediction_without_a_value_is_not_ok(state, played):
    played.tick()
    state.take(structs.replace(state.fb, value=None, seq=1), played.now_s)
    found = state.headline(played.now_s)
    assert (found.level, found.word) == ("invalid", "INVALID")
    assert "without a value" in found.why


def test_the_count_of_updates_goes_on_with_another_session(state, played):
    played.tick()
    played.link(session="other")
    assert state.shown(played.now_s).flips == 1


def test_a_value_that_is_sent_once_more_is_no_update(state, played):
    played.tick()
    again = structs.replace(state.fb, replayed=True)
    state.take(again, played.now_s)
    assert state.shown(played.now_s).flips == 1
    assert state.history.run == 0
    assert state.counts.n_predictions == 1


def test_what_cannot_be_read_is_not_called_nothing(state):
    state.take(Link(t_s=5.0, n_bad=40), 5.0)
    found = state.headline(5.0)
    assert (found.level, found.word) == ("none", "NOT READABLE")
    assert "msgpack" in found.do


def test_the_participant_sees_nothing_from_the_end_of_a_training_on(state, played):
    played.hello()
    played.tick()
    assert state.shown(played.now_s).kind == "value"
    played.send("phase", run_type="train", name="end")
    assert state.shown(played.now_s).kind == "neutral"
    assert not_shown_words(state) == "NOT SHOWN: the run is over"


@pytest.mark.parametrize("run_type", ["transfer", "rest", "calib", "sham"])
def test_only_a_training_run_shows_feedback(state, played, run_type):
    played.tick(value=0.3)
    assert state.shown(played.now_s).value == 0.3
    played.send("phase", run_type="train", seq=1)
    said = parse_phase(run_type, played)
    state.take(said, played.now_s)
    assert state.shown(played.now_s).kind == "neutral"
    assert state.value_now(played.now_s).value == 0.3  # the operator sees it


def test_a_run_of_unknown_kind_shows_no_feedback(state):
    session = Played(state)
    session.run_type = ""
    session.hello()
    session.tick()
    assert state.shown(session.now_s).kind == "neutral"
    assert state.value_now(session.now_s).kind == "value"


def parse_phase(run_type, played):
    told = message("phase", t_lsl=played.lsl_s)
    told.body["run_type"] = run_type
    return parse(told)


# EEG that is dead, and a pause that nobody ordered


def test_a_dead_stream_is_headlined_before_lost_triggers(state, played):
    played.tick("paused", ("triggers_lost",))
    played.send("hb", state="stalled", stream_age_ms=7400.0)
    found = state.headline(played.now_s)
    assert (found.word, found.level) == ("NO EEG", "invalid")


def test_no_eeg_is_told_while_the_scanner_is_waited_for(state, played):
    played.tick("paused", ("waiting_for_scanner",))
    played.send("hb", state="stalled", stream_age_ms=7400.0)
    assert state.headline(played.now_s).word == "NO EEG"


def channels(*states):
    return tuple(
        ChannelPart(label=name, state=state)
        for name, state in zip(CHANNELS, states, strict=True)
    )


@pytest.mark.parametrize(
    ("states", "word", "why"),
    [
        (("flat",) * 4, "EEG FLAT", "all 4 channels are flat"),
        (("railed",) * 4, "EEG DEAD", "none of the 4 channels is good: 4 at its limit"),
        (
            ("flat", "flat", "flat", "line_noise"),
            "EEG DEAD",
            "none of the 4 channels is good: 3 flat, 1 mains hum",
        ),
        (
            ("missing",) * 4,
            "EEG DEAD",
            "none of the 4 channels is good: 4 not in the stream",
        ),
    ],
)
@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        ("paused", ("triggers_lost",)),
        ("invalid", ("channel_flat",)),
        ("warmup", ("warmup",)),
        ("paused", ("waiting_for_scanner",)),
        ("degraded", ("interpolated",)),
    ],
)
def test_dead_channels_are_the_headline(
    state, played, *, states, word, why, status, reasons
):
    played.tick(status, reasons)
    played.send("quality", channels=channels(*states))
    found = state.headline(played.now_s)
    assert (found.level, found.word) == ("invalid", word)
    assert found.why.startswith(why)
    assert found.do


def test_one_good_channel_is_no_dead_eeg(state, played):
    played.tick("paused", ("triggers_lost",))
    played.send("quality", channels=channels("flat", "flat", "flat", "good"))
    assert state.headline(played.now_s).word == "TRIGGERS LOST"


def test_channels_of_a_stream_that_never_came_are_not_dead(state, played):
    played.tick("warmup", ("no_data",))
    parts = channels(*["missing"] * 4)
    played.send("quality", channels=parts, stream_state="searching")
    played.send("hb", state="stalled", stream_age_ms=None)
    assert state.headline(played.now_s).word == "NO EEG YET"


@pytest.mark.parametrize(
    ("reasons", "word", "level"),
    [
        (("triggers_lost",), "TRIGGERS LOST", "invalid"),
        (("tr_changed",), "OTHER TR", "invalid"),
        (("no_data", "triggers_lost"), "TRIGGERS LOST", "invalid"),
        ((), "PAUSED", "invalid"),
        (("of_a_later_version",), "PAUSED", "invalid"),
        (("operator_pause",), "PAUSED", "paused"),
        (("waiting_for_scanner",), "WAITING", "paused"),
        (("triggers_lost", "operator_pause"), "PAUSED", "paused"),
    ],
)
def test_a_pause_that_nobody_ordered_looks_like_a_fault(
    state, played, *, reasons, word, level
):
    played.tick("paused")
    state.fb = structs.replace(state.fb, reasons=reasons)
    found = state.headline(played.now_s)
    assert (found.word, found.level) == (word, level)
