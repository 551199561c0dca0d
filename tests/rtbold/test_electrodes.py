import numpy as np
import pytest

from rtbold.electrodes import canonical, channel_kind, has_position, match, positions
from rtbold.errors import ConfigError, StreamMismatch

DEMO = (
    "FP1 FP2 F7 F3 FZ F4 F8 T7 C3 CZ C4 T8 P7 P3 PZ P4 P8 O1 O2".split()
)  # fmt: skip


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Fp1", "FP1"),
        ("EEG Fp1", "FP1"),
        ("EEG Fp1-Ref", "FP1"),
        ("FP1-REF", "FP1"),
        ("FP1-LE", "FP1"),
        ("EEG FP1 - LE", "FP1"),
        ("EEG_Fp1", "FP1"),
        ("  Fc5. ", "FC5"),
        ("T3", "T7"),
        ("EEG T4-Ref", "T8"),
        ("t5", "P7"),
        ("T6", "P8"),
        ("A1", "A1"),
        ("M2", "M2"),
        ("FTT9h", "FTT9h"),
        ("FTT9H", "FTT9h"),
        ("tpp10h", "TPP10h"),
        ("AFF1h", "AFF1H"),
        ("ECG", "ECG"),
    ],
)
def test_labels_name_electrodes(label, name):
    assert canonical(label) == name
    assert canonical(name) == name  # saying it twice changes nothing


@pytest.mark.parametrize("label", ["C3-M2", "Fp1-F7", "EEG C3-A2"])
def test_a_derivation_is_no_electrode(label):
    assert not has_position(label)
    assert channel_kind(label) == "misc"


@pytest.mark.parametrize(
    ("label", "declared", "kind"),
    [
        ("ECG", "EEG", "ecg"),
        ("EKG1", "", "ecg"),
        ("EEG ECG", "", "ecg"),
        ("HEOG", "EEG", "eog"),
        ("EOG1", "", "eog"),
        ("LOC", "", "eog"),
        ("EMG3", "eeg", "emg"),
        ("CWL1", "EEG", "cwl"),
        ("CW4", "", "cwl"),
        ("ACC_X", "", "motion"),
        ("GYR_Y", "", "motion"),
        ("STI 014", "", "trigger"),
        ("TRIGGER", "EEG", "trigger"),
        ("Trig", "", "trigger"),
        ("Status", "", "trigger"),
        ("Fp1", "", "eeg"),
        ("Fp1", "misc", "eeg"),
        ("Fp1", "EOG", "eog"),
        ("EEG T3-Ref", "", "eeg"),
        ("CP1", "", "eeg"),
        ("Ch17", "EEG", "eeg"),
        ("Ch17", "", "misc"),
        ("sample", "misc", "misc"),
    ],
)
def test_kind_of_a_channel(label, declared, kind):
    assert channel_kind(label, declared) == kind


def test_positions_point_where_the_names_say():
    xyz = positions(["Cz", "Fpz", "Oz", "T8", "T7"])

    np.testing.assert_allclose(np.linalg.norm(xyz, axis=1), 1.0, atol=1e-5)
    top, front, back, right, left = xyz
    assert top[2] > 0.95
    assert front[1] > 0.95
    assert back[1] < -0.95
    assert right[0] > 0.95
    assert left[0] < -0.95


def test_positions_are_those_of_mne_up_to_a_sphere():
    mne = pytest.importorskip("mne")
    montage = mne.channels.make_standard_montage("colin27_1005")
    there = np.array([montage.get_positions()["ch_pos"][n] for n in ("Fz", "Pz", "C3")])
    here = positions(["Fz", "Pz", "C3"])

    spread = np.linalg.norm(np.diff(there, axis=0), axis=1)
    ours = np.linalg.norm(np.diff(here, axis=0), axis=1)
    np.testing.assert_allclose(spread / ours, 0.1, atol=0.015)  # head radius, metre


def test_old_names_have_the_position_of_the_new():
    np.testing.assert_array_equal(positions(["T3", "T6"]), positions(["T7", "P8"]))


def test_no_names_no_positions():
    assert positions([]).shape == (0, 3)


def test_unknown_name_is_an_error_that_names_it():
    with pytest.raises(ConfigError, match="CH17"):
        positions(["Cz", "Ch17"])


def test_match_by_any_spelling():
    labels = ["EEG O2-Ref", "ECG", "EEG T3-Ref", "Fp1"]
    assert match(labels, ["FP1", "T7", "O1", "O2"]) == (3, 2, None, 0)


def test_every_demo_channel_is_found_in_itself():
    assert match(DEMO, DEMO) == tuple(range(len(DEMO)))


def test_two_labels_of_one_electrode_are_refused_by_name():
    with pytest.raises(StreamMismatch, match=r"'T3', 'T7'"):
        match(["T3", "Cz", "T7"], ["T7"])


def test_twins_that_nobody_wants_do_not_matter():
    assert match(["X1", "Cz", "x1"], ["CZ"]) == (1,)
