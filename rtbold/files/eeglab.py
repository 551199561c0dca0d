"""EEGLAB: ``.set``, with its samples inside or in a ``.fdt`` beside it."""

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from rtbold.electrodes import channel_kind
from rtbold.errors import DataFileError
from rtbold.files import trial
from rtbold.files.recording import (
    ReadOptions,
    RecordedMarker,
    Recording,
    check_declared_size,
    require,
)
from rtbold.files.signals import BLOCK_S, in_range, numbered_label, scaled
from rtbold.messages import Channel, Float32Array, FloatArray

Fields = Mapping[str, Any]  # a MATLAB struct, looked at where it is used
H5Node = Any  # h5py carries no types
_HDF5 = b"\x89HDF\r\n\x1a\n"
_BOUNDARY = -99  # what a boundary is called where the types are numbers
# The words of EEGLAB and of its plug-ins that say something of a channel.
_TYPES = ("EEG", "ECG", "EKG", "EOG", "EMG", "STIM", "TRIGGER", "TRIG", "MISC")


def read_eeglab(path: Path, options: ReadOptions) -> Recording:
    """Read a continuous EEGLAB set; EEGLAB always means microvolt."""
    eeg = _structure(path)
    _check_continuous(path, eeg)
    n_channels, n_samples = _whole(eeg, "nbchan"), _whole(eeg, "pnts")
    rate_hz = _rate_hz(path, eeg)
    declared = _channels(path, eeg, n_channels)
    factors, channels = scaled(path, declared, options)
    values, notes = _values(path, eeg, (n_channels, n_samples))
    events, dropped = _events(eeg, rate_hz)
    kept, outside = in_range(events, n_samples / rate_hz)
    return Recording(
        data_uv=_microvolt(values, factors, rate_hz),
        rate_hz=rate_hz,
        channels=channels,
        markers=kept,
        notes=(*notes, *dropped, *outside),
    )


def _check_continuous(path: Path, eeg: Fields) -> None:
    n_epochs = _whole(eeg, "trials", 1)
    if n_epochs != 1 or np.ndim(eeg["data"]) > 2:
        raise DataFileError(
            f"{path.name} holds {n_epochs} epochs, expected a continuous recording, "
            "because samples are counted. Save the set before epoching."
        )


def _rate_hz(path: Path, eeg: Fields) -> float:
    rate_hz = float(eeg.get("srate", 0))
    if not rate_hz > 0:
        raise DataFileError(
            f"{path.name} gives a rate (srate) of {rate_hz:g} Hz, expected one above "
            "0. Set it in EEGLAB, and save the set again."
        )
    return rate_hz


def _whole(eeg: Fields, key: str, default: int = 0) -> int:
    value = np.asarray(eeg.get(key, default))
    return int(value) if value.size == 1 else default


# Channels and events: lists of structs, however few there are.


def _channels(path: Path, eeg: Fields, n_channels: int) -> list[Channel]:
    places = _structs(eeg.get("chanlocs"))
    if places and len(places) != n_channels:
        raise DataFileError(
            f"{path.name} describes {len(places)} channels (chanlocs) and holds "
            f"{n_channels}, expected one description each. Check the set in EEGLAB."
        )
    if not places:
        return [Channel(f"EEG {i:03d}", "uV", "eeg") for i in range(n_channels)]
    return [_channel(place) for place in places]


def _channel(place: Fields) -> Channel:
    label, said = _word(place.get("labels")), _word(place.get("type")).upper()
    # A type that says nothing to us leaves it to the label; no type means EEG.
    kind = channel_kind(label, said if said in _TYPES else "" if said else "EEG")
    unit = _word(place.get("unit"))
    potential = kind in ("eeg", "ecg", "eog", "emg", "cwl")
    return Channel(label, unit or ("uV" if potential else ""), kind)


def _events(
    eeg: Fields, rate_hz: float
) -> tuple[list[RecordedMarker], tuple[str, ...]]:
    markers, n_dropped = [], 0
    for event in _structs(eeg.get("event")):
        latency = np.asarray(event.get("latency"), dtype=object)
        place = float(latency.item()) if latency.size == 1 else np.nan
        if np.isnan(place):
            n_dropped += 1
            continue
        markers.append(RecordedMarker(_label(event.get("type")), (place - 1) / rate_hz))
    if not n_dropped:
        return markers, ()
    return markers, (f"{n_dropped} events have no time; left out",)


def _label(kind: object) -> str:
    word = _word(kind)
    return "boundary" if word == str(_BOUNDARY) else word


def _word(value: object) -> str:
    """Return text or a number as text; "" for what is empty."""
    if isinstance(value, str):
        return value
    array = np.asarray(value, dtype=object)
    if array.size != 1 or array.item() is None:
        return ""
    return numbered_label(array.item())


def _structs(value: object) -> list[Fields]:
    if isinstance(value, Mapping):
        return [value]
    if value is None or isinstance(value, str):
        return []
    items = np.ravel(np.asarray(value, dtype=object))
    return [item for item in items if isinstance(item, Mapping)]


# Samples: in the set itself, or as float32 beside it.


def _values(
    path: Path, eeg: Fields, shape: tuple[int, int]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the samples, (channels, samples), and what is to say of their file."""
    data = eeg.get("data")
    if not isinstance(data, str):
        values = np.asarray(data)
        whole = values.ndim < 2 and 1 in shape and values.size == shape[0] * shape[1]
        if values.shape != shape and not whole:
            raise DataFileError(
                f"{path.name} holds data of the shape {values.shape}, expected {shape} "
                "by nbchan and pnts. Check the set in EEGLAB (eeg_checkset)."
            )
        return values.reshape(shape), ()
    if PureWindowsPath(data).suffix.lower() == ".dat":
        # Its samples lie in another order: a channel's, where .fdt has a moment's
        raise DataFileError(
            f"{path.name} keeps its samples in {data!r}, expected a .fdt: .dat is the "
            "form of old EEGLAB versions. Load the set in EEGLAB, and save it again."
        )
    beside, notes = _beside(path, PureWindowsPath(data).name)
    expected = shape[0] * shape[1] * 4
    if (got := beside.stat().st_size) != expected:
        raise DataFileError(
            f"{beside.name} has {got} bytes, expected {expected} for {shape[0]} "
            f"channels of {shape[1]} samples. Copy it again."
        )
    if not expected:
        return np.empty(shape, np.float32), notes
    # A moment's channels follow on each other: the one transpose of this reader.
    return np.memmap(beside, "<f4", "r", shape=shape[::-1]).T, notes


def _beside(path: Path, name: str) -> tuple[Path, tuple[str, ...]]:
    """Return the file of the samples; by the set's own name if it was renamed."""
    named, own = name.casefold(), f"{path.stem}.fdt".casefold()
    by_name = {found.name.casefold(): found for found in path.parent.iterdir()}
    if (path.parent / name).is_file():
        return path.parent / name, ()
    if named in by_name:
        return by_name[named], ()
    if own in by_name:
        return by_name[own], (
            f"the set names {name!r}, which is not beside it: {by_name[own].name!r} "
            "was read in its place",
        )
    raise DataFileError(
        f"{name}, which {path.name} names as the file of its samples, is missing. Copy "
        "it into the folder of the set."
    )


def _microvolt(values: np.ndarray, factors: FloatArray, rate_hz: float) -> Float32Array:
    data_uv = np.empty(values.shape, np.float32)
    step = max(1, round(BLOCK_S * rate_hz))
    for first in range(0, values.shape[1], step):
        block = values[:, first : first + step]
        data_uv[:, first : first + step] = block * factors[:, None]
    return data_uv


# The MATLAB file: of version 5 to 7, or 7.3, which is HDF5.


def _structure(path: Path) -> Fields:
    with path.open("rb") as file:
        hdf5 = file.read(8) == _HDF5 or _HDF5 in file.read(512 + 8)
    found = _from_hdf5(path) if hdf5 else _from_mat(path)
    eeg = found.get("EEG", found)
    if "ALLEEG" in found:
        raise DataFileError(
            f"{path.name} holds several sets (ALLEEG), expected one. Save the one that "
            "is meant as a set of its own."
        )
    if not isinstance(eeg, Mapping) or not {"data", "srate", "nbchan"} <= set(eeg):
        raise DataFileError(
            f"{path.name} cannot be read as EEGLAB: it holds {sorted(found)[:6]}, "
            "expected an EEG structure with data, srate and nbchan. Save it from "
            "EEGLAB once more."
        )
    return eeg


def _from_mat(path: Path) -> Fields:
    from scipy.io import loadmat

    if why := trial.why_not(path, trial.MAT5):
        raise _unreadable(path, why)
    found: dict[str, Any] = loadmat(path, simplify_cells=True)
    return {key: value for key, value in found.items() if not key.startswith("__")}


def _unreadable(path: Path, why: str) -> DataFileError:
    return DataFileError(
        f"{path.name} cannot be read as EEGLAB: {why}. Is it whole? Copy it again, or "
        "save it from EEGLAB once more."
    )


def _from_hdf5(path: Path) -> Fields:
    h5py = require("h5py", extra="files", purpose="reading EEGLAB sets of MATLAB 7.3")
    if why := trial.why_not(path, trial.HDF5):
        raise _unreadable(path, why)
    with h5py.File(path, "r") as file:
        sizes = [0]
        file.visititems(lambda _, item: sizes.append(getattr(item, "nbytes", 0)))
        check_declared_size(path, sum(sizes))
        root = file["EEG"] if "EEG" in file else file
        wanted = ("data", "srate", "nbchan", "pnts", "trials", "chanlocs", "event")
        return {key: _hdf5_value(file, root[key]) for key in wanted if key in root}


def _hdf5_value(file: H5Node, node: H5Node) -> H5Node:
    """Return a MATLAB value of an HDF5 file; a struct array as a list of structs."""
    if hasattr(node, "keys"):  # a struct: of one, or each field a list of references
        fields = {key: _hdf5_value(file, node[key]) for key in node}
        lists = [v for v in fields.values() if isinstance(v, list)]
        if lists and len(lists) == len(fields):
            n = min(map(len, lists))
            return [{key: v[i] for key, v in fields.items()} for i in range(n)]
        return fields
    if node.attrs.get("MATLAB_empty", 0):
        return "" if node.attrs.get("MATLAB_class") == b"char" else None
    values = node[()]
    if node.attrs.get("MATLAB_class") == b"char":
        return "".join(map(chr, np.ravel(values.T)))
    if node.dtype.kind == "O":  # references
        return [_hdf5_value(file, file[reference]) for reference in np.ravel(values)]
    squeezed = np.squeeze(values.T)  # HDF5 holds MATLAB's columns as rows
    return squeezed.item() if squeezed.ndim == 0 else squeezed
