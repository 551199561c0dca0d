"""A small session without edges: cards, streams and events for pipeline tests."""

import itertools

import numpy as np

from rtbold.bundle.card import Baseline, Card, Origin
from rtbold.messages import (
    Channel,
    EegChunk,
    Marker,
    StreamChanged,
    StreamDescription,
    TimePassed,
)
from rtbold.predict.pipeline import Pipeline, PipelineSettings
from rtbold.window.schedule import ScheduleSettings

CHANNELS = ("FZ", "CZ", "PZ", "OZ", "C3", "C4")
N_CHANNELS = len(CHANNELS)
T0_S = 1000.0
TR_S = 2.1


def card(**changes):
    known = {
        "name": "rig",
        "architecture": "rig",
        "channels": CHANNELS,
        "reference": "average",
        "tr_s": TR_S,
        "rois": ("a", "b"),
        "scanner": "simulated",
        "origin": Origin(kind="simulated", simulated_lineage=True),
        "baseline": Baseline(mean=(0.0, 0.0), sd=(1.0, 1.0), n=100),
    }
    return Card(**{**known, **changes})


def stream(rate_hz, channels=CHANNELS, **changes):
    known = {
        "name": "rig",
        "type": "EEG",
        "rate_hz": rate_hz,
        "channels": tuple(Channel(c, "uV") for c in channels),
        "reference": None,
        "simulated": True,
    }
    return StreamDescription(**{**known, **changes})


class RecordingModel:
    """Answers with two numbers that depend on every sample, and keeps the windows."""

    def __init__(self):
        self.windows = []

    def __call__(self, eeg_uv):
        self.windows.append(eeg_uv[0].copy())
        weights = np.linspace(0.5, 1.5, eeg_uv.shape[2], dtype=np.float32)
        energy = np.sqrt(np.mean((eeg_uv[0] * weights) ** 2, axis=1))
        values = np.array([[energy[0], energy.sum()]], np.float32)
        return values


def eeg(rate_hz, seconds, *, n_channels=N_CHANNELS, seed=0):
    """Pink-ish noise of EEG size, (channels, samples)."""
    rng = np.random.default_rng(seed)
    n = round(rate_hz * seconds)
    spectrum = np.fft.rfft(rng.standard_normal((n_channels, n)))
    f_hz = np.fft.rfftfreq(n, 1 / rate_hz)
    spectrum *= (f_hz < 90) / np.maximum(f_hz, 1.0) ** 0.5
    data = np.fft.irfft(spectrum, n)
    return (12 * data / data.std()).astype(np.float32)


def samples(data_uv, rate_hz, cuts, *, t0_s=T0_S, index0=0, delay_s=0.0):
    """Cut `data_uv` into chunks; each arrives `delay_s` after its last sample."""
    edges = [0, *sorted(set(cuts)), data_uv.shape[1]]
    t_s = t0_s + np.arange(data_uv.shape[1]) / rate_hz
    for first, end in itertools.pairwise(edges):
        if end > first:
            arrived_s = float(t_s[end - 1]) + delay_s
            yield EegChunk(
                data_uv[:, first:end], t_s[first:end], arrived_s, index0 + first
            )


def triggers(seconds, *, t0_s=T0_S, tr_s=TR_S, first_s=0.0, arrives_s=0.02):
    for k in range(int((seconds - first_s) / tr_s) + 1):
        t_s = t0_s + first_s + k * tr_s
        yield Marker("R128", t_s, t_s + arrives_s)


def passing(seconds, *, t0_s=T0_S, every_s=0.05):
    for k in range(round(seconds / every_s)):
        yield TimePassed(t0_s + k * every_s)


def arrival_s(event):
    if isinstance(event, TimePassed):
        return event.now_lsl_s
    return event.t_arrived_s


def in_order(*streams):
    return sorted((event for s in streams for event in s), key=arrival_s)


def pipeline(model=None, *, mode="trigger", **changes):
    settings = PipelineSettings(schedule=ScheduleSettings(tr_s=TR_S, mode=mode))
    return Pipeline(card(**changes), model or RecordingModel(), settings)


def run(pipe, description, events):
    """Push everything; return all predictions."""
    found = pipe.push(StreamChanged(description))
    for event in events:
        found += pipe.push(event)
    return found


def every(rate_hz, seconds, chunk_s=0.05):
    """Cuts that make chunks of `chunk_s`."""
    step = max(round(chunk_s * rate_hz), 1)
    return range(step, round(rate_hz * seconds), step)
