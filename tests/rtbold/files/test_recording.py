import re
import warnings

import h5py
import numpy as np
import pytest
from recordings import (
    DATA_UV,
    LABELS,
    RATE_HZ,
    RNG,
    WRITERS,
    raw,
    write_eeghdf,
    write_fif,
    write_vhdr,
)

from rtbold.distribution import pip_install
from rtbold.errors import DataFileError, RtboldError
from rtbold.files import recording as extras
from rtbold.files.read import read_recording

# Each format stores what its resolution allows; bounds in microvolt.
TOLERANCE_UV = {"edf": 0.01, "bdf": 1e-3, "vhdr": 1e-3, "set": 1e-3, "fif": 1e-3}


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    path = tmp_path / f"rest_raw.{request.param}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the writers', not ours
        WRITERS[request.param](path)
    return path


def test_reads_each_format_in_microvolt(written):
    recording = read_recording(written)
    assert recording.rate_hz == RATE_HZ
    assert [c.label for c in recording.channels] == list(LABELS)
    assert [c.kind for c in recording.channels] == ["eeg", "eeg", "eeg", "ecg"]
    assert {c.unit for c in recording.channels} == {"uV"}
    assert recording.data_uv.dtype == np.float32
    tolerance_uv = TOLERANCE_UV[written.suffix[1:]]
    np.testing.assert_allclose(recording.data_uv, DATA_UV, atol=tolerance_uv)
    assert not recording.simulated
    assert recording.stamps_s is None


def test_reads_the_markers_of_each_format(written):
    markers = read_recording(written).markers
    marks = [(m.label, m.t_s) for m in markers if "New Segment" not in m.label]
    labels = ["R128", "S  2"]
    assert [label for label, _ in marks] == labels
    np.testing.assert_allclose([t for _, t in marks], [0.4, 1.2], atol=1e-6)


def test_brainvision_says_its_reference(tmp_path):
    write_vhdr(tmp_path / "rest.vhdr")
    assert read_recording(tmp_path / "rest.vhdr").reference == "FCz"


def test_markers_of_a_cropped_fif_count_from_its_first_sample(tmp_path):
    raw(first_samp=5000).save(tmp_path / "late_raw.fif", verbose="ERROR")
    markers = read_recording(tmp_path / "late_raw.fif").markers
    np.testing.assert_allclose([m.t_s for m in markers], [0.4, 1.2], atol=1e-6)


def test_a_truncated_file_is_refused(written):
    victim = written.with_suffix(".eeg") if written.suffix == ".vhdr" else written
    content = victim.read_bytes()
    victim.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(DataFileError):
        read_recording(written)


def test_an_empty_file_is_refused(written):
    written.write_bytes(b"")
    with pytest.raises(DataFileError, match="is empty"):
        read_recording(written)


def test_a_text_file_is_refused(written):
    written.write_text("dear diary, today I renamed a file\n" * 50)
    with pytest.raises(DataFileError, match=r"Brain Vision|cannot be read|is no"):
        read_recording(written)


def test_binary_rubbish_is_refused(written):
    written.write_bytes(RNG.bytes(20_000))
    with pytest.raises(DataFileError):
        read_recording(written)


def test_no_such_file(tmp_path):
    with pytest.raises(DataFileError, match="there is no file"):
        read_recording(tmp_path / "none.edf")


@pytest.mark.parametrize("name", ["rest.mat", "rest", "rest.csv"])
def test_unknown_extension(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataFileError, match=r"expected one of \['.bdf'"):
        read_recording(tmp_path / name)


def test_a_part_of_a_recording_names_its_header(tmp_path):
    with pytest.raises(DataFileError, match=r"rest\.vhdr"):
        read_recording(tmp_path / "rest.eeg")


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "rest.edf").mkdir()
    with pytest.raises(DataFileError, match="there is no file"):
        read_recording(tmp_path / "rest.edf")


def test_vhdr_without_its_samples(tmp_path):
    write_vhdr(tmp_path / "rest.vhdr")
    (tmp_path / "rest.eeg").unlink()
    with pytest.raises(DataFileError, match=r"rest\.eeg"):
        read_recording(tmp_path / "rest.vhdr")


def test_brainvision_that_ends_before_its_markers_is_truncated(tmp_path):
    write_vhdr(tmp_path / "rest.vhdr")
    content = (tmp_path / "rest.eeg").read_bytes()
    (tmp_path / "rest.eeg").write_bytes(content[: 16 * 200])
    with pytest.raises(DataFileError, match=r"ends at sample 200, but a marker"):
        read_recording(tmp_path / "rest.vhdr")


def test_a_paused_brainvision_is_refused(tmp_path):
    write_vhdr(tmp_path / "rest.vhdr")
    with (tmp_path / "rest.vmrk").open("a") as file:
        file.write("Mk9=New Segment,,501,1,0,20200101000000000000\n")
    with pytest.raises(DataFileError, match=r"paused at \[2.0\] s"):
        read_recording(tmp_path / "rest.vhdr")


def edf_with_units(path, units, rates=(250, 250)):
    import edfio

    signals = [
        edfio.EdfSignal(
            np.arange(rate * 2) % 100, rate, label=label, physical_dimension=unit,
            physical_range=(-300, 300),
        )
        for label, unit, rate in zip(("Fp1", "O1"), units, rates, strict=True)
    ]  # fmt: skip
    edfio.Edf(signals).write(path)


def test_an_edf_without_units_asks_for_them(tmp_path):
    edf_with_units(tmp_path / "rest.edf", ("", "uV"))
    with pytest.raises(DataFileError, match="--unit uV"):
        read_recording(tmp_path / "rest.edf")
    recording = read_recording(tmp_path / "rest.edf", unit="uV")
    np.testing.assert_allclose(recording.data_uv[0], recording.data_uv[1], atol=0.02)


def test_an_edf_of_eeg_at_two_rates_is_refused(tmp_path):
    edf_with_units(tmp_path / "rest.edf", ("uV", "uV"), rates=(250, 500))
    with pytest.raises(DataFileError, match=r"rates of \[250.0, 500.0\] Hz"):
        read_recording(tmp_path / "rest.edf")


def test_a_slower_channel_of_an_edf_is_left_out_and_said(tmp_path):
    import edfio

    signals = [
        edfio.EdfSignal(np.arange(rate * 2) % 100, rate, label=label,
                        physical_dimension="uV", physical_range=(-300, 300))
        for label, rate in (("Fp1", 250), ("Resp", 50))
    ]  # fmt: skip
    edfio.Edf(signals).write(tmp_path / "rest.edf")
    recording = read_recording(tmp_path / "rest.edf")
    assert [c.label for c in recording.channels] == ["Fp1"]
    assert recording.notes == ("left out, because not sampled at 250 Hz: ['Resp']",)


def test_a_recording_without_eeg_is_refused(tmp_path):
    import edfio

    signal = edfio.EdfSignal(
        np.arange(500) % 100, 250, label="Flow", physical_dimension="mV"
    )
    edfio.Edf([signal]).write(tmp_path / "flow.edf")
    with pytest.raises(DataFileError, match=r"holds no EEG: .*'Flow'"):
        read_recording(tmp_path / "flow.edf")


def test_reads_eeghdf(tmp_path):
    digital = write_eeghdf(tmp_path / "rest.eeg.h5")
    recording = read_recording(tmp_path / "rest.eeg.h5")
    assert recording.rate_hz == 200.0
    step_uv = (3199.902 + 3200) / 65535
    expected_uv = (digital[0].astype(float) + 32768) * step_uv - 3200
    np.testing.assert_allclose(recording.data_uv[0], expected_uv, atol=1e-3)
    expected_uv = (digital[1].astype(float) + 32768) * step_uv - 3200
    np.testing.assert_allclose(recording.data_uv[1], expected_uv, atol=1e-3)
    assert [c.unit for c in recording.channels] == ["uV", "uV", ""]
    assert [c.kind for c in recording.channels] == ["eeg", "eeg", "trigger"]
    marks = [(m.label, m.t_s) for m in recording.markers]
    assert marks == [("eyes open", 0.5), ("eyes closed", 1.39)]


def test_eeghdf_truncated(tmp_path):
    path = tmp_path / "rest.h5"
    write_eeghdf(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataFileError, match="cannot be read as eeghdf"):
        read_recording(path)


def test_hdf5_that_is_no_eeghdf(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a"] = [1, 2]
    with pytest.raises(DataFileError, match="record-0"):
        read_recording(tmp_path / "x.h5")


def test_eeghdf_without_unit(tmp_path):
    write_eeghdf(tmp_path / "x.h5", units=(b"uV", b"arb", b""))
    with pytest.raises(RtboldError, match="--unit"):
        read_recording(tmp_path / "x.h5")


def test_a_missing_package_says_what_to_install(monkeypatch, tmp_path):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(extras, "import_module", missing)
    path = tmp_path / "rest_raw.fif"
    write_fif(path)
    with pytest.raises(RtboldError, match=re.escape(pip_install("files"))):
        read_recording(path)
