"""What each stage of the loop costs, 64 channels at 5 kHz; runs interleaved."""

import statistics
import time
from collections.abc import Callable

import numpy as np

from bench.roles import CAP_64

RATE_HZ = 5000.0
N_CHANNELS = 64
CHUNK_S = 0.025
N_CALLS = 200


def stages(*, repeats: int) -> list[dict[str, object]]:
    """Return CPU ms per second of stream of each stage; all stages in each repeat."""
    calls = _stage_calls()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begun_s = time.thread_time()
            for _ in range(N_CALLS):
                call()
            share = (time.thread_time() - begun_s) / (N_CALLS * CHUNK_S)
            found[name].append(1000 * share)
    return [
        {"label": name, "median": statistics.median(ms), "least": min(ms),
         "most": max(ms)}
        for name, ms in found.items()
    ]  # fmt: skip


def _stage_calls() -> dict[str, Callable[[], object]]:
    from scipy import signal

    from rtbold.bundle.card import Conditioning
    from rtbold.condition.channel_quality import ChannelMonitor
    from rtbold.condition.conditioner import Conditioner
    from rtbold.condition.timebase import SampleClock, SampleClockSettings
    from rtbold.messages import Channel

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
    pushed_n = {"monitor": 0, "clock": 0}

    def counted(stage: str) -> int:
        pushed_n[stage] += n_chunk
        return pushed_n[stage] - n_chunk

    def tell_time() -> None:
        index = counted("clock")
        start_s = index / RATE_HZ
        clock.push(start_s + stamps_s, start_s + CHUNK_S + 0.01, index)

    return {
        "high-pass alone (part of the next)": lambda: signal.sosfilt(
            sos, data_uv, zi=state
        ),
        "Conditioner: high-pass, FIR to 200 Hz": lambda: conditioner(data_uv),
        "ChannelMonitor": lambda: monitor.push(data_uv, counted("monitor")),
        "SampleClock": tell_time,
    }
