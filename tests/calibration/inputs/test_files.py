"""From the files of a scan to its windows, as a stranger has them."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("pybv")
pytest.importorskip("mne")

from rtbold.bundle.card import Card, Origin
from rtbold.calibration.datasets.scan import as_recording, conditioned
from rtbold.calibration.inputs.alignment import align
from rtbold.calibration.inputs.bold import read_bold
from rtbold.calibration.inputs.eeg import read_eeg
from rtbold.calibration.inputs.windows import scan_of
from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import simulate, write_session


def test_a_brainvision_file_and_a_table(tmp_path):
    # Onsets on the sample grid: the file marks volumes by sample
    twin = TwinSettings(seed=5003, duration_s=60.0, level="easy", first_volume_s=1.0)
    folder = write_session(twin, tmp_path / "scan")
    card = Card(
        name="t", architecture="none", channels=twin.channels, reference="average",
        tr_s=twin.tr_s, rois=("a",), scanner="simulated",
        origin=Origin(kind="simulated", simulated_lineage=True),
    )  # fmt: skip
    eeg, bold = read_eeg(folder / "eeg.vhdr"), read_bold(folder / "bold.tsv")
    alignment = align(eeg, bold)
    assert (alignment.marker.label, alignment.tr_from) == ("R128", "triggers")
    scan = scan_of(eeg, alignment, card)
    simulated = simulate(twin)
    np.testing.assert_allclose(scan.bold, simulated.bold, rtol=1e-4, atol=1e-4)
    recipe = conditioned(as_recording(simulated), card)  # settles a volume longer
    pairs = [
        (k, j)
        for k, t in enumerate(recipe.onsets_s)
        for j, volume in enumerate(scan.volume.tolist())
        if abs(t - scan.onsets_s[volume]) < 1e-6
    ]
    assert len(pairs) == len(recipe) >= 10
    theirs, ours = zip(*pairs, strict=True)
    np.testing.assert_allclose(
        recipe.windows_uv(theirs), scan.windows_uv(ours), atol=1e-3
    )


def test_reading_and_pairing_need_no_torch():
    code = (
        "import sys; import rtbold.calibration.inputs.lag, "
        "rtbold.calibration.inputs.bold; "
        "assert not {'torch', 'pandas', 'nilearn', 'mne'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
