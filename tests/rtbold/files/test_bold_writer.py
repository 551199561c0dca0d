import pytest

from rtbold.calibration.inputs.bold import read_bold
from rtbold.errors import RtboldError
from rtbold.files.bold_tables import BoldWriter
from rtbold.messages import MeasuredVolume


def volume(index, *values, rois=("A", "B")):
    return MeasuredVolume(index, rois, values, 0.0)


def test_what_is_written_is_what_a_calibration_reads(tmp_path):
    path = tmp_path / "bold.tsv"
    with BoldWriter(path, first=2) as writer:
        given = [0.1 + 1e-12 * k**2 + k / 3 for k in range(4)]
        assert writer.write(volume(1, 0.0, 0.0)) is None
        for k, value in enumerate(given):
            index = 2 + k + (k > 1)  # one was lost
            assert writer.write(volume(index, value, -value)) == index - 2
            assert path.read_text().count("\n") == k + 2  # on disk at once
        assert writer.write(volume(6, 9.0, 9.0)) is None  # the same again
        assert writer.write(volume(7, 9.0, rois=("A",))) is None
    assert writer.indices == [0, 1, 3, 4]
    assert writer.n_left_out == 3
    series = read_bold(path)
    assert series.rois == ("A", "B")
    assert series.volume_index.tolist() == [0, 1, 3, 4]
    assert series.values[:, 0].tolist() == given


def test_a_roi_that_is_never_measured_has_no_column_and_a_hole_no_row(tmp_path):
    with BoldWriter(tmp_path / "b.tsv") as writer:
        for index, values in enumerate([(1.0, None), (None, 2.0), (3.0, 4.0)]):
            writer.write(volume(index, *values))
    assert (tmp_path / "b.tsv").read_text() == "volume\tA\n0\t1.0\n2\t3.0\n"
    assert writer.n_left_out == 1


def test_an_older_table_is_never_overwritten(tmp_path):
    path = tmp_path / "b.tsv"
    path.write_text("old")
    with pytest.raises(RtboldError, match="cannot write"):
        BoldWriter(path)
    assert path.read_text() == "old"
