import os

import numpy as np
import pytest

from rtbold.files.read import read_recording
from rtbold.files.recording import NAME, says_simulated


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"simulated": true, "seed": 3}', True),
        ('{"simulated": false}', False),
        ("{}", True),
        ("[]", True),
        ("not JSON", True),
        ("[" * 100_000, True),
    ],
)
def test_a_note_that_is_not_understood_counts(tmp_path, text, expected):
    (tmp_path / NAME).write_text(text, encoding="utf-8")
    assert says_simulated(tmp_path / "eeg.vhdr") is expected


@pytest.mark.skipif(os.name == "nt", reason="of Unix")
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "gone"])
def test_what_lies_in_the_notes_place_counts_and_does_not_hang(tmp_path, kind):
    note = tmp_path / NAME
    if kind == "pipe":
        os.mkfifo(note)
    elif kind == "folder":
        note.mkdir()
    else:
        note.symlink_to("/dev/zero" if kind == "device" else "nothing")
    assert says_simulated(tmp_path / "eeg.vhdr")


def test_without_a_note_nothing_is_said(tmp_path):
    assert not says_simulated(tmp_path / "eeg.vhdr")


def test_a_format_that_cannot_say_so_is_told_by_the_note(tmp_path):
    mne = pytest.importorskip("mne")
    path = tmp_path / "eeg_raw.fif"
    info = mne.create_info(["Cz", "Fz"], 200.0, "eeg")
    raw = mne.io.RawArray(1e-6 * np.ones((2, 400)), info, verbose="ERROR")
    raw.save(path, verbose="ERROR")
    assert not read_recording(path).simulated
    (tmp_path / NAME).write_text('{"simulated": true}', encoding="utf-8")
    assert read_recording(path).simulated
