import mne
import numpy as np
import pytest
from odd_recordings import LABELS, RATE_HZ, SINE_UV, N, fif_raw

from rtbold.errors import DataFileError
from rtbold.files.read import read_recording


def saved(raw, path):
    raw.save(path, verbose="ERROR", overwrite=True)
    return path


def test_two_runs_that_were_joined_are_refused(tmp_path):
    joined = mne.concatenate_raws([fif_raw(), fif_raw()], verbose="ERROR")
    path = saved(joined, tmp_path / "rest_raw.fif")
    with pytest.raises(DataFileError, match=r"was cut or joined at \[6.0\d*\] s"):
        read_recording(path)


def with_skip(path, annotated):
    raw = fif_raw()
    raw._data[:, 500:750] = 0
    if annotated:
        raw.set_annotations(mne.Annotations([2.0], [1.0], ["BAD_ACQ_SKIP"]))
    return saved(raw, path)


def test_an_acquisition_that_skipped_is_refused(tmp_path):
    path = with_skip(tmp_path / "rest_raw.fif", annotated=True)
    with pytest.raises(DataFileError, match=r"not saved all the time at \[2.0\] s"):
        read_recording(path)


def test_a_skip_without_its_annotation_is_a_gap(tmp_path):
    path = with_skip(tmp_path / "rest_raw.fif", annotated=False)
    recording = read_recording(path)
    assert np.isnan(recording.data_uv[:, 501:749]).all()
    assert "read as a gap" in recording.notes[0]


def test_other_bad_stretches_are_told(tmp_path):
    raw = fif_raw()
    raw.set_annotations(mne.Annotations([1.0, 3.0], [0.5, 0.5], ["BAD_move", "R128"]))
    (note,) = read_recording(saved(raw, tmp_path / "rest_raw.fif")).notes
    assert "1 stretches are marked ['BAD_move']" in note


@pytest.mark.parametrize("kind", ["stim", "misc"])
def test_codes_are_no_voltage(tmp_path, kind):
    codes = np.where(np.arange(N) % 500 == 250, 1.0, 0.0)[None]
    raw = fif_raw([*LABELS, "STI 014"], ["eeg"] * 4 + [kind], codes)
    recording = read_recording(saved(raw, tmp_path / "rest_raw.fif"))
    last = recording.channels[-1]
    assert (last.unit, last.kind) == ("", "trigger")
    assert sorted(set(recording.data_uv[-1].tolist())) == [0, 1]
    np.testing.assert_allclose(recording.data_uv[:4], SINE_UV, atol=1e-3)


def test_an_electrode_without_a_unit_is_asked_about(tmp_path):
    raw = fif_raw()
    for ch in raw.info["chs"]:
        with raw.info._unlock():
            ch["unit"] = mne.io.constants.FIFF.FIFF_UNIT_NONE
    path = saved(raw, tmp_path / "rest_raw.fif")
    with pytest.raises(DataFileError, match="--unit uV"):
        read_recording(path)
    np.testing.assert_allclose(
        read_recording(path, unit="V").data_uv, SINE_UV, atol=1e-3
    )


def test_bad_channels_are_told(tmp_path):
    raw = fif_raw()
    raw.info["bads"] = ["Cz"]
    (note,) = read_recording(saved(raw, tmp_path / "rest_raw.fif")).notes
    assert "calls ['Cz'] bad" in note


def test_the_bad_channels_of_a_bids_table_are_told(tmp_path):
    path = saved(fif_raw(), tmp_path / "sub-01_task-rest_eeg.fif")
    (tmp_path / "sub-01_task-rest_channels.tsv").write_text(
        "name\ttype\tstatus\nFp1\tEEG\tgood\nO2\tEEG\tbad\n", encoding="utf-8"
    )
    (note,) = read_recording(path).notes
    assert "sub-01_task-rest_channels.tsv calls ['O2'] bad" in note


def test_labels_that_mne_numbered_are_one_electrode(tmp_path):
    raw = fif_raw()
    raw.rename_channels({"Fp1": "Cz-0", "Cz": "Cz-1"})
    with pytest.raises(DataFileError, match="'CZ' is there twice"):
        read_recording(saved(raw, tmp_path / "rest_raw.fif"))


def test_epochs_are_called_that(tmp_path):
    path = tmp_path / "rest-epo.fif"
    epochs = mne.EpochsArray(
        SINE_UV.reshape(1, 4, N), mne.create_info(list(LABELS), RATE_HZ, "eeg"),
        verbose="ERROR",
    )  # fmt: skip
    epochs.save(path, verbose="ERROR")
    with pytest.raises(DataFileError, match="before epoching"):
        read_recording(path)


@pytest.mark.parametrize("name", ["REST_RAW.FIF", "rest_raw.FIF", "rest_raw.fif.gz"])
def test_the_suffix_in_any_case(tmp_path, name):
    path = saved(fif_raw(), tmp_path / "x_raw.fif")
    if name.endswith(".gz"):
        path = saved(fif_raw(), tmp_path / name)
    else:
        path = path.rename(tmp_path / name)
    np.testing.assert_allclose(read_recording(path).data_uv, SINE_UV, atol=1e-3)


def test_a_segment_that_begins_with_the_recording_is_no_pause(tmp_path):
    raw = fif_raw()
    raw.set_annotations(mne.Annotations([0.0], [0.0], ["New Segment/"]))
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    assert read_recording(tmp_path / "a_raw.fif").notes == ()
