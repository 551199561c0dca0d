"""Which part of a recording is played, with which markers."""

from dataclasses import replace

import numpy as np

from rtbold.errors import ConfigError
from rtbold.files.recording import RecordedMarker, Recording


def cut(
    recording: Recording, *, start_s: float = 0.0, duration_s: float | None = None
) -> Recording:
    """Return the part of `recording` from `start_s` on, markers moved with it.

    Raises
    ------
    ConfigError
        `start_s` is not within the recording, or `duration_s` is not above 0.
    """
    if not 0 <= start_s < recording.duration_s:
        raise ConfigError(
            f"--start is {start_s:g}, expected 0 to less than "
            f"{recording.duration_s:g} s, the length of the recording."
        )
    if duration_s is not None and not duration_s > 0:
        raise ConfigError(f"--duration is {duration_s:g}, expected seconds above 0.")
    n_samples = recording.data_uv.shape[1]
    first = round(start_s * recording.rate_hz)
    end = n_samples
    if duration_s is not None:
        end = min(end, first + max(1, round(duration_s * recording.rate_hz)))
    shift_s, length_s = first / recording.rate_hz, (end - first) / recording.rate_hz
    moved = (replace(m, t_s=m.t_s - shift_s) for m in recording.markers)
    stamps_s = recording.stamps_s
    return replace(
        recording,
        data_uv=recording.data_uv[:, first:end],
        markers=tuple(m for m in moved if 0 <= m.t_s < length_s),
        stamps_s=None if stamps_s is None else stamps_s[first:end],
    )


def with_triggers(recording: Recording, *, every_s: float, label: str) -> Recording:
    """Return `recording` with an artificial trigger every `every_s`, from 0 on.

    Raises
    ------
    ConfigError
        `every_s` is no time between volumes, or the recording has such markers.
    """
    if not 0.1 <= every_s <= 10:
        raise ConfigError(
            f"--trigger-every-s is {every_s:g}, expected seconds in 0.1 to 10; "
            "2100 looks like ms."
        )
    if any(marker.label == label for marker in recording.markers):
        raise ConfigError(
            f"the recording has markers {label!r} of its own, which artificial ones "
            "would be mixed up with. Choose another --trigger-label, or --no-markers."
        )
    times_s = np.arange(0.0, recording.duration_s, every_s)
    triggers = (RecordedMarker(label, float(t_s)) for t_s in times_s)
    merged = sorted([*recording.markers, *triggers], key=lambda marker: marker.t_s)
    return replace(recording, markers=tuple(merged))
