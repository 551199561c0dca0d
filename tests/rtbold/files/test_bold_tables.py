import numpy as np
import pytest

from rtbold.errors import RtboldError
from rtbold.files.bold_tables import write_predictions_tsv
from rtbold.messages import BoldPrediction, Tick


def prediction(index=7, status="ok", values=(0.1, -2.5), reasons=()):
    return BoldPrediction(
        Tick(index, 100.1, True), 84.1, 100.1, 100.1, status, tuple(reasons),
        None if values is None else np.array(values, np.float32), None,
    )  # fmt: skip


def test_predictions_read_back_to_the_last_bit(tmp_path):
    values = np.random.default_rng(2).normal(0, 1, 50).astype(np.float32)
    rois = [f"roi{i}" for i in range(50)]
    made = prediction(values=values)
    write_predictions_tsv(tmp_path / "p.tsv", [made], rois)
    header, row = (tmp_path / "p.tsv").read_text().splitlines()
    assert header.split("\t") == ["volume_index", "t_end", "status", "reasons", *rois]
    cells = row.split("\t")
    assert cells[:4] == ["7", "100.1", "ok", ""]
    np.testing.assert_array_equal(np.array(cells[4:], np.float32), values)


def test_what_is_not_there_is_written_as_such(tmp_path):
    made = [
        prediction(None, "paused", None, ["waiting_for_scanner"]),
        prediction(0, "degraded", (0.1, 1.0), ["bridged", "late"]),
    ]
    write_predictions_tsv(tmp_path / "p.tsv", made, ["A", "B"])
    lines = (tmp_path / "p.tsv").read_text().splitlines()
    assert lines[1] == "n/a\t100.1\tpaused\twaiting_for_scanner\tn/a\tn/a"
    assert lines[2] == "0\t100.1\tdegraded\tbridged,late\t0.1\t1.0"


def test_a_failure_leaves_the_old_file_and_nothing_half_written(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text("old")

    def predictions():
        yield prediction()
        raise RuntimeError("replay failed")

    with pytest.raises(RuntimeError, match="replay failed"):
        write_predictions_tsv(path, predictions(), ["A", "B"])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_values_that_do_not_fit_the_header_are_refused(tmp_path):
    with pytest.raises(ValueError, match="2 ROIs, expected 1"):
        write_predictions_tsv(tmp_path / "p.tsv", [prediction()], ["A"])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RtboldError, match="--out"):
        write_predictions_tsv(tmp_path / "no" / "p.tsv", [], ["A"])
