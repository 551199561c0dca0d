import io

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.acquire.frames import (
    Fault,
    Following,
    KeepAlive,
    Opening,
    Order,
    StateChanged,
    decode_order,
    encode_order,
    pack,
    read_frame,
)
from rtbold.acquire.known import KnownStream
from rtbold.acquire.streams import FoundStream, StreamQuery
from rtbold.errors import RtboldError, StreamMismatch
from rtbold.messages import (
    Channel,
    ClockOffset,
    Discontinuity,
    EegChunk,
    Marker,
    StreamChanged,
    StreamDescription,
)

DESCRIPTION = StreamDescription(
    "cap", "EEG", 500.0, (Channel("Cz", "\u00b5V"), Channel("ECG", "", "ecg")), "FCz"
)
SENDER = FoundStream("cap", "EEG", "lab", "s1", "u1", 500.0, 2, "float32", 12.5)
NOTES = [
    Marker("R128", 1.5, 2.5, "channel"),
    ClockOffset(-1e-5, 3.25, "marker"),
    Discontinuity("overflow", 7),
    StreamChanged(DESCRIPTION),
    KeepAlive(),
    Opening("cap"),
    StateChanged("stalled"),
    Fault("StreamMismatch", "came, expected", True),
    Following(KnownStream(SENDER, "u2", 7.5, -1e-5), "source id 's2'"),
]


def reader(*frames, cut=None):
    data = b"".join(bytes(part) for frame in frames for part in pack(frame))
    return io.BytesIO(data[:cut]).readinto


@pytest.mark.parametrize("note", NOTES, ids=lambda note: type(note).__name__)
def test_a_note_comes_back_as_it_was(note):
    assert read_frame(reader(note)) == note


@given(
    n_channels=st.integers(1, 6),
    n_samples=st.integers(1, 40),
    index=st.integers(0, 2**40),
)
def test_samples_come_back_to_the_last_bit(n_channels, n_samples, index):
    rng = np.random.default_rng(index)
    data = rng.standard_normal((n_channels, n_samples)).astype(np.float32)
    data[0, 0] = np.nan
    sent = EegChunk(data, rng.standard_normal(n_samples), 12.5, index)
    came = read_frame(reader(sent))
    assert isinstance(came, EegChunk)
    np.testing.assert_array_equal(came.data_uv, sent.data_uv)
    np.testing.assert_array_equal(came.t_lsl_s, sent.t_lsl_s)
    assert (came.t_arrived_s, came.index) == (12.5, index)


@given(cut=st.integers(0, 200))
def test_a_pipe_that_ends_within_a_frame_has_ended(cut):
    chunk = EegChunk(np.zeros((4, 20), np.float32), np.zeros(20), 0.0, 0)
    assert read_frame(reader(chunk, cut=cut)) is None
    assert read_frame(reader(StreamChanged(DESCRIPTION), cut=cut)) is None


def test_frames_follow_each_other():
    read = reader(*NOTES)
    assert [read_frame(read) for _ in NOTES] == NOTES
    assert read_frame(read) is None


def test_an_order_comes_back_as_it_was():
    order = Order(
        role="eeg",
        query=StreamQuery(name="cap"),
        unit="V",
        known=KnownStream(SENDER, "u1"),
    )
    line = encode_order(order)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_order(line) == order


def test_a_fault_is_raised_as_what_it_was():
    assert type(Fault("StreamMismatch", "x", True).exception()) is StreamMismatch
    assert type(Fault("Nonsense", "x", True).exception()) is RtboldError
