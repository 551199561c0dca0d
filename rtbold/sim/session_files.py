"""A twin session as files: BrainVision EEG with volume triggers, BOLD and truth as TSV.

The folder says of itself that it is simulated. It is written under a temporary name and
moved into place, so nothing half-written is ever found under its own.
"""

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rtbold.errors import ConfigError, DataFileError
from rtbold.io import simulated_note
from rtbold.messages import FloatArray
from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import TwinRecording, simulate


def write_session(settings: TwinSettings, folder: Path) -> Path:
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


def _write_eeg(recording: TwinRecording, folder: Path) -> None:
    try:
        import pybv
    except ModuleNotFoundError as error:
        raise DataFileError(
            "writing BrainVision needs pybv, which is not installed: "
            "pip install 'rtbold[files]'"
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
