"""Measured BOLD inside an XDF: a stream of type BOLD, one sample a volume.

Its first channel is the volume's number, the others are ROIs; the stamp is the
volume's onset. The twin sends such a stream (``rtbold-twin-bold``).
"""

from pathlib import Path

import numpy as np

from rtbold.calibration.inputs.bold_series import RawTable
from rtbold.errors import DataFileError
from rtbold.files.xdf import XdfStream, corrected_stamps, load_streams


def read_stream(path: Path, name: str | None = None) -> RawTable:
    """Read the BOLD stream of an XDF.

    Parameters
    ----------
    name : of the stream, where there are several.

    Raises
    ------
    DataFileError : there is none, or more than one.
    """
    streams, notes = load_streams(path)
    fits = [
        s
        for s in streams
        if not s.is_text
        and (s.description.name == name if name else s.description.type == "BOLD")
    ]
    if len(fits) != 1:
        held = [f"{s.description.name!r} ({s.description.type})" for s in streams]
        wanted = f"called {name!r}" if name else "of type 'BOLD'"
        raise DataFileError(
            f"{path.name} holds {len(fits)} streams {wanted}, expected one; it holds "
            f"{', '.join(held)}. Name one as in FILE.xdf:NAME, or give a table."
        )
    return _table(path, fits[0], notes)


def _table(path: Path, stream: XdfStream, notes: list[str]) -> RawTable:
    values = np.asarray(stream.values, dtype=np.float64)
    names = tuple(channel.label for channel in stream.description.channels)
    if values.ndim != 2 or len(values) == 0 or len(names) != values.shape[1]:
        raise DataFileError(
            f"the stream {stream.description.name!r} of {path.name} has shape "
            f"{values.shape} and {len(names)} named channels, expected one volume a "
            "sample, with the labels of its ROIs."
        )
    return RawTable(
        values=values,
        names=names,
        onsets_s=corrected_stamps(stream),
        simulated=stream.description.simulated,
        notes=(f"BOLD from the stream {stream.description.name!r}", *notes),
    )
