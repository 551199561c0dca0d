"""``rtbold play`` as a process of its own, heard through a plain inlet."""

import signal
import subprocess
import sys
import uuid

import numpy as np
import pylsl
import pytest

from rtbold.acquire.describe import describe_stream
from rtbold.cli.play import play
from rtbold.errors import ConfigError, DataFileError

pytestmark = [pytest.mark.integration, pytest.mark.realtime]  # it waits

RATE_HZ = 250
DATA_UV = np.round(np.random.default_rng(4).normal(0, 40, (2, 5000)), 1)
COMMAND = "import typer; from rtbold.cli.play import play; typer.run(play)"


@pytest.fixture
def edf(tmp_path):
    import edfio

    signals = [
        edfio.EdfSignal(
            row, RATE_HZ, label=label, physical_dimension="uV",
            physical_range=(-300, 300),
        )
        for label, row in zip(("Fp1", "ECG"), DATA_UV, strict=True)
    ]  # fmt: skip
    path = tmp_path / "rest.edf"
    edfio.Edf(signals, annotations=[edfio.EdfAnnotation(1.5, None, "eyes")]).write(path)
    return path


def pull(inlet, n_samples):
    values, stamps = [], []
    end_s = pylsl.local_clock() + 10
    while len(stamps) < n_samples and pylsl.local_clock() < end_s:
        some, times = inlet.pull_chunk(timeout=0.1)
        values += some
        stamps += times
    return values, np.array(stamps)


def test_a_recording_is_heard_sample_by_sample_with_its_markers(edf):
    name = f"play-{uuid.uuid4().hex[:8]}"
    arguments = [edf, "--name", name, "--start", "1", "--duration", "3", "--wait", "10"]
    triggers = ["--trigger-every-s", "0.5", "--reference", "FCz"]
    command = [sys.executable, "-c", COMMAND, *arguments, *triggers]
    player = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        (marker_info,) = pylsl.resolve_byprop("name", f"{name}-markers", timeout=15)
        markers = pylsl.StreamInlet(marker_info, recover=False)
        markers.open_stream(10)
        (info,) = pylsl.resolve_byprop("name", name, timeout=10)
        inlet = pylsl.StreamInlet(info, recover=False)
        xml = inlet.info(5.0).as_xml()
        values, stamps = pull(inlet, 3 * RATE_HZ)
        labels, times = pull(markers, 7)
    finally:
        out, _ = player.communicate(timeout=20)
    assert player.returncode == 0
    assert f"played {3 * RATE_HZ} samples and 7 markers" in out
    assert "<simulated>false</simulated>" in xml
    assert "artificial, not the scanner" in xml
    described = describe_stream(xml)
    assert described.reference == "FCz"
    assert [(c.label, c.kind) for c in described.channels] == [
        ("Fp1", "eeg"), ("ECG", "ecg"),
    ]  # fmt: skip
    received = np.array(values).T
    expected_uv = DATA_UV[:, RATE_HZ : 4 * RATE_HZ]
    np.testing.assert_allclose(received, expected_uv, atol=0.01)
    np.testing.assert_allclose(np.diff(stamps), 1 / RATE_HZ, atol=1e-9)
    assert [label for (label,) in labels] == ["R128", "eyes", *["R128"] * 5]
    onsets_s = times - stamps[0]
    np.testing.assert_allclose(onsets_s, [0, 0.5, 0.5, 1, 1.5, 2, 2.5], atol=1e-9)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM for a child there")
def test_a_looping_player_ends_politely(edf):
    name = f"play-{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-c", COMMAND, edf, "--name", name, "--duration", "1"]
    player = subprocess.Popen([*command, "--loop"], stdout=subprocess.PIPE, text=True)
    try:
        (info,) = pylsl.resolve_byprop("name", name, timeout=15)
        _, stamps = pull(pylsl.StreamInlet(info, recover=False), int(1.5 * RATE_HZ))
    finally:
        player.send_signal(signal.SIGTERM)
        out, _ = player.communicate(timeout=10)
    assert player.returncode == 0
    assert "played" in out
    assert len(stamps) >= 1.5 * RATE_HZ
    np.testing.assert_allclose(np.diff(stamps), 1 / RATE_HZ, atol=1e-9)


def test_bad_use_is_refused_before_anything_is_opened(edf, tmp_path):
    with pytest.raises(DataFileError, match="there is no file"):
        play(tmp_path / "none.edf")
    with pytest.raises(ConfigError, match="--duration"):
        play(edf, duration=-1.0)
    with pytest.raises(ConfigError, match="--start"):
        play(edf, start=1e6)
    with pytest.raises(ConfigError, match="2100 looks like ms"):
        play(edf, trigger_every_s=2100.0)
    with pytest.raises(ConfigError, match="of its own"):
        play(edf, trigger_every_s=2.1, trigger_label="eyes")
