import json

import numpy as np
import pytest

from rtbold.errors import ConfigError, DataFileError
from rtbold.sim import twin as session_files
from rtbold.sim.settings import NEUROBOLT_CHANNELS, TwinSettings
from rtbold.sim.twin import simulate, write_session

SETTINGS = TwinSettings(
    seed=1000, duration_s=30.0, rate_hz=250.0, channels=(*NEUROBOLT_CHANNELS, "ECG")
)


def table(path):
    return np.genfromtxt(path, delimiter="\t", skip_header=1)


def test_a_session_comes_back_from_its_files(tmp_path):
    mne = pytest.importorskip("mne")
    folder = write_session(SETTINGS, tmp_path / "sub" / "twin")
    expected = simulate(SETTINGS)
    raw = mne.io.read_raw_brainvision(folder / "eeg.vhdr", verbose="ERROR")
    assert raw.ch_names == [channel.label for channel in expected.channels]
    np.testing.assert_allclose(raw.get_data() * 1e6, expected.eeg_uv, atol=1e-3)
    onsets_s = [
        a["onset"] for a in raw.annotations if a["description"] == "Response/R128"
    ]
    np.testing.assert_allclose(onsets_s, expected.volume_onsets_s, atol=0.5 / 250)
    for name, rows in (("bold", expected.bold), ("truth", expected.bold_truth)):
        np.testing.assert_allclose(table(folder / f"{name}.tsv"), rows, rtol=1e-4)
    assert json.loads((folder / "simulated.json").read_text())["simulated"] is True
    assert [p.name for p in folder.parent.iterdir()] == ["twin"]


def test_an_existing_folder_is_left_alone(tmp_path):
    with pytest.raises(ConfigError, match="exists"):
        write_session(SETTINGS, tmp_path)


def test_a_failure_leaves_nothing_half_written(tmp_path, monkeypatch):
    def fail(*_):
        raise DataFileError("disk full")

    monkeypatch.setattr(session_files, "_write_table", fail)
    with pytest.raises(DataFileError, match="disk full"):
        write_session(SETTINGS, tmp_path / "twin")
    assert list(tmp_path.iterdir()) == []
