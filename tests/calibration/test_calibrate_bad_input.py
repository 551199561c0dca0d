"""Every input that `rtbold calibrate` must refuse: one message, nothing written."""

import re

import numpy as np
import pytest
from bundles import write_tiny
from twin_scans import CHANNELS, make_scan, write_bold, write_scan

pytest.importorskip("torch")

from rtbold.calibration import predictions
from rtbold.cli import main

pytestmark = pytest.mark.heavy
TR_S = 2.1


@pytest.fixture(scope="module")
def twin():
    return make_scan(duration_s=420.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory, twin):
    return write_scan(tmp_path_factory.mktemp("whole"), twin)


@pytest.fixture
def refused(tmp_path, capsys, files, twin):
    """Calibrate with some options changed; check all that holds for every refusal."""
    xdf, tsv = files

    def check(code, message, *more, **changed):
        options = {"subject": "S01", "eeg": xdf, "bold": tsv, "cleaning": "none"}
        if not {"--target", "--contrast", "--roi"} & set(more):
            options["target"] = twin.roi_names[0]
        root = tmp_path / "root"
        words = ["calibrate", "--root", root]
        for name, value in {**options, **changed}.items():
            words += [f"--{name}", value]
        assert main([str(word) for word in (*words, *more)]) == code
        out, err = capsys.readouterr()
        said = re.sub(r"(?m)^ +\d+ s .*\n|^ +(features|folds|final).*\n", "", err)
        assert said.count("rtbold: ") == 1, err
        assert "Traceback" not in err
        assert "unforeseen" not in err
        assert re.search(message, said, re.DOTALL), err
        assert out == ""
        assert not root.exists()

    return check


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--strategy", "best"), r"--strategy is 'best', expected one of head, last"),
        (("--size", "huge"), r"--size is 'huge', expected one of small, base"),
        (("--scanner", "mars"), r"--scanner is 'mars', expected one of inside_running"),
        (("--horizon", "4"), r"--horizon is '4', expected 0 to 3.*or auto"),
        (("--horizon", "-1"), r"--horizon is '-1', expected 0 to 3"),
        (("--folds", "4"), r"--folds is 4, expected 5 to 20"),
        (("--threads", "0"), r"--threads is 0, expected 1 to"),
        (("--contrast", "Putamen"), r"--contrast is 'Putamen', expected ROI=WEIGHT"),
        (("--contrast", "Putamen=nan"), r"expected ROI=WEIGHT"),
        (("--contrast", "a=1", "--contrast", "a=2"), r"names 'a' twice"),
        (("--contrast", "Putamen=0"), r"every weight of --contrast is 0"),
        (("--channels", "FZ,,CZ"), r"--channels is 'FZ,,CZ', expected electrodes"),
        (("--drop-volumes", "-1"), r"--drop-volumes is -1, expected 0 or more"),
        (
            ("--base", "demo", "--continue", "latest"),
            r"--base and --continue were both",
        ),
    ],
)
def test_options(refused, options, message):
    refused(2, message, *options)


@pytest.mark.parametrize("subject", ["../S01", "a/b", "S 01", "/tmp/x", "C:\\x"])
def test_a_subject_with_a_path_in_it(refused, subject):
    refused(2, r"the subject is .*expected a code of 1 to 32 letters", subject=subject)


@pytest.mark.parametrize("cleaning", ["", "RecView", "online:", "sometimes:x"])
def test_cleaning_must_be_named(refused, cleaning):
    refused(2, r"--cleaning is .*expected online:NAME", cleaning=cleaning)


def test_files_that_are_not_there(refused, tmp_path):
    refused(1, r"no file .*gone\.xdf", eeg=tmp_path / "gone.xdf")
    refused(1, r"no file .*gone\.tsv", bold=tmp_path / "gone.tsv")


def test_no_such_roi_or_target(refused):
    refused(1, r"asked for \['Amygdalla'\].*Correct --roi", "--roi", "Amygdalla")
    refused(2, r"target needs Amygdalla.*the BOLD has", "--target", "Amygdalla")
    refused(2, r"target needs X.*the BOLD has", "--contrast", "X=1")
    refused(2, r"needs Putaman.*Did you mean 'Putamen'\?", "--target", "Putaman")
    refused(1, r"asked for \['fusiform gyrus'\].*Did you mean 'Fusiform gyrus'",
            "--roi", "fusiform gyrus")  # fmt: skip
    refused(2, r"no target was given, and .* has 2 ROIs: Putamen, Fusiform gyrus\. Say "
            r"which one will be fed back, such as --target 'Putamen'",
            "--roi", "Putamen", "--roi", "Fusiform gyrus")  # fmt: skip


def test_a_target_that_only_counts(refused, tmp_path, twin):
    table = np.column_stack([2.1 * np.arange(len(twin.bold)), twin.bold[:, :2]])
    write_bold(tmp_path / "t.tsv", ("zeit", *twin.roi_names[:2]), table)
    bold = tmp_path / "t.tsv"
    refused(2, r"needs zeit, but the BOLD has Superior", "--target", "zeit", bold=bold)
    refused(2, r"'zeit' of t\.tsv rises by 2\.1 from row to row", "--roi", "zeit",
            "--target", "zeit", bold=bold)  # fmt: skip


def test_eeg_of_another_unit(refused, tmp_path, twin):
    for factor, said in ((1000.0, "mV RMS"), (1e-3, "uV RMS")):
        xdf, tsv = write_scan(
            tmp_path / f"{factor:g}", twin, eeg_uv=twin.eeg_uv * factor
        )
        refused(1, rf"median amplitude of [\d.]+ {said}, expected 0\.5 to 150 uV.*unit",
                eeg=xdf, bold=tsv)  # fmt: skip


def test_a_tr_in_milliseconds(refused):
    refused(2, r"2100 looks like milliseconds: give seconds, 2\.1", "--tr", "2100")
    refused(
        2, r"'Putamen', which is the name of an ROI", "--target", "Putamen",
        "--contrast", "Putamen=1",
    )  # fmt: skip


def test_too_few_volumes_says_how_many_are_needed(refused, tmp_path):
    short = make_scan(duration_s=120.0)
    xdf, tsv = write_scan(tmp_path / "short", short)
    refused(1, r"57 volumes.*expected at least \d+ at a TR of 2\.1 s \([\d.]+ min\)",
            eeg=xdf, bold=tsv)  # fmt: skip


def test_eeg_shorter_than_bold(refused, tmp_path, twin):
    n = len(twin.bold) * 3 // 4
    cut = int((twin.volume_onsets_s[n - 1] + 1.0) * 200)
    xdf, tsv = write_scan(
        tmp_path / "cut", twin, eeg_uv=twin.eeg_uv[:, :cut],
        markers=twin.volume_onsets_s[:n],
    )  # fmt: skip
    refused(1, r"triggers for \d+ volumes.*shorter than the BOLD.*--drop-last-volumes",
            eeg=xdf, bold=tsv)  # fmt: skip


def test_markers_that_go_on_after_the_eeg(refused, tmp_path, twin):
    cut = int(300.0 * 200)
    xdf, tsv = write_scan(tmp_path / "cut", twin, eeg_uv=twin.eeg_uv[:, :cut])
    refused(1, r"is shorter than the BOLD: \d+ volumes after its end",
            eeg=xdf, bold=tsv)  # fmt: skip


def test_a_constant_roi(refused, tmp_path, twin):
    flat = twin.bold.copy()
    flat[:, 5] = 3.5
    write_bold(tmp_path / "flat.tsv", twin.roi_names, flat)
    name = re.escape(repr(twin.roi_names[5]))
    refused(1, rf"{name} of flat\.tsv is constant.*--roi", bold=tmp_path / "flat.tsv")


def test_another_tr(refused):
    refused(1, r"no marker is one every 3 s.*--tr 2\.1", "--tr", "3")


def test_markers_missing(refused, tmp_path, twin):
    xdf, tsv = write_scan(tmp_path / "bare", twin, markers=())
    refused(1, r"holds no markers, expected one for each volume", eeg=xdf, bold=tsv)


def test_all_channels_bad(refused, tmp_path, twin):
    xdf, tsv = write_scan(
        tmp_path / "flat", twin, eeg_uv=np.zeros_like(twin.eeg_uv)
    )  # fmt: skip
    refused(1, r"not one of the \d+ volumes of S\.xdf can be predicted: .*channel_flat",
            eeg=xdf, bold=tsv)  # fmt: skip


def test_a_base_of_another_montage_offers_what_can_be_done(refused):
    refused(2, r"lacks .*FZ.*base 'demo' was made for.*--channels .*--interpolate.*"
            r"--base nothing", "--base", "demo")  # fmt: skip


def test_a_strategy_that_the_base_has_no_parts_for(refused, monkeypatch):
    def read_scan(*_, **__):
        raise AssertionError("the windows were read before the refusal")

    monkeypatch.setattr(predictions, "read_scan", read_scan)
    ridge = ("--base", "demo-ridge", "--channels", ",".join(CHANNELS).upper())
    refused(2, r"no attention.*--strategy head or all", *ridge, strategy="adapters")
    refused(2, r"no blocks.*--strategy head or all", *ridge, strategy="last")


def test_a_base_that_is_none(refused, tmp_path):
    refused(1, r"no bundle 'nowhere'", "--base", "nowhere")
    folder = tmp_path / "bundles"
    foreign = write_tiny(folder, CHANNELS, name="foreign").path
    refused(2, r"architecture is 'none', expected one of", "--base", str(foreign))


def test_an_earlier_calibration_that_is_not_there(refused):
    refused(1, r"subject 'S01' has no model", "--continue", "latest")
    refused(1, r"subject 'S01' has no model", "--continue", "20260101-000000")


def test_confounds_of_another_length(refused, tmp_path):
    table = tmp_path / "c.tsv"
    table.write_text("heart_rate\n1.0\n2.0\n3.5\n")
    refused(1, r"c\.tsv has 3 rows and the BOLD \d+", "--confounds", table)


def test_another_subjects_eeg_without_the_marker(refused, tmp_path, twin):
    xdf, _ = write_scan(tmp_path / "bare", twin, markers=(), name="other")
    refused(1, r"other\.xdf \(--other-eeg\) has the volume marker 'R128' 0 times",
            "--other-eeg", xdf)  # fmt: skip


def test_the_subjects_own_eeg_is_no_null(refused, files):
    refused(2, r"S\.xdf \(--other-eeg\) is the same EEG as the subject's own",
            "--other-eeg", files[0])  # fmt: skip


def test_another_subjects_eeg_at_no_equal_time(refused, tmp_path, twin):
    # Four volumes, before the filters have settled: none of them has a window
    cut = int((twin.volume_onsets_s[3] + 1.0) * 200)
    xdf, _ = write_scan(
        tmp_path / "short", twin, eeg_uv=twin.eeg_uv[:, :cut],
        markers=twin.volume_onsets_s[:4], name="other",
    )  # fmt: skip
    refused(1, r"not one of the 4 volumes of other\.xdf", "--other-eeg", xdf)
