import itertools
import json
from collections import Counter
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from rtbold.clock import HandCrankedClock
from rtbold.config import FeedbackSettings
from rtbold.publish.control import ControlCommand
from rtbold.publish.wire import Ports, encode, unpack_samples
from rtbold.sim.fake import FakePlan, FakeSession, timeline
from rtbold.sim.fake_messages import delays, fake_card, fake_hello
from rtbold.sim.fake_script import USUAL, ScriptRow, default_script, scene_script

SCHEMAS = Path(__file__).resolve().parents[3] / "rtbold" / "schemas"
TR_S = 2.1


class Outlet:
    """Keeps what was sent, with the clock's time."""

    def __init__(self, clock, unwanted=()):
        self._clock, self._unwanted = clock, unwanted
        self.sent, self.states = [], []

    def publish(self, message):
        self.sent.append((self._clock.now_s(), message))

    def wants(self, topic):
        return topic not in self._unwanted

    def set_state(self, state, t_stream_s):
        self.states.append((self._clock.now_s(), state, t_stream_s))

    def of(self, topic):
        return [message for _, message in self.sent if message.topic == topic]


class Rig:
    """A fake session on a hand-cranked clock that begins at 100 s."""

    def __init__(self, *, unwanted=(), n_rois=3, speed=1.0, clock=None, **plan):
        self.clock = clock or HandCrankedClock(100.0)
        self.out = Outlet(self.clock, unwanted)
        self.hung_s = []
        self.card = fake_card(TR_S / speed, n_rois=n_rois)
        target = FeedbackSettings()
        self.session = FakeSession(
            FakePlan(card=self.card, target=target, speed=speed, **plan),
            self.out,
            self.clock,
            hang=lambda: self.hung_s.append(self.clock.now_s()),
        )

    def play(self, rows, duration_s=None):
        self.session.play(rows, duration_s)
        return self.out


def take(n):
    return list(itertools.islice(default_script(), n))


def test_each_row_goes_out_when_due():
    rows = [ScriptRow(0.0, 0.5, "ok"), ScriptRow(4.2, None, "invalid")]
    rig = Rig(speed=2.0)
    out = rig.play(rows)
    assert rig.session.played.n_predictions == 2
    triggers = [(at_s, m.t_trigger) for at_s, m in out.sent if m.topic == "trigger"]
    assert np.array(triggers).ravel() == pytest.approx([100, 100, 102.1, 102.1])
    feedback = out.of("pred.fb")
    assert [(m.value, m.status) for m in feedback] == [(0.5, "ok"), (None, "invalid")]
    assert [m.volume_index for m in out.of("pred.roi")] == [0, 1]
    assert [m.next_due_lsl - m.t_trigger for m in feedback] == pytest.approx([1.05] * 2)


def test_every_message_is_valid_and_every_topic_is_there():
    rig = Rig()
    out = rig.play(take(60))
    hello = fake_hello(rig.card, Ports(feed=1), FeedbackSettings())
    newest = {message.topic: message for message in [*(m for _, m in out.sent), hello]}
    assert set(newest) == {
        "hello", "pred.fb", "pred.roi", "trigger", "truth", "quality", "eeg", "bands",
        "phase", "log",
    }  # fmt: skip
    schemas = {
        topic: json.loads((SCHEMAS / f"{topic}.1.json").read_text(encoding="utf-8"))
        for topic in newest
    }
    for message in [*newest.values(), *out.of("pred.fb"), *out.of("quality")]:
        jsonschema.validate(json.loads(encode(message)), schemas[message.topic])


def test_an_hour_at_speed_60_is_the_same_as_a_minute_at_speed_1():
    def bodies(speed):
        out = Rig(speed=speed).play(take(30))
        values = [m.values for m in out.of("pred.roi")]
        eeg = [(m.sample_index, m.data) for m in out.of("eeg")]
        return values, eeg, [m.values for m in out.of("truth")], Counter(
            m.topic for _, m in out.sent)  # fmt: skip

    assert bodies(1.0) == bodies(60.0)


def test_predictions_have_intervals_except_where_the_eeg_is_unlike():
    feedback = Rig().play(take(80)).of("pred.fb")
    ok = next(m for m in feedback if m.status == "ok")
    assert ok.low < ok.low_80 < ok.value < ok.high_80 < ok.high
    unlike = [m for m in feedback if "unlike_calibration" in m.reasons]
    assert [m.volume_index for m in unlike] == [57, 58]
    assert all(m.value is not None and m.low is None for m in unlike)
    assert all(m.unlikeness > 1 for m in unlike)


def test_latency_and_age_agree_with_the_clock():
    out = Rig().play(take(45))
    for at_s, message in out.sent:
        if message.topic != "pred.fb":
            continue
        assert message.age_ms == pytest.approx(1000 * (at_s - message.t_trigger), abs=1)
        took = message.latency_ms
        assert 0 < took.arrive < took.acquire < message.age_ms
        usable = message.status in ("ok", "degraded")
        assert (took.infer is not None) == usable


def test_truth_is_one_volume_late_and_r_waits_for_twenty_independent_ones():
    out = Rig(n_rois=8).play(list(itertools.islice(scene_script("ok"), 200)))
    truth = out.of("truth")
    assert [m.volume_index for m in truth] == list(range(199))
    early, late = truth[10].target_score, truth[-1].target_score
    assert (early.r, early.n_eff < 20) == (None, True)
    assert late.n_eff >= 20
    assert 0.2 < late.r < 0.9
    assert late.low < late.r < late.high
    assert truth[-1].target_score == truth[-1].scores[0]
    assert Rig(truth=False).play(take(10)).of("truth") == []


def test_eeg_has_a_hole_where_samples_were_lost_and_where_the_stream_stood():
    out = Rig().play(take(60))
    spans = [(m.sample_index, m.sample_index + m.n_samples) for m in out.of("eeg")]
    holes = [after[0] - before[1] for before, after in itertools.pairwise(spans)]
    assert min(holes) == 0
    lost, stalled = (hole for hole in holes if hole)
    assert lost == 60
    assert stalled == pytest.approx(3 * TR_S * 200, abs=40)
    last = out.of("quality")[-1]
    assert (last.n_gaps, last.n_missing_samples) == (1, 60)
    sizes = [unpack_samples(m).shape for m in out.of("eeg")]
    assert {rows for rows, _ in sizes} == {19}
    for message in out.of("eeg"):
        assert message.t_first == pytest.approx(100 + message.sample_index / 200)


def test_eeg_and_bands_are_for_those_who_subscribe():
    out = Rig(unwanted=("eeg", "bands")).play(take(10))
    assert out.of("eeg") == out.of("bands") == []
    assert len(out.of("quality")) == 19


def test_triggers_are_missed_and_come_twice():
    rig = Rig()
    out = rig.play(take(80))
    kinds = Counter(m.kind for m in out.of("trigger"))
    last = out.of("quality")[-1]
    assert kinds == {"volume": 79, "double": 1}
    # the last volume's trigger came after the last quality
    assert (last.n_triggers, last.n_triggers_missed, last.n_triggers_double) == (
        79, 1, 1,
    )  # fmt: skip
    unlocked = [m for m in out.of("pred.fb") if not m.trigger_locked]
    assert [m.volume_index for m in unlocked] == [67]


def test_quality_tells_the_lag_of_triggers_and_what_was_lost():
    quality = Rig().play(take(80)).of("quality")
    assert quality[-1].trigger_lag_ms > 0
    told = [(m.n_triggers_implausible or 0, m.n_overflow_samples or 0) for m in quality]
    assert told[0] == (0, 0)
    assert told[-1] == (1, 120)
    assert "n_overflow_samples" not in json.loads(encode(quality[0]))
    waiting = Rig().play(list(itertools.islice(scene_script("waiting"), 5)))
    assert "trigger_lag_ms" not in json.loads(encode(waiting.of("quality")[-1]))


def test_channels_are_bad_where_the_status_says_so():
    out = Rig().play(take(20))
    bad = [{c.label: c.state for c in m.channels if c.state != "good"}
           for m in out.of("quality")]  # fmt: skip
    assert [k for k, labels in enumerate(bad) if labels] == [36, 37, 38, 39]
    assert bad[38] == {"F3": "flat"}
    texts = [m.text for m in out.of("log")]
    assert any(text.endswith("interpolated channels: F3") for text in texts)
    assert "status degraded: channel_flat, interpolated" in texts


def test_phases_alternate():
    phases = Rig().play(take(60)).of("phase")
    assert [m.name for m in phases] == ["rest", "regulate"] * 2 + ["rest"]
    assert {m.run_type for m in phases} == {"train"}  # of the run, not of the block
    assert [m.t_on - 100 for m in phases] == pytest.approx([0, 20, 60, 80, 120])
    for before, after in itertools.pairwise(phases):
        assert before.t_off_planned == pytest.approx(after.t_on)


def test_a_script_has_no_incidents_of_its_own():
    rows = [ScriptRow(TR_S * k, 0.0, "ok", USUAL["ok"]) for k in range(100)]
    out = Rig().play(rows)
    assert {m.status for m in out.of("pred.fb")} == {"ok"}
    assert len(out.of("trigger")) == 100
    assert out.of("quality")[-1].n_gaps == 0


class Commanded(HandCrankedClock):
    """Gives commands at set times."""

    def __init__(self, commands):
        super().__init__(100.0)
        self._commands = list(commands)
        self.session = None

    def sleep_until(self, t_s):
        super().sleep_until(t_s)
        while self._commands and self._commands[0][0] <= t_s:
            self.session.on_command(ControlCommand(*self._commands.pop(0)[1:]))


def commanded(*commands, n_rows=20):
    clock = Commanded(commands)
    rig = Rig(clock=clock)
    clock.session = rig.session
    rig.play(list(itertools.islice(scene_script("ok"), n_rows)))
    return rig


def test_pause_and_resume():
    rig = commanded((104, "pause"), (113, "resume"))
    statuses = [m.status for m in rig.out.of("pred.fb")]
    assert statuses == ["ok"] * 2 + ["paused"] * 5 + ["ok"] * 13
    paused = rig.out.of("pred.fb")[4]
    assert (paused.reasons, paused.value, paused.z) == (("operator_pause",), None, None)
    states = {state for at_s, state, _ in rig.out.states if 104.2 < at_s < 113}
    assert states == {"paused"}
    assert rig.out.states[-1][1] == "running"


def test_marks_and_notes_are_told():
    rig = commanded((101, "mark", "eyes open"), (102, "note", "light off"))
    told = [m.text for m in rig.out.of("log") if m.text.startswith("operator")]
    assert told == ["operator: mark eyes open", "operator: note light off"]
    assert rig.session.played.n_predictions == 20


def test_stop_ends_it_within_a_tenth_of_a_second():
    rig = commanded((105, "stop"))
    assert rig.session.played.n_predictions == 3
    assert rig.clock.now_s() <= 105.2


def test_duration_bounds_an_endless_script():
    rig = Rig()
    rig.play(default_script(), duration_s=6.3)
    assert rig.session.played.n_predictions == 3
    assert str(rig.session.played) == "published 3 predictions"


class Slow(HandCrankedClock):
    """Time that goes by while the session works: it falls behind."""

    def now_s(self):
        self.advance(0.01)
        return super().now_s()


def test_eeg_is_left_out_and_counted_where_the_session_falls_behind():
    rig = Rig(clock=Slow(100.0), speed=60.0)
    out = rig.play(take(20))
    left_out = rig.session.played.n_eeg_left_out
    assert left_out > 100
    assert len(out.of("pred.fb")) == 20
    n_ticks = left_out + len(out.of("eeg"))
    assert n_ticks == pytest.approx(19 * TR_S * 10, abs=12)
    assert f"left out {left_out} eeg messages" in str(rig.session.played)


def test_duration_ends_a_session_that_falls_behind():
    rig = Rig(clock=Slow(100.0), speed=1000.0)
    rig.play(default_script(), duration_s=5.0)
    assert rig.session.played.n_predictions < 2300  # it would be 2381
    assert 105 <= rig.clock.now_s() < 106


def test_scene_stalled_has_heartbeats_and_no_predictions():
    rows = list(itertools.islice(scene_script("stalled"), 30))
    rig = Rig()
    out = rig.play(rows)
    assert len(out.of("pred.fb")) == 10
    assert out.sent[-1][0] < 100 + 11 * TR_S
    assert rig.hung_s == []


def test_scene_silent_hangs_once_and_says_nothing_more():
    rows = list(itertools.islice(scene_script("silent"), 30))
    rig = Rig()
    out = rig.play(rows)
    assert rig.hung_s == pytest.approx([100 + 10 * TR_S])
    assert out.sent[-1][0] <= rig.hung_s[0]
    assert rig.clock.now_s() > 160  # the script goes on, unheard


def test_scene_waiting_has_no_volumes():
    out = Rig().play(list(itertools.islice(scene_script("waiting"), 5)))
    assert out.of("trigger") == out.of("truth") == []
    feedback = out.of("pred.fb")
    assert {(m.status, m.reasons) for m in feedback} == {
        ("paused", ("waiting_for_scanner",))
    }
    assert (
        {m.volume_index for m in feedback} == {m.t_trigger for m in feedback} == {None}
    )
    assert {state for _, state, _ in out.states} == {"waiting"}


def test_scene_invalid_has_a_stream_that_stands_still():
    out = Rig().play(list(itertools.islice(scene_script("invalid"), 5)))
    assert out.of("eeg") == []
    ages_ms = [m.stream_age_ms for m in out.of("quality")]
    assert ages_ms == sorted(ages_ms)
    assert ages_ms[-1] > 7000
    assert {state for _, state, _ in out.states} == {"stalled"}
    assert {round(t_s, 1) for _, _, t_s in out.states} == {100.0}


def until_end(rows):
    found = itertools.takewhile(lambda due: due.what != "end", timeline(rows))
    return list(found)


def test_rows_predictions_eeg_and_views_fall_due_in_order():
    rows = [ScriptRow(2.0 * k, 0.0, "ok") for k in range(3)]
    all_due = until_end(rows)
    times_s = [due.t_s for due in all_due]
    assert times_s == sorted(times_s)
    assert [due.t_s for due in all_due if due.what == "row"] == [0, 2, 4]
    assert sum(due.what == "eeg" for due in all_due) == 41
    assert sum(due.what == "views" for due in all_due) == 5
    predicted = [(due.index, due.t_s) for due in all_due if due.what == "prediction"]
    assert predicted == [(k, 2.0 * k + delays(k).total_s) for k in range(3)]


def test_rows_closer_than_a_prediction_takes_stay_in_order():
    rows = [ScriptRow(0.001 * k, 0.0, "ok") for k in range(4)]
    kinds = [(d.what, d.index) for d in until_end(rows) if d.what != "eeg"]
    assert [k for k in kinds if k[0] != "views"] == [
        (what, k) for k in range(4) for what in ("row", "prediction")
    ]


def test_an_endless_script_costs_nothing_ahead():
    endless = (ScriptRow(float(k), 0.0, "ok") for k in itertools.count())
    assert len(list(itertools.islice(timeline(endless), 1000))) == 1000


def test_delays_vary_and_now_and_then_the_model_is_slow():
    all_ms = [1000 * delays(k).total_s for k in range(200)]
    assert 35 < min(all_ms) < 50 < max(all_ms) < 120
    assert all_ms == [1000 * delays(k).total_s for k in range(200)]
