"""What a scanner, a body and a cap leave in the EEG.

Items 5 and 8 of docs/explanation/twin.md. Every function returns (electrodes, samples)
or adds in place, in microvolt, before the reference is taken; the last electrode is the
reference itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.brain import slow_times_s
from rtbold.sim.recording import Body
from rtbold.sim.settings import BASE_RATE_HZ, TwinSettings, generator, power_law

SLICES_PER_VOLUME = 38  # 18.1 Hz at a TR of 2.1 s
BLINKS_PER_MINUTE = 5.0
POPS_PER_MINUTE = 0.3
DROPOUTS_PER_MINUTE = 0.25
GRADIENT_UV = 1.2  # residual of one slice harmonic, rms over the head
PULSE_UV = 3.0
MUSCLE_UV = 1.5
MAINS_UV = 0.7
MOTION_UV = 50.0


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What the artefacts of one session need to know."""

    settings: TwinSettings
    positions_m: FloatArray  # (electrodes, 3), the reference last
    body: Body
    arousal: FloatArray  # on the slow grid

    @property
    def t_s(self) -> FloatArray:
        """Time of each sample at the base rate."""
        n = round(self.settings.duration_s * BASE_RATE_HZ)
        times: FloatArray = np.arange(n) / BASE_RATE_HZ
        return times

    def fast(self, slow: FloatArray) -> FloatArray:
        """Interpolate from the slow grid to the base rate."""
        grid = slow_times_s(self.settings.duration_s)
        return np.asarray(np.interp(self.t_s, grid, slow))

    def rng(self, purpose: str) -> np.random.Generator:
        """Return the generator of one artefact."""
        return generator(self.settings.seed, f"artefact/{purpose}")

    def smooth_pattern(self, rng: np.random.Generator) -> FloatArray:
        """Draw a pattern that varies linearly over the head, rms 1."""
        centred = self.positions_m - self.positions_m.mean(axis=0)
        pattern = 0.5 * rng.standard_normal() + centred @ rng.standard_normal(3) / 0.06
        unit: FloatArray = pattern / max(float(np.sqrt(np.mean(pattern**2))), 1e-9)
        return unit

    def noise(
        self, rng: np.random.Generator, rows: int, *, band_hz: tuple[float, float]
    ) -> Float32Array:
        """Return white noise in a band, unit variance."""
        return power_law(
            rng,
            (rows, self.t_s.size),
            rate_hz=BASE_RATE_HZ,
            band_hz=band_hz,
            exponent=0,
        )


def add_artefacts(eeg_uv: Float32Array, scene: Scene) -> None:
    """Add everything that a scanner session has."""
    size = scene.settings.parameters.artefacts
    for part in (_gradient, _pulse, _blinks, _muscle, _motion, _mains):
        for pattern, course in part(scene):
            eeg_uv += np.outer(size * pattern, course).astype(np.float32)
    _add_pops(eeg_uv, scene)
    _add_dropouts(eeg_uv, scene)


Parts = list[tuple[FloatArray, FloatArray]]  # (electrodes,) times (samples,)


def _gradient(scene: Scene) -> Parts:
    """Residual of the gradients: slice harmonics and a template at 1/TR."""
    rng, settings = scene.rng("gradient"), scene.settings
    t_s = scene.t_s
    running = (t_s >= settings.first_volume_s).astype(np.float64)
    gain = running * (1.0 + 1.5 * after_motion(scene.body, t_s))
    slice_hz = SLICES_PER_VOLUME / settings.tr_s
    parts: Parts = []
    for harmonic in range(1, 6):
        if harmonic * slice_hz > 85.0:
            break
        phase = rng.uniform(0, 2 * np.pi)
        wave = np.sqrt(2) * np.cos(2 * np.pi * harmonic * slice_hz * t_s + phase)
        size_uv = GRADIENT_UV / harmonic
        parts.append((size_uv * scene.smooth_pattern(rng), gain * wave))
    template = power_law(
        rng,
        (1, round(settings.tr_s * BASE_RATE_HZ)),
        rate_hz=BASE_RATE_HZ,
        band_hz=(1.0, 80.0),
        exponent=0.5,
    )[0]
    in_volume = (t_s - settings.first_volume_s) % settings.tr_s
    at = np.minimum((in_volume * BASE_RATE_HZ).astype(int), template.size - 1)
    parts.append((0.6 * scene.smooth_pattern(rng), gain * template[at]))
    return parts


def after_motion(body: Body, t_s: FloatArray) -> FloatArray:
    """Return how far template subtraction is off: about 25 s after a movement."""
    effect = np.zeros(t_s.size)
    for moved_s, size in zip(body.motion_t_s, body.motion_size, strict=True):
        since_s = t_s - moved_s
        effect += np.where(since_s >= 0, size * np.exp(-np.abs(since_s) / 25.0), 0.0)
    return effect


def _beats(scene: Scene) -> FloatArray:
    """Return the heart's phase in cycles."""
    return np.cumsum(scene.fast(scene.body.heart_rate_hz)) / BASE_RATE_HZ


def _pulse(scene: Scene) -> Parts:
    """Ballistocardiogram: harmonics of the heart, deeper with breath."""
    rng = scene.rng("pulse")
    cycles = _beats(scene)
    breath = np.cumsum(scene.fast(scene.body.breath_rate_hz)) / BASE_RATE_HZ
    depth = scene.fast(scene.body.breath_depth)
    # A deeper breath moves the heart more: the slow size of the artefact follows it.
    gain = depth * (1.0 + 0.25 * np.cos(2 * np.pi * breath))
    parts: Parts = []
    for harmonic in range(1, 7):
        wave = np.sqrt(2) * np.cos(
            2 * np.pi * harmonic * cycles + rng.uniform(0, 2 * np.pi)
        )
        size_uv = PULSE_UV * 0.7 ** (harmonic - 1) * 0.7
        parts.append((size_uv * scene.smooth_pattern(rng), gain * wave))
    return parts


def _blinks(scene: Scene) -> Parts:
    """Blinks: 60-100 uV at the forehead, gone by the crown."""
    rng, t_s = scene.rng("blinks"), scene.t_s
    n_blinks = int(rng.poisson(BLINKS_PER_MINUTE * scene.settings.duration_s / 60))
    course = np.zeros(t_s.size)
    for at_s in rng.uniform(0.0, scene.settings.duration_s, n_blinks):
        near = np.abs(t_s - at_s) < 0.5
        width_s = rng.uniform(0.06, 0.1)
        size_uv = rng.uniform(60.0, 100.0)
        course[near] += size_uv * np.exp(-0.5 * ((t_s[near] - at_s) / width_s) ** 2)
    return [(near_eyes(scene), course)]


def near_eyes(scene: Scene) -> FloatArray:
    """Return (electrodes,): what each sees of a blink."""
    eyes_m = np.array([0.0, 0.09, 0.02])  # head coordinates: nose is +y
    near = np.exp(-np.linalg.norm(scene.positions_m - eyes_m, axis=1) / 0.035)
    forehead = np.exp(-0.04 / 0.035)  # an electrode 4 cm away sees the whole size
    seen: FloatArray = np.minimum(near / forehead, 1.0)
    return seen


def _muscle(scene: Scene) -> Parts:
    """Muscle at 30-80 Hz near the temples; tension grows with arousal, or stays."""
    rng = scene.rng("muscle")
    level = scene.settings.parameters
    tension = np.exp(level.tension * scene.fast(scene.arousal))
    if not level.tension_follows:
        tension = np.full_like(tension, tension.mean())
    parts: Parts = []
    for side in (-1.0, 1.0):
        jaw_m = np.array([side * 0.075, 0.02, 0.0])
        pattern = np.exp(-np.linalg.norm(scene.positions_m - jaw_m, axis=1) / 0.04)
        noise = scene.noise(rng, 1, band_hz=(30.0, 80.0))[0]
        parts.append((2.0 * MUSCLE_UV * pattern, tension * noise))
    return parts


def _motion(scene: Scene) -> Parts:
    """Movements: a burst below 20 Hz over the whole head."""
    rng, t_s = scene.rng("motion"), scene.t_s
    course = np.zeros(t_s.size)
    for moved_s, size in zip(
        scene.body.motion_t_s, scene.body.motion_size, strict=True
    ):
        width_s = rng.uniform(0.2, 0.6)
        course += size * np.exp(-0.5 * ((t_s - moved_s) / width_s) ** 2)
    noise = scene.noise(rng, 2, band_hz=(0.5, 20.0))
    return [
        (MOTION_UV * 0.7 * scene.smooth_pattern(rng), course * row) for row in noise
    ]


def _mains(scene: Scene) -> Parts:
    """Mains: one tone, of another size at every electrode."""
    rng = scene.rng("mains")
    sizes_uv = MAINS_UV * rng.lognormal(0.0, 0.5, len(scene.positions_m))
    phase = rng.uniform(0, 2 * np.pi)
    tone = np.sqrt(2) * np.cos(2 * np.pi * scene.settings.mains_hz * scene.t_s + phase)
    return [(sizes_uv, tone)]


def _add_pops(eeg_uv: Float32Array, scene: Scene) -> None:
    """Electrode pops: a step at one electrode that decays in half a second."""
    rng, t_s = scene.rng("pops"), scene.t_s
    n_pops = int(rng.poisson(POPS_PER_MINUTE * scene.settings.duration_s / 60))
    for at_s in rng.uniform(0.0, scene.settings.duration_s, n_pops):
        row = rng.integers(len(eeg_uv) - 1)  # never the reference
        after = (t_s >= at_s) & (t_s < at_s + 3.0)
        size_uv = rng.choice([-1.0, 1.0]) * rng.uniform(50.0, 200.0)
        eeg_uv[row, after] += size_uv * np.exp(-(t_s[after] - at_s) / 0.5)


def _add_dropouts(eeg_uv: Float32Array, scene: Scene) -> None:
    """Drop-outs: one electrode holds its value for part of a second."""
    rng = scene.rng("drop-outs")
    n_drops = int(rng.poisson(DROPOUTS_PER_MINUTE * scene.settings.duration_s / 60))
    for at_s in rng.uniform(0.0, scene.settings.duration_s - 1.0, n_drops):
        row = rng.integers(len(eeg_uv) - 1)
        first = int(at_s * BASE_RATE_HZ)
        n_held = int(rng.uniform(0.1, 0.6) * BASE_RATE_HZ)
        eeg_uv[row, first : first + n_held] = eeg_uv[row, first]


def ecg_uv(scene: Scene) -> Float32Array:
    """Return the ECG channel: R and T waves, some noise."""
    cycles = _beats(scene)
    heart_hz = scene.fast(scene.body.heart_rate_hz)
    since_s = ((cycles + 0.5) % 1.0 - 0.5) / heart_hz
    r_wave = 900.0 * np.exp(-0.5 * (since_s / 0.012) ** 2)
    t_wave = 200.0 * np.exp(-0.5 * ((since_s - 0.25) / 0.04) ** 2)
    noise = 10.0 * scene.noise(scene.rng("ecg"), 1, band_hz=(0.5, 80.0))[0]
    return np.asarray(r_wave + t_wave + noise, dtype=np.float32)


# Bring the twin's 200 Hz to an amplifier's rate, block by block.
#
# The content ends below 90 Hz, so a polyphase interpolation loses nothing; above that a
# real amplifier has noise, and so a little white noise is added at the full rate.

BLOCK_S = 1.0  # short: a player computes a block between two chunks
MARGIN_S = 0.1  # twice the interpolation filter, so that blocks join seamlessly
BROADBAND_UV = 0.3


def upsampled(
    eeg_uv: Float32Array, rate_hz: float, *, seed: int
) -> Iterator[Float32Array]:
    """Yield blocks of (channels, samples) at `rate_hz`, from 200 Hz.

    The blocks together have ``round(duration * rate)`` samples; a sample at a time that
    the 200 Hz signal has too keeps its value within the filter's ripple.
    """
    ratio = Fraction(round(rate_hz), round(BASE_RATE_HZ))
    up, down = ratio.numerator, ratio.denominator
    per_block = down * max(1, round(BLOCK_S * BASE_RATE_HZ / down))
    margin = down * int(np.ceil(MARGIN_S * BASE_RATE_HZ / down))
    n_total = round(eeg_uv.shape[1] * up / down)
    padded = np.pad(eeg_uv, ((0, 0), (margin, margin + down)), mode="edge")
    rng = generator(seed, "broadband")
    done = 0
    for first in range(0, eeg_uv.shape[1], per_block):
        piece = padded[:, first : first + per_block + 2 * margin]
        block = piece if ratio == 1 else resample_poly(piece, up, down, axis=1)
        cut = margin * up // down
        n = min(per_block * up // down, n_total - done)
        block = np.array(block[:, cut : cut + n], dtype=np.float32)
        if ratio != 1:
            noise = rng.standard_normal(block.shape, dtype=np.float32)
            block += np.float32(BROADBAND_UV) * noise
        done += n
        yield block
