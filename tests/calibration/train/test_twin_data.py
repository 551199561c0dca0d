import msgspec
import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.lineage import TRAINING_N, lineage_of_training
from rtbold.calibration.train import demo, finish
from rtbold.calibration.train.dataset import TwinScans
from rtbold.models.linear import BandPowerRidge, BandPowerRidgeConfig
from rtbold.models.published.checkpoints import read_checkpoint

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


def test_a_cache_from_before_marks_is_read_without(made, tmp_path):
    (file,) = made.cache.iterdir()
    with np.load(file) as arrays:
        older = {name: arrays[name] for name in ("eeg_uv", "first", "bold", "onsets_s")}
    np.savez(tmp_path / file.name, **older)
    twin = TwinScans(made.level, made.duration_s, made.card, tmp_path)
    found = twin.read(SEED)
    assert found.seen is None
    np.testing.assert_array_equal(found.bold, made.read(SEED).bold)


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
