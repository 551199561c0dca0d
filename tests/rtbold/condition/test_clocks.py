import pipeline_rig as rig
import pytest

from rtbold.condition.clocks import StreamClocks
from rtbold.messages import ClockOffset, EegChunk, Marker


def test_markers_without_an_offset_of_their_own_share_the_eegs_clock():
    clocks = StreamClocks()
    clocks.take_offset(ClockOffset(500.0, 0.0))
    assert clocks.of_marker(Marker("R128", 3.5, 0.0)) == 3.5


def test_markers_of_another_host_are_converted_by_both_offsets():
    clocks = StreamClocks()
    clocks.take_offset(ClockOffset(500.0, 0.0))
    clocks.take_offset(ClockOffset(90.0, 0.0, stream="marker"))
    assert clocks.of_marker(Marker("R128", 413.5, 0.0)) == pytest.approx(3.5)
    in_channel = Marker("R128", 3.5, 0.0, source="channel")
    assert clocks.of_marker(in_channel) == 3.5


def test_there_and_back_is_the_same_time():
    clocks = StreamClocks()
    clocks.take_offset(ClockOffset(-7.25, 0.0))
    assert clocks.to_local(clocks.to_stream(12.5)) == 12.5


def test_a_foreign_clock_is_followed_by_arrivals():
    clocks = StreamClocks()
    clocks.describe(rig.stream(250.0, foreign_clock=True))
    data_uv = rig.eeg(250.0, 1.0)
    for chunk in rig.samples(data_uv, 250.0, rig.every(250.0, 1.0), t0_s=1.7e9):
        arrived_s = chunk.t_lsl_s[-1] - 1.7e9 + 40.0 + 0.005
        clocks.take_chunk(
            EegChunk(chunk.data_uv, chunk.t_lsl_s, arrived_s, chunk.index)
        )
    assert clocks.to_local(1.7e9) == pytest.approx(40.005, abs=1e-3)
    assert clocks.uncertainty_s is not None


def test_only_a_real_move_of_the_clock_moves_the_grid():
    clocks = StreamClocks()
    clocks.take_offset(ClockOffset(100.0, 0.0))
    assert clocks.moved_s() == -100.0
    clocks.take_offset(ClockOffset(100.00002, 5.0))
    assert clocks.moved_s() == 0.0
    clocks.take_offset(ClockOffset(40.0, 10.0))
    assert clocks.moved_s() == pytest.approx(60.0)
