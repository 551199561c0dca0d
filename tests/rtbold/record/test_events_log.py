import json
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp

from rtbold.clock import HandCrankedClock
from rtbold.errors import DataFileError, RtboldError
from rtbold.messages import (
    Channel,
    ClockOffset,
    Discontinuity,
    EegChunk,
    Marker,
    MeasuredVolume,
    OperatorCommand,
    SenderChanged,
    StreamChanged,
    StreamDescription,
    TimePassed,
)
from rtbold.record.event_lines import checksum, from_fields, to_line
from rtbold.record.events_log import EventLogWriter
from rtbold.record.events_read import read_event_log
from rtbold.record.samples import SampleSource

FLOATS = st.floats(allow_nan=False)
STAMPS = st.floats(-1e9, 1e9)
SHORT = st.text(max_size=8)
CHANNELS = st.builds(
    Channel, SHORT, SHORT, st.sampled_from(["eeg", "ecg", "trigger", "misc"])
)
DESCRIPTIONS = st.builds(
    StreamDescription,
    name=SHORT,
    type=SHORT,
    rate_hz=FLOATS,
    channels=st.lists(CHANNELS, max_size=4).map(tuple),
    reference=st.none() | SHORT,
    host=SHORT,
    source_id=SHORT,
    uid=SHORT,
    simulated=st.booleans(),
    foreign_clock=st.booleans(),
)
SIMPLE = st.one_of(
    st.builds(Marker, SHORT, FLOATS, FLOATS, st.sampled_from(["channel", "stream"])),
    st.builds(ClockOffset, FLOATS, FLOATS, st.sampled_from(["eeg", "marker"])),
    st.builds(
        Discontinuity, st.sampled_from(["lost", "resumed", "overflow"]), st.integers(0)
    ),
    st.builds(StreamChanged, DESCRIPTIONS),
    st.builds(SenderChanged, st.sampled_from(["eeg", "marker"]), st.booleans()),
    st.builds(TimePassed, FLOATS),
    st.builds(
        OperatorCommand, st.sampled_from(["pause", "resume", "mark", "note"]), SHORT
    ),
    st.builds(
        MeasuredVolume,
        st.integers(-(2**31), 2**31),
        st.lists(SHORT, max_size=3).map(tuple),
        st.lists(st.none() | st.floats(allow_nan=False), max_size=3).map(tuple),
        FLOATS,
        st.none() | FLOATS,
        st.booleans(),
    ),
)


def stamps_of_a_chunk(n):
    regular = st.tuples(STAMPS, st.sampled_from([200.0, 250.0, 1024.0, 5000.0])).map(
        lambda pair: np.add.accumulate([pair[0], *[1.0 / pair[1]] * (n - 1)])[:n]
    )
    wild = hnp.arrays(np.float64, n, elements=FLOATS)
    return st.one_of(regular, wild)


@st.composite
def chunks(draw):
    n_channels, n = draw(st.integers(1, 4)), draw(st.integers(0, 30))
    data_uv = draw(hnp.arrays(np.float32, (n_channels, n)))
    stamps_s = draw(stamps_of_a_chunk(n)) if n else np.empty(0)
    return EegChunk(data_uv, stamps_s, draw(FLOATS), draw(st.integers(0, 2**60)))


def same_bits(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert a.tobytes() == b.tobytes()


def same_chunk(a, b):
    same_bits(a.data_uv, b.data_uv)
    same_bits(a.t_lsl_s, b.t_lsl_s)
    assert (a.t_arrived_s, a.index) == (b.t_arrived_s, b.index)


def write(path, events, **options):
    writer = EventLogWriter(path, HandCrankedClock())
    for event in events:
        writer.append(event, **options)
    return writer.close()


def chunk(first, n, index=None):
    """A chunk of the recording below."""
    cut = slice(first, first + n)
    return EegChunk(
        DATA_UV[:, cut], STAMPS_S[cut], 7.25 + first, first if index is None else index
    )


DATA_UV = np.random.default_rng(0).normal(0, 20, (3, 1000)).astype(np.float32)
STAMPS_S = 500.0 + np.cumsum(np.random.default_rng(1).uniform(0.003, 0.005, 1000))
SOURCE = SampleSource(DATA_UV, STAMPS_S)


@given(SIMPLE)
def test_every_simple_event_comes_back_equal(event):
    assert from_fields(json.loads(to_line(event))) == event


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_numbers_of_numpy_are_numbers(kind):
    event = Marker("R128", kind(1.25), kind(1.5), "channel")
    read = from_fields(json.loads(to_line(event)))
    assert read == Marker("R128", 1.25, 1.5, "channel")
    assert type(read.t_lsl_s) is float


@given(chunks())
def test_a_chunk_comes_back_to_the_last_bit(event):
    line = to_line(event, inline_samples=True)
    assert "\n" not in line
    read = from_fields(json.loads(line))
    same_bits(read.data_uv, event.data_uv)
    same_bits(read.stamps_s, event.t_lsl_s)
    assert (read.t_arrived_s, read.index) == (event.t_arrived_s, event.index)
    assert read.crc32 == checksum(event.data_uv)


def test_not_a_number_comes_back():
    stamps_s = np.array([np.inf, np.inf, 1.0, np.nan, -0.0])
    event = EegChunk(np.full((1, 5), np.nan, np.float32), stamps_s, 1.0, 0)
    read = from_fields(json.loads(to_line(event, inline_samples=True)))
    same_bits(read.stamps_s, stamps_s)
    same_bits(read.data_uv, event.data_uv)
    offset = from_fields(json.loads(to_line(ClockOffset(math.nan, 1.0))))
    assert math.isnan(offset.offset_s)


def test_stamps_as_liblsl_makes_them_take_little_room():
    stamps_s = np.add.accumulate([81234.512, *[1.0 / 5000.0] * 249])
    two_pushes = np.concatenate([stamps_s[:100], stamps_s[100:] + 1e-5])
    for stamps in (stamps_s, two_pushes):
        event = EegChunk(np.zeros((64, 250), np.float32), stamps, 81234.6, 10)
        assert len(to_line(event)) < 250


@settings(max_examples=30)
@given(st.lists(st.integers(0, 60), max_size=12), st.lists(SIMPLE, max_size=5))
def test_log_and_samples_give_the_same_events(tmp_path_factory, sizes, others):
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    firsts = np.cumsum([0, *sizes])[: len(sizes)]
    sent = [chunk(int(f), n) for f, n in zip(firsts, sizes, strict=True)] + others
    state = write(path, sent)
    assert (state.n_written, state.n_lost) == (len(sent), 0)
    read = list(read_event_log(path, [SOURCE]))
    assert len(read) == len(sent)
    for got, event in zip(read, sent, strict=True):
        if isinstance(event, EegChunk):
            same_chunk(got, event)
        else:
            assert got == event


def test_samples_are_found_in_a_recording_that_began_earlier_and_in_parts(tmp_path):
    path = tmp_path / "events.jsonl"
    sent = [
        chunk(100, 50, index=0),
        chunk(150, 50, index=50),
        chunk(700, 50, index=100),
    ]
    write(path, sent)
    parts = [
        SampleSource(DATA_UV[:, :400], STAMPS_S[:400]),
        SampleSource(DATA_UV[:, 600:], STAMPS_S[600:]),
    ]
    for got, event in zip(read_event_log(path, parts), sent, strict=True):
        same_chunk(got, event)


def test_identical_stamps_are_told_apart_by_order_and_checksum(tmp_path):
    path = tmp_path / "events.jsonl"
    stamps_s = np.repeat(np.arange(10.0), 100)  # bursts with one stamp each
    sent = [
        EegChunk(DATA_UV[:, f : f + 20], stamps_s[f : f + 20], 1.0, f)
        for f in range(0, 1000, 20)
    ]
    write(path, sent)
    source = SampleSource(DATA_UV, stamps_s)
    for got, event in zip(read_event_log(path, [source]), sent, strict=True):
        same_chunk(got, event)


def test_samples_that_were_not_recorded_are_missed(tmp_path):
    path = tmp_path / "events.jsonl"
    write(path, [chunk(0, 50)])
    late = SampleSource(DATA_UV[:, 10:], STAMPS_S[10:])
    with pytest.raises(DataFileError, match=r"samples 0 to 49 .* are not in"):
        list(read_event_log(path, [late]))


def test_samples_that_were_not_recorded_can_be_in_the_log(tmp_path):
    path = tmp_path / "events.jsonl"
    write(path, [chunk(0, 50)], inline_samples=True)
    (got,) = read_event_log(path, [])
    same_chunk(got, chunk(0, 50))


def test_samples_that_differ_in_one_bit_are_refused(tmp_path):
    path = tmp_path / "events.jsonl"
    write(path, [chunk(0, 50)])
    other = DATA_UV.copy()
    other[1, 7] = np.nextafter(other[1, 7], np.float32(1e9))
    with pytest.raises(DataFileError, match="are not in the recorded"):
        list(read_event_log(path, [SampleSource(other, STAMPS_S)]))


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    path = tmp_path / "events.jsonl"
    write(path, [TimePassed(1.0), TimePassed(2.0)])
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read_event_log(path, [])) == [TimePassed(1.0)]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "holds no whole line"),
        (b'{"type":"header","format":1', "holds no whole line"),
        (b'{"type":"header","format":9}\n', "another version"),
        (b'{"type":"time","now_lsl_s":1.0}\n', "expected the header"),
        (b'{"type":"header","format":1}\n{"type":"ti\n{}\n', "line 2 .* damaged"),
        (b'{"type":"header","format":1}\n[1]\n', "line 2 .* damaged"),
        (b'{"type":"header","format":1}\n{"type":"dream"}\n', "cannot be read"),
        (b'{"type":"header","format":1}\n{"type":"time"}\n', "cannot be read"),
        (b'{"type":"header","format":1}\n\n{"type":"lost","n":3}\n', "lost 3 events"),
    ],
)
def test_a_log_that_is_not_whole_is_refused(tmp_path, content, match):
    path = tmp_path / "events.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=match):
        list(read_event_log(path, []))


def test_header_says_what_it_was_told(tmp_path):
    path = tmp_path / "events.jsonl"
    EventLogWriter(path, HandCrankedClock(), header={"session": "abc"}).close()
    first = json.loads(path.read_text().splitlines()[0])
    assert first == {"type": "header", "format": 1, "session": "abc"}


def test_an_existing_log_is_never_overwritten(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text("precious")
    with pytest.raises(RtboldError, match="cannot write the event log"):
        EventLogWriter(path, HandCrankedClock())
    assert path.read_text() == "precious"


class FullDisk:
    """A file that refuses while `full`, after a part of the line."""

    def __init__(self, file):
        self._file = file
        self.full = False

    def write(self, data):
        return self._file.write(data[:4] if self.full else data)

    def fileno(self):
        return self._file.fileno()

    def close(self):
        self._file.close()


def settle(writer):
    """Wait until the thread has written what it was given."""
    state = writer.state
    for _ in range(2000):
        state = writer.state
        if state.n_waiting == 0 and state.n_written + state.n_lost == writer.n_given:
            break
        writer.pause.wait(0.001)
    return state


@pytest.fixture
def failing(tmp_path):
    import threading

    clock = HandCrankedClock()
    writer = EventLogWriter(tmp_path / "events.jsonl", clock)
    disk = FullDisk(writer._file)
    writer._file = disk
    writer.pause = threading.Event()
    yield writer, disk, clock, tmp_path / "events.jsonl"
    disk.full = False
    writer.close()


def test_a_full_disk_is_counted_and_told_and_the_session_goes_on(failing):
    writer, disk, clock, path = failing
    writer.append(TimePassed(1.0))
    writer.n_given = 1
    assert settle(writer).status == "ok"
    disk.full = True
    writer.append(TimePassed(2.0))
    writer.n_given = 2
    state = settle(writer)
    assert state.status == "failed"
    assert "disk full" in state.message
    disk.full = False
    clock.advance(2.0)
    writer.append(TimePassed(3.0))
    writer.n_given = 3
    state = settle(writer)
    assert (state.n_written, state.n_lost) == (2, 1)
    assert state.status == "failed"  # a gap in the log does not heal
    assert "1 events are missing" in state.message
    assert writer.close().status == "failed"
    with pytest.raises(DataFileError, match=r"damaged|lost"):
        list(read_event_log(path, []))


def test_a_log_that_vanished_is_noticed(failing):
    writer, _disk, clock, path = failing
    clock.advance(5.0)
    path.unlink()
    writer.append(TimePassed(1.0))
    writer.n_given = 1
    state = settle(writer)
    assert state.status == "failed"
    assert "vanished" in state.message


def test_a_disk_that_does_not_answer_is_told_and_nothing_is_lost(failing):
    """As a network drive whose server is gone: the write does not come back."""
    import threading

    writer, disk, clock, path = failing
    begun, answers, real = threading.Event(), threading.Event(), disk.write

    def hang(data):
        begun.set()
        answers.wait(20.0)
        return real(data)

    disk.write = hang
    writer.append(TimePassed(1.0))
    begun.wait(20.0)
    assert writer.state.status == "ok"
    clock.advance(4.0)
    state = writer.state
    assert state.status == "failed"
    assert "events.jsonl: the disk has not answered for 4 s" in state.message
    answers.set()
    assert writer.close().status == "closed"
    assert list(read_event_log(path, [])) == [TimePassed(1.0)]


def test_an_event_that_is_no_line_is_lost_and_the_log_goes_on(tmp_path, caplog):
    path = tmp_path / "events.jsonl"
    good = [TimePassed(1.0), TimePassed(3.0)]
    state = write(path, [good[0], TimePassed(object()), good[1]])
    assert (state.status, state.n_written, state.n_lost) == ("failed", 2, 1)
    assert "1 events are missing" in state.message
    assert "cannot be logged: 'TimePassed'" in caplog.text
    with pytest.raises(DataFileError, match="lost 1 events"):
        list(read_event_log(path, []))


def test_a_full_queue_never_waits_and_is_counted(tmp_path):
    import threading

    gate = threading.Event()

    class Slow(HandCrankedClock):
        def now_s(self):
            gate.wait(5.0)
            return 0.0

    path = tmp_path / "events.jsonl"
    writer = EventLogWriter(path, Slow(), capacity=3)
    for i in range(50):
        writer.append(TimePassed(float(i)))
    assert writer.state.n_lost >= 40
    assert writer.state.status == "failed"
    gate.set()
    state = writer.close()
    assert state.n_lost + state.n_written == 50
    with pytest.raises(DataFileError, match="lost"):
        list(read_event_log(path, []))
