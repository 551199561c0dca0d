"""Blocks of rest and task, by a table or by markers."""

from pathlib import Path

import numpy as np
import pytest

from rtbold.calibration.datasets.blocks import Block, BlockSource, blocks_of
from rtbold.calibration.inputs.alignment import align
from rtbold.calibration.inputs.bold_series import BoldSeries
from rtbold.calibration.inputs.eeg import EegRecording, TimedMarker
from rtbold.errors import DataFileError
from rtbold.files import Recording
from rtbold.messages import Channel

BY_MARKERS = BlockSource(
    rest_marker="S 99", task_marker="S  2", task="regulate", block_s=20.0
)


def scan(*markers, first_s=4.0):
    """Return EEG of 120 s with markers, and its alignment with 50 volumes."""
    recording = Recording(
        np.zeros((1, 12_000), np.float32), 100.0, (Channel("Cz", "uV"),)
    )
    volumes = [TimedMarker("R128", first_s + 2.0 * k) for k in range(50)]
    both = sorted([*volumes, *(TimedMarker(*m) for m in markers)], key=lambda m: m.t_s)
    eeg = EegRecording(Path("e.vhdr"), recording, tuple(both))
    series = BoldSeries("b", ("a",), np.random.default_rng(1).normal(size=(50, 1)))
    return eeg, align(eeg, series)


def test_blocks_last_until_the_next():
    found = blocks_of(BY_MARKERS, *scan(
        ("S 99", 6.0), ("S  2", 26.0), ("S 99", 46.0), ("S  2", 66.0)
    ))  # fmt: skip
    assert found == (
        Block(6.0, 20.0, "rest"), Block(26.0, 20.0, "regulate"),
        Block(46.0, 20.0, "rest"), Block(66.0, 20.0, "regulate"),
    )  # fmt: skip


def test_a_first_rest_that_is_missing_is_put_before_the_first_task():
    found = blocks_of(BY_MARKERS, *scan(("S  2", 26.0), ("S 99", 46.0)))
    assert found[0] == Block(6.0, 20.0, "rest")
    assert [block.label for block in found] == ["rest", "regulate", "rest"]
    # The EEG may begin later than that rest did
    assert blocks_of(BY_MARKERS, *scan(("S  2", 12.0)))[0] == Block(0.0, 12.0, "rest")


def test_spellings_of_a_marker_are_one():
    found = blocks_of(BY_MARKERS, *scan(("Stimulus/S  2", 26.0)))
    assert found[1] == Block(26.0, 20.0, "regulate")


def test_nothing_tells_blocks():
    assert blocks_of(BlockSource(), *scan()) == ()
    assert blocks_of(BY_MARKERS, *scan(("S 99", 6.0))) == ()


def test_a_table_counts_from_the_first_row_of_bold(tmp_path):
    table = tmp_path / "events.tsv"
    table.write_text("onset\tduration\ttrial_type\n30\tn/a\tcue\n0\t20\tRest\n\n")
    eeg, alignment = scan()
    found = blocks_of(BlockSource(table=table), eeg, alignment)
    assert found == (Block(4.0, 20.0, "Rest"), Block(34.0, 0.0, "cue"))
    found = blocks_of(BlockSource(table=table), eeg, alignment, first_row=1)
    assert found[0].onset_s == 2.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"has the columns \[\]"),
        ("onset,duration\n1,2\n", r"expected onset and duration \(tabs"),
        ("onset\tduration\nx\t1\n", r"line 2 of events\.tsv has no number"),
        ("onset\tduration\nn/a\t1\n", r"line 2 of events\.tsv has no number"),
        ("onset\tduration\nnan\t1\n", r"no number as onset or duration \('nan'"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, said):
    (tmp_path / "events.tsv").write_text(text)
    source = BlockSource(table=tmp_path / "events.tsv")
    with pytest.raises(DataFileError, match=said):
        blocks_of(source, *scan())
    with pytest.raises(DataFileError, match=r"there is no file"):
        blocks_of(BlockSource(table=tmp_path / "none.tsv"), *scan())
