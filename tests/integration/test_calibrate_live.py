"""``calibrate --live`` on the twin: recorded files hold the volumes that were scanned.

The scan is ended after half a minute by Ctrl-C, so that the fit refuses it: too short.
"""

import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from loop import PATIENCE_S, Rtbold, new_name, twin

from rtbold.calibration.inputs.alignment import Pairing, align
from rtbold.calibration.inputs.bold import read_bold
from rtbold.calibration.inputs.eeg import read_eeg
from rtbold.calibration.inputs.triggers import MarkerChoice
from rtbold.calibration.live.scan import LiveScan, live_pairing
from rtbold.sim.settings import ECG, NEUROBOLT_CHANNELS, TwinSettings
from rtbold.sim.twin import simulate_base

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
SECONDS = 30.0
SEED = 4711


@dataclass
class Live:
    """What was said and recorded."""

    exit_code: int
    said: str
    folder: Path


def live_scan(root):
    name = new_name("live")
    seconds = SECONDS + 3 * PATIENCE_S
    with (
        twin(name, duration_s=seconds, seed=SEED),
        Rtbold(
            "calibrate", "--live", "--subject", "L01", "--cleaning", "none",
            "--stream", f"{name}-eeg", "--trigger-stream", f"{name}-markers",
            "--trigger", "R128", "--bold-source", f"lsl:{name}-bold",
            "--record", root / "rec", "--root", root / "subjects",
            "--target", "Putamen", "--wait", PATIENCE_S, "--phases", "eyes open:1000",
        ) as running,
    ):  # fmt: skip
        end_s = time.monotonic() + 2 * PATIENCE_S
        while "phase 1 of 1" not in running.said():
            assert time.monotonic() < end_s, running.said()
            assert running.running, running.said()
            time.sleep(0.2)
        time.sleep(SECONDS)
        running.process.send_signal(signal.SIGINT)
        exit_code = running.wait(2 * PATIENCE_S)
        said = running.said()
    (folder,) = (root / "rec" / "sub-L01" / "ses-01" / "eeg").iterdir()
    return Live(exit_code, said, folder)


TOGETHER = {live_scan: SECONDS}


@pytest.fixture
def live(together):
    return together(live_scan)


def test_what_is_too_short_is_refused_and_the_files_stay(live):
    assert live.exit_code == 1, live.said
    assert "usable volumes" in live.said
    assert "volumes with a whole EEG window, expected at least" in live.said
    assert "EYES OPEN" in live.said
    assert "Traceback" not in live.said


def test_the_files_hold_the_volumes_that_were_scanned(live):
    (xdf,) = live.folder.glob("*_eeg.xdf")
    (tsv,) = live.folder.glob("*_bold.tsv")
    bold = read_bold(tsv)
    first, last = int(bold.volume_index[0]), int(bold.volume_index[-1])
    assert last - first + 1 == len(bold) >= SECONDS / 2.1 - 2
    scan = LiveScan(eeg=xdf, bold=tsv, first=first, last=last, n_usable=0)
    marker = MarkerChoice("R128")
    pairing = live_pairing(scan, Pairing(tr_s=2.1, marker=marker))
    eeg = read_eeg(xdf)
    alignment = align(eeg, bold, pairing)
    assert alignment.n_missed == alignment.n_without_row == 0
    paired = slice(first, last + 1 - pairing.drop_last_volumes)
    assert pairing.drop_last_volumes <= 1
    settings = TwinSettings(
        seed=SEED,
        level="hard",
        duration_s=SECONDS + 3 * PATIENCE_S,
        channels=(*NEUROBOLT_CHANNELS, ECG),
    )
    made = simulate_base(settings)
    np.testing.assert_array_equal(bold.values, made.bold[first : last + 1])
    # the volume's onset in the recorded EEG is where the twin put it
    since_first_s = alignment.onsets_s - alignment.onsets_s[0]
    expected_s = made.volume_onsets_s[paired] - made.volume_onsets_s[first]
    np.testing.assert_allclose(since_first_s, expected_s, atol=0.002)
