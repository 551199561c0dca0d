"""A calibration's windows are the live pipeline's, bit for bit."""

import functools
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pipeline_rig as rig
import pytest
import xdf_writer
from hypothesis import given, settings, strategies as st

from rtbold.calibration.inputs.alignment import Pairing, align
from rtbold.calibration.inputs.bold_series import BoldSeries
from rtbold.calibration.inputs.eeg import EegRecording, TimedMarker, read_eeg
from rtbold.calibration.inputs.windows import WindowSettings, pipeline_settings, scan_of
from rtbold.clock import HandCrankedClock
from rtbold.errors import DataFileError, StreamMismatch
from rtbold.files import events as recording_module
from rtbold.files.recording import Recording
from rtbold.messages import ClockOffset, EegChunk, Marker, StreamChanged
from rtbold.predict.ood import OodResult
from rtbold.predict.pipeline import Pipeline, compared
from rtbold.record.events_log import EventLogWriter

pytestmark = pytest.mark.heavy

SECONDS = 48.0
FIRST_S = 1.0037  # of the triggers, after the first sample
OFFSET_S = 0.25  # of the sender's clock
CARD = rig.card()


def onsets_s(seconds=SECONDS, first_s=FIRST_S):
    return first_s + rig.TR_S * np.arange(int((seconds - first_s) / rig.TR_S) + 1)


def series(n, **changes):
    rng = np.random.default_rng(5)
    known = {"name": "b.tsv", "rois": ("a", "b"), "values": rng.standard_normal((n, 2))}
    return BoldSeries(**{**known, **changes})


def made(data_uv, rate_hz, *, stamps_s=None, onsets=None):
    """A recording in memory; stamps and markers on one clock."""
    onsets = onsets_s() if onsets is None else onsets
    t0_s = 0.0 if stamps_s is None else float(stamps_s[0])
    recording = Recording(
        data_uv=data_uv,
        rate_hz=rate_hz,
        channels=rig.stream(rate_hz).channels,
        stamps_s=stamps_s,
    )
    markers = tuple(TimedMarker("R128", t0_s + float(t)) for t in onsets)
    return EegRecording(Path("eeg.vhdr"), recording, markers)


def scan_from(eeg, bold=None, **changes):
    bold = series(len(onsets_s())) if bold is None else bold
    alignment = align(eeg, bold, Pairing(tr_s=rig.TR_S))
    return scan_of(eeg, alignment, CARD, settings=WindowSettings(**changes))


def live_windows(events, eeg, bold):
    """What a session hands to its engine, by volume."""
    alignment = align(eeg, bold, Pairing(tr_s=rig.TR_S))
    known = pipeline_settings(eeg, alignment, CARD, WindowSettings())
    engine = rig.RecordingModel()
    pipe = Pipeline(CARD, engine, known)
    predictions = rig.run(
        pipe, rig.stream(eeg.recording.rate_hz, simulated=False), events
    )
    used = [a.tick.volume_index for a in predictions if a.values is not None]
    return dict(zip(used, engine.windows, strict=True))


@pytest.mark.parametrize("rate_hz", [200.0, 500.0, 1000.0, 5000.0])
def test_windows_are_what_a_session_hands_to_its_engine(tmp_path, rate_hz):
    """Recorded to XDF: irregular chunks, jittered stamps, a sender's own clock."""
    rng = np.random.default_rng(7)
    data_uv = rig.eeg(rate_hz, SECONDS)
    n = data_uv.shape[1]
    stamps_s = rig.T0_S + np.arange(n) / rate_hz + rng.normal(0, 2e-4, n)
    cuts = np.flatnonzero(rng.random(n) < 12.0 / rate_hz).tolist()
    edges = sorted({0, *cuts, n})
    arrived_s = stamps_s + OFFSET_S + rng.uniform(0.001, 0.03, n)
    arrived_s = np.maximum.accumulate(arrived_s)  # in order, as a queue gives them
    chunks = [
        EegChunk(data_uv[:, a:b], stamps_s[a:b], float(arrived_s[b - 1]), index=a)
        for a, b in itertools.pairwise(edges)
    ]
    volumes = rig.T0_S + onsets_s()
    live = rig.in_order(
        chunks,
        [Marker("R128", t, t + OFFSET_S + 0.02) for t in volumes],
        rig.passing(SECONDS, t0_s=rig.T0_S + OFFSET_S),
    )
    offset = ClockOffset(OFFSET_S, rig.T0_S + OFFSET_S)
    path = tmp_path / "scan.xdf"
    clock = [(rig.T0_S, OFFSET_S), (rig.T0_S + SECONDS, OFFSET_S)]
    eeg_stream = {
        "name": "amp", "type": "EEG", "rate": rate_hz, "unit": "microvolts",
        "labels": list(rig.CHANNELS), "values": data_uv.T.copy(), "stamps": stamps_s,
        "offsets": clock, "chunk": 5000,
    }  # fmt: skip
    marker_stream = {
        "name": "scanner", "type": "Markers", "rate": 0,
        "values": ["R128"] * len(volumes), "stamps": volumes, "offsets": clock,
    }  # fmt: skip
    xdf_writer.write_xdf(path, [eeg_stream, marker_stream])
    eeg, bold = read_eeg(path), series(len(volumes))
    handed = live_windows([offset, *live], eeg, bold)
    scan = scan_from(eeg, bold)
    assert len(scan) >= 10
    assert scan.volume.tolist() == sorted(handed)
    for volume, window in zip(scan.volume.tolist(), scan.windows, strict=True):
        np.testing.assert_array_equal(window, handed[volume])
        assert window.tobytes() == handed[volume].tobytes()


def test_a_volume_whose_values_are_taken_away_keeps_its_window_to_itself(monkeypatch):
    """The engine has seen it; the next volume's window must still be its own."""
    eeg = made(rig.eeg(200.0, SECONDS), 200.0)
    whole = scan_from(eeg)
    results = [OodResult(None, 0.0)] * len(whole)
    results[2] = OodResult("long_unlike", 2.0)
    told = iter(results)
    monkeypatch.setattr(
        Pipeline,
        "_compared_with_calibration",
        lambda _, answer, window_uv: compared(answer, next(told)),
    )
    scan = scan_from(eeg)
    kept = np.delete(np.arange(len(whole)), 2)
    assert scan.volume.tolist() == whole.volume[kept].tolist()
    np.testing.assert_array_equal(scan.windows, whole.windows[kept])


def test_a_recorded_session_gives_its_own_windows_by_its_event_log(tmp_path):
    """Its inlet lost samples that no stamp tells of; only the log knows."""
    rate_hz = 250.0
    data_uv = rig.eeg(rate_hz, SECONDS)
    stamps_s = rig.T0_S + np.arange(data_uv.shape[1]) / rate_hz
    chunks = list(rig.samples(data_uv, rate_hz, rig.every(rate_hz, SECONDS, 0.04)))
    volumes = rig.T0_S + onsets_s()
    live = rig.in_order(
        [c if c.index < 8000 else replace(c, index=c.index + 5) for c in chunks],
        [Marker("R128", t, t + 0.02) for t in volumes.tolist()],
        rig.passing(SECONDS),
    )
    path = tmp_path / "sub-S01_eeg.xdf"
    eeg_stream = {
        "name": "rig", "type": "EEG", "rate": rate_hz, "unit": "microvolts",
        "labels": list(rig.CHANNELS), "values": data_uv.T.copy(), "stamps": stamps_s,
    }  # fmt: skip
    marker_stream = {
        "name": "scanner", "type": "Markers", "rate": 0,
        "values": ["R128"] * len(volumes), "stamps": volumes,
    }  # fmt: skip
    xdf_writer.write_xdf(path, [eeg_stream, marker_stream])
    clock, events_path = HandCrankedClock(), tmp_path / "events.jsonl"
    log = EventLogWriter(events_path, clock, capacity=10_000)
    for event in [StreamChanged(rig.stream(rate_hz)), *live]:
        log.append(event)
    log.close()
    eeg, bold = read_eeg(path), series(len(volumes))
    assert eeg.session
    handed = live_windows(live, eeg, bold)
    scan = scan_from(eeg, bold)
    assert set(scan.volume.tolist()) == set(handed)
    assert scan.degraded["bridged"] >= 5
    for volume, window in zip(scan.volume.tolist(), scan.windows, strict=True):
        assert window.tobytes() == handed[volume].tobytes()
    events_path.unlink()
    assert "bridged" not in scan_from(eeg, bold).degraded  # the XDF alone: no loss


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(1, 9999), max_size=60))
def test_chunking_does_not_matter(cuts):
    """However the samples come, a session's windows are the calibration's."""
    data_uv = rig.eeg(250.0, 40.0)
    scan = whole_scan()
    often = {*cuts, *range(90, 10000, 90)}  # none so late that its volume is given up
    events = rig.in_order(
        rig.samples(data_uv, 250.0, often),
        rig.triggers(40.0, first_s=FIRST_S),
        rig.passing(40.0),
    )
    shifted = made(data_uv, 250.0, onsets=onsets_s(40.0))
    handed = live_windows(events, shifted, series(len(onsets_s(40.0))))
    assert set(scan.volume.tolist()) == set(handed)
    for volume, window in zip(scan.volume.tolist(), scan.windows, strict=True):
        assert window.tobytes() == handed[volume].tobytes()


@functools.cache
def whole_scan():
    stamps_s = rig.T0_S + np.arange(10000) / 250.0
    onsets = onsets_s(40.0)
    eeg = made(rig.eeg(250.0, 40.0), 250.0, stamps_s=stamps_s, onsets=onsets)
    return scan_from(eeg, series(len(onsets)))


@pytest.mark.parametrize("chunk_s", [0.004, 0.013, 0.2])
def test_the_blocks_of_a_file_do_not_matter(monkeypatch, chunk_s):
    monkeypatch.setattr(recording_module, "CHUNK_S", chunk_s)
    eeg = made(rig.eeg(250.0, 40.0), 250.0, onsets=onsets_s(40.0),
               stamps_s=rig.T0_S + np.arange(10000) / 250.0)  # fmt: skip
    again = scan_from(eeg, series(len(onsets_s(40.0))))
    assert again.windows.tobytes() == whole_scan().windows.tobytes()


def test_windows_in_a_file_are_the_same(tmp_path):
    eeg = made(rig.eeg(250.0, SECONDS), 250.0)
    inside, stored = scan_from(eeg), scan_from(eeg, store=tmp_path / "windows.npy")
    np.testing.assert_array_equal(inside.windows, stored.windows)
    on_disk = np.load(tmp_path / "windows.npy", mmap_mode="r")
    np.testing.assert_array_equal(on_disk[: len(stored)], inside.windows)
    np.testing.assert_array_equal(stored.windows_uv([1, 0]), inside.windows[[1, 0]])
    np.testing.assert_array_equal(stored.windows_uv(), inside.windows)


def test_volumes_that_a_session_would_not_predict_are_left_out_with_the_reason():
    data_uv = rig.eeg(250.0, SECONDS)
    data_uv[:, 6000:6250] = np.nan  # one second, after 24 s
    scan = scan_from(made(data_uv, 250.0))
    left_out = {gap.volume: gap for gap in scan.left_out}
    assert {*left_out, *scan.volume} == set(range(len(onsets_s())))
    assert left_out[0].status == "warmup"
    after = [k for k, t in enumerate(onsets_s()) if 24.5 < t < 40]
    assert all("nonfinite" in left_out[k].reasons for k in after)
    assert scan.why_left_out["nonfinite"] >= len(after)
    assert np.isfinite(scan.windows).all()


def test_a_flat_channel_is_interpolated_and_counted():
    data_uv = rig.eeg(250.0, SECONDS)
    data_uv[2] = 0.0
    scan = scan_from(made(data_uv, 250.0))
    assert scan.degraded["channel_flat"] == len(scan)
    assert scan.degraded["interpolated"] == len(scan)


def test_a_volume_without_a_row_of_bold_has_no_window():
    n = len(onsets_s())
    kept = np.delete(np.arange(n), 12)
    bold = series(n - 1, volume_index=kept)
    scan = scan_from(made(rig.eeg(250.0, SECONDS), 250.0), bold)
    assert 12 not in scan.volume
    assert np.isnan(scan.bold[12]).all()
    (gap,) = [gap for gap in scan.left_out if gap.volume == 12]
    assert gap.reasons == ("no_bold",)


def test_windows_come_from_the_run_that_was_named():
    second_s = 60.0
    both = [*onsets_s(20.0), *(second_s + onsets_s())]
    data_uv = rig.eeg(250.0, second_s + SECONDS)
    eeg = made(data_uv, 250.0, onsets=both)
    alignment = align(eeg, series(len(onsets_s())), Pairing(tr_s=rig.TR_S, run=2))
    scan = scan_of(eeg, alignment, CARD)
    # The EEG before the run is there, but the scanner did not run in it.
    assert scan.volume[0] == 8
    assert len(scan) == len(onsets_s()) - 8
    assert {(gap.volume, gap.reasons) for gap in scan.left_out} == {
        (volume, ("warmup",)) for volume in range(8)
    }


def test_a_stream_that_does_not_fit_the_card_is_refused():
    eeg = made(rig.eeg(250.0, SECONDS), 250.0)
    fewer = replace(eeg.recording, channels=eeg.recording.channels[:-1],
                    data_uv=eeg.recording.data_uv[:-1])  # fmt: skip
    with pytest.raises(StreamMismatch, match=r"lacks \['C4'\].*--interpolate"):
        scan_from(replace(eeg, recording=fewer))
    assert len(scan_from(replace(eeg, recording=fewer), interpolate_missing=True)) > 5


def test_eeg_of_which_nothing_can_be_used_is_told():
    with pytest.raises(
        DataFileError, match=r"not one of the 23 volumes .*channel_flat"
    ):
        scan_from(made(np.zeros((rig.N_CHANNELS, 12000), np.float32), 250.0))


def test_progress_is_told():
    eeg = made(rig.eeg(250.0, SECONDS), 250.0)
    told = []
    alignment = align(eeg, series(len(onsets_s())), Pairing(tr_s=rig.TR_S))
    scan_of(eeg, alignment, CARD, say=told.append)
    assert told == sorted(told)
    assert 0.9 < told[-1] <= 1.0
