"""A trigger channel whose name and unit do not say that it holds codes."""

import numpy as np
import pytest
from odd_recordings import RATE_HZ, N, Signal, fif_raw, sines, write_edf
from xdf_writer import write_xdf

from rtbold.calibration.inputs.eeg import read_eeg

CODES = np.zeros(N)
CODES[RATE_HZ : RATE_HZ + 10] = 3.0


def edf(folder):
    return write_edf(folder / "a.edf", [*sines(), Signal("DC01", CODES, unit="mV")])


def fif(folder):
    labels = ["Fp1", "Cz", "O2", "Pz", "DC01"]
    raw = fif_raw(labels, ["eeg"] * 4 + ["ecg"], CODES[None])
    raw.save(folder / "a_raw.fif", verbose="ERROR")
    return folder / "a_raw.fif"


def xdf(folder):
    stream = {
        "name": "amp", "type": "EEG", "rate": RATE_HZ, "unit": "mV",
        "labels": ["Cz", "DC01"], "stamps": np.arange(N) / RATE_HZ,
        "values": np.stack([CODES, CODES], axis=1).astype("f4"),
    }  # fmt: skip
    write_xdf(folder / "a.xdf", [stream])
    return folder / "a.xdf"


@pytest.mark.parametrize("write", [edf, fif, xdf])
def test_codes_are_what_a_session_takes_them_for(tmp_path, write):
    read = read_eeg(write(tmp_path), trigger_channel="dc01")
    assert [(m.label, m.t_s) for m in read.markers] == [("3", 1.0)]
