"""Data sets in the layouts in which labs publish them, small, with their misfits."""

import json
import re

import nibabel
import numpy as np
import pandas
from scipy.io import savemat
from xdf_writer import write_xdf

TR_S = 2.1
N_VOLUMES = 20
FIRST_S = 3.0  # of the first volume
ROIS = ("Cuneus", "Putamen", "Heschl\u2019s gyrus")  # as published: typographic
PLAIN_ROIS = ("Cuneus", "Putamen", "Heschl's gyrus")
NEUROBOLT_EEG = (
    "FP1", "FP2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "F7", "F8", "T7",
    "T8", "P7", "P8", "FPZ", "FZ", "CZ", "PZ", "POZ", "OZ", "FT9", "FT10", "TP9",
    "TP10",
)  # fmt: skip
NEUROBOLT_OTHERS = ("EOG1", "EOG2", "EMG1", "EMG2", "EMG3", "ECG")
CARBON_WIRES = ("CWL1", "CWL2", "CWL3", "CWL4")
FEW = ("Fp1", "Cz", "Oz", "ECG")
SHAPE = (6, 5, 4)
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


def eeg_uv(n_channels, seconds, rate_hz, seed=0):
    """Return noise of 20 uV, (channels, samples)."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 20, (n_channels, round(seconds * rate_hz))).round(1)


def onsets_s(n=N_VOLUMES, *, tr_s=TR_S, first_s=FIRST_S):
    return first_s + tr_s * np.arange(n)


def seconds(n=N_VOLUMES, tr_s=TR_S):
    return FIRST_S + n * tr_s + 2.0


def bold(n=N_VOLUMES, n_rois=3, seed=1):
    """Return smooth series around 1000, (volumes, rois)."""
    rng = np.random.default_rng(seed)
    return 1000 + rng.normal(0, 10, (n, n_rois)).cumsum(axis=0).round(3)


# Files of EEG.


def write_set(path, labels, data_uv, *, rate_hz=250.0, markers=(), fdt=True):
    """Write an EEGLAB set; `markers`: (label, seconds)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = data_uv.astype("<f4")
    if fdt:
        path.with_suffix(".fdt").write_bytes(samples.T.tobytes())
    places = np.array([(label,) for label in labels], dtype=[("labels", "O")])
    events = np.array(
        [(label, t_s * rate_hz + 1) for label, t_s in markers],
        dtype=[("type", "O"), ("latency", "O")],
    )
    eeg = {
        "setname": path.stem, "nbchan": len(labels), "trials": 1,
        "pnts": samples.shape[1], "srate": rate_hz, "xmin": 0.0,
        "data": path.with_suffix(".fdt").name if fdt else samples,
        "chanlocs": places, "event": events,
    }  # fmt: skip
    savemat(path, {"EEG": eeg})
    return path


def write_vhdr(
    path, labels, data_uv, *, rate_hz=250.0, markers=(), samples=".eeg", reference="FCz"
):
    """Write BrainVision, 0.5 uV a step; `markers`: (type, description, seconds).

    `samples`: what the file of samples ends in; None: it is not written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    stem, suffix = path.stem, samples or ".eeg"
    channels = "".join(
        f"Ch{k}={label},{reference},0.5,µV\n" for k, label in enumerate(labels, 1)
    )
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n"
        f"[Common Infos]\nCodepage=UTF-8\nDataFile={stem}{suffix}\n"
        f"MarkerFile={stem}.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\n"
        f"NumberOfChannels={len(labels)}\nSamplingInterval={1e6 / rate_hz:g}\n"
        f"[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n{channels}",
        encoding="utf-8",
    )
    lines = ["Mk1=New Segment,,1,1,0,20200101000000000000"] + [
        f"Mk{k}={kind},{what},{round(t_s * rate_hz) + 1},1,0"
        for k, (kind, what, t_s) in enumerate(markers, 2)
    ]
    path.with_suffix(".vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n"
        f"[Common Infos]\nCodepage=UTF-8\nDataFile={stem}{suffix}\n[Marker Infos]\n"
        + "\n".join(lines)
        + "\n",
        encoding="utf-8",
    )
    if samples:
        steps = np.round(data_uv / 0.5).clip(-32000, 32000).astype("<i2")
        path.with_suffix(samples).write_bytes(steps.T.tobytes())
    return path


def write_edf(path, labels, data_uv, *, rate_hz=250.0, markers=()):
    import edfio

    path.parent.mkdir(parents=True, exist_ok=True)
    signals = [
        edfio.EdfSignal(
            row, rate_hz, label=label, physical_dimension="uV",
            physical_range=(-300, 300),
        )
        for label, row in zip(labels, data_uv.clip(-300, 300), strict=True)
    ]  # fmt: skip
    marks = [edfio.EdfAnnotation(t_s, None, label) for label, t_s in markers]
    edfio.Edf(signals, annotations=marks).write(path)
    return path


def volumes(label="R128", *, n=N_VOLUMES, tr_s=TR_S, first_s=FIRST_S):
    """Return the markers of volumes as EEGLAB and EDF have them."""
    return [(label, t_s) for t_s in onsets_s(n, tr_s=tr_s, first_s=first_s)]


def responses(**changes):
    """Return the same as BrainVision has them."""
    return [("Response", label, t_s) for label, t_s in volumes(**changes)]


# Files of BOLD.


def write_tsv(path, names, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ["\t".join(names)]
    rows += ["\t".join("n/a" if np.isnan(v) else repr(float(v)) for v in row)
             for row in values]  # fmt: skip
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_pickle(path, names, values):
    """Write a DataFrame, as the published data set does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pandas.DataFrame(values, columns=list(names)).to_pickle(path)
    return path


def write_image(path, series, *, tr_s=TR_S, labels=None):
    """Write volumes in which each voxel of region k has its series."""
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = regions() if labels is None else labels
    data = np.full((*SHAPE, len(series)), 5.0, np.float32)
    for k, column in enumerate(series.T):
        data[labels == k + 1] = column
    image = nibabel.Nifti1Image(data, AFFINE)
    image.header.set_zooms((3, 3, 3, tr_s))
    image.header.set_xyzt_units("mm", "sec")
    image.to_filename(path)
    return path


def regions(n=3):
    """Return labels: region k is slab k."""
    labels = np.zeros(SHAPE, np.int16)
    for k in range(n):
        labels[2 * k : 2 * k + 2, 1:4, 1:3] = k + 1
    return labels


def write_atlas(path, labels=None, names=PLAIN_ROIS, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = regions() if labels is None else labels
    nibabel.Nifti1Image(labels, affine).to_filename(path)
    table = path.with_name(f"{path.name.partition('.')[0]}.tsv")
    rows = [f"{k}\t{name}" for k, name in enumerate(names, 1)]
    table.write_text("\n".join(["index\tname", *rows]) + "\n", encoding="utf-8")
    return path


# Layouts.


def neurobolt(
    root, names=("sub01-scan01", "sub01-scan02", "sub02-scan01"), *,
    eeg="data/EEG", bold_folder="data/fMRI_difumo", ends="_difumo64_roi.pkl",
    wires=False, marker="R149", others=(), n=N_VOLUMES, named=(ROIS[2],),
):  # fmt: skip
    """Write the published layout: sets, and pickles of 64 ROIs and two globals.

    `named`: ROIs that have a name of their own.
    """
    labels = NEUROBOLT_EEG + NEUROBOLT_OTHERS + (CARBON_WIRES if wires else ())
    rois = [f"region {k}" for k in range(64 - len(named))] + [*named]
    columns = [*rois, "global signal clean", "global signal raw"]
    for k, name in enumerate(names):
        write_set(
            root / eeg / f"{name}_eeg.set", labels,
            eeg_uv(len(labels), seconds(n), 250.0, k),
            markers=[*volumes(marker, n=n), *others],
        )  # fmt: skip
        write_pickle(
            root / bold_folder / f"{name}{ends}", columns, bold(n, n_rois=66, seed=k)
        )
    return root


def bids_events(path, rows):
    """Write events: (onset, duration, trial_type)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["onset\tduration\ttrial_type\tstim_file"]
    lines += [f"{onset}\t{duration}\t{what}\tn/a" for onset, duration, what in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_json(path, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def bids_scan(
    root, stem="sub-01_task-rest", *, tr_s=TR_S, n=N_VOLUMES, image=True, sidecar=True,
    eeg=write_vhdr, labels=FEW, rate_hz=250.0, markers=None, seed=0,
):  # fmt: skip
    """Write one scan of a BIDS folder."""
    folder = root / "/".join(re.findall(r"sub-\w+?(?=_)|ses-\w+?(?=_)", stem))
    suffix = {write_vhdr: ".vhdr", write_set: ".set", write_edf: ".edf"}[eeg]
    if markers is None:
        markers = (responses if eeg is write_vhdr else volumes)(n=n, tr_s=tr_s)
    eeg(
        folder / "eeg" / f"{stem}_eeg{suffix}", labels,
        eeg_uv(len(labels), seconds(n, tr_s), rate_hz, seed),
        rate_hz=rate_hz, markers=markers,
    )  # fmt: skip
    if image:
        write_image(
            folder / "func" / f"{stem}_bold.nii.gz", bold(n, seed=seed), tr_s=tr_s
        )
    if sidecar:
        write_json(folder / "func" / f"{stem}_bold.json", RepetitionTime=tr_s)
    return folder


def bids_top(root, doi="10.18112/openneuro.ds000000.v1.0.0"):
    return write_json(
        root / "dataset_description.json", Name="a study", BIDSVersion="1.8.0",
        DatasetDOI=doi,
    )  # fmt: skip


CONFOUNDS = ("csf", "white_matter", "global_signal", "framewise_displacement",
             "trans_x", "trans_x_derivative1", "rot_z", "a_comp_cor_00",
             "motion_outlier00")  # fmt: skip


def fmriprep_confounds(root, stem, n=N_VOLUMES, seed=5):
    """Write fMRIPrep's table; differences have no value at the first volume."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(CONFOUNDS)))
    values[0, [3, 5]] = np.nan
    values[:, 8] = np.eye(n)[3]
    folder = root / "derivatives" / "fmriprep" / stem.partition("_")[0] / "func"
    path = folder / f"{stem}_desc-confounds_timeseries.tsv"
    write_tsv(path, CONFOUNDS, values)
    return values


def xdf_scan(path, *, n=N_VOLUMES, labels=FEW, rate_hz=250, clock_s=5000.0,
             streams=("ROIs",), numbers=None, gap_s=0.0, values=None):  # fmt: skip
    """Write an XDF with EEG, markers and a stream of ROIs, as LabRecorder does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = eeg_uv(len(labels), seconds(n), rate_hz).astype("<f4")
    stamps = clock_s + np.arange(data.shape[1]) / rate_hz
    stamps[len(stamps) // 2 :] += gap_s
    times_s = clock_s + onsets_s(n)
    series = bold(n) if values is None else values
    counted = np.arange(len(series)) if numbers is None else np.asarray(numbers)
    found = [
        {"name": "amp", "type": "EEG", "rate": rate_hz, "unit": "microvolts",
         "labels": labels, "values": np.ascontiguousarray(data.T), "stamps": stamps},
        {"name": "trigger", "type": "Markers", "rate": 0,
         "values": ["R128"] * n, "stamps": times_s},
    ]  # fmt: skip
    found += [
        {"name": name, "type": "BOLD", "rate": 0, "labels": ("volume", *PLAIN_ROIS),
         "values": np.column_stack([counted, series]).astype("<f8"),
         "stamps": times_s[: len(series)] + 1.5, "chunk": 1}
        for name in streams
    ]  # fmt: skip
    write_xdf(path, found)
    return path
