"""The twin without its samples: band power of short pieces, made straight away.

Whoever learns from log band power needs no EEG at 200 Hz. A piece of a Gaussian process
under a Hann window has independent complex amplitudes about every hertz, so that they
are drawn as such, mixed by the same lead field, and their power is what the samples
would have given. Brain, body, BOLD and lead field are those of the session itself
(``twin.py``); the EEG is another draw of the same process. Some twenty times faster.

Left out, because they say nothing of BOLD or last a moment: what band power cannot
carry, mains, the residue at 1/TR, pops and drop-outs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.artefacts import (
    BLINKS_PER_MINUTE,
    GRADIENT_UV,
    MOTION_UV,
    MUSCLE_UV,
    PULSE_UV,
    SLICES_PER_VOLUME,
    Scene,
    after_motion,
    near_eyes,
)
from rtbold.sim.bold import filtered_target, simulate_bold
from rtbold.sim.brain import (
    BACKGROUND_BAND_HZ,
    BACKGROUND_EXPONENT,
    HIDDEN_BAND_HZ,
    PREHISTORY_S,
    RHYTHMS,
    SLOW_RATE_HZ,
    Brain,
    draw_body,
    draw_brain,
    draw_weights,
)
from rtbold.sim.head import oriented, read_leadfield, read_rois
from rtbold.sim.recording import Body, volume_onsets_s
from rtbold.sim.settings import BASE_RATE_HZ, TwinSettings, generator, power_law
from rtbold.sim.twin import AMPLIFIER_UV, electrodes_of, heard_brain, worn_mixing

PIECE_S = 2.0  # as long as a lag of the band-power models
LEAKAGE_HZ = 0.2  # sd of the main lobe of a piece without a window
MOTION_BAND_HZ, MUSCLE_BAND_HZ = (0.5, 20.0), (30.0, 80.0)
SCAN_TR_S = 2.1  # whose slices are heard, although a volume comes with every piece
LINE_HZ = 0.05  # width of what is one frequency
Bands = Sequence[tuple[float, float]]
Complex64Array = npt.NDArray[np.complex64]
Parts = Iterator[tuple[FloatArray, Complex64Array]]  # (electrodes,) and (pieces, bins)


@dataclass(frozen=True, slots=True, eq=False)
class BandPowers:
    """Pieces of one session and the volumes at their beginnings."""

    log_power: Float32Array  # (pieces, rows, bands), log of microvolt squared
    bold: FloatArray  # (pieces, rois), the filtered target of training


def simulate_powers(
    settings: TwinSettings, unmixing: FloatArray, bands_hz: Bands
) -> BandPowers:
    """Return band power of every piece of a session, and its BOLD.

    Parameters
    ----------
    settings : a volume at the beginning of each piece: `tr_s` 2, the first at 0.
    unmixing : (rows, electrodes) over the referenced channels of the settings.
    bands_hz : as the features have them.
    """
    if settings.tr_s != PIECE_S or settings.first_volume_s != 0.0:
        raise ConfigError(
            f"volumes are at {settings.first_volume_s:g} s, then every "
            f"{settings.tr_s:g} s, expected 0 and {PIECE_S:g}: one for each piece"
        )
    rois = read_rois()
    cause, heard = draw_brain(settings, rois, "brain"), heard_brain(settings, rois)
    body = draw_body(settings, heard.arousal)
    bold = simulate_bold(settings, cause.drive, body).measured
    pieces = _Pieces(settings, heard, body, unmixing, bands_hz)
    return BandPowers(pieces.log_power(), filtered_target(bold, settings.tr_s))


class _Pieces:
    """The complex amplitudes of one session, bin by bin."""

    def __init__(
        self,
        settings: TwinSettings,
        brain: Brain,
        body: Body,
        unmixing: FloatArray,
        bands_hz: Bands,
    ) -> None:
        self._settings, self._brain = settings, brain
        self._rng = generator(settings.seed, "pieces")
        self._n = len(volume_onsets_s(settings))
        self._hz, self._ranges = bins_of(bands_hz)
        field = read_leadfield()
        self._labels = electrodes_of(settings)
        rows = field.rows(self._labels)
        self._scene = Scene(settings, field.positions_m[rows], body, brain.arousal)
        worn = worn_mixing(settings, field.positions_m[rows])
        reference = _referencing(len(rows), settings)
        self._seen = unmixing @ reference @ worn  # (rows, electrodes)
        self._gain, self._of_roi = self._lead(rows)

    def _lead(self, rows: list[int]) -> tuple[FloatArray, FloatArray]:
        field, rng = read_leadfield(), generator(self._settings.seed, "head")
        jitter = self._settings.parameters.orientation_jitter
        return oriented(field, rng, jitter=jitter)[rows], field.roi_of_source

    def log_power(self) -> Float32Array:
        """Return (pieces, rows, bands)."""
        mixed = self._neural()
        if self._settings.parameters.artefacts > 0:
            self._soil(mixed)
        mixed = _tapered(mixed)
        power = mixed.real**2 + mixed.imag**2  # (rows, pieces, bins)
        bands = np.stack(
            [power[..., a:b].mean(axis=2) for a, b in self._ranges], axis=2
        )
        # Floor and unit are those of the features of the linear models.
        return np.log(bands + 1e-4).transpose(1, 0, 2).astype(np.float32)

    def _normal(self, *shape: int) -> Complex64Array:
        """Return complex numbers of unit mean square."""
        draw = self._rng.standard_normal((*shape, 2), dtype=np.float32)
        draw *= np.float32(np.sqrt(0.5))
        return np.asarray(draw.view(np.complex64)[..., 0])

    def _neural(self) -> Complex64Array:
        density, power = self._densities()  # (rois, pieces, bins), as a share of white
        of, scale = self._of_roi, self._scale(power)
        mixing = (scale * self._seen @ self._gain).astype(np.complex64)
        root = np.sqrt(density).astype(np.float32)
        shape = (self._n, len(self._hz))
        mixed = np.zeros((len(self._seen), self._n * len(self._hz)), np.complex64)
        for first in range(0, len(of), 16):
            some = of[first : first + 16]
            made = root[some] * self._normal(len(some), *shape)
            mixed += mixing[:, first : first + 16] @ made.reshape(len(some), -1)
        return np.asarray(mixed.reshape(-1, *shape))

    def _densities(self) -> tuple[Float32Array, Float32Array]:
        """Return the power of a region's sources by piece and bin, and its mean."""
        settings, rois = self._settings, read_rois()
        low, high = BACKGROUND_BAND_HZ
        rest = 1.0 - BACKGROUND_EXPONENT
        whole = (high**rest - low**rest) / rest
        power = self._over_pieces(np.exp(2 * self._logs())).astype(np.float32)
        power *= settings.parameters.rhythm_gain**2  # (rois, rhythms, pieces)
        lines = [
            _line(self._hz, peak_hz, RHYTHMS[name].width_hz)
            for name, peak_hz in draw_weights(settings, rois).peak_hz.items()
        ]
        density = np.moveaxis(power, 1, 2) @ np.array(lines, np.float32)
        density += BASE_RATE_HZ / 2 / whole * self._hz**-BACKGROUND_EXPONENT
        return np.asarray(density), np.asarray(1.0 + power.sum(axis=1).mean(axis=1))

    def _logs(self) -> FloatArray:
        """Return the rhythms' log-amplitudes, (rois, rhythms, slow samples)."""
        settings, rois, brain = self._settings, read_rois(), self._brain
        level, weights = settings.parameters, draw_weights(settings, rois)
        hidden = power_law(
            self._rng,
            (len(rois) * len(RHYTHMS), brain.arousal.size),
            rate_hz=SLOW_RATE_HZ,
            band_hz=HIDDEN_BAND_HZ,
            exponent=0.5,
        ).reshape(len(rois), len(RHYTHMS), -1)
        logs = level.hidden_sd * hidden
        for number, (name, rhythm) in enumerate(RHYTHMS.items()):
            logs[:, number] += np.log(weights.amplitude[name])[:, None]
            follows = level.coupling * weights.weight[name][:, None]
            logs[:, number] += follows * brain.band_drive
            logs[:, number] += level.rhythm_arousal * rhythm.arousal * brain.arousal
        return np.asarray(logs)

    def _over_pieces(self, slow: FloatArray) -> FloatArray:
        """Return the mean over each piece of what the last axis has slowly."""
        first, each = round(PREHISTORY_S * SLOW_RATE_HZ), round(PIECE_S * SLOW_RATE_HZ)
        kept = slow[..., first : first + self._n * each]
        return np.asarray(kept.reshape(*slow.shape[:-1], self._n, each).mean(axis=-1))

    def _scale(self, power: Float32Array) -> float:
        """Return what brings the referenced EEG to its size, as in the session.

        Parameters
        ----------
        power : (rois,), mean variance of a source.
        """
        rng = generator(self._settings.seed, "head")
        rng.standard_normal(read_leadfield().gain.shape[1:])  # of the orientations
        nominal = _referencing(len(self._labels), self._settings, average=False)
        rms = np.sqrt(np.mean((nominal @ self._gain) ** 2 @ power[self._of_roi]))
        return float(rng.uniform(10.0, 15.0) / rms)

    # What scanner, body and cap leave, as amplitudes of the same pieces.

    def _soil(self, mixed: Complex64Array) -> None:
        size = self._settings.parameters.artefacts
        for part in (
            self._muscles, self._pulses, self._slices, self._blinks, self._movements,
        ):  # fmt: skip
            for pattern, made in part():
                seen = (size * self._seen @ pattern).astype(np.complex64)
                mixed += seen[:, None, None] * made
        noise = np.float32(AMPLIFIER_UV) * self._normal(*mixed.shape)
        rows = np.linalg.norm(self._seen, axis=1).astype(np.float32)
        mixed += rows[:, None, None] * noise

    def _muscles(self) -> Parts:
        level, positions_m = self._settings.parameters, self._scene.positions_m
        tension = np.exp(level.tension * self._brain.arousal)
        if not level.tension_follows:
            tension = np.full_like(tension, tension.mean())
        power = self._over_pieces(tension**2)[:, None] * _flat(self._hz, MUSCLE_BAND_HZ)
        for side in (-1.0, 1.0):
            jaw_m = np.array([side * 0.075, 0.02, 0.0])
            pattern = np.exp(-np.linalg.norm(positions_m - jaw_m, axis=1) / 0.04)
            made = np.sqrt(power).astype(np.float32) * self._normal(*power.shape)
            yield 2.0 * MUSCLE_UV * pattern, made

    def _pulses(self) -> Parts:
        scene, rng = self._scene, self._scene.rng("pulse")
        heart_hz = self._over_pieces(scene.body.heart_rate_hz)
        depth = self._over_pieces(scene.body.breath_depth)
        for harmonic in range(1, 7):
            pattern = scene.smooth_pattern(rng)
            line = _line(self._hz, harmonic * heart_hz[:, None], LINE_HZ)
            size_uv = PULSE_UV * 0.7 ** (harmonic - 1) * 0.7
            yield size_uv * pattern, self._turning(depth[:, None] * np.sqrt(line))

    def _slices(self) -> Parts:
        scene, rng = self._scene, self._scene.rng("gradient")
        slice_hz = SLICES_PER_VOLUME / SCAN_TR_S
        middle_s = PIECE_S * (np.arange(self._n, dtype=np.float64) + 0.5)
        gain = 1.0 + 1.5 * after_motion(scene.body, middle_s)
        for harmonic in range(1, 5):
            line = np.sqrt(_line(self._hz, harmonic * slice_hz, LINE_HZ))
            pattern = GRADIENT_UV / harmonic * scene.smooth_pattern(rng)
            yield pattern, self._turning(gain[:, None] * line)

    def _blinks(self) -> Parts:
        rng, seconds = self._scene.rng("blinks"), self._n * PIECE_S
        made = np.zeros((self._n, len(self._hz)), np.complex64)
        n_blinks = rng.poisson(BLINKS_PER_MINUTE * seconds / 60)
        for at_s in rng.uniform(0.0, seconds, n_blinks):
            width_s, size_uv = rng.uniform(0.06, 0.1), rng.uniform(60.0, 100.0)
            piece, inside_s = int(at_s // PIECE_S), at_s % PIECE_S
            area = size_uv * width_s * np.sqrt(2 * np.pi * BASE_RATE_HZ / PIECE_S)
            shape = np.exp(-0.5 * (2 * np.pi * self._hz * width_s) ** 2)
            made[piece] += area * shape * np.exp(-2j * np.pi * self._hz * inside_s)
        yield near_eyes(self._scene), made

    def _movements(self) -> Parts:
        scene, rng, parts = self._scene, self._scene.rng("motion"), 20
        t_s = np.arange(self._n * parts) * PIECE_S / parts
        course = np.zeros(t_s.size)
        moves = zip(scene.body.motion_t_s, scene.body.motion_size, strict=True)
        for moved_s, size in moves:
            width_s = rng.uniform(0.2, 0.6)
            course += size * np.exp(-0.5 * ((t_s - moved_s) / width_s) ** 2)
        power = (course**2).reshape(self._n, parts).mean(axis=1)
        power = power[:, None] * _flat(self._hz, MOTION_BAND_HZ)
        root = np.sqrt(power).astype(np.float32)
        for _ in range(2):
            pattern = MOTION_UV * 0.7 * scene.smooth_pattern(rng)
            yield pattern, root * self._normal(*root.shape)

    def _turning(self, size: FloatArray) -> Complex64Array:
        """Return a line of known size whose phase is another in every piece."""
        phase = self._rng.uniform(0, 2 * np.pi, (len(size), 1))
        return np.asarray((size * np.exp(1j * phase)).astype(np.complex64))


def bins_of(bands_hz: Bands) -> tuple[FloatArray, list[tuple[int, int]]]:
    """Return the frequency of each amplitude, and which of them each band has.

    One bin more at both ends, for the taper.
    """
    edges = [(round(low * PIECE_S), round(high * PIECE_S)) for low, high in bands_hz]
    first, last = min(e[0] for e in edges), max(e[1] for e in edges)
    hz = np.arange(first - 1, last + 1) / PIECE_S
    return np.maximum(hz, 0.25), [(low - first, high - first) for low, high in edges]


def _tapered(mixed: Complex64Array) -> Complex64Array:
    """Return what a Hann window makes of amplitudes without one; two bins fewer."""
    both = mixed[..., :-2] + mixed[..., 2:]
    return np.asarray(
        (0.5 * mixed[..., 1:-1] - 0.25 * both) / np.sqrt(0.375, dtype=np.float32)
    )


def _line(hz: FloatArray, at_hz: FloatArray | float, width_hz: float) -> FloatArray:
    """Return the density of a rhythm of unit variance, white noise having 1."""
    width_hz = float(np.hypot(width_hz, LEAKAGE_HZ))
    height = BASE_RATE_HZ / 2 / (width_hz * np.sqrt(2 * np.pi))
    return np.asarray(height * np.exp(-0.5 * ((hz - at_hz) / width_hz) ** 2))


def _flat(hz: FloatArray, band_hz: tuple[float, float]) -> FloatArray:
    inside = (hz >= band_hz[0]) & (hz <= band_hz[1])
    return np.where(inside, BASE_RATE_HZ / 2 / (band_hz[1] - band_hz[0]), 0.0)


def _referencing(n: int, settings: TwinSettings, *, average: bool = True) -> FloatArray:
    """Return (channels, electrodes): the model's average, or the recording's own."""
    channels = len(settings.eeg_labels)
    kept = np.eye(n)[:channels]
    if average or channels == n:
        return np.asarray(kept - kept.mean(axis=0))
    return np.asarray(kept - np.eye(n)[-1:])
