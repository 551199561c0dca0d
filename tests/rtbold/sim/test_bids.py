import json

import numpy as np
import pytest
from bids_validator import MISSING, WHY_NOT, errors_of

from rtbold.calibration.datasets.description import open_dataset
from rtbold.calibration.datasets.sources import load_scan
from rtbold.sim.bids import write_scan
from rtbold.sim.settings import ForeignSettings, TwinSettings
from rtbold.sim.twin import simulate

pytest.importorskip("mne_bids", reason="the extra bids brings what writes BIDS")
SETTINGS = TwinSettings(
    seed=1101, level="easy", duration_s=60.0, channels=("Fp1", "Cz", "Oz", "ECG")
)


def test_a_scan_comes_back_as_a_data_set_reads_it(tmp_path):
    files = write_scan(SETTINGS, tmp_path / "study", subject="01")
    assert all((tmp_path / "study" / file).is_file() for file in files)
    found = open_dataset(tmp_path / "study")
    assert found.left_out == ()
    (source,) = found.sources
    loaded, expected = load_scan(source), simulate(SETTINGS)
    assert loaded.simulated
    assert loaded.tr_s == 2.1
    assert (source.subject, source.session) == ("01", "01")
    assert loaded.recording.reference == "FCz"
    assert loaded.rois == expected.roi_names
    assert loaded.report.left_out_channels == ("ECG",)
    np.testing.assert_array_equal(loaded.recording.eeg_uv, expected.eeg_uv[:3])
    np.testing.assert_array_equal(loaded.recording.bold, expected.bold)
    np.testing.assert_allclose(
        loaded.recording.volume_onsets_s, expected.volume_onsets_s, atol=0.5 / 200
    )


def test_the_data_set_says_that_it_is_simulated(tmp_path):
    write_scan(SETTINGS, tmp_path, subject="01")
    about = json.loads((tmp_path / "dataset_description.json").read_text())
    assert about["Name"] == "SIMULATED EEG and BOLD"
    assert "SIMULATED" in (tmp_path / "README").read_text()
    notes = {note.parent.name for note in tmp_path.rglob("simulated.json")}
    assert notes == {"eeg", "func"}
    (told,) = tmp_path.rglob("*_timeseries.json")
    facts = json.loads(told.read_text())
    assert facts["Simulated"] is True
    assert facts["SimulatedFrom"]["seed"] == 1101


def test_sessions_of_the_foreign_generator_lie_beside_each_other(tmp_path):
    for session in (1, 2):
        settings = ForeignSettings(
            seed=61000, session=session, duration_s=30.0, channels=("Fp1", "Cz", "Oz")
        )
        write_scan(settings, tmp_path, subject="01")
    names = [source.name for source in open_dataset(tmp_path).sources]
    assert names == [f"sub-01_ses-0{k}_task-rest_run-01" for k in (1, 2)]


@pytest.mark.integration
@pytest.mark.skipif(bool(MISSING), reason=WHY_NOT)
def test_the_standard_finds_no_error(tmp_path):
    write_scan(SETTINGS, tmp_path / "study", subject="01")
    assert errors_of(tmp_path / "study", tmp_path / "deno") == []
    assert errors_of(tmp_path / "study/derivatives/rtbold", tmp_path / "deno") == []
