"""EEGLAB: ``.set``, with its samples inside or in a ``.fdt`` beside it."""

from pathlib import Path

from rtbold.errors import DataFileError
from rtbold.files.mne_formats import MneRaw, open_raw, to_recording
from rtbold.files.recording import ReadOptions, Recording

_FDT_BYTES = 4  # float32


def read_eeglab(path: Path, options: ReadOptions) -> Recording:
    """Read a continuous EEGLAB set; EEGLAB always means microvolt."""
    raw, warned = open_raw(
        path, "EEGLAB", lambda mne: mne.io.read_raw_eeglab(path, verbose="ERROR")
    )
    _check_fdt(path, raw)
    kinds = raw.get_channel_types()
    recording = to_recording(path, raw, declared=lambda i: kinds[i], notes=warned)
    cuts = [m.t_s for m in recording.markers if m.label == "boundary" and m.t_s > 0]
    if not cuts:
        return recording
    raise DataFileError(
        f"{path.name} was cut at {[round(t_s, 3) for t_s in cuts]} s (event "
        "'boundary'), expected a continuous recording, because samples are counted. "
        "Export each uninterrupted part to a file of its own."
    )


def _check_fdt(path: Path, raw: MneRaw) -> None:
    fdt = path.with_suffix(".fdt")
    if not fdt.is_file():
        return  # the samples are inside, or MNE has already missed the file
    expected = len(raw.ch_names) * int(raw.n_times) * _FDT_BYTES
    if (got := fdt.stat().st_size) != expected:
        raise DataFileError(
            f"{fdt.name} has {got} bytes, expected {expected} for "
            f"{len(raw.ch_names)} channels of {raw.n_times} samples. Copy it again."
        )
