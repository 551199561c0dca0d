"""Scans as a model is trained on them: conditioned EEG, windows, frozen targets.

A scan keeps its conditioned signal once; the window of a volume is a slice of it,
as in the live loop's ring. Filtering, the average reference and the removal of each
window's mean are linear and per sample or per window, so a slice of the whole equals
what the loop sees.
"""

import hashlib
import multiprocessing
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from scipy import signal

from rtbold.bundle import Card, Normalisation, SeenScan
from rtbold.calibration.lineage import TRAINING_N, scan_marks, volume_power
from rtbold.condition import Conditioner
from rtbold.electrodes import match
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import MODEL_RATE_HZ, WINDOW_SAMPLES, Float32Array, FloatArray
from rtbold.sim import Level, TwinRecording, TwinSettings, simulate

LOWPASS_ORDER = 5


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """EEG and the volumes that were scanned meanwhile; times from the first sample."""

    name: str
    eeg_uv: Float32Array  # (channels, samples)
    rate_hz: float
    labels: tuple[str, ...]
    volume_onsets_s: FloatArray  # (volumes,)
    bold: FloatArray  # (volumes, rois), as measured


class Windowed(Protocol):
    """A scan whose windows can be asked for: of the twin, or of a calibration."""

    def __len__(self) -> int:
        """Return the number of windows."""
        ...

    def windows_uv(self, chosen: Sequence[int] | None = None) -> Float32Array:
        """Return (chosen, channels, 3200) microvolt; all windows without a choice."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """One recording, ready for a model."""

    name: str
    eeg_uv: Float32Array  # (channels, samples) at 200 Hz: conditioned, re-referenced
    first: np.ndarray  # (volumes,), first sample of each volume's window
    bold: FloatArray  # (volumes, rois), filtered, in the scanner's unit
    onsets_s: FloatArray  # (volumes,)
    seen: SeenScan | None = None  # marks for a lineage; None: made before there were

    def __len__(self) -> int:
        """Return the number of volumes that have a whole window."""
        return len(self.first)

    def windows_uv(self, chosen: Sequence[int] | None = None) -> Float32Array:
        """Return (chosen, channels, 3200) microvolt; the mean of each is removed."""
        volumes = range(len(self)) if chosen is None else chosen
        out = np.empty((len(volumes), len(self.eeg_uv), WINDOW_SAMPLES), np.float32)
        for row, volume in enumerate(volumes):
            first = self.first[volume]
            out[row] = self.eeg_uv[:, first : first + WINDOW_SAMPLES]
        out -= out.mean(axis=2, keepdims=True)
        return out


def conditioned(recording: Recording, card: Card) -> Scan:
    """Run the card's causal chain over a recording.

    Volumes whose window begins before the filters have settled are left out.

    Raises
    ------
    DataFileError : a channel of the card is missing, or no volume has a window.
    """
    if card.reference != "average":
        raise ConfigError(
            f"the card's reference is {card.reference!r}; this recipe trains on the "
            "average reference only"
        )
    rows = _rows(recording, card)
    chain = Conditioner(recording.rate_hz, len(rows), card.conditioning)
    eeg_uv = chain(recording.eeg_uv[rows])
    eeg_uv -= eeg_uv.mean(axis=0, keepdims=True)
    # Samples with time < T: the window of T ends before the first one at or after T.
    end = np.ceil(recording.volume_onsets_s * MODEL_RATE_HZ - 1e-9).astype(np.int64)
    settled = int(np.ceil(chain.settle_s * MODEL_RATE_HZ))
    whole = (end - WINDOW_SAMPLES >= settled) & (end <= eeg_uv.shape[1])
    if not whole.any():
        raise DataFileError(
            f"{recording.name} has no volume with {WINDOW_SAMPLES / MODEL_RATE_HZ:g} s "
            "of EEG before it; record longer, or check the volume markers"
        )
    tr_s = float(np.median(np.diff(recording.volume_onsets_s)))
    bold = filtered_target(recording.bold, tr_s, card.normalisation.lowpass_hz)
    return Scan(
        name=recording.name,
        eeg_uv=eeg_uv,
        first=end[whole] - WINDOW_SAMPLES,
        bold=bold[whole],
        onsets_s=recording.volume_onsets_s[whole],
        seen=_marked(recording, tr_s),
    )


def _marked(recording: Recording, tr_s: float) -> SeenScan:
    """Return the marks of a recording as it is, before any conditioning."""
    first = np.ceil(recording.volume_onsets_s * recording.rate_hz - 1e-6).astype(int)
    power = volume_power(recording.eeg_uv, first, recording.rate_hz, tr_s=tr_s)
    return scan_marks(power, recording.bold).on_card(TRAINING_N)


def _rows(recording: Recording, card: Card) -> list[int]:
    found = match(recording.labels, card.channels)
    missing = [
        name for name, row in zip(card.channels, found, strict=True) if row is None
    ]
    if missing:
        raise DataFileError(
            f"{recording.name} lacks {', '.join(missing)}, expected all of "
            f"{', '.join(card.channels)}"
        )
    return [row for row in found if row is not None]


def filtered_target(
    bold: FloatArray, tr_s: float, lowpass_hz: float | None
) -> FloatArray:
    """Return the low-passed series (Butterworth, order 5, zero-phase: not causal).

    For targets only; nothing that runs live sees the future.
    """
    if lowpass_hz is None:
        return bold
    sos = signal.butter(LOWPASS_ORDER, lowpass_hz, fs=1 / tr_s, output="sos")
    filtered: FloatArray = signal.sosfiltfilt(sos, bold, axis=0)
    return filtered


def causal_windows(
    scan: Windowed, volumes: Sequence[int] | None = None
) -> Float32Array:
    """Return (volumes, channels, 3200) microvolt; the mean of each is removed."""
    return scan.windows_uv(volumes)


def fit_normalisation(scans: Sequence[Scan], lowpass_hz: float | None) -> Normalisation:
    """Return the mean and sd of each ROI over the training volumes, to be frozen."""
    bold = np.concatenate([scan.bold for scan in scans])
    mean, scale = bold.mean(axis=0), bold.std(axis=0)
    return Normalisation(
        method="zscore",
        mean=tuple(float(value) for value in mean),
        scale=tuple(float(value) for value in scale),
        lowpass_hz=lowpass_hz,
    )


def normalised(bold: FloatArray, normalisation: Normalisation) -> Float32Array:
    """Return targets in model units."""
    mean, scale = np.array(normalisation.mean), np.array(normalisation.scale)
    units: Float32Array = ((bold - mean) / scale).astype(np.float32)
    return units


def in_batches(scan: Windowed, size: int = 64) -> Iterator[Float32Array]:
    """Yield a scan's windows in order."""
    for start in range(0, len(scan), size):
        yield causal_windows(scan, range(start, min(start + size, len(scan))))


def data_sha256(scans: Sequence[Scan]) -> str:
    """Return a hash of everything a fit on these scans sees."""
    digest = hashlib.sha256()
    for scan in scans:
        for array in (scan.eeg_uv, scan.first, scan.bold):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


# Scans of simulated subjects, conditioned as the live loop would, kept in a cache.

_SEEN = "seen_"  # before the names of a scan's marks


@dataclass(frozen=True, slots=True)
class TwinScans:
    """Which simulated scans: one subject per seed."""

    level: Level
    duration_s: float
    card: Card  # channels, TR and conditioning are used
    cache: Path

    def make(self, seeds: Sequence[int], *, n_processes: int) -> list[Scan]:
        """Return the scans, made in parallel where they are not in the cache."""
        self.cache.mkdir(parents=True, exist_ok=True)
        missing = [seed for seed in seeds if not self._path(seed).exists()]
        # Spawned, not forked: this process may have run threads of torch by now.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(n_processes, mp_context=context) as pool:
            for _ in pool.map(self.ensure, missing):
                pass
        return [self.read(seed) for seed in seeds]

    def recording(self, seed: int) -> TwinRecording:
        """Return the simulated session itself, truth and all."""
        return simulate(
            TwinSettings(
                seed=seed,
                level=self.level,
                duration_s=self.duration_s,
                tr_s=self.card.tr_s,
                channels=self.card.channels,
            )
        )

    def ensure(self, seed: int) -> None:
        """Write the scan of a seed to the cache, unless it is there."""
        if self._path(seed).exists():
            return
        scan = conditioned(as_recording(self.recording(seed)), self.card)
        draft = self._path(seed).with_suffix(".part.npz")
        arrays = {n: getattr(scan, n) for n in ("eeg_uv", "first", "bold", "onsets_s")}
        marks = {} if scan.seen is None else msgspec.structs.asdict(scan.seen)
        np.savez(draft, **arrays, **{f"{_SEEN}{n}": v for n, v in marks.items()})
        draft.replace(self._path(seed))

    def read(self, seed: int) -> Scan:
        """Return a scan from the cache."""
        with np.load(self._path(seed), allow_pickle=False) as arrays:
            found = dict(arrays)
        marks = {
            name.removeprefix(_SEEN): str(found.pop(name))
            for name in list(found)
            if name.startswith(_SEEN)
        }
        seen = SeenScan(**marks) if marks else None  # an older cache has none
        return Scan(name=f"twin {self.level} {seed}", **found, seen=seen)

    def _path(self, seed: int) -> Path:
        chain = msgspec.json.encode(self.card.conditioning)
        tag = f"{self.duration_s:g}s-{zlib.crc32(chain):08x}"
        return self.cache / f"{self.level}-{seed}-{tag}.npz"


def as_recording(twin: TwinRecording) -> Recording:
    """Return what an experimenter would have: EEG, volume times, measured BOLD."""
    return Recording(
        name=f"twin {twin.settings.level} {twin.settings.seed}",
        eeg_uv=twin.eeg_uv,
        rate_hz=twin.rate_hz,
        labels=tuple(channel.label for channel in twin.channels),
        volume_onsets_s=twin.volume_onsets_s,
        bold=twin.bold,
    )
