"""BIOT answers as the authors' code did, and its encoder has the published names."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.models.biot import Biot, BiotConfig, scale_by_quantile  # noqa: E402

DATA = Path(__file__).parent / "data"
GOLDEN = json.loads((DATA / "biot_golden.json").read_text())
CHANNELS = tuple(f"E{i}" for i in range(18))  # BIOT needs no positions
NOT_DRAWN = {"biot.index", "biot.positional_encoding.pe"}


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("g", DATA / "neurobolt_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(generator):
    network = Biot(BiotConfig(channels=CHANNELS, n_rois=2)).eval()
    state = {
        name: torch.from_numpy(generator.tensor(name, tuple(value.shape)))
        for name, value in network.state_dict().items()
        if name not in NOT_DRAWN
    }
    missing, _ = network.load_state_dict(state, strict=False)
    assert set(missing) == NOT_DRAWN
    return network


def test_names_and_shapes_are_the_published_ones(model):
    ours = {
        name: [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for name, value in model.state_dict().items()
    }
    assert ours == GOLDEN["names"]


def test_golden_values(generator, model):
    with torch.inference_mode():
        bold = model(torch.from_numpy(generator.eeg_uv(len(CHANNELS)))).numpy()
    error = np.abs(bold - GOLDEN["bold"])
    assert np.all(error <= 1e-4 * np.maximum(1, np.abs(GOLDEN["bold"])))


def test_scale_is_numpys_quantile(generator):
    x = generator.eeg_uv(3, n_windows=2)
    quantile = np.quantile(np.abs(x), 0.95, axis=-1, keepdims=True)
    scaled = scale_by_quantile(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(scaled, x / quantile, rtol=1e-5)


def test_published_scale_hears_no_loudness_but_the_fixed_one_does(generator):
    x = torch.from_numpy(generator.eeg_uv(18, n_windows=1))
    for normalisation, hears in (("p95", False), ("fixed", True)):
        torch.manual_seed(0)
        config = BiotConfig(channels=CHANNELS, normalisation=normalisation)
        network = Biot(config).eval()
        with torch.inference_mode():
            change = (network.features(3 * x) - network.features(x)).abs().max()
        assert bool(change > 1e-3) is hears
