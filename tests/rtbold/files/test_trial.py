"""Files that make a library hang or crash are refused, and whole ones are read."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from rtbold.errors import DataFileError
from rtbold.files import eeghdf, trial
from rtbold.files.recording import ReadOptions

pytestmark = pytest.mark.heavy

# Found by changing bytes: HDF5 never comes back from reading its texts.
HANGS = Path(__file__).parents[2] / "data" / "files" / "never_comes_back.h5"


def test_a_file_whose_reader_never_comes_back_is_told():
    assert trial.why_not(HANGS, trial.HDF5, limit_s=4.0) == "it took over 4 s"


def test_it_is_refused_as_a_recording(monkeypatch):
    monkeypatch.setattr(trial, "LIMIT_S", 3.0)
    with pytest.raises(DataFileError, match=r"cannot be read as eeghdf \(it took over"):
        eeghdf.read_eeghdf(HANGS, ReadOptions())


def test_a_whole_file_may_be_read(tmp_path):
    path = tmp_path / "whole.h5"
    with h5py.File(path, "w") as file:
        file["a/numbers"] = np.arange(5)
        file["texts"] = ["one", "two"]
    assert trial.why_not_hdf5(path) == ""


def test_what_the_reader_says_is_the_reason(tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    assert trial.why_not_hdf5(path).startswith("OSError: ")


def test_a_reader_that_crashes_is_a_reason(tmp_path):
    path = tmp_path / "any"
    path.write_bytes(b"x")
    crash = "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    assert trial.why_not(path, crash) == "its reader crashed"
