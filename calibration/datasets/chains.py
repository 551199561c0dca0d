"""EEG of a scan on its way to windows: through the live loop, or as it was published.

``live`` is the pipeline of a session itself: what a model is trained on is, bit for
bit, what a session would give it. ``published`` resamples by FFT and high-passes with
zero phase, ``published-within`` does not high-pass: these see the future and cannot be
run live. NeuroBOLT's weights were made on them, across and within subjects
(docs/explanation/published-chain.md).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from rtbold.bundle import Card
from rtbold.calibration.datasets.sources import LoadedScan, from_first_sample
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.inputs.choices import WindowSettings
from rtbold.calibration.inputs.windows import (
    VolumeAnswers,
    local_onsets,
    pipeline_settings,
    pipeline_windows,
    scan_events,
)
from rtbold.calibration.train.dataset import Scan, WindowTape, marked
from rtbold.condition import stream_fit
from rtbold.errors import ConfigError, DataFileError
from rtbold.files import described
from rtbold.messages import (
    MODEL_RATE_HZ,
    WINDOW_SAMPLES,
    Float32Array,
    FloatArray,
)
from rtbold.text import did_you_mean

Chain = Literal["live", "published", "published-within"]
CHAINS: Final[tuple[Chain, ...]] = get_args(Chain)
LEAST_BAD_SHARE: Final = 0.01  # of the volumes; below, a channel is not named as bad
_SPARE_S: Final = 1.0


def as_chain(name: str) -> Chain:
    """Return the chain of that name.

    Raises
    ------
    ConfigError : there is none.
    """
    for chain in CHAINS:
        if chain == name:
            return chain
    raise ConfigError(
        f"--conditioning is {name!r}, expected one of {', '.join(CHAINS)}."
        f"{did_you_mean([name], CHAINS)}"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of one scan, before it has targets."""

    scan: Scan  # its `bold` has no columns yet
    volume: IntArray  # (windows,)
    bad_channels: Mapping[str, float]  # share of the volumes in which each was bad
    without_window: Mapping[str, int]  # reason -> volumes


def windows_of(
    loaded: LoadedScan, card: Card, *, chain: Chain, interpolate: bool
) -> Windows:
    """Return the windows of a scan's volumes.

    Parameters
    ----------
    card : channels, reference and conditioning are used.
    interpolate : fill channels that the recording lacks from their neighbours.

    Raises
    ------
    StreamMismatch : channels, reference or rate do not fit the card.
    DataFileError : not one volume has a window.
    """
    if chain == "live":
        return _live(loaded, card, interpolate=interpolate)
    cutoff_hz = card.conditioning.highpass_hz if chain == "published" else None
    return _published(loaded, card, cutoff_hz=cutoff_hz, interpolate=interpolate)


# The live loop's.


def _live(loaded: LoadedScan, card: Card, *, interpolate: bool) -> Windows:
    eeg, alignment = loaded.eeg, loaded.alignment
    settings = WindowSettings(
        reference=loaded.source.reference, interpolate_missing=interpolate
    )
    events, logged = scan_events(eeg, alignment, settings)
    answers = VolumeAnswers(alignment, local_onsets(eeg, alignment, logged=logged))
    session = pipeline_settings(eeg, alignment, card, settings)
    length_s = eeg.last_s - eeg.first_s
    tape = WindowTape(card, round((length_s + _SPARE_S) * MODEL_RATE_HZ))
    for answer, window, pipeline in pipeline_windows(card, session, events):
        if pipeline.misfit is not None:
            raise pipeline.misfit
        tape.take(answer, window, pipeline, volume=answers.take(answer))
    if not tape.volumes:
        raise DataFileError(answers.nothing(eeg.name))
    volume = np.array(tape.volumes)
    scan = tape.scan(
        loaded.source.name,
        np.empty((len(volume), 0)),
        onsets_s=from_first_sample(eeg, alignment.onsets_s)[volume],
        seen=marked(loaded.recording, loaded.tr_s),
    )
    left_out = answers.left_out(set(tape.volumes))
    return Windows(
        scan=scan,
        volume=volume,
        bad_channels=_bad(tape.bad, card, loaded),
        without_window=dict(Counter(r for gap in left_out for r in gap.reasons)),
    )


def _bad(bad: Mapping[str, int], card: Card, loaded: LoadedScan) -> dict[str, float]:
    """Return the model's channels that were bad or are missing, worst first."""
    n = len(loaded.alignment)
    fit = stream_fit(
        described(loaded.eeg.recording, loaded.source.reference),
        card,
        interpolate_missing=True,
    )
    shares = {name: count / n for name, count in bad.items() if name in card.channels}
    shares |= dict.fromkeys(fit.missing, 1.0)
    worst = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return {name: round(s, 4) for name, s in worst if s >= LEAST_BAD_SHARE}


# The publication's.


def _published(
    loaded: LoadedScan, card: Card, *, cutoff_hz: float | None, interpolate: bool
) -> Windows:
    """Resample by FFT, high-pass to and fro (or not), cut; nothing is judged."""
    recording = loaded.recording
    stream = described(loaded.eeg.recording, loaded.source.reference)
    fit = stream_fit(stream, card, interpolate_missing=interpolate)
    matrix = fit.spatial.matrix(frozenset()).matrix  # (model channels, used)
    labels = [channel.label for channel in stream.channels]
    own = [channel.label for channel in recording.channels]
    rows = [own.index(labels[row]) for row in fit.rows]
    rate_hz = recording.rate_hz
    at_200 = _stacked(
        (_resampled(recording.eeg_uv[row], rate_hz) for row in rows), len(rows)
    )
    model_uv = matrix.astype(np.float32) @ at_200
    eeg_uv = _stacked((_highpassed(row, cutoff_hz) for row in model_uv), len(model_uv))
    volume, first = _places(recording.volume_onsets_s, loaded, eeg_uv.shape[1])
    scan = Scan(
        name=loaded.source.name,
        eeg_uv=eeg_uv,
        first=first,
        bold=np.empty((len(volume), 0)),
        onsets_s=recording.volume_onsets_s[volume],
        seen=marked(recording, loaded.tr_s),
        remove_mean=card.conditioning.remove_window_mean,
    )
    n_out = len(loaded.alignment) - len(volume)
    return Windows(
        scan=scan,
        volume=volume,
        bad_channels=dict.fromkeys(sorted(fit.missing), 1.0),
        without_window={"no_data": n_out} if n_out else {},
    )


def _resampled(row_uv: Float32Array, rate_hz: float) -> FloatArray:
    """Return one channel at 200 Hz, by FFT over the whole recording."""
    from mne.filter import resample

    if rate_hz == MODEL_RATE_HZ:
        return row_uv.astype(np.float64)
    made: FloatArray = resample(
        row_uv.astype(np.float64), MODEL_RATE_HZ, rate_hz, verbose="error"
    )
    return made


def _highpassed(row_uv: Float32Array, cutoff_hz: float | None) -> FloatArray:
    """Return one channel high-passed by MNE's default FIR, without delay."""
    from mne.filter import filter_data

    row = row_uv.astype(np.float64)
    if cutoff_hz is None:
        return row
    made: FloatArray = filter_data(row, MODEL_RATE_HZ, cutoff_hz, None, verbose="error")
    return made


def _stacked(rows: Iterable[FloatArray], n: int) -> Float32Array:
    """Return rows below each other in single precision, one at a time in double."""
    iterator: Iterator[FloatArray] = iter(rows)
    first = next(iterator)
    whole = np.empty((n, len(first)), np.float32)
    whole[0] = first
    for number, row in enumerate(iterator, start=1):
        whole[number] = row
    return whole


def _places(
    onsets_s: FloatArray, loaded: LoadedScan, n_samples: int
) -> tuple[IntArray, IntArray]:
    """Return the volumes that have a row and 16 s before them, and where these begin.

    The sample at the volume itself is cut off, as in the published code.
    """
    with_row = np.isfinite(loaded.alignment.bold).any(axis=1) & np.isfinite(onsets_s)
    last = np.full(len(onsets_s), -1, dtype=np.int64)
    last[with_row] = np.rint(onsets_s[with_row] * MODEL_RATE_HZ).astype(np.int64)
    volume = np.flatnonzero((last >= WINDOW_SAMPLES) & (last <= n_samples))
    if not len(volume):
        raise DataFileError(
            f"{loaded.eeg.name} has no volume with "
            f"{WINDOW_SAMPLES / MODEL_RATE_HZ:g} s of EEG before it, expected a whole "
            "scan. Record longer, or check the volume markers."
        )
    return volume, last[volume] - WINDOW_SAMPLES
