"""mne-realtime's MockLSLStream feeds a session: volts that it calls otherwise."""

import multiprocessing

import numpy as np
import pytest
from bundles import CHANNELS, ROIS, tiny_weights, write_tiny
from loop import PATIENCE_S, Listener, Rtbold, free_ports, new_name

pytestmark = [pytest.mark.integration, pytest.mark.realtime]
RATE_HZ = 250
TR_S = 2.1
SECONDS = 28.0
NOISE_UV = 15.0


@pytest.fixture
def mock_stream(monkeypatch):
    """Stream ten seconds of noise of EEG size, in volts, over and over."""
    mne = pytest.importorskip("mne")
    mne_realtime = pytest.importorskip("mne_realtime")
    noise = np.random.default_rng(7).standard_normal((len(CHANNELS), 10 * RATE_HZ))
    info = mne.create_info(list(CHANNELS), RATE_HZ, "eeg")
    raw = mne.io.RawArray(NOISE_UV * 1e-6 * noise, info, verbose="error")
    # A forked child would inherit this process's pipes and threads.
    spawn = multiprocessing.get_context("spawn")
    monkeypatch.setattr(mne_realtime.mock_lsl_stream, "Process", spawn.Process)
    with mne_realtime.MockLSLStream(new_name("mock"), raw, "eeg") as stream:
        yield stream
    stream.process.join(5)


def test_a_session_predicts_from_its_volts(mock_stream, tmp_path):
    ports, bundle = free_ports(), write_tiny(tmp_path)
    with (
        Listener(ports[0]) as listener,
        Rtbold(
            "run", "--model", bundle.path, "--stream", "MNE", "--unit", "V",
            "--tr", TR_S, "--wait", PATIENCE_S, "--allow-simulated-model",
            "--duration", SECONDS, "--port", ports[0], "--control-port", ports[1],
        ) as running,
    ):  # fmt: skip
        listener.while_running(running, SECONDS + 2 * PATIENCE_S)
        assert running.wait(1) == 0, running.said()
    volumes = [m for m in listener.of("pred.roi") if m["volume_index"] is not None]
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
