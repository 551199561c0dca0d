"""What body, bed and cap leave in the foreign generator's EEG.

Another mix than the twin's: sweat, eyes that turn, chewing, a pulse by template, a
cooling pump, gradients that drift, a loose electrode. No pops and no drop-outs.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.foreign_brain import Mind, stream
from rtbold.sim.recording import Body
from rtbold.sim.settings import BASE_RATE_HZ, ForeignSettings

SWEAT_UV = 6.0
LOOK_UV, LOOKS_PER_MINUTE = 25.0, 9.0
BLINK_UV, BLINKS_PER_MINUTE = 70.0, 7.0
CHEW_UV, TENSION_UV = 6.0, 1.2
TENSE = 0.25  # log-tension of the neck per sd of arousal
PULSE_UV = 4.0
PUMP_UV, PUMP_HZ = 0.9, 44.0
GRADIENT_UV = 1.5
MAINS_UV = 0.5
JERK_UV = 35.0
LOOSE_UV, LOOSE_CHANCE = 25.0, 0.5  # one electrode in every other session

Parts = list[tuple[FloatArray, FloatArray]]  # (electrodes,) times (samples,)


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """What the artefacts of one session need to know."""

    settings: ForeignSettings
    sat: FloatArray  # (electrodes, 3) unit vectors, the reference last
    body: Body
    mind: Mind

    @property
    def t_s(self) -> FloatArray:
        """Time of each sample."""
        n = round(self.settings.duration_s * BASE_RATE_HZ)
        times: FloatArray = np.arange(n) / BASE_RATE_HZ
        return times

    def fast(self, slow: FloatArray) -> FloatArray:
        """Interpolate from the slow grid."""
        return np.asarray(np.interp(self.t_s, self.mind.t_s, slow))

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the numbers of one artefact of this session."""
        return stream(self.settings, f"artefact {purpose}", of_day=True)

    def times(self, rng: np.random.Generator, per_minute: float) -> FloatArray:
        """Draw moments of the session."""
        n = rng.poisson(per_minute * self.settings.duration_s / 60.0)
        return np.asarray(rng.uniform(0.0, self.settings.duration_s, n))

    def near(self, place: tuple[float, float, float], reach: float) -> FloatArray:
        """Return a pattern that falls off with the distance from a place."""
        away = np.linalg.norm(self.sat - np.array(place), axis=1)
        return np.asarray(np.exp(-0.5 * (away / reach) ** 2))


def add_foreign_artefacts(eeg_uv: Float32Array, day: Day) -> None:
    """Add everything, in place, before the reference is taken."""
    makers: tuple[Callable[[Day], Parts], ...] = (
        _eyes, _muscle, _pulse, _pump, _gradient, _jerks, _mains,
    )  # fmt: skip
    for maker in makers:
        for pattern, course in maker(day):
            eeg_uv += np.outer(pattern, course).astype(np.float32)
    _add_sweat(eeg_uv, day)
    _add_loose(eeg_uv, day)


def _smoothed(noise: FloatArray, low_hz: float) -> FloatArray:
    """Return what one pole leaves below a frequency, of unit variance."""
    kept = float(np.exp(-2 * np.pi * low_hz / BASE_RATE_HZ))
    gain = np.sqrt((1 + kept) / (1 - kept)) * (1 - kept)
    return np.asarray(lfilter([gain], [1.0, -kept], noise, axis=-1))


def _eyes(day: Day) -> Parts:
    """Blinks that open slower than they close, and eyes that turn and stay."""
    rng, t_s = day.rng("eyes"), day.t_s
    blinks, looks = np.zeros(t_s.size), np.zeros(t_s.size)
    for at_s in day.times(rng, BLINKS_PER_MINUTE):
        since_s = t_s - at_s
        shape = (since_s / 0.08) * np.exp(1.0 - np.abs(since_s) / 0.08)
        blinks += np.where(since_s > 0, BLINK_UV * rng.uniform(0.6, 1.3) * shape, 0.0)
    for at_s in day.times(rng, LOOKS_PER_MINUTE):
        away = (t_s >= at_s) & (t_s < at_s + rng.uniform(0.3, 3.0))
        looks[away] += LOOK_UV * rng.standard_normal()
    sideways = day.near((0.55, 0.8, -0.2), 0.45) - day.near((-0.55, 0.8, -0.2), 0.45)
    upward = day.near((0.3, 0.95, -0.1), 0.4) + day.near((-0.3, 0.95, -0.1), 0.4)
    return [(upward, blinks), (sideways, _smoothed_step(looks))]


def _smoothed_step(steps: FloatArray) -> FloatArray:
    """Return steps that take some 20 ms."""
    return np.asarray(lfilter([0.25], [1.0, -0.75], steps))


def _muscle(day: Day) -> Parts:
    """Jaws that clench now and then, and a neck whose tension follows arousal."""
    rng, t_s = day.rng("muscle"), day.t_s
    parts: Parts = []
    clench = np.zeros(t_s.size)
    for at_s in day.times(rng, 0.6):
        width_s = rng.uniform(0.4, 2.5)
        clench += rng.gamma(2.0, 0.5) * np.exp(-0.5 * ((t_s - at_s) / width_s) ** 2)
    for side in (-1.0, 1.0):
        buzz = rng.standard_normal(t_s.size)
        buzz -= _lowpassed(buzz, 25.0)
        parts.append((CHEW_UV * day.near((0.95 * side, 0.2, -0.1), 0.4), clench * buzz))
    tension = np.exp(TENSE * day.fast(day.mind.arousal))
    for side in (-1.0, 1.0):
        buzz = rng.standard_normal(t_s.size)
        buzz -= _lowpassed(buzz, 20.0)
        pattern = TENSION_UV * day.near((0.6 * side, -0.75, -0.4), 0.5)
        parts.append((pattern, tension * buzz))
    return parts


def _lowpassed(noise: FloatArray, edge_hz: float) -> FloatArray:
    kept = float(np.exp(-2 * np.pi * edge_hz / BASE_RATE_HZ))
    return np.asarray(lfilter([1 - kept], [1.0, -kept], noise))


def _beats_s(day: Day) -> FloatArray:
    """Return the moment of each beat."""
    cycles = np.cumsum(day.fast(day.body.heart_rate_hz)) / BASE_RATE_HZ
    return np.asarray(np.interp(np.arange(1, int(cycles[-1])), cycles, day.t_s))


def _pulse(day: Day) -> Parts:
    """One template a beat, some 0.2 s after it; two patterns, each its own template."""
    rng, t_s = day.rng("pulse"), day.t_s
    at = np.round(_beats_s(day) * BASE_RATE_HZ).astype(int)
    hits = np.zeros(t_s.size)
    hits[at[at < t_s.size]] = 1.0
    hits *= day.fast(day.body.breath_depth) ** 0.5
    since_s = np.arange(0.0, 0.7, 1.0 / BASE_RATE_HZ)
    parts: Parts = []
    for _ in range(2):
        late_s, wave_hz = rng.uniform(0.16, 0.26), rng.uniform(3.0, 5.5)
        template = np.cos(2 * np.pi * wave_hz * (since_s - late_s))
        template *= np.exp(-0.5 * ((since_s - late_s) / 0.09) ** 2)
        pattern = day.sat @ rng.standard_normal(3)
        pattern /= np.sqrt(np.mean(pattern**2))
        parts.append((2.0 * PULSE_UV * pattern, lfilter(template, [1.0], hits)))
    return parts


def _pump(day: Day) -> Parts:
    """Return the cold head's hum: a tone that wobbles, at the back of the head."""
    rng, t_s = day.rng("pump"), day.t_s
    wobble = np.cumsum(_smoothed(rng.standard_normal(t_s.size), 0.3)) / BASE_RATE_HZ
    tone = np.cos(2 * np.pi * (PUMP_HZ * t_s + 0.4 * wobble))
    return [(np.sqrt(2) * PUMP_UV * (0.3 + day.near((0, -1, 0), 0.7)), tone)]


def _gradient(day: Day) -> Parts:
    """Return what of the gradients' template is left; it drifts as the head sinks."""
    rng, settings, t_s = day.rng("gradient"), day.settings, day.t_s
    n = round(settings.tr_s * BASE_RATE_HZ)
    in_volume = (t_s - settings.first_volume_s) % settings.tr_s
    at = np.minimum((in_volume * BASE_RATE_HZ).astype(int), n - 1)
    running = t_s >= settings.first_volume_s
    drifts = 1.0 + 0.5 * _smoothed(rng.standard_normal((2, t_s.size)), 0.01)
    parts: Parts = []
    for drift in drifts:
        template = np.diff(_smoothed(rng.standard_normal(n + 1), 30.0))
        template /= template.std()
        pattern = day.sat @ rng.standard_normal(3)
        pattern /= np.sqrt(np.mean(pattern**2))
        parts.append((GRADIENT_UV * pattern, running * drift * template[at]))
    return parts


def _jerks(day: Day) -> Parts:
    """Return the swing of the leads after each movement."""
    rng, t_s = day.rng("jerks"), day.t_s
    swing = np.zeros(t_s.size)
    body = day.body
    for moved_s, size in zip(body.motion_t_s, body.motion_size, strict=True):
        since_s = t_s - moved_s
        wave = np.sin(2 * np.pi * rng.uniform(1.0, 4.0) * since_s)
        swing += np.where(since_s > 0, size * wave * np.exp(-np.abs(since_s) / 0.6), 0)
    pattern = day.sat @ rng.standard_normal(3) + 0.5 * rng.standard_normal(len(day.sat))
    return [(JERK_UV * pattern, swing)]


def _mains(day: Day) -> Parts:
    """Return the mains and its third harmonic where it is below 100 Hz."""
    rng = day.rng("mains")
    pattern = MAINS_UV * np.abs(1.0 + rng.standard_normal(len(day.sat)))
    phase = 2 * np.pi * (day.settings.mains_hz * day.t_s + rng.uniform())
    return [(pattern, np.sqrt(2) * np.cos(phase))]


def _add_sweat(eeg_uv: Float32Array, day: Day) -> None:
    """Return slow waves of the skin, each electrode's own."""
    rng = day.rng("sweat")
    for row in range(len(eeg_uv)):
        wave = _smoothed(_smoothed(rng.standard_normal(day.t_s.size), 0.15), 0.15)
        size_uv = SWEAT_UV * rng.lognormal(0.0, 0.4)
        eeg_uv[row] += (size_uv * wave / max(float(wave.std()), 1e-9)).astype(
            np.float32
        )


def _add_loose(eeg_uv: Float32Array, day: Day) -> None:
    """Let one electrode, never the reference, crackle for part of some sessions."""
    rng = day.rng("loose")
    if rng.random() > LOOSE_CHANCE:
        return
    row = int(rng.integers(max(len(eeg_uv) - 1, 1)))
    t_s = day.t_s
    first_s = rng.uniform(0.0, 0.8) * day.settings.duration_s
    within = (t_s > first_s) & (t_s < first_s + 0.08 * day.settings.duration_s)
    crackle = LOOSE_UV * _smoothed(rng.standard_normal(t_s.size), 3.0)
    eeg_uv[row, within] += crackle[within].astype(np.float32)


def foreign_ecg_uv(day: Day) -> Float32Array:
    """Return the ECG: one QRS of three deflections a beat, T wave, breath, noise."""
    rng, t_s = day.rng("ecg"), day.t_s
    at = np.round(_beats_s(day) * BASE_RATE_HZ).astype(int)
    hits = np.zeros(t_s.size)
    hits[at[at < t_s.size]] = 1.0
    since_s = np.arange(0.0, 0.6, 1.0 / BASE_RATE_HZ)
    template = np.zeros(since_s.size)
    for size_uv, late_s, width_s in (
        (-120.0, 0.06, 0.012), (1100.0, 0.09, 0.013), (-200.0, 0.12, 0.015),
        (250.0, 0.36, 0.05),
    ):  # fmt: skip
        template += size_uv * np.exp(-0.5 * ((since_s - late_s) / width_s) ** 2)
    wave = lfilter(template, [1.0], hits)
    wave += 40.0 * _smoothed(rng.standard_normal(t_s.size), 0.2)
    wave += 8.0 * rng.standard_normal(t_s.size)
    return np.asarray(wave, dtype=np.float32)
