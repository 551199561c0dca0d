"""What a simulated session is, whichever generator made it.

The twin (``twin.py``) and the foreign generator (``foreign.py``) share this and what an
amplifier and a file need of it. Nothing that makes a brain, a body or a head is shared.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rtbold.messages import Channel, Float32Array, FloatArray
from rtbold.sim.settings import ECG, SimulationSettings

SAMPLE_INDEX = "SAMPLE_INDEX"
Tell = Callable[[float], object]  # how much is made, 0 to 1


def nobody(share: float) -> None:
    """Take what nobody asked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """Heart, lungs and head: what enters EEG and BOLD alike."""

    heart_rate_hz: FloatArray  # (slow samples,)
    breath_rate_hz: FloatArray
    breath_depth: FloatArray  # around 1
    motion_t_s: FloatArray  # (events,), recording time
    motion_size: FloatArray  # (events,), around 1


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedRecording:
    """One session: what two instruments saw, and why. Times are from sample 0."""

    settings: SimulationSettings
    eeg_uv: Float32Array  # (channels, samples), referenced as the settings say
    rate_hz: float
    channels: tuple[Channel, ...]
    volume_onsets_s: FloatArray  # (volumes,)
    bold: FloatArray  # (volumes, rois), as measured: noise, drift, body and all
    bold_truth: FloatArray  # (volumes, rois), its neural part alone
    roi_names: tuple[str, ...]
    declared_rois: tuple[str, ...]  # whose BOLD follows what band power cannot carry
    drive: FloatArray  # (rois, slow samples), the neural cause of BOLD
    drive_t_s: FloatArray  # (slow samples,), from before the recording
    arousal: FloatArray  # (slow samples,)
    body: Body

    @property
    def t_eeg_s(self) -> FloatArray:
        """Time of each sample."""
        times: FloatArray = np.arange(self.eeg_uv.shape[1]) / self.rate_hz
        return times


TwinRecording = SimulatedRecording  # its name while the twin was alone


@dataclass(frozen=True, slots=True, eq=False)
class SourceAmplitudes:
    """What a perfect unmixing would read: each region's rhythms, without the head.

    For the bound that no decoder of EEG can pass by knowing the head better. It holds
    what BOLD never sees as well, and no artefact. A burst or a carrier that flickers is
    in it by its expected amplitude.
    """

    roi_names: tuple[str, ...]
    rhythms: tuple[str, ...]
    t_s: FloatArray  # (slow samples,), from before the recording
    log_amplitude: FloatArray  # (rois, rhythms, slow samples), natural logarithm
    in_eeg: np.ndarray  # (rois,) bool; False: the region has no source at all

    def at(self, times_s: FloatArray) -> FloatArray:
        """Return (rois, rhythms, times) at any times, linear between samples."""
        rows = self.log_amplitude.reshape(-1, self.t_s.size)
        found = np.stack([np.interp(times_s, self.t_s, row) for row in rows])
        return found.reshape(*self.log_amplitude.shape[:2], *np.shape(times_s))


def channels_of(
    settings: SimulationSettings, *, with_index: bool
) -> tuple[Channel, ...]:
    """Return the stream's channels in order."""
    channels = [
        Channel(label, "uV", "ecg" if label == ECG else "eeg")
        for label in settings.channels
    ]
    if with_index:
        channels.append(Channel(SAMPLE_INDEX, "count", "misc"))
    return tuple(channels)


def volume_onsets_s(settings: SimulationSettings) -> FloatArray:
    """Return the onset of each volume that begins within the recording."""
    span_s = settings.duration_s - settings.first_volume_s
    n_volumes = int(np.ceil(span_s / settings.tr_s - 1e-9))
    steps = np.arange(n_volumes, dtype=np.float64)
    return np.asarray(settings.first_volume_s + settings.tr_s * steps)
