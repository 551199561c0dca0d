import itertools
import threading

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.clock import HandCrankedClock
from rtbold.errors import ConfigError
from rtbold.files.recording import RecordedMarker, Recording
from rtbold.messages import Channel
from rtbold.sim.player import TimedEvent, Track, cut, marker_events, play, with_triggers


class Sink:
    """Remembers what was pushed, and when."""

    def __init__(self, clock):
        self.clock = clock
        self.blocks, self.events = [], []

    def push_block(self, samples, t_last_s):
        self.blocks.append((samples, t_last_s, self.clock.now_s()))

    def push_event(self, values, t_s):
        self.events.append((values, t_s, self.clock.now_s()))

    def samples(self):
        return np.concatenate([b[0] for b in self.blocks]).T


def ramp(n, channels=3):
    return np.arange(channels * n, dtype=np.float32).reshape(channels, n)


@given(
    n=st.integers(1, 3000),
    rate_hz=st.sampled_from([200.0, 250.0, 256.0, 1000.0, 5000.0]),
    chunk_s=st.floats(0.001, 1.0),
)
def test_every_sample_once_with_stamps_by_count(n, rate_hz, chunk_s):
    clock = HandCrankedClock(100.0)
    sink = Sink(clock)
    report = play(ramp(n), rate_hz, sink, clock, start_s=101.0, chunk_s=chunk_s)
    np.testing.assert_array_equal(sink.samples(), ramp(n))
    ends = np.cumsum([len(b[0]) for b in sink.blocks])
    np.testing.assert_allclose(
        [b[1] for b in sink.blocks], 101.0 + (ends - 1) / rate_hz, rtol=0, atol=1e-9
    )
    assert report.n_samples == n


def test_a_chunk_leaves_once_its_last_sample_is_over():
    clock = HandCrankedClock()
    sink = Sink(clock)
    play(ramp(100), 200.0, sink, clock, start_s=1.0, chunk_s=0.05)
    assert [b[2] for b in sink.blocks] == pytest.approx(
        [1.0 + 0.05 * k for k in range(1, 11)]
    )


def test_a_late_chunk_keeps_its_stamp_and_the_pace_recovers():
    class SlowSink(Sink):
        def push_block(self, samples, t_last_s):
            super().push_block(samples, t_last_s)
            if len(self.blocks) == 2:
                self.clock.advance(0.12)

    clock = HandCrankedClock()
    sink = SlowSink(clock)
    report = play(ramp(100), 200.0, sink, clock, start_s=0.0, chunk_s=0.05)
    assert sink.blocks[-1][1] == pytest.approx(99 / 200)
    assert sink.blocks[-1][2] == pytest.approx(0.5)
    assert report.n_late >= 1
    assert report.worst_late_s == pytest.approx(0.12)


def test_markers_carry_their_own_time_not_the_chunks():
    clock = HandCrankedClock()
    sink = Sink(clock)
    track = Track(sink, marker_events(["R128", "R128"], [0.0125, 0.31]))
    play(ramp(100), 200.0, sink, clock, start_s=7.0, markers=[track])
    assert [(v, t) for v, t, _ in sink.events] == [
        (("R128",), 7.0125),
        (("R128",), 7.31),
    ]
    assert [sent for _, _, sent in sink.events] == pytest.approx([7.0125, 7.31])


def test_an_event_may_be_sent_later_than_its_stamp():
    clock = HandCrankedClock()
    sink = Sink(clock)
    track = Track(sink, [TimedEvent((0.0, 1.5), 0.1, due_s=0.4)])
    play(ramp(100), 200.0, sink, clock, start_s=1.0, markers=[track])
    ((values, stamp_s, sent_s),) = sink.events
    assert values == (0.0, 1.5)
    assert stamp_s == pytest.approx(1.1)
    assert sent_s == pytest.approx(1.4)


def test_events_after_the_end_are_not_sent():
    clock = HandCrankedClock()
    sink = Sink(clock)
    track = Track(sink, marker_events(["a", "b"], [0.1, 3.0]))
    report = play(ramp(100), 200.0, sink, clock, start_s=0.0, markers=[track])
    assert [v for v, *_ in sink.events] == [("a",)]
    assert report.n_events == 1


def test_loop_repeats_samples_and_markers_on_one_time_axis():
    clock = HandCrankedClock()
    stop = threading.Event()

    class StoppingSink(Sink):
        def push_block(self, samples, t_last_s):
            super().push_block(samples, t_last_s)
            if len(self.blocks) == 25:
                stop.set()

    sink = StoppingSink(clock)
    track = Track(sink, marker_events(["x"], [0.2]))
    report = play(
        ramp(100),
        200.0,
        sink,
        clock,
        start_s=0.0,
        markers=[track],
        loop=True,
        stop=stop,
    )
    assert report.n_samples == 250
    assert [t for _, t, _ in sink.events] == pytest.approx([0.2, 0.7, 1.2])
    np.testing.assert_array_equal(sink.samples(), np.tile(ramp(100), 3)[:, :250])


def test_blocks_play_like_one_array():
    clock = HandCrankedClock()
    sink = Sink(clock)
    blocks = (ramp(1000)[:, a:b] for a, b in itertools.pairwise([0, 13, 500, 1000]))
    report = play(blocks, 200.0, sink, clock, start_s=0.0)
    np.testing.assert_array_equal(sink.samples(), ramp(1000))
    assert report.n_samples == 1000


def test_stop_before_the_first_chunk_sends_nothing():
    clock = HandCrankedClock()
    sink = Sink(clock)
    stop = threading.Event()
    stop.set()
    assert play(ramp(10), 200.0, sink, clock, start_s=0.0, stop=stop).n_samples == 0
    assert sink.blocks == []


@pytest.mark.parametrize("rate_hz", [0.0, -200.0])
def test_a_rate_that_is_none_is_refused(rate_hz):
    clock = HandCrankedClock()
    with pytest.raises(ConfigError, match="rate_hz"):
        play(ramp(10), rate_hz, Sink(clock), clock, start_s=0.0)


def test_looping_over_blocks_is_refused():
    clock = HandCrankedClock()
    with pytest.raises(ConfigError, match="loop"):
        play(iter([ramp(10)]), 200.0, Sink(clock), clock, start_s=0.0, loop=True)


def test_looping_over_nothing_ends():
    clock = HandCrankedClock()
    sink = Sink(clock)
    empty = np.zeros((3, 0), np.float32)
    assert play(empty, 200.0, sink, clock, start_s=0.0, loop=True).n_samples == 0


DATA_UV = np.arange(2000, dtype=np.float32).reshape(2, 1000)


def recording(markers=()):
    return Recording(
        data_uv=DATA_UV,
        rate_hz=100.0,
        channels=(Channel("Fp1", "uV"), Channel("Cz", "uV")),
        markers=tuple(RecordedMarker(label, t) for label, t in markers),
        stamps_s=50.0 + np.arange(1000) / 100.0,
    )


def test_a_cut_moves_markers_and_stamps_with_the_samples():
    part = cut(
        recording([("a", 1.0), ("b", 2.5), ("c", 6.0)]), start_s=2.0, duration_s=3.0
    )
    np.testing.assert_array_equal(part.data_uv, DATA_UV[:, 200:500])
    np.testing.assert_array_equal(part.stamps_s, recording().stamps_s[200:500])
    assert [(m.label, m.t_s) for m in part.markers] == [("b", 0.5)]
    assert part.duration_s == 3.0


def test_without_wishes_nothing_is_cut():
    whole = recording([("a", 1.0)])
    part = cut(whole)
    np.testing.assert_array_equal(part.data_uv, DATA_UV)
    assert part.markers == whole.markers


def test_a_duration_beyond_the_end_ends_there():
    assert cut(recording(), start_s=9.0, duration_s=60.0).duration_s == 1.0


@pytest.mark.parametrize("start_s", [-1.0, 10.0, 1e9, float("nan")])
def test_a_start_outside_is_refused(start_s):
    with pytest.raises(ConfigError, match="--start"):
        cut(recording(), start_s=start_s)


@pytest.mark.parametrize("duration_s", [0.0, -3.0, float("nan")])
def test_a_duration_that_is_none_is_refused(duration_s):
    with pytest.raises(ConfigError, match="--duration"):
        cut(recording(), duration_s=duration_s)


def test_triggers_come_at_exact_multiples_among_the_markers():
    made = with_triggers(recording([("a", 3.0)]), every_s=2.1, label="R128")
    labels = [m.label for m in made.markers]
    assert labels == ["R128", "R128", "a", "R128", "R128", "R128"]
    times_s = [m.t_s for m in made.markers if m.label == "R128"]
    assert times_s == [k * 2.1 for k in range(5)]


def test_a_train_is_not_mixed_with_true_triggers():
    with pytest.raises(ConfigError, match="of its own"):
        with_triggers(recording([("R128", 3.0)]), every_s=2.1, label="R128")
    with pytest.raises(ConfigError, match="of its own"):
        with_triggers(recording([(" R128 ", 3.0)]), every_s=2.1, label="r128")


@pytest.mark.parametrize("every_s", [0.0, -1.0, 2100.0, float("nan")])
def test_an_interval_that_is_no_tr_is_refused(every_s):
    with pytest.raises(ConfigError, match="--trigger-every-s"):
        with_triggers(recording(), every_s=every_s, label="R128")
