"""Costs of single parts: ring, stages of the loop; runs interleaved."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.roles import CAP_64

RATE_HZ = 5000.0
N_CHANNELS = 64
CHUNK_S = 0.025
RING_S = (4, 16, 64)


def interleaved_us(
    parts: Mapping[Any, Callable[[], object]], *, n_calls: int, repeats: int
) -> dict[Any, list[float]]:
    """Return CPU microseconds per call, one figure per repeat; all parts in each."""
    found: dict[Any, list[float]] = {name: [] for name in parts}
    for _ in range(repeats):
        for name, call in parts.items():
            begun_s = time.thread_time()
            for _ in range(n_calls):
                call()
            found[name].append(1e6 * (time.thread_time() - begun_s) / n_calls)
    return found


def ring(*, repeats: int) -> list[dict[str, object]]:
    """Return what one write costs at three lengths: conditioned, and raw at 5 kHz."""
    from rtbold.ring import Ring

    rows = []
    for label, rate_hz, n_chunk in (
        ("10 samples (50 ms at 200 Hz)", 200.0, 10),
        ("125 samples (25 ms at 5 kHz)", RATE_HZ, round(CHUNK_S * RATE_HZ)),
    ):
        data_uv = np.ones((N_CHANNELS, n_chunk), np.float32)
        rings = {s: Ring(N_CHANNELS, round(s * rate_hz)) for s in RING_S}
        for filled in rings.values():  # every page is touched once before it is timed
            filled.write(np.ones((N_CHANNELS, filled.n_samples), np.float32))
        parts = {s: (lambda r=r, d=data_uv: r.write(d)) for s, r in rings.items()}
        found = interleaved_us(parts, n_calls=400, repeats=repeats)
        of_16_s = statistics.median(found[16])
        for seconds, us in found.items():
            share = {"of_16_s": statistics.median(us) / of_16_s}
            rows.append({"label": label, "seconds": seconds, **spread(us), **share})
    return rows


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, and the least and the greatest of all repeats."""
    median = statistics.median(values)
    return {"median": median, "least": min(values), "most": max(values)}


def stages(*, repeats: int) -> list[dict[str, object]]:
    """Return CPU ms per second of stream of each stage, 64 channels at 5 kHz."""
    found = interleaved_us(_stage_calls(), n_calls=200, repeats=repeats)
    per_s = 1 / CHUNK_S / 1000  # us per chunk -> ms per second
    return [
        {"label": name, **spread([us * per_s for us in values])}
        for name, values in found.items()
    ]


def _stage_calls() -> dict[str, Callable[[], object]]:
    from scipy import signal

    from rtbold.card import Conditioning
    from rtbold.channel_quality import ChannelMonitor
    from rtbold.conditioning import Conditioner
    from rtbold.messages import Channel
    from rtbold.timebase import SampleClock, SampleClockSettings

    n_chunk = round(CHUNK_S * RATE_HZ)
    rng = np.random.default_rng(0)
    data_uv = 15 * rng.standard_normal((N_CHANNELS, n_chunk), dtype=np.float32)
    sos = signal.butter(2, 0.5, "highpass", fs=RATE_HZ, output="sos")
    state = np.zeros((1, N_CHANNELS, 2))
    conditioner = Conditioner(RATE_HZ, N_CHANNELS, Conditioning())
    channels = tuple(Channel(label, "uV") for label in CAP_64)
    monitor = ChannelMonitor(RATE_HZ, channels)
    clock = SampleClock(SampleClockSettings(rate_hz=RATE_HZ))
    stamps_s = np.arange(n_chunk) / RATE_HZ

    def tell_time() -> None:
        start_s = clock.n_positions / RATE_HZ
        clock.push(start_s + stamps_s, start_s + CHUNK_S + 0.01)

    return {
        "high-pass alone (part of the next)": lambda: signal.sosfilt(
            sos, data_uv, zi=state
        ),
        "Conditioner: high-pass, FIR to 200 Hz": lambda: conditioner(data_uv),
        "ChannelMonitor": lambda: monitor.push(data_uv),
        "SampleClock": tell_time,
    }
