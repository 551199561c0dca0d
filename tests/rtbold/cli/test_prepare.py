import pytest

from rtbold import cli
from rtbold.calibration.datasets.cache import PreparedReport, open_cache
from rtbold.calibration.datasets.prepare import Outcome
from rtbold.cli.prepare import lines_of, report_line

DESCRIPTION = """
name = "twins"
layout = "twin"
[twin]
level = "easy"
seeds = "2990-2991"
duration_s = 50.0
channels = ["Fp1", "Fp2", "C3", "C4", "Cz", "O1", "O2"]
"""


@pytest.fixture
def data_set(tmp_path):
    path = tmp_path / "twins.toml"
    path.write_text(DESCRIPTION)
    return str(path)


def said_by(capsys, *words):
    code = cli.main(["prepare", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_a_data_set_is_listed_prepared_and_listed_again(data_set, tmp_path, capsys):
    folder = str(tmp_path / "cache")
    code, out, _ = said_by(capsys, data_set, "--list")
    assert code == 0
    assert out.count("not prepared") == 2
    code, out, _ = said_by(capsys, data_set, "--out", folder, "--scan", "2")
    assert code == 0
    assert "twin-easy-2991\tprepared\t24 volumes, 24 markers, 0 missed" in out
    assert f"1 prepared; {folder}" in out
    code, out, _ = said_by(capsys, data_set, "--out", folder, "--list")
    lines = [line for line in out.splitlines() if not line.startswith(" ")]
    assert [line.split("\t")[4].partition(",")[0] for line in lines] == [
        "not prepared",
        "prepared",
    ]
    code, out, _ = said_by(capsys, data_set, "--out", folder)
    assert "1 prepared, 1 unchanged" in out
    assert len(open_cache(tmp_path / "cache").scans) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--out is missing"),
        (("--out", "c", "--scan", "3"), "--scan is 3, expected 1 to 2"),
        (("--out", "c", "--scan", "x"), "there is no scan x"),
        (("--out", "c", "--conditioning", "zero"), "--conditioning is 'zero'"),
        (("--out", "c", "--scale", "max"), "--scale is 'max'"),
        (("--out", "c", "--detrend", "9"), "drift_degree is 9"),
        (("--out", "c", "--jobs", "0"), "--jobs"),
        (("--out", "c", "--atlas", "no.nii"), "no.nii"),
    ],
)
def test_wrong_options_are_refused(
    data_set, tmp_path, monkeypatch, capsys, words, told
):
    monkeypatch.chdir(tmp_path)
    code, _, err = said_by(capsys, data_set, *words)
    assert code == 2
    assert told in err
    assert not (tmp_path / "c").exists()


def test_a_data_set_that_is_not_there_is_refused(tmp_path, capsys):
    code, _, err = said_by(capsys, str(tmp_path / "no"), "--out", "c")
    assert code == 2
    assert "there is nothing at" in err


def test_where_every_scan_is_bad_the_command_fails(tmp_path, capsys):
    path = tmp_path / "d.toml"
    path.write_text(DESCRIPTION.replace("50.0", "16.0"))
    words = (str(path), "--out", str(tmp_path / "c"), "--skip-bad")
    code, out, err = said_by(capsys, *words)
    assert code == 1
    assert out.count("left out") == 2
    assert "2 left out: nothing was prepared" in err


def test_a_report_says_everything_in_one_line():
    report = PreparedReport(
        n_volumes=570, n_markers=568, n_missed=2, n_windows=541, lag_peak_s=5.0,
        lag_p=0.002, bad_channels={"T8": 1.0, "O1": 0.34, "FZ": 0.05, "CZ": 0.02},
        dropped_rois={"Heschl's gyrus": "constant"}, global_signal="of the data set",
        warnings=("triggers jitter",),
    )  # fmt: skip
    assert report_line(report) == (
        "570 volumes, 568 markers, 2 missed, 541 windows, lag peak +5 s (p 0.002), "
        "bad: T8 100 %, O1 34 %, FZ 5 % and 1 more, ROIs dropped: Heschl's gyrus "
        "(constant), global signal: of the data set"
    )
    line, warning = lines_of(Outcome("s1", "prepared", report))
    assert line.startswith("s1\tprepared\t570 volumes")
    assert warning == "  warning: triggers jitter"
    assert lines_of(Outcome("s2", "left out", reason="no markers")) == [
        "s2\tleft out\tno markers"
    ]
