"""eeghdf: EEG in HDF5, as the package of that name wrote it (version 1)."""

from pathlib import Path
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
from rtbold.files.signals import scaled
from rtbold.messages import Channel, Float32Array

H5Node = Any  # h5py carries no types
_GROUP = "record-0"


def read_eeghdf(path: Path, options: ReadOptions) -> Recording:
    """Read the first record of an eeghdf file."""
    h5py = require("h5py", extra="files", purpose="reading eeghdf")
    if why := trial.why_not(path, trial.HDF5):
        raise _unreadable(path, why)
    try:
        with h5py.File(path, "r") as file:
            check_declared_size(path, _unpacked_bytes(file))
            return _read(path, file, options)
    except (OSError, KeyError, ValueError) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> DataFileError:
    return DataFileError(
        f"{path.name} cannot be read as eeghdf ({why}), expected an HDF5 file "
        f"with the group {_GROUP!r}. Is it whole, and is it EEG? Copy it again."
    )


def _read(path: Path, file: H5Node, options: ReadOptions) -> Recording:
    record = file[_GROUP]
    declared = tuple(
        Channel(_text(label), _text(unit).strip(), channel_kind(_text(label)))
        for label, unit in zip(
            record["signal_labels"][:], record["physical_dimensions"][:], strict=True
        )
    )
    factors, channels = scaled(path, declared, options)
    return Recording(
        data_uv=_samples(record, factors),
        rate_hz=_rate_hz(record),
        channels=channels,
        markers=_markers(record),
    )


def _unpacked_bytes(file: H5Node) -> int:
    """Return the bytes of all that is in the file, as it says."""
    sizes = [0]

    def add(_: str, item: H5Node) -> None:
        sizes.append(getattr(item, "nbytes", 0))

    file.visititems(add)
    return sum(sizes)


def _samples(record: H5Node, factors: np.ndarray) -> Float32Array:
    physical_min = record["signal_physical_mins"][:].astype(np.float64)
    physical_max = record["signal_physical_maxs"][:].astype(np.float64)
    digital_min = record["signal_digital_mins"][:].astype(np.float64)
    digital_max = record["signal_digital_maxs"][:].astype(np.float64)
    gain = (physical_max - physical_min) / (digital_max - digital_min)
    offset = physical_min - digital_min * gain
    signals = record["signals"]
    data_uv = np.empty(signals.shape, dtype=np.float32)
    for index in range(signals.shape[0]):  # one float64 row at a time
        row = signals[index].astype(np.float64)
        data_uv[index] = (row * gain[index] + offset[index]) * factors[index]
    return data_uv


def _rate_hz(record: H5Node) -> float:
    rate_hz = float(record.attrs["sample_frequency"])
    # Written as 1 / period, so 200 Hz comes as 200.00000000000003.
    return float(round(rate_hz)) if abs(rate_hz - round(rate_hz)) < 1e-6 else rate_hz


def _markers(record: H5Node) -> tuple[RecordedMarker, ...]:
    if "edf_annotations" not in record:
        return ()
    annotations = record["edf_annotations"]
    pairs = zip(annotations["texts"][:], annotations["starts_100ns"][:], strict=True)
    markers = [RecordedMarker(_text(text), int(start) / 1e7) for text, start in pairs]
    return tuple(sorted(markers, key=lambda marker: marker.t_s))


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
