from dataclasses import replace

import numpy as np
import pytest

from rtbold.bundle.card import Card, Conditioning, Origin
from rtbold.calibration.datasets.chains import as_chain, windows_of
from rtbold.calibration.datasets.scan import WindowTape
from rtbold.calibration.datasets.sources import ScanSource, load_scan
from rtbold.calibration.inputs.windows import pipeline_windows, scan_of
from rtbold.errors import ConfigError, DataFileError, StreamMismatch
from rtbold.files.events import triggered_events
from rtbold.files.recording import Recording
from rtbold.messages import Channel, ClockOffset, EegChunk, Marker, TimePassed
from rtbold.predict import PipelineSettings
from rtbold.sim.settings import TwinSettings
from rtbold.window import ScheduleSettings

pytestmark = pytest.mark.heavy

CHANNELS = ("Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2", "Cz", "ECG")
NAMES = tuple(name.upper() for name in CHANNELS[:-1])


def card(**changes):
    known = {
        "name": "t", "architecture": "", "channels": NAMES, "reference": "average",
        "tr_s": 2.1, "rois": ("a",), "scanner": "simulated",
        "origin": Origin(kind="simulated", simulated_lineage=True),
    }  # fmt: skip
    return Card(**(known | changes))


def loaded(**changes):
    known = {"seed": 2990, "level": "easy", "duration_s": 60.0, "channels": CHANNELS}
    twin = TwinSettings(**(known | changes))
    return load_scan(ScanSource(name="t", subject="s", twin=twin))


@pytest.fixture(scope="module")
def scan():
    return loaded()


def of(scan, chain="live", *, interpolate=False, **changes):
    source = "live" if chain == "live" else "published"
    made = card(conditioning=Conditioning(source=source), **changes)
    return windows_of(scan, made, chain=chain, interpolate=interpolate)


# Live.


def with_bad_electrode(scan):
    data_uv = scan.eeg.recording.data_uv.copy()
    data_uv[8, 5000:8000] = 0.0  # O1, 15 seconds
    recording = replace(scan.eeg.recording, data_uv=data_uv)
    return replace(scan, eeg=replace(scan.eeg, recording=recording))


def with_hum_that_begins(scan):
    """Mains in one channel, from shortly before a volume on."""
    data_uv = scan.eeg.recording.data_uv.copy()
    rate_hz = scan.eeg.recording.rate_hz
    first = round(rate_hz * (scan.alignment.onsets_s[18] - 0.15))
    t_s = np.arange(data_uv.shape[1] - first) / rate_hz
    data_uv[5, first:] += 100 * np.sin(2 * np.pi * 50 * t_s)
    recording = replace(scan.eeg.recording, data_uv=data_uv)
    return replace(scan, eeg=replace(scan.eeg, recording=recording))


@pytest.mark.parametrize("rate_hz", [200.0, 500.0])
@pytest.mark.parametrize(
    "harm", [lambda scan: scan, with_bad_electrode, with_hum_that_begins]
)
def test_live_windows_are_those_of_a_calibration_bit_for_bit(rate_hz, harm):
    given = harm(loaded(rate_hz=rate_hz))
    made = of(given)
    wanted = scan_of(given.eeg, given.alignment, card())
    np.testing.assert_array_equal(made.volume, wanted.volume)
    np.testing.assert_array_equal(made.scan.windows_uv(), wanted.windows)
    np.testing.assert_allclose(
        made.scan.onsets_s, given.alignment.onsets_s[made.volume], atol=1e-9
    )
    assert made.without_window == wanted.why_left_out


def test_the_eeg_is_kept_once(scan):
    made = of(scan)
    n_s = scan.eeg.recording.data_uv.shape[1] / 200
    assert made.scan.eeg_uv.shape[0] == len(NAMES)
    assert n_s - 3 < made.scan.eeg_uv.shape[1] / 200 <= n_s
    assert made.scan.eeg_uv.dtype == np.float32


def test_bad_channels_are_named_with_their_share(scan):
    made = of(with_bad_electrode(scan))
    assert next(iter(made.bad_channels)) == "O1"
    assert 0.2 < made.bad_channels["O1"] < 0.8
    assert len(made.scan.matrices) > 1


def test_a_missing_channel_is_filled_only_where_asked(scan):
    wider = (*NAMES, "PZ")
    with pytest.raises(StreamMismatch, match="PZ"):
        of(scan, channels=wider)
    made = of(scan, channels=wider, interpolate=True)
    assert made.scan.windows_uv([0]).shape == (1, 12, 3200)
    assert made.bad_channels["PZ"] == 1.0


def test_a_scan_without_one_window_says_why():
    with pytest.raises(DataFileError, match=r"not one of the .* volumes .*warmup"):
        of(loaded(duration_s=16.0))


ONSETS_S = 1.0025 + 2.1 * np.arange(56)


def noise_events():
    rng = np.random.default_rng(0)
    data_uv = (10 * rng.standard_normal((11, 24000))).astype(np.float32)
    channels = tuple(Channel(name) for name in NAMES)
    stream = Recording(data_uv=data_uv, rate_hz=200.0, channels=channels,
                       reference="FCz", simulated=True)  # fmt: skip
    return list(triggered_events(stream, [(t, "v") for t in ONSETS_S.tolist()]))


def assert_tape_holds_the_windows(events):
    """Return the volumes whose windows come out of the tape again."""
    settings = PipelineSettings(schedule=ScheduleSettings(tr_s=2.1))
    tape, windows = WindowTape(card()), []
    for answer, window, pipeline in pipeline_windows(card(), settings, events):
        before = len(tape.volumes)
        tape.take(answer, window, pipeline, volume=answer.tick.volume_index)
        assert (len(tape.volumes) > before) == (window is not None)
        if window is not None:
            windows.append(window)
    made = tape.scan("x", np.zeros((len(windows), 0)), onsets_s=ONSETS_S, seen=None)
    np.testing.assert_array_equal(made.windows_uv(), np.stack(windows))
    return tape.volumes


def test_windows_beside_lost_samples_are_the_pipelines_own():
    """After a gap the filters start anew, and the tape goes on."""
    events = noise_events()
    chunks = [k for k, event in enumerate(events) if isinstance(event, EegChunk)]
    lost = set(chunks[200:208])  # two seconds
    volumes = assert_tape_holds_the_windows(
        [event for k, event in enumerate(events) if k not in lost]
    )
    assert 20 < len(volumes) < 50
    assert max(np.diff(volumes)) > 5  # the gap


def on_own_clock(event, offset_s):
    """What the recorder stamps itself: time that passes, and arrivals."""
    if isinstance(event, TimePassed):
        return replace(event, now_lsl_s=event.now_lsl_s + offset_s)
    if isinstance(event, Marker):
        return replace(event, t_arrived_s=event.t_arrived_s + offset_s)
    return event


def test_windows_of_a_log_with_two_clocks_are_the_pipelines_own():
    """A session's answers are on the recorder's clock, its samples on another."""
    described, *events = noise_events()
    offset = ClockOffset(offset_s=123.4567, t_lsl_s=0.0)
    events = [on_own_clock(event, offset.offset_s) for event in events]
    volumes = assert_tape_holds_the_windows([described, offset, *events])
    assert len(volumes) > 40


# Published.


def average(scan):
    rows = scan.eeg.recording.data_uv[: len(NAMES)].astype(np.float64)
    # FCz is the reference and silent: it takes part in no average that lacks it
    return rows - rows.mean(axis=0)


def test_published_within_is_what_was_recorded(scan):
    made = of(scan, "published-within")
    eeg_uv = average(scan)
    for row, volume in ((0, made.volume[0]), (7, made.volume[7])):
        end = round(scan.alignment.onsets_s[volume] * 200)
        window = eeg_uv[:, end - 3200 : end]
        window = window - window.mean(axis=1, keepdims=True)
        np.testing.assert_allclose(made.scan.windows_uv([row])[0], window, atol=1e-3)
    assert made.scan.matrices is None


def test_published_drops_the_volumes_of_the_first_16_s_alone(scan):
    made = of(scan, "published")
    onsets_s = scan.alignment.onsets_s
    np.testing.assert_array_equal(made.volume, np.flatnonzero(onsets_s >= 16.0))
    assert made.without_window == {"no_data": int((onsets_s < 16.0).sum())}


def test_published_keeps_the_reference_that_the_card_names(scan):
    made = of(scan, "published-within", reference="FCZ")
    end = round(scan.alignment.onsets_s[made.volume[0]] * 200)
    window = scan.eeg.recording.data_uv[: len(NAMES), end - 3200 : end]
    window = window - window.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(made.scan.windows_uv([0])[0], window, atol=1e-3)


def with_sine(scan, hz, rate_hz=200.0):
    t_s = np.arange(scan.eeg.recording.data_uv.shape[1]) / rate_hz
    data_uv = np.zeros_like(scan.eeg.recording.data_uv)
    data_uv[0] = 11 * np.sin(2 * np.pi * hz * t_s)
    recording = replace(scan.eeg.recording, data_uv=data_uv)
    return replace(scan, eeg=replace(scan.eeg, recording=recording))


def test_published_high_pass_has_no_delay(scan):
    made = of(with_sine(scan, 1.0), "published", reference="FCZ")
    t_s = np.arange(made.scan.eeg_uv.shape[1]) / 200
    wanted = 11 * np.sin(2 * np.pi * t_s)
    kept = made.scan.eeg_uv[0]
    np.testing.assert_allclose(kept[2000:-2000], wanted[2000:-2000], atol=0.2)


def test_published_high_pass_takes_slow_waves_and_within_leaves_them(scan):
    slow = with_sine(scan, 0.1)
    across = of(slow, "published", reference="FCZ").scan.eeg_uv[0, 2000:-2000]
    within = of(slow, "published-within", reference="FCZ").scan.eeg_uv[0, 2000:-2000]
    assert across.std() < 0.1 * within.std()


def test_published_resamples_without_delay():
    given = with_sine(loaded(rate_hz=500.0), 10.0, 500.0)
    made = of(given, "published-within", reference="FCZ")
    t_s = np.arange(made.scan.eeg_uv.shape[1]) / 200
    wanted = 11 * np.sin(2 * np.pi * 10 * t_s)
    np.testing.assert_allclose(
        made.scan.eeg_uv[0, 400:-400], wanted[400:-400], atol=0.05
    )


def test_a_scan_shorter_than_a_window_is_refused():
    with pytest.raises(DataFileError, match="no volume with 16 s of EEG"):
        of(loaded(duration_s=15.0), "published")


def test_a_chain_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match=r"'publish', expected one of live.*mean"):
        as_chain("publish")
