"""What all formats that MNE reads have in common: from its Raw to a Recording."""

import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from rtbold.electrodes import channel_kind
from rtbold.errors import DataFileError
from rtbold.files.recording import RecordedMarker, Recording
from rtbold.io.extras import require
from rtbold.messages import Channel, Float32Array

MneRaw = Any  # mne.io.BaseRaw; MNE carries no types
_BLOCK_S = 30.0  # float64 of a block at a time, so that long files fit in memory
_UNIT_VOLT = 107  # FIFF_UNIT_V of the FIFF tag tables


def open_raw(
    path: Path, format_name: str, opener: Callable[[Any], Any]
) -> tuple[MneRaw, list[str]]:
    """Open a file through MNE; its warnings become notes, its errors ours."""
    mne = require("mne", extra="files", purpose=f"reading {format_name}")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = opener(mne)
        except Exception as error:
            raise DataFileError(
                f"{path.name} cannot be read as {format_name}: "
                f"{type(error).__name__}: {error}. Is it whole, and are the files that "
                "belong to it beside it? Copy it again, or export it once more."
            ) from error
    return raw, _as_notes(caught)


def to_recording(
    path: Path,
    raw: MneRaw,
    *,
    declared: Callable[[int], str],
    reference: str | None = None,
    notes: Collection[str] = (),
    label_of: Callable[[str], str] = str,
) -> Recording:
    """Copy MNE's Raw into a Recording, volts to microvolt.

    Parameters
    ----------
    declared : the type that the file itself declares for channel i, "" for none.
    label_of : turns MNE's annotation text into the marker's label.
    """
    volts = [int(ch["unit"]) == _UNIT_VOLT for ch in raw.info["chs"]]
    channels = tuple(
        Channel(
            label=name,
            unit="uV" if is_volt else "",
            kind=channel_kind(name, declared(index)),
        )
        for index, (name, is_volt) in enumerate(zip(raw.ch_names, volts, strict=True))
    )
    factors = np.where(volts, 1e6, 1.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data_uv = _samples(path, raw, factors)
    return Recording(
        data_uv=data_uv,
        rate_hz=float(raw.info["sfreq"]),
        channels=channels,
        reference=reference,
        markers=_markers(raw, label_of),
        notes=(*notes, *_as_notes(caught)),
    )


def _samples(path: Path, raw: MneRaw, factors: np.ndarray) -> Float32Array:
    n_samples = int(raw.n_times)
    data_uv = np.empty((len(factors), n_samples), dtype=np.float32)
    step = max(1, round(_BLOCK_S * float(raw.info["sfreq"])))
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


def _markers(raw: MneRaw, label_of: Callable[[str], str]) -> tuple[RecordedMarker, ...]:
    # MNE counts onsets from the acquisition's start, which a cropped FIF keeps.
    first_s = float(raw.first_time)
    markers = [
        RecordedMarker(label=label_of(str(text)), t_s=float(onset_s) - first_s)
        for onset_s, text in zip(
            raw.annotations.onset, raw.annotations.description, strict=True
        )
    ]
    return tuple(sorted(markers, key=lambda marker: marker.t_s))


def _as_notes(caught: list[warnings.WarningMessage]) -> list[str]:
    # DeprecationWarnings are between MNE and its parts; the user cannot act on them.
    texts = [
        str(w.message).strip()
        for w in caught
        if not issubclass(w.category, DeprecationWarning | FutureWarning)
    ]
    return list(dict.fromkeys(texts))
