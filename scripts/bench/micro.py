"""Costs of single parts: ring, stages of the loop, engines; runs interleaved."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.processes import percentiles
from bench.roles import CAP_64

RATE_HZ = 5000.0
N_CHANNELS = 64
CHUNK_S = 0.025
RING_S = (4, 16, 64)


def interleaved_us(
    parts: Mapping[str, Callable[[], object]], *, n_calls: int, repeats: int
) -> dict[str, list[float]]:
    """Return CPU microseconds per call, one figure per repeat; all parts in each."""
    found: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(repeats):
        for name, call in parts.items():
            begun_s = time.thread_time()
            for _ in range(n_calls):
                call()
            found[name].append(1e6 * (time.thread_time() - begun_s) / n_calls)
    return found


def ring(*, repeats: int) -> list[dict[str, object]]:
    """Return what one write costs at three lengths: conditioned, and raw at 5 kHz."""
    rows = []
    for label, rate_hz, chunk_s in (
        ("10 samples (50 ms at 200 Hz)", 200.0, 0.05),
        ("125 samples (25 ms at 5 kHz)", RATE_HZ, CHUNK_S),
    ):
        found = _ring_us(rate_hz, chunk_s, repeats=repeats)
        of_16_s = statistics.median(found[16])
        rows += [
            {"label": label, "seconds": seconds, **spread(us),
             "of_16_s": statistics.median(us) / of_16_s}
            for seconds, us in found.items()
        ]  # fmt: skip
    return rows


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, and the least and the greatest of all repeats."""
    median = statistics.median(values)
    return {"median": median, "least": min(values), "most": max(values)}


def _ring_us(rate_hz: float, chunk_s: float, *, repeats: int) -> dict[int, list[float]]:
    from rtbold.ring import Ring

    n_chunk = round(rate_hz * chunk_s)
    data_uv = np.ones((N_CHANNELS, n_chunk), np.float32)
    rings = {s: Ring(N_CHANNELS, round(s * rate_hz)) for s in RING_S}
    for filled in rings.values():  # every page is touched once before it is timed
        filled.write(np.ones((N_CHANNELS, filled.n_samples), np.float32))
    parts = {str(s): (lambda r=r: r.write(data_uv)) for s, r in rings.items()}
    found = interleaved_us(parts, n_calls=400, repeats=repeats)
    return {int(name): values for name, values in found.items()}


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


def engines(bundle_name: str, *, n_calls: int, repeats: int) -> dict[str, object]:
    """Return wall-clock milliseconds of one window on each engine that can run it."""
    from rtbold.bundle import load
    from rtbold.engine.opening import open_engine
    from rtbold.errors import EngineError

    bundle = load(bundle_name)
    card = bundle.card
    shape = (1, len(card.channels), 3200)
    window = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    opened, missing = {}, {}
    for name in ("openvino", "torch"):
        try:
            opened[name] = open_engine(bundle, engine=name, n_threads=1)
        except (EngineError, ImportError) as error:
            missing[name] = str(error)
    times_ms: dict[str, list[float]] = {name: [] for name in opened}
    for _ in range(repeats):
        for name, engine in opened.items():
            times_ms[name] += [_wall_ms(engine, window) for _ in range(n_calls)]
    for engine in opened.values():
        engine.close()
    return {
        "bundle": card.name, "architecture": card.architecture,
        "n_channels": len(card.channels), "n_rois": len(card.rois),
        "engines": {name: percentiles(ms) for name, ms in times_ms.items()},
        "not_run": missing,
    }  # fmt: skip


def _wall_ms(call: Callable[[np.ndarray], object], window: np.ndarray) -> float:
    begun_s = time.perf_counter()
    call(window)
    return 1000 * (time.perf_counter() - begun_s)


def bundle_name(wanted: str) -> str:
    """Return a bundle's name, or its path made absolute for child processes."""
    path = Path(wanted)
    return str(path.resolve()) if path.exists() else wanted
