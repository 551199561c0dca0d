"""FIF, MNE's own format: read by MNE, whose words are made ours."""

import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.electrodes import channel_kind
from rtbold.errors import DataFileError
from rtbold.files.recording import ReadOptions, RecordedMarker, Recording, require
from rtbold.files.signals import BLOCK_S, bads_note, in_range, scaled
from rtbold.messages import Channel, Float32Array, FloatArray

MneRaw = Any  # mne.io.BaseRaw; MNE carries no types
_TAG = struct.Struct(">iiii")  # kind, type, bytes, place of the next
# FIFF_UNIT_* of the FIFF tag tables; others are left without a name
_UNITS = {107: "V", 110: "S", 112: "T", 114: "C", 201: "T/m"}


def read_fif(path: Path, options: ReadOptions) -> Recording:
    """Read a raw FIF file."""
    if path.suffix.lower() == ".fif":
        _check_fif_tags(path)
    raw, notes = _open(path)
    kinds = raw.get_channel_types()
    declared = [
        Channel(ch["ch_name"], _unit(ch), channel_kind(ch["ch_name"], kind))
        for ch, kind in zip(raw.info["chs"], kinds, strict=True)
    ]
    factors, channels = scaled(path, declared, options)
    rate_hz = float(raw.info["sfreq"])
    data_uv = _samples(path, raw, factors * _powers(raw, channels))
    kept, outside = in_range(_markers(raw), data_uv.shape[1] / rate_hz)
    if raw.info["bads"]:
        notes += bads_note(raw.info["bads"], where=path.name)
    return Recording(
        data_uv=data_uv,
        rate_hz=rate_hz,
        channels=channels,
        markers=kept,
        notes=(*notes, *outside),
    )


def _open(path: Path) -> tuple[MneRaw, tuple[str, ...]]:
    """Open a file through MNE; its warnings become notes, its errors ours."""
    mne = require("mne", extra="files", purpose="reading FIF")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # A name need not end in _raw.fif to be one: verbose hides that hint.
            raw = mne.io.read_raw_fif(path, verbose="ERROR")
        except Exception as error:  # foreign bytes: MNE raises anything
            if "No raw data" in str(error):
                raise DataFileError(
                    f"{path.name} holds no raw recording, but epochs, an average or "
                    "something else; expected a continuous recording. Save the raw "
                    "data before epoching."
                ) from error
            raise DataFileError(
                f"{path.name} cannot be read as FIF: {type(error).__name__}: {error}. "
                "Is it whole, and are its other parts beside it? Copy it again, or "
                "save it once more."
            ) from error
    return raw, _as_notes(caught)


def _as_notes(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    # DeprecationWarnings are between MNE and its parts; the user cannot act on them.
    texts = [
        str(w.message).strip()
        for w in caught
        if not issubclass(w.category, DeprecationWarning | FutureWarning)
    ]
    return tuple(dict.fromkeys(texts))


def _unit(ch: dict[str, Any]) -> str:
    return _UNITS.get(int(ch["unit"]), "")


def _powers(raw: MneRaw, channels: tuple[Channel, ...]) -> FloatArray:
    """Return the power of ten over each channel's unit, which MNE does not apply."""
    return np.array(
        [
            1.0 if channel.kind == "trigger" else 10.0 ** int(ch["unit_mul"])
            for channel, ch in zip(channels, raw.info["chs"], strict=True)
        ]
    )


def _samples(path: Path, raw: MneRaw, factors: FloatArray) -> Float32Array:
    n_samples = int(raw.n_times)
    data_uv = np.empty((len(factors), n_samples), dtype=np.float32)
    step = max(1, round(BLOCK_S * float(raw.info["sfreq"])))
    for first in range(0, n_samples, step):
        end = min(first + step, n_samples)
        try:
            block = raw.get_data(start=first, stop=end, verbose="ERROR")
        except Exception as error:
            raise DataFileError(
                f"{path.name} breaks off at sample {first} of {n_samples} "
                f"({type(error).__name__}: {error}), expected all of them. "
                "Copy it again from where it was recorded."
            ) from error
        data_uv[:, first:end] = block * factors[:, None]
    return data_uv


def _markers(raw: MneRaw) -> list[RecordedMarker]:
    # MNE counts onsets from the acquisition's start, which a cropped FIF keeps.
    first_s = float(raw.first_time)
    return [
        RecordedMarker(label=str(text), t_s=float(onset_s) - first_s)
        for onset_s, text in zip(
            raw.annotations.onset, raw.annotations.description, strict=True
        )
    ]


def _check_fif_tags(path: Path) -> None:
    """Refuse tags that lead back: MNE would follow them for ever."""
    n_bytes = path.stat().st_size
    at = 0
    with path.open("rb") as file:
        while at + _TAG.size <= n_bytes:
            file.seek(at)
            _, _, size, following = _TAG.unpack(file.read(_TAG.size))
            if following < 0:  # the last one
                return
            onward = following or at + _TAG.size + size
            if size < 0 or onward <= at:
                raise DataFileError(
                    f"{path.name} is damaged: the tag at byte {at} has {size} bytes "
                    f"and leads to byte {onward}, expected one behind it. Copy the "
                    "file again."
                )
            at = onward
