"""Heart rate by the ECG channel of the EEG, for a verdict where no file tells of it."""

import numpy as np

from rtbold.calibration.inputs.eeg import EegRecording
from rtbold.calibration.inputs.physio import BodySignal, of_volumes
from rtbold.errors import DataFileError
from rtbold.files import damage_told, stamps
from rtbold.messages import FloatArray


def heart_rate_of(
    eeg: EegRecording, onsets_s: FloatArray
) -> tuple[FloatArray | None, str]:
    """Return (volumes,) beats a minute, and what a user is told; None: not known.

    A channel that shows no heart (the scanner's artefact is in it, or it was not
    connected) is no fault of the calibration: it is told and left aside.

    Parameters
    ----------
    onsets_s : (volumes,), clock of the EEG's stamps; nan: missed, as the rate is then.
    """
    channels = eeg.recording.channels
    rows = [k for k, channel in enumerate(channels) if channel.kind == "ecg"]
    known = np.isfinite(onsets_s)
    if not rows or not known.any():
        return None, ""
    label = channels[rows[0]].label
    values = np.asarray(eeg.recording.data_uv[rows[0]], dtype=np.float64)
    rate_hz, first_s = _even(stamps(eeg.recording), eeg.recording.rate_hz)
    signal = BodySignal(
        f"the channel {label} of {eeg.name}", "ecg", values, rate_hz, first_s
    )
    rate = np.full(len(onsets_s), np.nan)
    try:
        with damage_told(eeg.path, "an ECG"):
            rate[known] = of_volumes(signal, onsets_s[known])["heart_rate"]
    except DataFileError as error:
        return None, f"no heart rate by the ECG: {error}"
    middle = float(np.nanmedian(rate))
    return rate, f"heart rate by the channel {label}: median {middle:.0f} a minute"


def _even(stamps_s: FloatArray, rate_hz: float) -> tuple[float, float]:
    """Return rate and first time by the stamps; gaps of seconds do not matter here."""
    span_s = float(stamps_s[-1] - stamps_s[0])
    if span_s <= 0:
        return rate_hz, float(stamps_s[0])
    return (len(stamps_s) - 1) / span_s, float(stamps_s[0])
