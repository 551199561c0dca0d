import numpy as np
import pytest

from rtbold.errors import ConfigError, DataFileError, RtboldError
from rtbold.files.bold_tables import read_bold, write_predictions_tsv
from rtbold.messages import BoldPrediction, Tick

TABLE = "DMN\tHeschl\u2019s gyrus\n0.5\t-1\n1e-3\t2\n3\t4\n"


def prediction(index=7, status="ok", values=(0.1, -2.5), reasons=()):
    return BoldPrediction(
        Tick(index, 100.1, True), 84.1, 100.1, 100.1, status, tuple(reasons),
        None if values is None else np.array(values, np.float32), None,
    )  # fmt: skip


def test_reads_a_tsv(tmp_path):
    (tmp_path / "bold.tsv").write_text(TABLE, encoding="utf-8")
    table = read_bold(tmp_path / "bold.tsv")
    assert table.rois == ("DMN", "Heschl's gyrus")
    np.testing.assert_array_equal(table.values, [[0.5, -1], [0.001, 2], [3, 4]])


def test_reads_a_csv_as_a_spreadsheet_saves_it(tmp_path):
    text = '\ufeffDMN,"Heschl\u2019s gyrus"\r\n0.5,-1\r\n1e-3,2\r\n'
    (tmp_path / "bold.csv").write_bytes(text.encode())
    table = read_bold(tmp_path / "bold.csv")
    assert table.rois == ("DMN", "Heschl's gyrus")
    assert table.values.shape == (2, 2)


def test_drops_volumes_at_the_beginning(tmp_path):
    (tmp_path / "bold.tsv").write_text(TABLE, encoding="utf-8")
    table = read_bold(tmp_path / "bold.tsv", drop_volumes=2)
    assert table.n_dropped == 2
    np.testing.assert_array_equal(table.values, [[3, 4]])


@pytest.mark.parametrize("n", [-1, 3, 100])
def test_dropping_too_much_is_wrong_use(tmp_path, n):
    (tmp_path / "bold.tsv").write_text(TABLE, encoding="utf-8")
    with pytest.raises(ConfigError, match="expected 0 to 2"):
        read_bold(tmp_path / "bold.tsv", drop_volumes=n)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds 0 lines"),
        ("A\tB\n", "holds 1 lines"),
        ("1\t2\n3\t4\n", "header of different ROI names"),
        ("A\tA\n3\t4\n", "header of different ROI names"),
        ("A\t\n3\t4\n", "header of different ROI names"),
        ("A\tB\n1\t2\n3\n", "line 3 .* has 1 cells, expected 2"),
        ("A,B\n1,2\n", r"gives 'A,B' as '1,2'"),
        ("A\tB\n1\tx\n", r"line 2 .* gives 'B' as 'x'"),
        ("A\tB\n1\tn/a\n", "finite number"),
        ("A\tB\n1\tnan\n", "finite number"),
        ("A\tB\n1\tinf\n", "finite number"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path, text, match):
    (tmp_path / "bold.tsv").write_text(text)
    with pytest.raises(DataFileError, match=match):
        read_bold(tmp_path / "bold.tsv")


def test_no_such_table(tmp_path):
    with pytest.raises(DataFileError, match="there is no file"):
        read_bold(tmp_path / "bold.tsv")


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "bold.tsv").write_bytes(b"\xff\xfe\x00\x80\x81")
    with pytest.raises(DataFileError, match="is no text"):
        read_bold(tmp_path / "bold.tsv")


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
