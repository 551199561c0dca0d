"""The twin: one latent brain, two instruments, and the truth beside them.

Everything follows from the seed: the same settings give the same session. A longer
session of a seed is another session of the same subject, not a continuation. What is
asked for by `ForeignSettings` is made by ``foreign.py``.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from rtbold import files as simulated_note
from rtbold.distribution import pip_install
from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import Float32Array, FloatArray
from rtbold.sim.artefacts import Scene, add_artefacts, ecg_uv, upsampled
from rtbold.sim.bold import simulate_bold
from rtbold.sim.brain import (
    DECLARED_ROIS,
    Brain,
    SourceActivity,
    draw_body,
    draw_brain,
    slow_times_s,
)
from rtbold.sim.foreign import foreign_amplitudes, simulate_foreign
from rtbold.sim.head import LeadField, Roi, oriented, read_leadfield, read_rois
from rtbold.sim.recording import (
    Body,
    SimulatedRecording,
    SourceAmplitudes,
    Tell,
    channels_of,
    nobody,
    volume_onsets_s,
)
from rtbold.sim.settings import (
    BASE_RATE_HZ,
    ECG,
    ForeignSettings,
    SimulationSettings,
    TwinSettings,
    generator,
)

DRAWN, SUMMED, SOILED = 0.05, 0.75, 0.95  # shares of the whole, as it takes time
AMPLIFIER_UV = 0.3  # white noise of each electrode
KERNEL_M = 0.06  # how far a potential reaches, where it is interpolated


def simulate(settings: SimulationSettings) -> SimulatedRecording:
    """Return the session that the settings describe, as a whole, at its rate."""
    base = simulate_base(settings)
    if settings.rate_hz == BASE_RATE_HZ and not settings.sample_index_channel:
        return base
    return replace(
        base,
        eeg_uv=np.concatenate(list(stream_blocks(base)), axis=1),
        rate_hz=settings.rate_hz,
        channels=channels_of(settings, with_index=settings.sample_index_channel),
    )


def stream_blocks(base: SimulatedRecording) -> Iterator[Float32Array]:
    """Yield the session block by block at the settings' rate, index channel and all."""
    settings = base.settings
    first = 0
    for block in upsampled(base.eeg_uv, settings.rate_hz, seed=settings.seed):
        if not settings.sample_index_channel:
            yield block
            continue
        index = np.arange(first, first + block.shape[1], dtype=np.float32)
        first += block.shape[1]
        yield np.concatenate([block, index[None]])


def simulate_base(
    settings: SimulationSettings, *, tell: Tell = nobody
) -> SimulatedRecording:
    """Return the session with EEG at 200 Hz and no index channel.

    For a player that brings it to its rate block by block (`stream_blocks`).

    Parameters
    ----------
    tell : called as it goes; an hour of EEG takes many seconds.
    """
    if isinstance(settings, ForeignSettings):
        return simulate_foreign(settings, tell=tell)
    return _simulate_twin(_of_twin(settings), tell=tell)


def source_amplitudes(settings: SimulationSettings) -> SourceAmplitudes:
    """Return what a perfect unmixing of the session's EEG would read.

    Cheap: no EEG is made. On level `confound` they are of the brain that BOLD knows
    nothing of.
    """
    if isinstance(settings, ForeignSettings):
        return foreign_amplitudes(settings)
    rois, twin = read_rois(), _of_twin(settings)
    return SourceActivity(twin, heard_brain(twin, rois), rois).amplitudes()


def _of_twin(settings: SimulationSettings) -> TwinSettings:
    if isinstance(settings, TwinSettings):
        return settings
    raise ConfigError(
        f"{type(settings).__name__} is nothing that can be simulated, "
        "expected TwinSettings or ForeignSettings"
    )


def heard_brain(settings: TwinSettings, rois: tuple[Roi, ...]) -> Brain:
    """Return the brain that the EEG's rhythms follow.

    On level `confound` it is one that BOLD knows nothing of.
    """
    whose = "brain" if settings.parameters.neural_eeg else "decoy"
    return draw_brain(settings, rois, whose)


def _simulate_twin(settings: TwinSettings, *, tell: Tell) -> SimulatedRecording:
    rois = read_rois()
    cause, heard = draw_brain(settings, rois, "brain"), heard_brain(settings, rois)
    body = draw_body(settings, heard.arousal)
    bold = simulate_bold(settings, cause.drive, body)
    tell(DRAWN)
    return SimulatedRecording(
        settings=settings,
        eeg_uv=_eeg_uv(settings, heard, body, tell=tell),
        rate_hz=BASE_RATE_HZ,
        channels=channels_of(settings, with_index=False),
        volume_onsets_s=volume_onsets_s(settings),
        bold=bold.measured,
        bold_truth=bold.neural,
        roi_names=tuple(roi.name for roi in rois),
        declared_rois=DECLARED_ROIS if settings.parameters.declared_share else (),
        drive=cause.drive,
        drive_t_s=slow_times_s(settings.duration_s),
        arousal=cause.arousal,
        body=body,
    )


def _eeg_uv(
    settings: TwinSettings, brain: Brain, body: Body, *, tell: Tell = nobody
) -> Float32Array:
    """Return all channels in the settings' order."""
    field = read_leadfield()
    rows = field.rows(electrodes_of(settings))
    eeg_uv = _neural_uv(settings, brain, field=field, rows=rows, tell=tell)
    scene = Scene(settings, field.positions_m[rows], body, brain.arousal)
    if settings.parameters.artefacts > 0:
        add_artefacts(eeg_uv, scene)
    tell(SOILED)
    eeg_uv = _worn(eeg_uv, settings, field.positions_m[rows])
    eeg_uv = _referenced(eeg_uv, settings)
    noise = scene.rng("amplifier").standard_normal(eeg_uv.shape, dtype=np.float32)
    eeg_uv += np.float32(AMPLIFIER_UV) * noise
    if ECG not in settings.channels:
        return eeg_uv
    return np.insert(eeg_uv, settings.channels.index(ECG), ecg_uv(scene), axis=0)


def steady_eeg_uv(settings: TwinSettings, *, arousal: float) -> Float32Array:
    """Return EEG of a brain whose state does not change; its ends meet, for a loop.

    (channels, samples) at 200 Hz against the settings' reference, without artefacts.

    Parameters
    ----------
    arousal : of the whole time, sd of a session's; alpha grows with it, theta shrinks.
    """
    rois, n = read_rois(), slow_times_s(settings.duration_s).size
    still = np.zeros((len(rois), n))
    brain = Brain(still, still, still, np.full(n, arousal))
    field = read_leadfield()
    rows = field.rows(electrodes_of(settings))
    return _referenced(_neural_uv(settings, brain, field=field, rows=rows), settings)


def simulate_moved(
    settings: TwinSettings, move: Callable[[Brain], Brain]
) -> Float32Array:
    """Return the session's EEG at 200 Hz, of its brain as `move` changes it.

    Head, carriers, noise and artefacts are those of the settings.
    """
    heard = heard_brain(settings, read_rois())
    return _eeg_uv(settings, move(heard), draw_body(settings, heard.arousal))


def electrodes_of(settings: TwinSettings) -> tuple[str, ...]:
    """Return the EEG channels, then the reference electrode if there is one."""
    if settings.reference.lower() == "average":
        return settings.eeg_labels
    return (*settings.eeg_labels, settings.reference)


def _worn(
    eeg_uv: Float32Array, settings: TwinSettings, positions_m: FloatArray
) -> Float32Array:
    """Return what electrodes read that sit beside their places, each at its own gain.

    The potential between the places is interpolated by Gaussian kernels.
    """
    level = settings.parameters
    if not (level.cap_shift_m or level.gain_sd):
        return eeg_uv
    mixing = worn_mixing(settings, positions_m).astype(np.float32)
    return np.asarray(mixing @ eeg_uv)


def worn_mixing(settings: TwinSettings, positions_m: FloatArray) -> FloatArray:
    """Return (electrodes, electrodes): what the cap makes of the potential."""
    level, rng = settings.parameters, generator(settings.seed, "cap")
    if not (level.cap_shift_m or level.gain_sd):
        return np.eye(len(positions_m))
    sat = positions_m + level.cap_shift_m * rng.standard_normal(positions_m.shape)
    known = _kernel(positions_m, positions_m) + 1e-3 * np.eye(len(positions_m))
    mixing = np.linalg.solve(known, _kernel(positions_m, sat)).T
    mixing *= np.exp(level.gain_sd * rng.standard_normal((len(sat), 1)))
    return np.asarray(mixing)


def _kernel(a_m: FloatArray, b_m: FloatArray) -> FloatArray:
    apart_m = np.linalg.norm(a_m[:, None] - b_m[None], axis=2)
    return np.asarray(np.exp(-0.5 * (apart_m / KERNEL_M) ** 2))


def _referenced(eeg_uv: Float32Array, settings: TwinSettings) -> Float32Array:
    if settings.reference.lower() == "average":
        average: Float32Array = eeg_uv - eeg_uv.mean(axis=0, keepdims=True)
        return average
    referenced: Float32Array = eeg_uv[:-1] - eeg_uv[-1:]
    return referenced


def _neural_uv(
    settings: TwinSettings,
    brain: Brain,
    *,
    field: LeadField,
    rows: list[int],
    tell: Tell = nobody,
) -> Float32Array:
    """Return (electrodes, samples), scaled so that the referenced RMS is 10-15 uV."""
    rng = generator(settings.seed, "head")
    jitter = settings.parameters.orientation_jitter
    gain = oriented(field, rng, jitter=jitter)[rows].astype(np.float32)
    n = round(settings.duration_s * BASE_RATE_HZ)
    eeg = np.zeros((len(rows), n), np.float32)
    first = 0
    for sources in SourceActivity(settings, brain, read_rois()).groups():
        eeg += gain[:, first : first + len(sources)] @ sources
        first += len(sources)
        tell(DRAWN + (SUMMED - DRAWN) * first / gain.shape[1])
    rms = float(np.sqrt(np.mean(np.square(_referenced(eeg, settings)))))
    eeg *= np.float32(rng.uniform(10.0, 15.0) / rms)
    return eeg


# A twin session as files: BrainVision EEG with volume triggers, BOLD and truth as TSV.
#
# The folder says of itself that it is simulated. It is written under a temporary name
# and moved into place, so nothing half-written is ever found under its own.


def write_session(settings: SimulationSettings, folder: Path) -> Path:
    """Simulate a session and write it; return the folder.

    Files: ``eeg.vhdr`` (with ``.eeg``, ``.vmrk``; marker R128 at the sample nearest to
    each volume's onset), ``bold.tsv`` (measured), ``truth.tsv`` (its neural part),
    ``simulated.json`` (the settings).

    Raises
    ------
    ConfigError
        The folder exists.
    DataFileError
        pybv is not installed, or the folder cannot be written.
    """
    if folder.exists():
        raise ConfigError(f"{folder} exists; name a folder that does not, or remove it")
    recording = simulate(settings)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".rtbold-", dir=folder.parent))
    except OSError as error:
        raise DataFileError(
            f"cannot write beside {folder}: {error.strerror}; choose another folder"
        ) from error
    try:
        _write_eeg(recording, temporary)
        _write_table(temporary / "bold.tsv", recording.roi_names, recording.bold)
        _write_table(temporary / "truth.tsv", recording.roi_names, recording.bold_truth)
        facts = {"simulated": True, **asdict(settings)}
        (temporary / simulated_note.NAME).write_text(json.dumps(facts, indent=1) + "\n")
        temporary.chmod(0o755)  # mkdtemp's 0700 is for secrets
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _write_eeg(recording: SimulatedRecording, folder: Path) -> None:
    try:
        import pybv
    except ModuleNotFoundError as error:
        raise DataFileError(
            "writing BrainVision needs pybv, which is not installed: "
            f"{pip_install('files')}"
        ) from error
    onsets = np.rint(recording.volume_onsets_s * recording.rate_hz).astype(int)
    pybv.write_brainvision(
        data=recording.eeg_uv.astype(np.float64) * 1e-6,  # pybv takes volts
        sfreq=recording.rate_hz,
        ch_names=[channel.label for channel in recording.channels],
        ref_ch_names=recording.settings.reference,
        fname_base="eeg",
        folder_out=folder,
        events=[
            {"onset": int(onset), "duration": 1, "description": 128, "type": "Response"}
            for onset in onsets
        ],
        unit="µV",
        fmt="binary_float32",
    )


def _write_table(path: Path, rois: tuple[str, ...], rows: FloatArray) -> None:
    lines = ["\t".join(rois)]
    lines += ["\t".join(f"{value:.6g}" for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
