import subprocess
import sys
import time
import uuid

import numpy as np
import pytest

pytestmark = [pytest.mark.integration, pytest.mark.realtime]  # it waits
SIMULATE = "import typer; from rtbold.cli.simulate import simulate; typer.run(simulate)"


@pytest.fixture
def twin():
    """A twin in a process of its own, and the name of its streams."""
    name = f"twin-{uuid.uuid4().hex[:8]}"
    options = "--duration 30 --rate 500 --sample-index --wait-for-consumers 20"
    child = subprocess.Popen(
        [sys.executable, "-c", SIMULATE, "--name", name, *options.split()],
        stderr=subprocess.PIPE,
        text=True,
    )
    yield name, child
    child.kill()
    child.communicate()


def opened(name):
    import pylsl

    (info,) = pylsl.resolve_byprop("name", name, timeout=20)
    inlet = pylsl.StreamInlet(info, recover=False)
    inlet.open_stream(timeout=10)
    return inlet


def pulled(inlets, seconds):
    """Return {name: (values, stamps)} of what came within so many seconds."""
    until_s = time.monotonic() + seconds
    got = {name: ([], []) for name in inlets}
    while time.monotonic() < until_s:
        for name, inlet in inlets.items():
            values, stamps = inlet.pull_chunk(timeout=0.05, max_samples=5000)
            got[name][0].extend(values)
            got[name][1].extend(stamps)
    return got


def test_three_streams_tell_one_story_and_end_on_request(twin):
    from rtbold.acquire.describe import describe_stream

    name, child = twin
    # The EEG inlet last: the play begins when it is there.
    inlets = {part: opened(f"{name}-{part}") for part in ("markers", "bold", "eeg")}
    stream = describe_stream(inlets["eeg"].info().as_xml())
    assert stream.simulated
    assert stream.reference == "FCz"
    assert [c.label for c in stream.channels][-2:] == ["ECG", "SAMPLE_INDEX"]
    got = pulled(inlets, 6.0)

    samples = np.array(got["eeg"][0])
    stamps_s = np.array(got["eeg"][1])
    first = samples[0, -1]
    np.testing.assert_array_equal(samples[:, -1], first + np.arange(len(samples)))
    start_s = stamps_s[0] - first / 500
    np.testing.assert_allclose(stamps_s, start_s + samples[:, -1] / 500, atol=1e-6)
    assert [v[0] for v in got["markers"][0]] == ["R128"] * len(got["markers"][0])
    onsets_s = start_s + 1.0025 + 2.1 * np.arange(len(got["markers"][1]))
    np.testing.assert_allclose(got["markers"][1], onsets_s, atol=1e-6)
    assert len(got["bold"][0]) >= 1
    volumes = [int(values[0]) for values in got["bold"][0]]
    np.testing.assert_allclose(got["bold"][1], onsets_s[volumes], atol=1e-6)

    for inlet in inlets.values():
        inlet.close_stream()
    child.terminate()
    assert child.wait(timeout=10) == 0
    assert "played" in child.stderr.read()
