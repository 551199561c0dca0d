"""The published form answers as the published code did (its b51b966, eval mode)."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.models.montage import PUBLISHED_CHANNELS  # noqa: E402
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig  # noqa: E402

DATA = Path(__file__).parent / "data"
NOT_DRAWN = {"mss_module.index", "mss_module.positional_encoding.pe"}


@pytest.fixture(scope="module")
def generator():
    spec = importlib.util.spec_from_file_location("g", DATA / "neurobolt_golden.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def model(generator):
    network = NeuroBolt(NeuroBoltConfig()).eval()
    state = {
        name: torch.from_numpy(generator.tensor(name, tuple(value.shape)))
        for name, value in network.state_dict().items()
        if name not in NOT_DRAWN
    }
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert set(missing) == NOT_DRAWN
    assert not unexpected
    return network


def test_names_and_shapes_are_the_published_ones():
    published = json.loads((DATA / "neurobolt_checkpoint_keys.json").read_text())
    ours = {
        name: [list(value.shape), str(value.dtype).removeprefix("torch.")]
        for name, value in NeuroBolt(NeuroBoltConfig()).state_dict().items()
    }
    assert len(published) == 294
    assert ours == published


def test_channels_of_the_generator_are_ours(generator):
    assert tuple(generator.VU) == PUBLISHED_CHANNELS


def test_golden_values(generator, model):
    golden = json.loads((DATA / "neurobolt_golden.json").read_text())["bold"]
    windows = torch.from_numpy(generator.eeg_uv(len(PUBLISHED_CHANNELS)))
    with torch.inference_mode():
        bold = model(windows).numpy()
    error = np.abs(bold - golden)
    assert np.all(error <= 1e-4 * np.maximum(1, np.abs(golden)))
