"""mne-realtime's MockLSLStream feeds a session: volts that it calls otherwise."""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from bundles import CHANNELS, ROIS, tiny_weights, write_tiny
from loop import PATIENCE_S, Listener, Process, Rtbold, free_ports, new_name

pytestmark = [
    pytest.mark.integration,
    pytest.mark.realtime,
    pytest.mark.skipif(find_spec("mne_realtime") is None, reason="no mne-realtime"),
]
RATE_HZ = 250
TR_S = 2.1
SECONDS = 28.0
NOISE_UV = 15.0
MOCK = Path(__file__).parents[1] / "support" / "mock_stream.py"


def mock_session(root):
    ports, bundle = free_ports(), write_tiny(root)
    name = new_name("mock")
    line = [sys.executable, MOCK, name, RATE_HZ, NOISE_UV, *CHANNELS]
    with (
        Process([str(word) for word in line]),
        Listener(ports[0]) as listener,
        Rtbold(
            "run", "--model", bundle.path, "--stream", name, "--unit", "V",
            "--tr", TR_S, "--wait", PATIENCE_S, "--allow-simulated-model",
            "--duration", SECONDS, "--port", ports[0], "--control-port", ports[1],
        ) as running,
    ):  # fmt: skip
        listener.while_running(running, SECONDS + 2 * PATIENCE_S)
        assert running.wait(1) == 0, running.said()
        return listener.of("pred.roi")


TOGETHER = {mock_session: SECONDS}


def test_a_session_predicts_from_its_volts(together):
    volumes = [m for m in together(mock_session) if m["volume_index"] is not None]
    assert [m["volume_index"] for m in volumes] == list(range(len(volumes)))
    assert len(volumes) >= (SECONDS - 2 * TR_S) / TR_S
    usable = [m for m in volumes if m["values"] is not None]
    assert len(usable) >= 3
    assert {m["status"] for m in usable} == {"degraded"}
    assert all("amplitude" not in m["reasons"] for m in usable)
    # The model is log power times known weights, so that another unit would show:
    # white noise, of which the filter to 200 Hz leaves what is below about 90 Hz.
    power_uv2 = NOISE_UV**2 * 90 / (RATE_HZ / 2) * (1 - 1 / len(CHANNELS))
    expected = np.log(power_uv2) * tiny_weights(len(CHANNELS), len(ROIS)).sum(axis=0)
    values = np.array([m["values"] for m in usable])
    np.testing.assert_allclose(values, np.tile(expected, (len(values), 1)), atol=1.0)
