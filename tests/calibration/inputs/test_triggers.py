"""Which markers of a file are the volumes, where files name them oddly."""

import numpy as np
import pytest

from rtbold.calibration.inputs.eeg import TimedMarker
from rtbold.calibration.inputs.triggers import MarkerChoice, find_volume_marker
from rtbold.errors import AmbiguousStream, DataFileError

TR_S = 2.1


def train(label="R128", stream="scanner", n=20):
    return [TimedMarker(label, k * TR_S, stream) for k in range(n)]


def numbered(n=20):
    return [TimedMarker(f"volume {k:02}", k * TR_S, "scanner") for k in range(n)]


def test_no_markers_are_told_with_what_the_file_says_of_them():
    note = "stream 'box' (20 samples, 2 channels of string) was not read as markers"
    with pytest.raises(DataFileError, match=r"no markers.*Note: stream 'box'"):
        find_volume_marker([], tr_s=TR_S, notes=[note])


def test_numbered_labels_are_named_by_their_beginning():
    with pytest.raises(DataFileError, match=r"and 15 more.*--trigger 'volume \*'"):
        find_volume_marker(numbered(), tr_s=TR_S)
    found = find_volume_marker(numbered(), tr_s=TR_S, choice=MarkerChoice("volume*"))
    np.testing.assert_allclose(found.times_s, np.arange(20) * TR_S)
    assert found.interval_s == pytest.approx(TR_S)


def test_two_streams_of_one_label_are_asked_about():
    both = train() + train(stream="scanner (2)")
    with pytest.raises(AmbiguousStream, match=r"'R128' of scanner .*--trigger-stream"):
        find_volume_marker(both, tr_s=TR_S)
    choice = MarkerChoice(stream="scanner (2)")
    assert find_volume_marker(both, tr_s=TR_S, choice=choice).stream == "scanner (2)"


def test_a_name_that_two_groups_have_is_asked_about():
    markers = [*train("Stimulus/S  1"), *train("Response/S  1", n=3)]
    with pytest.raises(AmbiguousStream, match=r"2 markers are called 'S1'.*whole name"):
        find_volume_marker(markers, tr_s=TR_S, choice=MarkerChoice(label="S1"))
    named = MarkerChoice(label="stimulus/S1")
    found = find_volume_marker(markers, tr_s=TR_S, choice=named)
    assert len(found.times_s) == 20


def test_a_group_and_no_group_are_one_name():
    markers = [*train("R  1"), *train("Response/R  1")]
    found = find_volume_marker(markers, choice=MarkerChoice(label="R1"))
    assert len(found.times_s) == 40
