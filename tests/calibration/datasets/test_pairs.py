"""Scans that are listed with their files, and simulated ones."""

import dataset_files as files
import numpy as np
import pytest

from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.sources import body_of, load_scan
from rtbold.errors import ConfigError, RtboldError
from rtbold.sim import TwinSettings, simulate, write_session

LISTED = """
[[scan]]
eeg = "a_eeg.vhdr"
bold = "a.tsv"
subject = "A"

[[scan]]
eeg = "b.set"
bold = "b.npy"
subject = "B"
session = "2"
name = "b-second"
rois = ["x", "y", "z"]
drop_volumes = 1
dummy_volumes = 1
"""


def described(root, text):
    path = root / "lab.toml"
    path.write_text(text)
    return path


@pytest.fixture
def lab(tmp_path):
    """Return a folder with two scans."""
    data = files.eeg_uv(4, files.seconds(), 250.0)
    files.write_vhdr(
        tmp_path / "a_eeg.vhdr", files.FEW, data, markers=files.responses()
    )
    files.write_tsv(tmp_path / "a.tsv", files.PLAIN_ROIS, files.bold())
    files.write_set(tmp_path / "b.set", files.FEW, data, markers=files.volumes("V  1"))
    np.save(tmp_path / "b.npy", files.bold(seed=3))
    return tmp_path


def test_any_pair_that_calibrate_reads_can_be_listed(lab):
    found = open_dataset(described(lab, LISTED))
    assert (found.name, found.layout) == ("lab", "pairs")
    assert [(s.name, s.subject, s.session) for s in found.sources] == [
        ("A_1_a", "A", "1"), ("b-second", "B", "2"),
    ]  # fmt: skip
    one, other = map(load_scan, found.sources)
    np.testing.assert_allclose(one.alignment.bold, files.bold())
    assert other.rois == ("x", "y", "z")
    np.testing.assert_allclose(other.alignment.bold, files.bold(seed=3)[1:])
    np.testing.assert_allclose(
        other.recording.volume_onsets_s, files.onsets_s()[1:], atol=1e-9
    )


def test_confounds_and_events_of_a_pair(lab):
    files.write_tsv(lab / "conf.tsv", ("csf", "fd"), np.eye(files.N_VOLUMES)[:, :2])
    files.bids_events(lab / "events.tsv", [(4.2, 10, "regulate")])
    text = LISTED.partition('[[scan]]\neeg = "b')[0] + (
        'confounds_table = "conf.tsv"\nconfounds = ["csf"]\nevents = "events.tsv"\n'
    )
    scan = load_scan(open_dataset(described(lab, text)).sources[0])
    assert list(scan.confounds) == ["csf"]
    (block,) = scan.blocks
    assert block.label == "regulate"
    assert block.onset_s == pytest.approx(files.FIRST_S + 4.2)


def test_a_pair_that_is_wrong_is_told_by_its_number(lab):
    (lab / "b.npy").unlink()
    with pytest.raises(ConfigError, match=r"lab\.toml: \[\[scan\]\] number 2: bold is"):
        open_dataset(described(lab, LISTED))
    with pytest.raises(ConfigError, match=r"number 1: unknown keys atlass.*'atlas'"):
        open_dataset(described(lab, LISTED.replace('subject = "A"', "atlass = 1")))
    with pytest.raises(ConfigError, match=r"missing required field `subject`"):
        open_dataset(described(lab, LISTED.replace('subject = "A"', "")))
    text = LISTED.replace('subject = "A"', 'subject = "A"\nleave_out = "bad"')
    with pytest.raises(ConfigError, match=r"it has leave_out"):
        open_dataset(described(lab, text))
    with pytest.raises(ConfigError, match=r"lists no scan"):
        open_dataset(described(lab, 'layout = "pairs"'))


# The twin.

TWIN = 'layout = "twin"\n[twin]\nlevel = "easy"\nseeds = "7-8"\nduration_s = 60\n'


def test_simulated_subjects_are_one_a_seed(tmp_path):
    found = open_dataset(described(tmp_path, TWIN))
    assert [(s.name, s.subject) for s in found.sources] == [
        ("twin-easy-7", "twin7"), ("twin-easy-8", "twin8"),
    ]  # fmt: skip
    scan = load_scan(found.sources[0])
    twin = simulate(TwinSettings(seed=7, level="easy", duration_s=60))
    assert scan.simulated
    assert scan.tr_s == 2.1
    np.testing.assert_array_equal(scan.recording.eeg_uv, twin.eeg_uv)
    np.testing.assert_allclose(scan.recording.volume_onsets_s, twin.volume_onsets_s)
    np.testing.assert_array_equal(scan.alignment.bold, twin.bold)
    assert set(scan.confounds) == set(body_of(twin))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"7-8"', '"7 to 8"', r"seeds is '7 to 8', expected numbers"),
        ('"7-8"', "[]", r"seeds is \(\), expected 1 to 100000"),
        ('"7-8"', '"0-99999999999999"', r"expected 1 to 100000 numbers"),
        ('"easy"', '"middling"', r"middling"),
        ("duration_s = 60", "duration_s = 1", r"duration is 1"),
        ("[twin]", "[xdf]", r"unknown keys duration_s, level, seeds in \[xdf\]"),
        ("level", "levle", r"unknown keys levle in \[twin\].*Did you mean 'level'"),
    ],
)
def test_settings_of_the_twin_are_checked(tmp_path, old, new, said):
    with pytest.raises(RtboldError, match=said):
        open_dataset(described(tmp_path, TWIN.replace(old, new)))


def test_the_foreign_generator_has_sessions(tmp_path):
    text = TWIN.replace('"easy"', '"foreign"').replace('"7-8"', "[7]")
    found = open_dataset(described(tmp_path, f"{text}sessions = [1, 2]\n"))
    assert [(s.name, s.subject, s.session) for s in found.sources] == [
        ("foreign-7-1", "foreign7", "1"), ("foreign-7-2", "foreign7", "2"),
    ]  # fmt: skip
    assert load_scan(found.sources[1]).simulated
    with pytest.raises(ConfigError, match=r"the twin's level easy has one session"):
        open_dataset(described(tmp_path, f"{TWIN}sessions = [1, 2]\n"))


def test_sessions_that_the_twin_wrote_are_found(tmp_path):
    for seed in (7, 8):
        write_session(
            TwinSettings(seed=seed, level="easy", duration_s=40.0),
            tmp_path / f"subject-{seed}",
        )
    found = open_dataset(tmp_path)
    assert found.layout == "twin"
    assert [(s.name, s.subject) for s in found.sources] == [
        ("subject-7", "twin7"), ("subject-8", "twin8"),
    ]  # fmt: skip
    assert load_scan(found.sources[0]).simulated
