import warnings

import h5py
import mne
import numpy as np
import pytest
from odd_recordings import LABELS, RATE_HZ, SINE_UV, N, structs, write_set

from rtbold.errors import DataFileError
from rtbold.files import eeglab
from rtbold.files.read import read_recording

pytestmark = pytest.mark.heavy
EMPTY = np.array([])


@pytest.mark.parametrize("value", [EMPTY, np.empty((0, 0)), {"nosedir": "+X"}])
def test_chaninfo_says_nothing_of_the_samples(tmp_path, value):
    recording = read_recording(write_set(tmp_path / "rest.set", chaninfo=value))
    np.testing.assert_allclose(recording.data_uv, SINE_UV, rtol=1e-5, atol=1e-4)
    assert [c.label for c in recording.channels] == list(LABELS)
    assert [(m.label, m.t_s) for m in recording.markers] == [("R128", 1.0)]


@pytest.mark.parametrize("field", ["chanlocs", "event", "urevent", "icaact", "ref"])
def test_an_empty_field_is_no_damage(tmp_path, field):
    recording = read_recording(write_set(tmp_path / "rest.set", **{field: EMPTY}))
    assert recording.data_uv.shape == SINE_UV.shape
    assert all(c.kind == "eeg" for c in recording.channels)


def test_an_epoched_set_is_called_that(tmp_path):
    data = SINE_UV.reshape(4, 6, 250).transpose(0, 2, 1)
    path = write_set(tmp_path / "rest.set", trials=6, pnts=250, data=data)
    with pytest.raises(
        DataFileError, match=r"6 epochs, expected a continuous.*before epoching"
    ):
        read_recording(path)


@pytest.mark.parametrize("kind", ["boundary", "Boundary", -99, "EDGE boundary"])
def test_a_boundary_is_a_cut_however_it_is_written(tmp_path, kind):
    event = structs([{"type": kind, "latency": 501.5, "duration": 250.0}])
    path = write_set(tmp_path / "rest.set", event=event)
    with pytest.raises(DataFileError, match=r"was cut or joined at \[2.002\] s"):
        read_recording(path)


@pytest.mark.parametrize("latency", [0.5, N + 0.5])
def test_a_boundary_before_or_after_all_samples_cuts_nothing(tmp_path, latency):
    event = structs([{"type": "boundary", "latency": latency, "duration": 250.0}])
    recording = read_recording(write_set(tmp_path / "rest.set", event=event))
    assert recording.data_uv.shape == SINE_UV.shape


def test_numbers_as_types_of_events(tmp_path):
    event = structs([{"type": 128.0, "latency": 251.0}, {"type": 2, "latency": np.nan}])
    recording = read_recording(write_set(tmp_path / "rest.set", event=event))
    assert [m.label for m in recording.markers] == ["128"]
    assert recording.notes == ("1 events have no time; left out",)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("rest.set", {"fdt": "rest.fdt"}),
        ("REST.SET", {"fdt": "REST.FDT"}),
        ("rest.set", {"fdt": "rest.fdt", "fdt_name": "REST.FDT"}),
        ("rest.set", {"fdt": "C:\\data\\rest.fdt", "fdt_name": "rest.fdt"}),
    ],
)
def test_samples_beside_the_set(tmp_path, name, given):
    recording = read_recording(write_set(tmp_path / name, **given))
    np.testing.assert_allclose(recording.data_uv, SINE_UV, rtol=1e-5, atol=1e-4)
    assert recording.notes == ()


def test_a_renamed_pair_is_read_and_told(tmp_path):
    path = write_set(tmp_path / "sub-01.set", fdt="rest.fdt", fdt_name="sub-01.fdt")
    recording = read_recording(path)
    np.testing.assert_allclose(recording.data_uv, SINE_UV, rtol=1e-5, atol=1e-4)
    assert "names 'rest.fdt', which is not beside it" in recording.notes[0]


def test_a_missing_or_cut_fdt_is_named(tmp_path):
    path = write_set(tmp_path / "rest.set", fdt="rest.fdt")
    (tmp_path / "rest.fdt").write_bytes(b"\0" * 400)
    with pytest.raises(DataFileError, match=r"rest\.fdt has 400 bytes, expected 24000"):
        read_recording(path)
    (tmp_path / "rest.fdt").unlink()
    with pytest.raises(DataFileError, match=r"rest\.fdt, which rest\.set names"):
        read_recording(path)


def test_an_electrode_that_is_there_twice_is_refused(tmp_path):
    places = structs(
        [{"labels": name, "type": ""} for name in ("Cz", "cz", "O2", "Pz")]
    )
    with pytest.raises(DataFileError, match=r"is there twice.*'cz'.*Rename one"):
        read_recording(write_set(tmp_path / "rest.set", chanlocs=places))


def test_codes_and_other_quantities_have_no_unit(tmp_path):
    types = {"Fp1": "EEG", "Cz": "", "STI 014": "STIM", "SpO2": "misc"}
    places = structs([{"labels": k, "type": v} for k, v in types.items()])
    recording = read_recording(write_set(tmp_path / "rest.set", chanlocs=places))
    assert [c.unit for c in recording.channels] == ["uV", "uV", "", ""]
    assert [c.kind for c in recording.channels] == ["eeg", "eeg", "trigger", "misc"]
    np.testing.assert_allclose(recording.data_uv, SINE_UV, rtol=1e-5, atol=1e-4)


def test_fields_that_are_not_in_a_structure(tmp_path):
    from scipy.io import loadmat, savemat

    path = write_set(tmp_path / "rest.set")
    fields = loadmat(path, simplify_cells=True)["EEG"]
    savemat(path, fields)
    np.testing.assert_allclose(
        read_recording(path).data_uv, SINE_UV, rtol=1e-5, atol=1e-4
    )


def test_several_sets_in_one_file(tmp_path):
    from scipy.io import savemat

    savemat(tmp_path / "all.set", {"ALLEEG": structs([{"nbchan": 4}, {"nbchan": 5}])},
            appendmat=False)  # fmt: skip
    with pytest.raises(DataFileError, match="holds several sets"):
        read_recording(tmp_path / "all.set")


@pytest.mark.parametrize("fdt", [None, "rest.fdt"])
def test_samples_and_times_are_those_that_mne_reads(tmp_path, fdt):
    """Parity with mne.io.read_raw_eeglab."""
    path = write_set(tmp_path / "rest.set", fdt=fdt)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = mne.io.read_raw_eeglab(path, verbose="ERROR")
    recording = read_recording(path)
    np.testing.assert_allclose(
        recording.data_uv, raw.get_data() * 1e6, rtol=1e-6, atol=1e-4
    )
    np.testing.assert_allclose(
        [m.t_s for m in recording.markers], raw.annotations.onset
    )


def write_73(path):
    """Write a set as MATLAB 7.3 does: structs as groups, their lists as references."""
    with h5py.File(path, "w", userblock_size=512) as file:
        eeg = file.create_group("EEG")
        eeg.attrs.create("MATLAB_class", np.bytes_("struct"))
        for key, value in (
            ("srate", RATE_HZ),
            ("nbchan", 4),
            ("pnts", N),
            ("trials", 1),
        ):
            eeg[key] = np.array([[float(value)]])
        eeg["data"] = SINE_UV.astype(np.float32).T
        refs = file.create_group("#refs#")
        n_made = 0

        def reference(value):
            nonlocal n_made
            n_made += 1
            name = f"r{n_made}"
            if isinstance(value, str):
                made = refs.create_dataset(
                    name, data=np.array([[ord(c)] for c in value], np.uint16)
                )
                made.attrs.create("MATLAB_class", np.bytes_("char"))
            else:
                made = refs.create_dataset(name, data=np.array([[float(value)]]))
            return made.ref

        def listed(group, key, values):
            made = eeg.require_group(group)
            made[key] = np.array([[reference(v)] for v in values], h5py.ref_dtype)

        listed("chanlocs", "labels", LABELS)
        listed("event", "type", ["R128", "R128"])
        listed("event", "latency", [251.0, 776.0])
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))


def test_a_set_of_matlab_7_3(tmp_path):
    path = tmp_path / "rest.set"
    write_73(path)
    recording = read_recording(path)
    np.testing.assert_allclose(recording.data_uv, SINE_UV, rtol=1e-5, atol=1e-4)
    assert [c.label for c in recording.channels] == list(LABELS)
    marks = [(m.label, m.t_s) for m in recording.markers]
    assert marks == [("R128", 1.0), ("R128", 3.1)]


def test_a_reader_that_crashes_takes_nothing_along(tmp_path, monkeypatch):
    """SciPy 1.17 crashed on sets of which single bytes were changed."""
    path = write_set(tmp_path / "rest.set")
    monkeypatch.setattr(eeglab.trial, "MAT5", "    import os; os.abort()")
    with pytest.raises(DataFileError, match=r"its reader crashed.*Copy it again"):
        read_recording(path)


def test_samples_that_lie_on_their_side_are_refused(tmp_path):
    path = write_set(tmp_path / "rest.set", data=SINE_UV.T.astype("f4"))
    with pytest.raises(DataFileError, match=r"shape \(1500, 4\), expected \(4, 1500\)"):
        read_recording(path)


def test_one_channel_has_no_side(tmp_path):
    place = structs([{"labels": "Cz", "type": ""}])
    path = write_set(tmp_path / "a.set", data=SINE_UV[1], nbchan=1, chanlocs=place)
    np.testing.assert_allclose(read_recording(path).data_uv, SINE_UV[1:2], rtol=1e-5)


def test_the_old_file_of_samples_is_not_read_as_the_new_one(tmp_path):
    path = write_set(tmp_path / "rest.set", fdt="rest.dat")
    with pytest.raises(DataFileError, match=r"in 'rest\.dat', expected a \.fdt"):
        read_recording(path)
