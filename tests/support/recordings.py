"""Small recordings in every format that is read; for tests only."""

import datetime

import h5py
import mne
import numpy as np

RATE_HZ = 250.0
LABELS = ("Fp1", "O1", "Cz", "ECG")
N = 1000
RNG = np.random.default_rng(8)
DATA_UV = np.round(RNG.normal(0, 40, (len(LABELS), N)), 1)


def raw(first_samp=0, data_uv=DATA_UV):
    info = mne.create_info(list(LABELS), RATE_HZ, ["eeg", "eeg", "eeg", "ecg"])
    made = mne.io.RawArray(data_uv * 1e-6, info, first_samp=first_samp, verbose="ERROR")
    made.set_meas_date(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
    first_s = first_samp / RATE_HZ
    made.set_annotations(
        mne.Annotations(
            [first_s + 0.4, first_s + 1.2],
            0.0,
            ["R128", "S  2"],
            orig_time=made.info["meas_date"],
        )
    )
    return made


def write_edf(path):
    import edfio

    _write_edfio(path, edfio.Edf, edfio.EdfSignal)


def write_bdf(path):
    import edfio

    _write_edfio(path, edfio.Bdf, edfio.BdfSignal)


def _write_edfio(path, file_type, signal_type):
    import edfio

    signals = [
        signal_type(
            row, RATE_HZ, label=label, physical_dimension="uV",
            physical_range=(-300, 300),
        )
        for label, row in zip(LABELS, DATA_UV, strict=True)
    ]  # fmt: skip
    marks = [
        edfio.EdfAnnotation(0.4, None, "R128"),
        edfio.EdfAnnotation(1.2, None, "S  2"),
    ]
    file_type(signals, annotations=marks).write(path)


def write_vhdr(path):
    import pybv

    pybv.write_brainvision(
        data=DATA_UV * 1e-6,
        sfreq=RATE_HZ,
        ch_names=list(LABELS),
        ref_ch_names="FCz",
        fname_base=path.stem,
        folder_out=str(path.parent),
        events=[
            {"onset": 100, "type": "Response", "description": 128},
            {"onset": 300, "type": "Stimulus", "description": 2},
        ],
    )


def write_set(path):
    mne.export.export_raw(path, raw(), fmt="eeglab", verbose="ERROR")


def write_fif(path):
    raw().save(path, verbose="ERROR")


WRITERS = {
    "edf": write_edf,
    "bdf": write_bdf,
    "vhdr": write_vhdr,
    "set": write_set,
    "fif": write_fif,
}


def write_eeghdf(path, units=(b"uV", b"mV", b"")):
    digital = RNG.integers(-32768, 32767, (3, 500)).astype(np.int16)
    with h5py.File(path, "w") as file:
        record = file.create_group("record-0")
        record.attrs["sample_frequency"] = 200.00000000000003
        record["signals"] = digital
        record["signal_labels"] = [b"EEG Fp1", b"EEG T3", b"Events/Markers"]
        record["physical_dimensions"] = list(units)
        record["signal_physical_mins"] = [-3200.0, -3.2, -1.0]
        record["signal_physical_maxs"] = [3199.902, 3.199902, 1.0]
        record["signal_digital_mins"] = np.full(3, -32768, np.int32)
        record["signal_digital_maxs"] = np.full(3, 32767, np.int32)
        notes = record.create_group("edf_annotations")
        notes["texts"] = [b"eyes closed", b"eyes open"]
        notes["starts_100ns"] = np.array([13_900_000, 5_000_000])
    return digital
