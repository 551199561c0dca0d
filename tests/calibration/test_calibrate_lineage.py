"""Noise stays noise: a base is never calibrated on a scan that it has seen."""

from dataclasses import replace

import msgspec
import pytest
from twin_scans import make_scan, write_bold, write_scan

pytest.importorskip("torch")

from calibration_run import Ran

from rtbold.bundle import store as bundle
from rtbold.bundle.card import Lineage
from rtbold.calibration import save as outcome
from rtbold.calibration.datasets.scan import as_recording, conditioned
from rtbold.calibration.lineage import lineage_of_training, refuse_seen
from rtbold.cli import calibrate as calibrate_fit, calibrate_live
from rtbold.errors import ConfigError

pytestmark = pytest.mark.heavy
ROIS = ("Cuneus", "Putamen")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("noise")


@pytest.fixture(scope="module", autouse=True)
def no_report():
    """A report and a compiled engine take longer than the fits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcome, "_report", lambda *_: b"report")
        patch.setattr(calibrate_fit, "_compiled", lambda _: "")
        yield


@pytest.fixture(scope="module")
def twin():
    return make_scan(2060, duration_s=420.0)


@pytest.fixture(scope="module")
def files(folder, twin):
    """EEG of one simulated subject, BOLD of another."""
    xdf, _ = write_scan(folder, twin, name="eeg")
    other = make_scan(2061, duration_s=420.0)
    write_bold(folder / "bold.tsv", other.roi_names, other.bold)
    return xdf, folder / "bold.tsv"


@pytest.fixture(scope="module")
def command(files):
    words = ["--eeg", files[0], "--bold", files[1], "--cleaning", "none"]
    words += ["--target", ROIS[0]]
    return [*words, *(word for roi in ROIS for word in ("--roi", roi))]


@pytest.fixture(scope="module")
def noise(folder, command):
    ran = Ran(folder / "root", "--subject", "S01", *command, "--json")
    assert ran.code == 0, ran.err
    return ran


def test_noise_does_not_become_a_signal_in_two_commands(noise, command):
    assert not noise.found["fit_for_feedback"]
    assert noise.found["not_checked"] == ""
    again = Ran(noise.root, "--subject", "S01", *command, "--continue", "latest")
    assert again.code == 2
    assert again.out == ""
    assert "base 'S01' has learned from the EEG and BOLD of this scan" in again.err
    assert "look like a signal" in again.err
    assert "making the windows" not in again.err  # said before the long part
    assert len(list((noise.root / "S01").glob("*.rtbold"))) == 1


def test_it_is_refused_under_another_name_and_in_part(noise, folder, command, files):
    """A copy of the bundle, another subject's code, and less of the scan."""
    card = noise.bundle.card
    contents = {entry.path: noise.bundle.file(entry.path) for entry in card.files}
    copy = bundle.write(folder / "exported.rtbold", card, contents).path
    lines = files[1].read_text(encoding="utf-8").splitlines(keepends=True)
    part = folder / "part.tsv"
    part.write_text("".join([lines[0], *lines[8:-3]]), encoding="utf-8")
    ran = Ran(folder / "elsewhere", "--subject", "X9", "--base", copy,
              "--eeg", files[0], "--bold", part, "--cleaning", "none",
              "--dummy-volumes", "7", "--spare-triggers", "3",
              "--roi", "Putamen", "--channels", "C3,C4,P3")  # fmt: skip
    assert ran.code == 2, ran.err
    assert "has learned from the EEG and BOLD of this scan" in ran.err


@pytest.mark.parametrize("seen", ["EEG", "BOLD"])
def test_either_of_both_is_enough(noise, folder, files, seen):
    fresh = make_scan(2064, duration_s=420.0)
    xdf, tsv = write_scan(folder / seen, fresh)
    eeg, bold = (files[0], tsv) if seen == "EEG" else (xdf, files[1])
    ran = Ran(noise.root, "--subject", "S01", "--eeg", eeg, "--bold", bold,
              "--cleaning", "none", "--continue", "latest",
              "--target", ROIS[0])  # fmt: skip
    assert ran.code == 2
    assert f"has learned from the {seen} of this scan" in ran.err


def test_a_live_scan_is_compared_too(noise, files, monkeypatch):
    """As if the scanner's export had been played again."""

    def recorded(settings, _):
        scan = replace(settings.scan, eeg=files[0], bold=str(files[1]))
        return replace(settings, scan=scan)

    monkeypatch.setattr(calibrate_live, "recorded", recorded)
    ran = Ran(noise.root, "--subject", "S01", "--live", "--cleaning", "none",
              "--continue", "latest", "--target", ROIS[0])  # fmt: skip
    assert ran.code == 2
    assert "has learned from the EEG and BOLD of this scan" in ran.err


def test_a_bundle_carries_its_scan_on_card_and_weights(noise):
    from safetensors import safe_open

    lineage = noise.bundle.card.lineage
    assert lineage.complete
    (own,) = lineage.scans
    assert own == noise.result.aligned.marks.on_card()
    file = noise.bundle.file("weights.safetensors")
    with safe_open(file, framework="pt") as weights:
        text = weights.metadata()["rtbold.lineage"]
    assert msgspec.json.decode(text, type=type(lineage)) == lineage


def test_training_and_calibration_mark_a_scan_alike(noise, twin):
    trained = conditioned(as_recording(twin), noise.bundle.card).seen
    shared = noise.result.aligned.marks.shared_with(trained)
    assert shared == (64, 64, 0, 64)  # the BOLD is another subject's
    base = msgspec.structs.replace(
        noise.bundle.card, lineage=lineage_of_training([trained])
    )
    with pytest.raises(ConfigError, match="has learned from the EEG of this scan"):
        refuse_seen(base, noise.result.aligned.marks)


def test_an_older_card_is_refused_on_its_own_data(noise, folder, command):
    """Cards had no marks; a hash of exactly the same windows and BOLD they had."""
    old = _older(
        noise.bundle, folder / "old.rtbold", noise.bundle.card.training_data_sha256
    )
    ran = Ran(folder / "elsewhere", "--subject", "X9", *command, "--base", old)
    assert ran.code == 2
    assert "base 'S01' has learned from the EEG and BOLD of this scan" in ran.err


def test_an_older_card_that_cannot_be_checked_is_told(noise, folder, command):
    old = _older(noise.bundle, folder / "unknown.rtbold", "")
    ran = Ran(
        folder / "elsewhere", "--subject", "X8", *command, "--base", old, "--json"
    )
    assert ran.code == 0, ran.err
    assert "warning  base 'S01' does not list the scans" in ran.err
    assert "cannot be checked" in ran.found["not_checked"]
    card = ran.bundle.card
    assert "cannot be checked" in card.note
    assert ran.result.choice.kept == "stack"  # the base in it remembers the scan
    assert ran.found["gate"]["r"] > noise.found["gate"]["r"] + 0.2
    own = ran.result.aligned.marks.on_card()
    assert card.lineage == Lineage(scans=(own,), complete=False)


def _older(found, path, sha256):
    """Write a bundle as it was before cards had a lineage."""
    card = msgspec.structs.replace(
        found.card, lineage=None, training_data_sha256=sha256
    )
    files = {entry.path: found.file(entry.path) for entry in found.card.files}
    return bundle.write(path, card, files).path
