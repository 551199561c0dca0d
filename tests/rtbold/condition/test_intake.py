import numpy as np
import pipeline_rig as rig
import pytest

from rtbold.condition.conditioner import Conditioner
from rtbold.condition.intake import (
    Intake,
    IntakeSettings,
    RecentChunks,
    straight_line,
    stream_fit,
)
from rtbold.errors import StreamMismatch
from rtbold.messages import EegChunk

RATE_HZ = 250
DATA_UV = rig.eeg(RATE_HZ, 6.0)


def chunks_of(cuts, index0=0):
    return list(rig.samples(DATA_UV, RATE_HZ, cuts, index0=index0))


def intake_at(source_index=0):
    return Intake(
        rig.stream(RATE_HZ), rig.card(), IntakeSettings(), source_index=source_index
    )


def blocks_of(intake, chunks):
    return [b for c in chunks for b in intake.conditioned(c, c.t_arrived_s)]


def test_blocks_follow_on_each_other_and_are_the_conditioned_signal():
    intake = intake_at(5000)
    blocks = blocks_of(intake, chunks_of([7, 400, 1111], index0=5000))
    lengths = [block.data_uv.shape[1] for block in blocks]
    assert [b.index_200hz for b in blocks] == [0, *np.cumsum(lengths[:-1]).tolist()]
    whole = Conditioner(RATE_HZ, len(DATA_UV), rig.card().conditioning)(DATA_UV)
    joined = np.concatenate([b.data_uv for b in blocks], axis=1)
    np.testing.assert_array_equal(joined, whole)
    (segment,) = {b.segment for b in blocks}
    assert (segment.source_first, segment.source_end) == (5000, 5000 + 1500)
    assert segment.newest_s == pytest.approx(rig.T0_S + 1499 / RATE_HZ)


def test_a_block_never_reaches_over_an_update_of_the_clock():
    ends = []
    for chunk in chunks_of([]):
        for block in (intake := intake_at()).conditioned(chunk, chunk.t_arrived_s):
            ends.append(block.segment.source_end)
    assert ends == [1, 250, 500, 750, 1000, 1250, 1500]
    assert intake.settled


def test_a_restart_hands_on_an_empty_block_of_another_segment():
    intake = intake_at()
    before = blocks_of(intake, chunks_of([500])[:1])[-1]
    block = intake.restart(900)
    assert (block.data_uv.shape, block.index_200hz) == ((rig.N_CHANNELS, 0), 0)
    assert block.segment is not before.segment
    assert (block.segment.source_first, block.segment.newest_s) == (900, None)
    assert not intake.settled


def test_samples_that_were_lost_are_a_straight_line_or_a_new_segment():
    first, lost, *rest = chunks_of([500, 510, 600])
    intake = intake_at()
    blocks = blocks_of(intake, [first, *rest])
    (segment,) = {b.segment for b in blocks}
    assert segment.n_bridged(0, 1500) == lost.data_uv.shape[1] == 10
    assert segment.n_bridged(505, 600) == 5
    first, _, rest = chunks_of([500, 1000])
    intake = intake_at()
    blocks = blocks_of(intake, [first, rest])
    assert [b.segment.source_first for b in blocks][-1] == 1000
    assert blocks[-1].segment.n_source == 500
    assert (intake.counters.n_gaps, intake.counters.n_missing) == (1, 500)


def test_a_gap_of_the_stamps_begins_a_segment_with_its_own_first_sample():
    chunks = chunks_of(range(25, 1500, 25))
    moved = [
        EegChunk(
            c.data_uv, c.t_lsl_s + (c.index >= 750), c.t_arrived_s + (c.index >= 750),
            c.index,
        )
        for c in chunks
    ]  # fmt: skip
    blocks = blocks_of(intake_at(), moved)
    firsts = [b.segment.source_first for b in blocks]
    assert sorted(set(firsts)) == [0, 750]
    begun = blocks[firsts.index(750)]
    assert begun.index_200hz == 0
    assert begun.segment.time_of(750) == pytest.approx(rig.T0_S + 750 / RATE_HZ + 1)


def test_how_a_stream_fits_is_known_before_its_first_sample():
    card, stream = rig.card(), rig.stream(RATE_HZ, channels=rig.CHANNELS[1:])
    fit = stream_fit(stream, card, interpolate_missing=True)
    assert (fit.labels, fit.missing) == (rig.CHANNELS[1:], {rig.CHANNELS[0]})
    assert fit.rows == list(range(5))
    assert fit.delay_s == Conditioner(RATE_HZ, 5, card.conditioning).delay_s
    with pytest.raises(StreamMismatch, match="FZ"):
        stream_fit(stream, card)
    with pytest.raises(StreamMismatch, match="no simple ratio"):
        stream_fit(rig.stream(250.37), card)


def test_recent_samples_come_again_by_their_index():
    recent = RecentChunks()
    for chunk in chunks_of([500, 1000]):
        recent.append(chunk)
    again = [data_uv for data_uv, _ in recent.between(450, 1010)]
    assert [part.shape[1] for part in again] == [50, 500, 10]
    np.testing.assert_array_equal(np.concatenate(again, axis=1), DATA_UV[:, 450:1010])
    recent.clear()
    assert list(recent.between(450, 1010)) == []


def test_a_straight_line_lies_between_its_ends():
    line = straight_line(np.float32([[0], [8]]), np.float32([[4], [0]]), 3)
    np.testing.assert_array_equal(line, [[1, 2, 3], [6, 4, 2]])
