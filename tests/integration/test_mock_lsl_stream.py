"""mne-realtime's MockLSLStream feeds an acquisition; it calls volts FIFFB_ISOTRAK."""

import multiprocessing
import time
import uuid

import numpy as np
import pytest

from rtbold.acquire.acquisition import Acquisition, AcquisitionSettings
from rtbold.acquire.streams import StreamQuery, discover
from rtbold.clock import MonotonicClock
from rtbold.errors import StreamMismatch
from rtbold.messages import EegChunk

pytestmark = pytest.mark.integration
RATE_HZ = 250


@pytest.fixture
def mock_stream(monkeypatch):
    """Stream a ramp of 0 to 999 microvolts, over and over, as EEG in volts."""
    mne = pytest.importorskip("mne")
    mne_realtime = pytest.importorskip("mne_realtime")
    ramp = np.arange(1000) * 1e-6
    info = mne.create_info(["Cz", "Pz"], RATE_HZ, "eeg")
    raw = mne.io.RawArray(np.stack([ramp, -ramp]), info, verbose="error")
    # A forked child would inherit this process's pipes and threads.
    spawn = multiprocessing.get_context("spawn")
    monkeypatch.setattr(mne_realtime.mock_lsl_stream, "Process", spawn.Process)
    host = f"mock-{uuid.uuid4().hex[:12]}"
    with mne_realtime.MockLSLStream(host, raw, "eeg") as stream:
        found = discover(
            20.0, MonotonicClock(), lambda f: any(s.source_id == host for s in f)
        )
        assert any(s.source_id == host for s in found)
        yield stream
    stream.process.join(5)


def test_its_volts_arrive_as_microvolts(mock_stream):
    settings = AcquisitionSettings(query=StreamQuery(name="MNE"), unit="V")
    acquisition = Acquisition(settings)
    try:
        description = acquisition.start()
        assert [c.label for c in description.channels] == ["Cz", "Pz"]
        assert {c.kind for c in description.channels} == {"eeg"}
        chunks, end_s = [], time.monotonic() + 10
        while sum(c.data_uv.shape[1] for c in chunks) < 300:
            assert time.monotonic() < end_s
            chunks += [e for e in acquisition.events(0.05) if isinstance(e, EegChunk)]
    finally:
        acquisition.close()
    data = np.concatenate([c.data_uv for c in chunks], axis=1)
    expected = (data[0, 0] + np.arange(data.shape[1])) % 1000
    np.testing.assert_allclose(data[0], expected, atol=1e-3)
    np.testing.assert_array_equal(data[1], -data[0])


def test_its_unit_is_refused_unless_given(mock_stream):
    acquisition = Acquisition(AcquisitionSettings(query=StreamQuery(name="MNE")))
    with pytest.raises(StreamMismatch, match=r"FIFFB_ISOTRAK.*--unit"):
        acquisition.start()
