"""Recordings byte by byte, with what real files have and writers refuse to write."""

import numpy as np

RATE_HZ = 250
LABELS = ("Fp1", "Cz", "O2", "Pz")
N = 1500
SINE_UV = np.array(
    [
        amplitude * np.sin(2 * np.pi * 10 * np.arange(N) / RATE_HZ)
        for amplitude in (10.0, 20.0, 30.0, 40.0)
    ]
)  # (channels, samples), whole numbers of 0.1 uV are close enough
STEP_UV = 0.1


# BrainVision.


def write_vhdr(folder, name="rest.vhdr", **given):
    """Write header, markers and samples; return the header.

    `given`: data_file, marker_file (as the header names them), data_name, marker_name
    (as they are on disk; None: not written), channels, common, binary (more lines),
    marks, marker_says (the marker file's own DataFile), raw (bytes), encoding.
    """
    stem = name.rpartition(".")[0]
    channels = given.get("channels", [f"{label},,0.1,µV" for label in LABELS])
    data_file = given.get("data_file", f"{stem}.eeg")
    marker_file = given.get("marker_file", f"{stem}.vmrk")
    common = [f"DataFile={data_file}"]
    if marker_file is not None:
        common.append(f"MarkerFile={marker_file}")
    common += [
        *given.get("common", ["DataFormat=BINARY", "DataOrientation=MULTIPLEXED"]),
        f"NumberOfChannels={len(channels)}",
        f"SamplingInterval={1_000_000 // RATE_HZ}",
    ]
    lines = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "; written by hand",
        "[Common Infos]",
        *common,
        "[Binary Infos]",
        *given.get("binary", ["BinaryFormat=INT_16"]),
        *given.get("more", []),
        "[Channel Infos]",
        *(f"Ch{i}={line}" for i, line in enumerate(channels, start=1)),
        "[Comment]",
        "A note with = signs and [brackets]",
    ]
    text = "\r\n".join(lines) + "\r\n"
    (folder / name).write_bytes(text.encode(given.get("encoding", "utf-8")))
    data_name = given.get("data_name", data_file)
    if data_name is not None:
        raw = given.get("raw")
        if raw is None:
            rows = [SINE_UV[i % len(SINE_UV)] for i in range(len(channels))]
            raw = np.round(np.array(rows).T / STEP_UV).astype("<i2").tobytes()
        (folder / data_name).write_bytes(raw)
    marker_name = given.get("marker_name", marker_file)
    if marker_name is not None:
        marks = given.get("marks", [("New Segment", "", 1), ("Response", "R128", 251)])
        lines = [
            "Brain Vision Data Exchange Marker File, Version 1.0",
            "[Common Infos]",
            f"DataFile={given.get('marker_says', data_file)}",
            "[Marker Infos]",
            *(
                f"Mk{i}={kind},{label},{position},1,0"
                for i, (kind, label, position) in enumerate(marks, start=1)
            ),
        ]
        (folder / marker_name).write_bytes(("\r\n".join(lines) + "\r\n").encode())
    return folder / name


# EDF and BDF.


class Signal:
    """One signal of an EDF or BDF file."""

    def __init__(self, label, values, *, unit="uV", rate_hz=RATE_HZ, limits=None):
        self.label, self.unit, self.rate_hz = label, unit, rate_hz
        self.values = np.asarray(values, dtype=float)
        self.limits = limits or (-3276.8, 3276.7)  # of 16 bits: 0.1 a step


def sines(labels=LABELS, unit="uV"):
    """Return the sines as signals, with these labels."""
    return [
        Signal(label, row, unit=unit)
        for label, row in zip(labels, SINE_UV, strict=True)
    ]


def write_edf(path, signals, *, lists=None, bdf=False, reserved=""):
    """Write an EDF or BDF of one-second records.

    Parameters
    ----------
    lists : the annotation text of each record, as bytes; None: no annotations.
    reserved : "EDF+C" or "EDF+D".
    """
    n_bytes = 3 if bdf else 2
    n_list = 40 if lists else 0  # samples of the annotations in a record
    n_records = len(signals[0].values) // signals[0].rate_hz if signals else len(lists)
    head = _edf_header(signals, n_records, n_list, bdf=bdf, reserved=reserved)
    body = []
    for record in range(n_records):
        for signal in signals:
            n = signal.rate_hz
            part = signal.values[record * n : (record + 1) * n]
            body.append(_digital(part, signal.limits, n_bytes))
        if lists:
            body.append(lists[record].ljust(n_list * n_bytes, b"\0"))
    path.write_bytes(b"".join([head, *body]))
    return path


def keeping(onsets_s, texts=None):
    """Return the annotation text of records that begin at these onsets."""
    texts = texts or {}
    lists = []
    for number, onset_s in enumerate(onsets_s):
        made = f"+{onset_s:g}\x14\x14\0"
        for t_s, text in texts.get(number, ()):
            made += f"+{t_s:g}\x14{text}\x14\0"
        lists.append(made.encode())
    return lists


def _digital(values, limits, n_bytes):
    bits = 8 * n_bytes - 1
    low, high = limits
    gain = (high - low) / (2**bits - 1 + 2**bits)
    digital = np.round((values - low) / gain - 2**bits).astype("<i4")
    cells = digital.reshape(-1, 1).view(np.uint8).reshape(-1, 4)
    return cells[:, :n_bytes].tobytes()


def _edf_header(signals, n_records, n_list, *, bdf, reserved):
    bits = 23 if bdf else 15
    lists = ["BDF Annotations" if bdf else "EDF Annotations"] if n_list else []
    n = len(signals) + len(lists)

    def field(width, values, of_lists):
        texts = [*values, *[of_lists] * len(lists)]
        return b"".join(text.encode("latin-1").ljust(width) for text in texts)

    magic = b"\xffBIOSEMI" if bdf else b"0".ljust(8)
    fixed = magic + b" " * 160 + b"01.01.2001.00.00"
    fixed += str(256 * (n + 1)).encode().ljust(8) + reserved.encode().ljust(44)
    fixed += str(n_records).encode().ljust(8) + b"1".ljust(8) + str(n).encode().ljust(4)
    return b"".join(
        [
            fixed,
            field(16, [s.label for s in signals], *(lists or [""])),
            field(80, ["" for _ in signals], ""),
            field(8, [s.unit for s in signals], ""),
            field(8, [f"{s.limits[0]:.8g}" for s in signals], "-1"),
            field(8, [f"{s.limits[1]:.8g}" for s in signals], "1"),
            field(8, [str(-(2**bits)) for _ in signals], str(-(2**bits))),
            field(8, [str(2**bits - 1) for _ in signals], str(2**bits - 1)),
            field(80, ["" for _ in signals], ""),
            field(8, [str(s.rate_hz) for s in signals], str(n_list)),
            field(32, ["" for _ in signals], ""),
        ]
    )


# EEGLAB.


def write_set(path, *, fdt=None, **given):
    """Write a set; `given` replaces its fields. With `fdt` the samples lie there."""
    from scipy.io import savemat

    data = SINE_UV.astype(np.float32)
    fields = {
        "setname": "rest",
        "nbchan": len(LABELS),
        "pnts": N,
        "trials": 1,
        "srate": RATE_HZ,
        "data": data,
        "chanlocs": structs([{"labels": label, "type": ""} for label in LABELS]),
        "chaninfo": {"nosedir": "+X"},
        "event": structs([{"type": "R128", "latency": 251.0}]),
    }
    if fdt is not None:
        fields["data"] = fdt
        (path.parent / given.pop("fdt_name", fdt)).write_bytes(data.T.tobytes())
    savemat(path, {"EEG": {**fields, **given}})
    return path


def structs(items):
    """Return a MATLAB struct array."""
    made = np.empty(len(items), dtype=[(key, object) for key in items[0]])
    for place, item in enumerate(items):
        for key, value in item.items():
            made[place][key] = value
    return made


# FIF.


def fif_raw(labels=LABELS, kinds="eeg", data=None):
    """Return MNE's Raw of the sines; `data` are more rows, as they are."""
    import mne

    info = mne.create_info(list(labels), float(RATE_HZ), kinds)
    rows = SINE_UV * 1e-6 if data is None else np.vstack([SINE_UV * 1e-6, data])
    return mne.io.RawArray(rows, info, verbose="ERROR")
