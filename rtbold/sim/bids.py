"""A simulated session as one scan of a BIDS data set, labelled as simulated.

EEG with its volume triggers stands where BIDS has it. BOLD is there as ROI series,
because no image was simulated: a derivative, as labs keep them.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from rtbold.files import (
    BidsRecording,
    BidsTable,
    BidsTexts,
    check_free,
    check_target,
    write_bids,
)
from rtbold.run_names import RunName
from rtbold.sim.recording import SimulatedRecording
from rtbold.sim.settings import ForeignSettings, SimulationSettings
from rtbold.sim.twin import simulate

TASK: Final = "rest"
MARKER: Final = "R128"  # of each volume
PARCELS: Final = "DiFuMo64"
_TEXTS: Final = BidsTexts(
    "Simulated EEG, and BOLD of simulated regions, for trying out what reads EEG-fMRI. "
    "It says nothing about brains.\n\n"
    "derivatives/rtbold holds the BOLD: ROI time series, one row per volume.\n",
    "ROI time series of simulated BOLD, one row per volume, with the noise, drift and "
    "body of a measurement. No image was simulated.\n",
    name="EEG and BOLD",
    derivative_name="SIMULATED BOLD of regions",
)


def write_scan(
    settings: SimulationSettings, root: Path, *, subject: str
) -> tuple[Path, ...]:
    """Simulate a session and add it to the BIDS data set in `root`.

    Parameters
    ----------
    subject : the code that the data set has for whom the seed makes.

    Returns
    -------
    The files, relative to `root`.

    Raises
    ------
    ConfigError : `root` holds something else, or this subject's scan already.
    RtboldError : MNE-BIDS is missing, or the folder cannot be written.
    """
    session = settings.session if isinstance(settings, ForeignSettings) else 1
    name = RunName(subject, f"{session:02d}", TASK, 1)
    check_target(root)
    check_free(root, name)  # before the work
    return write_bids(root, [_scan(simulate(settings), name)], _TEXTS)


def _scan(recording: SimulatedRecording, name: RunName) -> BidsRecording:
    settings = recording.settings
    samples = np.rint(recording.volume_onsets_s * recording.rate_hz).astype(int)
    made_by = {"Simulated": True, "SimulatedFrom": asdict(settings)}
    return BidsRecording(
        name=name,
        data_uv=recording.eeg_uv,
        rate_hz=recording.rate_hz,
        channels=recording.channels,
        events=_triggers(samples.tolist(), recording.rate_hz),
        sidecar=_sidecar(recording),
        line_hz=settings.mains_hz,
        simulated=True,
        reference=settings.reference,
        markers=tuple((sample, MARKER) for sample in samples.tolist()),
        bold=BidsTable(
            dict(zip(recording.roi_names, recording.bold.T.tolist(), strict=True)),
            {},
            {
                "RepetitionTime": settings.tr_s,
                "SamplingFrequency": 1 / settings.tr_s,
                **made_by,
            },
        ),
        parcels=PARCELS,
    )


def _triggers(samples: list[int], rate_hz: float) -> BidsTable:
    meaning: dict[str, Mapping[str, object]] = {
        "onset": {"Description": "from the first sample", "Units": "s"},
        "duration": {"Description": "0: a moment", "Units": "s"},
        "trial_type": {
            "Description": "what happened",
            "Levels": {"volume": "the scanner began a volume"},
        },
        "value": {"Description": "label of the trigger"},
        "sample": {"Description": "the nearest sample, from 0"},
    }
    return BidsTable(
        {
            "onset": [round(sample / rate_hz, 6) for sample in samples],
            "duration": [0.0] * len(samples),
            "trial_type": ["volume"] * len(samples),
            "value": [MARKER] * len(samples),
            "sample": samples,
        },
        meaning,
    )


def _sidecar(recording: SimulatedRecording) -> dict[str, object]:
    settings = recording.settings
    return {  # the keys of the standard alone: some validators know no others
        "TaskName": TASK,
        "TaskDescription": f"SIMULATED: no brain made this EEG. By: {settings.title}.",
        "EEGReference": settings.reference,
        "RecordingDuration": settings.duration_s,
        "PowerLineFrequency": settings.mains_hz,
        "SoftwareFilters": "n/a",
        "HardwareFilters": "n/a",
        "Manufacturer": "n/a",
        "EEGPlacementScheme": "n/a",
    }
