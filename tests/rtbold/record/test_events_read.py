"""A session whose recording has seams comes back as the loop saw it.

Parts as LabRecorder leaves them when it is killed and started again: overlapping,
short, empty, cut off, doubled, misnamed. What is in none of them is told, and the rest
comes all the same.
"""

import numpy as np
import pytest
from xdf_writer import write_xdf

from rtbold.clock import HandCrankedClock
from rtbold.errors import DataFileError
from rtbold.messages import Channel, EegChunk, StreamChanged, StreamDescription
from rtbold.record.events_log import EventLogWriter
from rtbold.record.events_read import session_events

RATE_HZ, N = 250.0, 2000
CHUNK = 10  # samples
LABELS = ("Fp1", "Fp2", "Cz")
VALUES = np.random.default_rng(0).normal(0, 20, (N, len(LABELS))).astype(np.float32)
STAMPS_S = 500.0 + np.arange(N) / RATE_HZ
STREAM = StreamDescription("amp", "EEG", RATE_HZ, tuple(Channel(n) for n in LABELS))


def seen(first, n=CHUNK, stamps_s=STAMPS_S):
    """A chunk as the loop saw it."""
    cut = slice(first, first + n)
    return EegChunk(VALUES[cut].T.copy(), stamps_s[cut], stamps_s[first] + 0.05, first)


CHUNKS = [seen(first) for first in range(0, N, CHUNK)]


@pytest.fixture
def session(tmp_path):
    return Session(tmp_path)


class Session:
    """A folder as a recorded session leaves it."""

    def __init__(self, folder):
        self.folder = folder

    def log(self, chunks=CHUNKS, late=()):
        log = EventLogWriter(self.folder / "events.jsonl", HandCrankedClock())
        log.append(StreamChanged(STREAM))
        for chunk in chunks:
            log.append(chunk)
        for chunk in late:
            log.append_samples(chunk)
        assert log.close().n_lost == 0
        return self

    def path(self, part):
        return self.folder / f"x_eeg{'' if part == 1 else f'_part-{part:02d}'}.xdf"

    def part(self, part, *pieces, **options):
        """Write a part of these samples: slices, or (stamps, values)."""
        pairs = [
            p if isinstance(p, tuple) else (STAMPS_S[p], VALUES[p]) for p in pieces
        ]
        stream = {
            "name": "amp",
            "type": "EEG",
            "rate": RATE_HZ,
            "labels": LABELS,
            "unit": "microvolts",
            "stamps": np.concatenate([stamps_s for stamps_s, _ in pairs] or [[]]),
            "values": np.concatenate([v for _, v in pairs] or [VALUES[:0]]),
        }
        write_xdf(self.path(part), [stream], **options)
        return self

    def comes_back(self, told=(), chunks=CHUNKS):
        """Every chunk that is expected comes bit for bit; `told` words are said."""
        losses = []
        first, *found = session_events(self.path(1), tell=losses.append)
        assert isinstance(first, StreamChanged)
        assert len(found) == len(chunks)
        for got, chunk in zip(found, chunks, strict=True):
            assert got.index == chunk.index
            assert got.data_uv.tobytes() == chunk.data_uv.tobytes()
            assert got.t_lsl_s.tobytes() == chunk.t_lsl_s.tobytes()
        said = [str(loss) for loss in losses]
        assert len(said) == len(told), said
        for text, words in zip(said, told, strict=True):
            assert words in text
        return losses


def test_a_seam_in_the_middle_of_a_chunk(session):
    session.log().part(1, slice(0, 1003)).part(2, slice(1003, N)).comes_back()


def test_several_seams_that_overlap(session):
    session.log().part(1, slice(0, 703)).part(2, slice(650, 1111))
    session.part(3, slice(1098, 1404)).part(4, slice(1399, N)).comes_back()


def test_one_doubled_stamp_at_a_seam(session):
    """The sample stands twice: where one piece ends and where the next begins."""
    session.log().part(1, slice(0, 1005), slice(1004, N)).comes_back()


def test_one_doubled_stamp_with_two_values(session):
    other = STAMPS_S[1004:1005], VALUES[1004:1005] + 1
    session.log().part(1, slice(0, 1004), other, slice(1004, N)).comes_back()


def test_one_doubled_stamp_that_the_loop_saw_and_the_recorder_too(session):
    stamps_s = STAMPS_S.copy()
    stamps_s[1005] = stamps_s[1004]
    chunks = [seen(first, stamps_s=stamps_s) for first in range(0, N, CHUNK)]
    session.log(chunks).part(1, (stamps_s[:1005], VALUES[:1005]))
    session.part(2, (stamps_s[1005:], VALUES[1005:])).comes_back(chunks=chunks)


def test_a_doubled_chunk(session):
    session.log().part(1, slice(0, 1013), slice(988, N)).comes_back()


def test_a_part_whose_first_stamps_are_none(session):
    """An inlet that has just connected counts from 0 until it hears a stamp."""
    wrong_s = np.arange(1, 18) / RATE_HZ
    session.log().part(1, slice(0, 1003))
    session.part(2, (wrong_s, VALUES[1003:1020]), slice(1020, N)).comes_back()


def test_the_loops_first_stamps_are_none_and_the_recorders_are_right(session):
    stamps_s = STAMPS_S.copy()
    stamps_s[:17] = np.arange(1, 18) / RATE_HZ
    chunks = [seen(first, stamps_s=stamps_s) for first in range(0, N, CHUNK)]
    session.log(chunks).part(1, slice(0, N)).comes_back(chunks=chunks)


@pytest.mark.parametrize("content", [b"", b"XDF", b"XDF:", None], ids=str)
def test_a_part_that_holds_nothing_is_left_out(session, content):
    session.log().part(1, slice(0, 1000)).part(3, slice(1000, N))
    if content is None:  # a header, and a stream without a sample
        session.part(2, footers=False).comes_back()
        return
    session.path(2).write_bytes(content)
    session.comes_back(told=["x_eeg_part-02.xdf is left out"])


def test_a_first_part_that_holds_nothing(session):
    session.log().part(2, slice(0, N))
    session.path(1).write_bytes(b"")
    session.comes_back(told=["x_eeg.xdf is left out"])


def test_parts_in_the_wrong_order(session):
    session.log().part(3, slice(0, 703)).part(2, slice(703, 1404))
    session.part(1, slice(1404, N)).comes_back()


def test_a_session_is_found_from_any_of_its_parts(session):
    session.log().part(1, slice(0, 703)).part(2, slice(703, N))
    assert len(list(session_events(session.path(2)))) == 1 + len(CHUNKS)


def test_a_part_that_breaks_off_in_the_middle_of_a_chunk(session):
    session.log().part(1, slice(0, 1025)).part(2, slice(1000, N))
    whole = session.path(1).read_bytes()
    session.path(1).write_bytes(whole[: len(whole) - 150])
    session.comes_back(told=["x_eeg.xdf breaks off"])


def test_a_recorder_that_was_started_twice_within_a_second(session):
    session.log().part(1, slice(0, 700)).part(2, slice(690, 712))
    session.part(3, slice(712, 801)).part(4, slice(770, N))
    session.path(5).write_bytes(b"")
    session.comes_back(told=["x_eeg_part-05.xdf is left out"])


def test_what_nobody_recorded_is_told_and_the_rest_comes(session):
    """0.4 s between a recorder that was killed and the next."""
    session.log().part(1, slice(0, 1000)).part(2, slice(1100, N))
    left = [chunk for chunk in CHUNKS if not 1000 <= chunk.index < 1100]
    told = ["from sample 1000 of", "the samples 1000 to 1099 of events.jsonl are"]
    losses = session.comes_back(told=told, chunks=left)
    assert "chunks of 0.4 s" in str(losses[1])
    assert {loss.kind for loss in losses} == {"samples"}
    with pytest.raises(DataFileError, match=r"samples 1000 to 1009 .* are not in"):
        list(session_events(session.path(1)))


def test_samples_that_were_written_later_are_taken(session):
    """The log holds what a recorder that died had not written."""
    lost = [chunk for chunk in CHUNKS if 1000 <= chunk.index < 1100]
    session.log(late=lost).part(1, slice(0, 1000)).part(2, slice(1100, N))
    session.comes_back()
    assert len(list(session_events(session.path(1)))) == 1 + len(CHUNKS)


def test_later_samples_that_differ_are_not_taken(session):
    session.log(late=[CHUNKS[50]]).part(1, slice(0, 500)).part(2, slice(510, N))
    log = session.folder / "events.jsonl"
    lines = log.read_text().splitlines()
    (at,) = [i for i, line in enumerate(lines) if '"samples"' in line]
    lines[at] = lines[at].replace('"data":"', '"data":"AAAA', 1)[:-6] + '"}'
    log.write_text("\n".join(lines) + "\n")
    left = [chunk for chunk in CHUNKS if chunk.index != 500]
    session.comes_back(told=["from sample 500", "the samples 500 to 509"], chunks=left)


def test_one_bit_that_differs_is_a_loss_and_never_taken(session):
    values = VALUES.copy()
    values[1234, 1] = np.nextafter(values[1234, 1], np.float32(1e9))
    session.log().part(1, (STAMPS_S, values))
    left = [chunk for chunk in CHUNKS if chunk.index != 1230]
    told = ["from sample 1230", "the samples 1230 to 1239"]
    session.comes_back(told=told, chunks=left)


def test_events_that_a_full_disk_swallowed_are_told_and_the_rest_comes(session):
    session.log().part(1, slice(0, N))
    log = session.folder / "events.jsonl"
    lines = log.read_text().splitlines()
    lines[100:102] = [lines[100][:30], "", '{"type":"lost","n":2}']
    log.write_text("\n".join(lines) + "\n")
    left = [chunk for i, chunk in enumerate(CHUNKS) if i not in (98, 99)]
    losses = session.comes_back(told=["is damaged", "has lost 2 events"], chunks=left)
    assert {loss.kind for loss in losses} == {"events"}


def test_a_recording_without_any_part_is_all_loss_and_soon_told(session):
    session.log()
    losses = []
    events = list(session_events(session.path(1), tell=losses.append))
    assert [type(event) for event in events] == [StreamChanged]
    assert [str(loss)[:16] for loss in losses] == [
        "from sample 0 of",
        "the samples 0 to",
    ]


def test_a_line_that_was_written_twice_counts_once(session):
    session.log().part(1, slice(0, N))
    log = session.folder / "events.jsonl"
    lines = log.read_text().splitlines()
    lines.insert(60, lines[60])
    log.write_text("\n".join(lines) + "\n")
    session.comes_back(told=["has sample 580 twice"])
