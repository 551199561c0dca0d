"""Every sample of a session has its place in a file, and every moment too."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st
from recorded_session import RATE_HZ, chunks, describe, samples

from rtbold.messages import (
    Channel,
    ClockOffset,
    Discontinuity,
    EegChunk,
    Marker,
    OperatorCommand,
    StreamChanged,
    TimePassed,
)
from rtbold.session.timeline import LONGEST_FILLED_S, Gap, Timeline, stretch_of


def taken(*groups):
    timeline = Timeline()
    for group in groups:
        timeline.take(group if isinstance(group, list) else list(group))
    return timeline


def test_a_session_without_gaps_is_its_samples():
    data = samples(2000)
    (only,) = taken([StreamChanged(describe())], chunks(data)).stretches()
    assert np.array_equal(only.data_uv, data)
    assert only.gaps == ()


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_how_it_was_cut_does_not_matter(sizes):
    n = sum(sizes)
    data, t_s = samples(n), 100 + np.arange(n) / RATE_HZ
    edges = np.cumsum([0, *sizes])
    events = [
        EegChunk(data[:, a:b], t_s[a:b], t_s[b - 1] + 0.01, int(a))
        for a, b in pairwise(edges)
    ]
    (only,) = taken([StreamChanged(describe())], events).stretches()
    assert np.array_equal(only.data_uv, data)
    assert only.place(float(t_s[-1])) == pytest.approx(n - 1)


def test_a_moment_lies_at_its_sample_and_between_two():
    (only,) = taken([StreamChanged(describe())], chunks(samples(1000))).stretches()
    assert only.place(100.0) == 0
    assert only.place(102.0) == pytest.approx(500, abs=1e-6)
    assert only.place(102.002) == pytest.approx(500.5, abs=1e-6)
    assert only.place(99.0) == pytest.approx(-250)
    assert only.place(104.996) == pytest.approx(1249, abs=1e-6)


def test_a_gap_is_filled_so_that_what_follows_keeps_its_time():
    before, after = samples(1000), samples(1000, seed=1)
    (only,) = taken(
        [StreamChanged(describe())],
        chunks(before),
        chunks(after, t0=106.0, index=1000),  # 2 s late: 500 samples are missing
    ).stretches()
    assert only.gaps == (Gap(1000, 500),)
    assert np.array_equal(only.data_uv[:, :1000], before)
    assert not only.data_uv[:, 1000:1500].any()
    assert np.array_equal(only.data_uv[:, 1500:], after)
    assert only.place(106.0) == pytest.approx(1500)
    assert only.place(105.0) == pytest.approx(1250)  # inside the gap


def test_samples_that_the_session_knew_to_be_lost_are_a_gap():
    (only,) = taken(
        [StreamChanged(describe())],
        chunks(samples(1000)),
        chunks(samples(500), t0=104.04, index=1010),
    ).stretches()
    assert only.gaps == (Gap(1000, 10),)


def test_a_stream_that_came_back_leaves_a_gap():
    (only,) = taken(
        [StreamChanged(describe())],
        chunks(samples(1000)),
        [Discontinuity("lost"), Discontinuity("resumed"), StreamChanged(describe())],
        chunks(samples(500), t0=104.2, index=1000),  # 50 samples later
    ).stretches()
    assert only.gaps == (Gap(1000, 50),)


def test_a_stream_that_came_back_on_another_clock_lies_by_its_arrival():
    later = [
        EegChunk(c.data_uv, c.t_lsl_s - 7000.0, c.t_arrived_s, c.index)
        for c in chunks(samples(500), t0=110.0, index=1000)
        if isinstance(c, EegChunk)
    ]
    (only,) = taken(
        [StreamChanged(describe())],
        chunks(samples(1000)),
        [Discontinuity("resumed")],
        later,
    ).stretches()
    (gap,) = only.gaps
    assert gap.first == 1000
    assert gap.n == pytest.approx(6.0 * RATE_HZ, abs=5)
    assert only.place(110.0) == pytest.approx(1000 + gap.n, abs=5)


def test_a_step_of_the_stamps_is_no_gap():
    def stepped():
        for event in chunks(samples(1000), t0=104.0, index=1000):
            if isinstance(event, EegChunk):
                event = EegChunk(
                    event.data_uv, event.t_lsl_s + 20.0, event.t_arrived_s, event.index
                )
            yield event

    (only,) = taken(
        [StreamChanged(describe())], chunks(samples(1000)), stepped()
    ).stretches()
    assert only.gaps == ()
    assert only.data_uv.shape[1] == 2000
    assert only.place(106.0) == pytest.approx(1500, abs=0.5)


def test_a_late_burst_takes_its_gap_back():
    burst = [
        EegChunk(c.data_uv, c.t_lsl_s + 1.0, c.t_arrived_s + 1.0, c.index)
        for c in chunks(samples(100), t0=104.0, index=1000)
        if isinstance(c, EegChunk)
    ]
    (only,) = taken(
        [StreamChanged(describe())],
        chunks(samples(1000)),
        burst,  # stalls, and stamps when it sends
        chunks(samples(2000), t0=104.4, index=1100),
    ).stretches()
    assert sum(gap.n for gap in only.gaps) <= 2


def test_a_long_gap_and_another_set_of_channels_begin_another_file():
    other = describe(channels=(Channel("Pz", "uV"),))
    files = taken(
        [StreamChanged(describe())],
        chunks(samples(1000)),
        chunks(samples(1000), t0=104.0 + 2 * LONGEST_FILLED_S, index=1000),
        [StreamChanged(other)],
        chunks(samples(500, n_channels=1), t0=300.0, index=2000),
    ).stretches()
    assert [f.data_uv.shape for f in files] == [(5, 1000), (5, 1000), (1, 500)]
    assert [f.gaps for f in files] == [(), (), ()]
    assert [stretch_of(files, t) for t in (0.0, 101.0, 230.0, 301.0)] == [0, 0, 1, 2]


def test_a_marker_of_another_clock_lies_at_its_sample():
    timeline = taken(
        [
            StreamChanged(describe()),
            ClockOffset(-40.0, 100.0),  # the EEG's clock is ahead of ours by 40 s
            ClockOffset(1000.0, 100.0, "marker"),
        ],
        chunks(samples(1000), t0=140.0),
        [Marker("R128", -898.0, 142.0)],  # 102 s here, 142 s on the EEG's clock
        [TimePassed(103.0), OperatorCommand("note", "hm")],
    )
    (only,) = timeline.stretches()
    marker, note = timeline.happenings
    assert marker.t_s == pytest.approx(102.0)
    assert only.place(marker.t_s) == pytest.approx(500, abs=1e-6)
    assert only.place(note.t_s) == pytest.approx(750, abs=1e-6)


def test_stamps_that_are_no_numbers_do_not_move_the_rest():
    data, t_s = samples(500), 100 + np.arange(500) / RATE_HZ
    t_s[100:103] = np.nan
    (only,) = taken(
        [StreamChanged(describe())],
        [EegChunk(data, t_s, 102.1, 0)],
    ).stretches()
    assert np.array_equal(only.data_uv, data)
    assert only.place(100.404) == pytest.approx(101, abs=1e-6)


def test_nothing_came():
    assert taken([StreamChanged(describe())]).stretches() == ()
