import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.datasets.scan import as_recording, conditioned
from rtbold.calibration.lineage import TRAINING_N, lineage_of_training
from rtbold.calibration.train import demo, finish
from rtbold.calibration.train.dataset import TwinScans
from rtbold.models.linear import BandPowerRidge, BandPowerRidgeConfig
from rtbold.models.published.checkpoints import read_checkpoint

pytestmark = pytest.mark.heavy

SEED = 2990


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    twin = TwinScans("easy", 120.0, demo.demo_card(), folder)
    twin.ensure(SEED)
    return twin


def test_a_cached_scan_keeps_its_marks(made):
    seen = made.read(SEED).seen
    assert len(seen.eeg) == len(seen.bold) == 8 * TRAINING_N  # base64 of six bytes


def test_targets_are_in_the_scanners_unit_and_the_eeg_is_the_twins(made):
    scan, twin = made.read(SEED), made.recording(SEED)
    again = conditioned(as_recording(twin), made.card)
    np.testing.assert_array_equal(scan.windows_uv([0, 9]), again.windows_uv([0, 9]))
    np.testing.assert_array_equal(scan.first, again.first)
    np.testing.assert_allclose(scan.bold, again.bold, atol=1e-5)


def test_scans_are_made_once_by_several_processes(made):
    (entry,) = (made.cache / "easy-120s" / "scans").iterdir()
    before = entry.stat().st_mtime_ns
    scans = made.make([SEED, SEED], n_processes=1)
    assert [len(scan) for scan in scans] == [len(made.read(SEED))] * 2
    assert entry.stat().st_mtime_ns == before


def test_a_trained_bundle_carries_its_lineage(made, tmp_path, monkeypatch):
    monkeypatch.setattr(finish, "to_onnx", lambda *_, **__: b"graph")
    lineage = lineage_of_training([made.read(SEED).seen])
    card = msgspec.structs.replace(made.card, lineage=lineage)
    model = BandPowerRidge(
        BandPowerRidgeConfig(channels=demo.CHANNELS, n_rois=len(card.rois))
    )
    windows = demo.check_windows([made.read(SEED)])
    written = demo.write_demo(
        tmp_path / "t.rtbold", card, model, check_uv=windows, created="2026-11-29"
    )
    assert written.card.lineage == lineage
    weights = read_checkpoint(written.file("weights.safetensors"))
    assert weights.lineage == lineage
