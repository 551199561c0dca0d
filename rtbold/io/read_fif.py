"""FIF, MNE's own format."""

from pathlib import Path

from rtbold.files.mne_formats import open_raw, to_recording
from rtbold.files.recording import ReadOptions, Recording


def read_fif(path: Path, options: ReadOptions) -> Recording:
    """Read a raw FIF file; FIF always knows its units."""
    raw, warned = open_raw(
        path,
        "FIF",
        # A file's name need not end in _raw.fif to be one: verbose hides that hint.
        lambda mne: mne.io.read_raw_fif(path, verbose="ERROR"),
    )
    kinds = raw.get_channel_types()
    return to_recording(path, raw, declared=lambda i: kinds[i], notes=warned)
