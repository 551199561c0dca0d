"""A scan of the twin as a stranger has it: an XDF with markers, and a table of BOLD."""

import sys
from functools import cache
from pathlib import Path

import numpy as np

from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import simulate

sys.path.append(str(Path(__file__).parents[1] / "rtbold" / "io"))
from xdf_writer import write_xdf

CHANNELS = ("Fp1", "Fp2", "C3", "C4", "P3", "P4", "O1", "O2")
T0_S = 1000.0  # on the recorder's clock
ROIS = (  # of the atlas, by network; the twin's `easy` level couples all
    "Cuneus", "Putamen", "Heschl's gyrus",
)  # fmt: skip
_SIMULATED = "<rtbold><simulated>true</simulated></rtbold>"
_REFERENCE = "<reference><label>FCz</label></reference>"


@cache
def make_scan(seed=2060, *, level="easy", duration_s=480.0, channels=CHANNELS):
    """Return the simulated session; the same again for whoever asks: do not write."""
    return simulate(
        TwinSettings(seed=seed, level=level, duration_s=duration_s, channels=channels)
    )


def write_scan(folder, twin, *, simulated=True, markers=None, eeg_uv=None, name="S"):
    """Write ``NAME.xdf`` and ``NAME.tsv``; return both paths.

    Parameters
    ----------
    markers : onsets of the volume markers, seconds; None: as simulated.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = (twin.eeg_uv if eeg_uv is None else eeg_uv).T.astype("f4")
    onsets_s = twin.volume_onsets_s if markers is None else markers
    eeg = {
        "name": "EEG", "type": "EEG", "rate": 200, "unit": "microvolts",
        "labels": [channel.label for channel in twin.channels],
        "values": np.ascontiguousarray(values), "chunk": 2000,
        "stamps": T0_S + np.arange(len(values)) / 200,
        "desc": (_SIMULATED if simulated else "") + _REFERENCE,
    }  # fmt: skip
    streams = [eeg]
    if len(onsets_s):
        streams.append(
            {
                "name": "M", "type": "Markers", "rate": 0,
                "values": ["R128"] * len(onsets_s),
                "stamps": T0_S + np.asarray(onsets_s),
            }
        )  # fmt: skip
    xdf, tsv = folder / f"{name}.xdf", folder / f"{name}.tsv"
    write_xdf(xdf, streams)
    write_bold(tsv, twin.roi_names, twin.bold)
    return xdf, tsv


def write_bold(path, names, rows):
    """Write a table of BOLD."""
    lines = ["\t".join(names)]
    lines += ["\t".join(f"{value:.6g}" for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
