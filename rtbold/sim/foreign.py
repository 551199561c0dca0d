"""The foreign generator: a population that no shipped network was ever trained on.

It shares no generative code with the twin: another head and source placement, rhythms
that come in bursts over an amplitude-modulated 1/f process, coupling through all bands
at once, an arousal that lifts some regions and lowers others, balloons instead of
response functions, other artefacts, and second sessions with another cap and other
gains. Only the regions' names, the electrodes and what a stream or a file needs are the
same. Everything follows from seed and session.
"""

import numpy as np
from scipy.signal import lfilter, sosfilt, zpk2sos

from rtbold.electrodes import canonical, positions
from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.foreign_artefacts import Day, add_foreign_artefacts, foreign_ecg_uv
from rtbold.sim.foreign_bold import simulate_foreign_bold
from rtbold.sim.foreign_brain import (
    BANDS,
    Mind,
    band_sizes,
    draw_body_of,
    draw_mind,
    foreign_amplitudes,
    log_amplitudes,
    stream,
)
from rtbold.sim.foreign_head import (
    SHIFT,
    fibonacci_lattice,
    folded,
    gains,
    on_the_scalp,
    patches,
    potentials,
    turned,
)
from rtbold.sim.head import read_rois
from rtbold.sim.recording import (
    SimulatedRecording,
    Tell,
    channels_of,
    nobody,
    volume_onsets_s,
)
from rtbold.sim.settings import BASE_RATE_HZ, ECG, NEUROBOLT_CHANNELS, ForeignSettings

__all__ = ["foreign_amplitudes", "simulate_foreign"]

BURSTS_HZ = 0.7  # how often a rhythm bursts, at its usual strength
BURST_SHARE = 0.7  # of a rhythm's power that comes in bursts
RING_S = 0.28  # how long a burst rings
SLOW_EDGE_HZ = 6.0  # between the slow and the fast part of the 1/f process
N_BACKGROUND, BACKGROUND_SHARE = 48, 0.35  # sources that follow nothing, their power
EXPONENT = (1.0, 1.5)  # of the 1/f processes, over subjects
GAIN_SD, AMPLIFIER_UV = 0.08, 0.4
SIZE_UV = (8.0, 12.0)  # rms of a subject's EEG against the reference
CORNERS_HZ = (0.5, 80.0)  # between which the processes are 1/f


def simulate_foreign(
    settings: ForeignSettings, *, tell: Tell = nobody
) -> SimulatedRecording:
    """Return the session with EEG at 200 Hz.

    Parameters
    ----------
    tell : called as it goes, with how much is made, 0 to 1.
    """
    mind = draw_mind(settings)
    body = draw_body_of(settings, mind)
    bold = simulate_foreign_bold(settings, mind, body)
    tell(0.1)
    cap = _Cap(settings)
    eeg_uv = _neural_uv(settings, mind, cap, tell=tell)
    day = Day(settings, cap.sat, body, mind)
    add_foreign_artefacts(eeg_uv, day)
    tell(0.95)
    eeg_uv = cap.amplified(eeg_uv)
    if ECG in settings.channels:
        at = settings.channels.index(ECG)
        eeg_uv = np.insert(eeg_uv, at, foreign_ecg_uv(day), axis=0)
    return SimulatedRecording(
        settings=settings,
        eeg_uv=eeg_uv,
        rate_hz=BASE_RATE_HZ,
        channels=channels_of(settings, with_index=False),
        volume_onsets_s=volume_onsets_s(settings),
        bold=bold.measured,
        bold_truth=bold.neural,
        roi_names=tuple(roi.name for roi in read_rois()),
        declared_rois=(),
        drive=mind.drive,
        drive_t_s=mind.t_s,
        arousal=mind.arousal,
        body=body,
    )


class _Cap:
    """The electrodes as they sit in this session, and the amplifier behind them."""

    def __init__(self, settings: ForeignSettings) -> None:
        self._settings = settings
        self._average = settings.reference.lower() == "average"
        labels = settings.eeg_labels
        worn = labels if self._average else (*labels, settings.reference)
        # A stream for each electrode: its place does not depend on the others.
        own = [
            stream(settings, f"electrode {canonical(label)}", of_day=True)
            for label in worn
        ]
        askew = turned(positions(worn), stream(settings, "cap", of_day=True))
        shift = np.array([rng.standard_normal(3) for rng in own])
        self.sat = on_the_scalp(askew + SHIFT * shift)
        gain = np.array([rng.lognormal(0.0, GAIN_SD) for rng in own[: len(labels)]])
        self._gain = gain.astype(np.float32)

    def amplified(self, eeg_uv: Float32Array) -> Float32Array:
        """Return what the amplifier gives of (electrodes, samples)."""
        n = len(self._gain)
        against = (
            eeg_uv.mean(axis=0, keepdims=True) if self._average else eeg_uv[n : n + 1]
        )
        out: Float32Array = (eeg_uv[:n] - against) * self._gain[:, None]
        rng = stream(self._settings, "amplifier", of_day=True)
        out += np.float32(AMPLIFIER_UV) * rng.standard_normal(out.shape, np.float32)
        return out


class _Head:
    """A subject's head: moments of the patches, the background, and one scale."""

    def __init__(self, settings: ForeignSettings) -> None:
        rng = stream(settings, "head", of_day=False)
        self._moments = folded(rng)
        lattice = fibonacci_lattice(4 * N_BACKGROUND)
        self._places = 0.75 * rng.permutation(lattice)[:N_BACKGROUND]
        self._turns = rng.standard_normal((N_BACKGROUND, 3))
        self.exponent = float(rng.uniform(*EXPONENT))
        self._scale = 1.0
        size_uv, sizes = rng.uniform(*SIZE_UV), band_sizes(settings)
        power = np.concatenate([
            np.sum(sizes[patches().roi, 1:-1] ** 2, axis=1) + 1.0,
            np.ones(N_BACKGROUND),
        ])  # fmt: skip
        seen = self.gains(positions((*NEUROBOLT_CHANNELS, "FCz")))
        rms = np.sqrt(np.mean((seen[:-1] - seen[-1:]) ** 2 @ power))
        self._scale = float(size_uv / rms)

    def gains(self, sat: FloatArray) -> FloatArray:
        """Return (electrodes, patches and background), microvolt."""
        own = gains(sat, self._moments)
        behind = potentials(sat, self._places, self._turns)
        share = np.sum(own**2) / np.sum(behind**2)
        share *= BACKGROUND_SHARE / (1 - BACKGROUND_SHARE)
        return np.asarray(
            self._scale * np.concatenate([own, np.sqrt(share) * behind], axis=1)
        )


def _neural_uv(
    settings: ForeignSettings, mind: Mind, cap: _Cap, *, tell: Tell
) -> Float32Array:
    """Return (electrodes, samples) of the brain alone, the reference last."""
    head = _Head(settings)
    gain = head.gains(cap.sat).astype(np.float32)
    n = round(settings.duration_s * BASE_RATE_HZ)
    t_s = np.arange(n) / BASE_RATE_HZ
    logs, sizes = log_amplitudes(settings, mind), band_sizes(settings)
    peaks_hz = _peaks_hz(settings)
    eeg = np.zeros((len(gain), n), np.float32)
    of = patches().roi
    for roi in range(len(logs)):
        mine = np.flatnonzero(of == roi)
        if mine.size:
            rng = stream(settings, f"region {roi}", of_day=True)
            fast = np.exp([np.interp(t_s, mind.t_s, row) for row in logs[roi]])
            made = _plain(rng, (mine.size, n), head.exponent, fast)
            for band, peak_hz in enumerate(peaks_hz, start=1):
                made += sizes[roi, band] * _ringing(rng, fast[band], peak_hz)
            eeg += gain[:, mine] @ made.astype(np.float32)
        tell(0.1 + 0.75 * (roi + 1) / len(logs))
    rng = stream(settings, "background", of_day=True)
    first = len(of)
    for row in range(N_BACKGROUND):
        noise = one_over_f(rng, (1, n), head.exponent).astype(np.float32)
        eeg += gain[:, first + row : first + row + 1] @ noise
    return eeg


def _peaks_hz(settings: ForeignSettings) -> FloatArray:
    """Return a subject's frequency of each rhythm that has one."""
    rng = stream(settings, "peaks", of_day=False)
    return np.array([rng.uniform(b.low_hz, b.high_hz) for b in BANDS[1:-1]])


def _plain(
    rng: np.random.Generator,
    shape: tuple[int, int],
    exponent: float,
    amplitude: FloatArray,
) -> FloatArray:
    """Return 1/f processes whose slow and fast parts move each on its own."""
    whole = one_over_f(rng, shape, exponent)
    kept = float(np.exp(-2 * np.pi * SLOW_EDGE_HZ / BASE_RATE_HZ))
    slow = lfilter([1 - kept], [1.0, -kept], whole, axis=1)
    return np.asarray(slow * amplitude[0] + (whole - slow) * amplitude[-1])


def one_over_f(
    rng: np.random.Generator, shape: tuple[int, int], exponent: float
) -> FloatArray:
    """Return (rows, samples) of unit variance, power 1/f^exponent between the corners.

    White noise through poles and zeros that alternate on a logarithmic axis: each pair
    bends the spectrum down and back, its distance is the slope.
    """
    low, high = np.log(CORNERS_HZ)
    n_pairs = 7
    step = (high - low) / n_pairs
    poles_hz = np.exp(low + step * np.arange(n_pairs))
    zeros_hz = poles_hz * np.exp(step * exponent / 2.0)
    poles, zeros = (
        np.exp(-2 * np.pi * at_hz / BASE_RATE_HZ) for at_hz in (poles_hz, zeros_hz)
    )
    sections = zpk2sos(zeros, poles, 1.0)
    response = sosfilt(sections, np.eye(1, 4000)[0])
    settle = 800  # the slowest pole forgets within 0.3 s
    white = rng.standard_normal((shape[0], shape[1] + settle), np.float32)
    made = sosfilt(sections, white / np.float32(np.sqrt(np.sum(response**2))), axis=1)
    return np.asarray(made[:, settle:])


def _ringing(
    rng: np.random.Generator, amplitude: FloatArray, peak_hz: float
) -> FloatArray:
    """Return a rhythm of unit mean power at amplitude 1.

    A stronger rhythm bursts more often and in larger bursts; between them it hums. The
    power of either grows with the square of the amplitude.

    Parameters
    ----------
    amplitude : (samples,), around 1.
    """
    n = amplitude.size
    chance = np.minimum(BURSTS_HZ / BASE_RATE_HZ * amplitude, 0.5)
    struck = rng.random(n, np.float32) < chance
    shots = np.zeros(n)
    shots[struck] = rng.gamma(3.0, 1.0 / 3.0, struck.sum()) * rng.choice(
        (-1.0, 1.0), struck.sum()
    )
    # One shot has mean square 4/3 of a gamma of shape 3 and mean 1.
    shots *= np.sqrt(amplitude * BURST_SHARE * BASE_RATE_HZ / BURSTS_HZ / (4 / 3))
    hum = np.sqrt(1 - BURST_SHARE) * amplitude * rng.standard_normal(n, np.float32)
    return _resonated(shots + hum, peak_hz)


def _resonated(driven: FloatArray, peak_hz: float) -> FloatArray:
    """Return what a resonator makes of white input, at equal power."""
    kept = float(np.exp(-1.0 / (RING_S * BASE_RATE_HZ)))
    turn = float(np.cos(2 * np.pi * peak_hz / BASE_RATE_HZ))
    down, square = -2.0 * kept * turn, kept**2
    # Variance of an AR(2) process with these coefficients and unit noise.
    power = (1 + square) / ((1 - square) * ((1 + square) ** 2 - down**2))
    return np.asarray(lfilter([1.0 / np.sqrt(power)], [1.0, down, square], driven))
