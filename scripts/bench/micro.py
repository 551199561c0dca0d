"""Costs of single parts: ring, stages of the loop, engines; runs interleaved."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

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


def _spread(values: list[float]) -> str:
    ordered = sorted(values)
    return f"{ordered[0]:.1f} to {ordered[-1]:.1f}"


def ring(*, repeats: int) -> str:
    """Return what one write costs at three lengths: conditioned, and raw at 5 kHz."""
    lines = [
        "| write of 64 channels | ring | CPU us, median | all repeats | of 16 s |",
        "|---|---|---|---|---|",
    ]
    for label, rate_hz, chunk_s in (
        ("10 samples (50 ms at 200 Hz)", 200.0, 0.05),
        ("125 samples (25 ms at 5 kHz)", RATE_HZ, CHUNK_S),
    ):
        found = _ring_us(rate_hz, chunk_s, repeats=repeats)
        median = {s: statistics.median(v) for s, v in found.items()}
        lines += [
            f"| {label} | {seconds} s | **{median[seconds]:.1f}** | {_spread(values)} "
            f"| {median[seconds] / median[16]:.2f} |"
            for seconds, values in found.items()
        ]
    return "\n".join(lines)


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


def stages(*, repeats: int) -> str:
    """Return CPU seconds per second of stream of each stage, 64 channels at 5 kHz."""
    parts = _stage_calls()
    found = interleaved_us(parts, n_calls=200, repeats=repeats)
    lines = [
        "| stage, 64 channels at 5 kHz, chunks of 25 ms | CPU ms per second of stream "
        "| all repeats |",
        "|---|---|---|",
    ]
    per_s = 1 / CHUNK_S / 1000  # us per chunk -> ms per second
    for name, values in found.items():
        ms = [v * per_s for v in values]
        lines.append(f"| {name} | **{statistics.median(ms):.2f}** | {_spread(ms)} |")
    return "\n".join(lines)


def _stage_calls() -> dict[str, Callable[[], object]]:
    from bench_roles import CAP_64
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


def engines(bundle_name: str, *, n_calls: int, repeats: int) -> str:
    """Return wall-clock milliseconds of one window on each engine that can run it."""
    from rtbold.bundle import load
    from rtbold.engine.opening import open_engine
    from rtbold.errors import EngineError

    bundle = load(bundle_name)
    shape = (1, len(bundle.card.channels), 3200)
    window = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    lines = [
        f"Bundle `{bundle.card.name}` ({bundle.card.architecture}, {shape[1]} "
        f"channels, {len(bundle.card.rois)} ROIs), float32, one window, one thread.",
        "",
        "| engine | p50 ms | p95 ms | max ms |",
        "|---|---|---|---|",
    ]
    opened, missing = {}, []
    for name in ("openvino", "torch"):
        try:
            opened[name] = open_engine(bundle, engine=name, n_threads=1)
        except (EngineError, ImportError) as error:
            missing.append(f"{name}: not run ({error})")
    times_ms: dict[str, list[float]] = {name: [] for name in opened}
    for _ in range(repeats):
        for name, engine in opened.items():
            times_ms[name] += [_wall_ms(engine, window) for _ in range(n_calls)]
    for name, ms in times_ms.items():
        p50, p95 = np.percentile(ms, (50, 95))
        lines.append(f"| {name} | **{p50:.2f}** | {p95:.2f} | {max(ms):.2f} |")
    for engine in opened.values():
        engine.close()
    return "\n".join([*lines, *([""] if missing else []), *missing])


def _wall_ms(call: Callable[[np.ndarray], object], window: np.ndarray) -> float:
    begun_s = time.perf_counter()
    call(window)
    return 1000 * (time.perf_counter() - begun_s)


def bundle_name(wanted: str) -> str:
    """Return a bundle's name, or its path made absolute for child processes."""
    path = Path(wanted)
    return str(path.resolve()) if path.exists() else wanted
