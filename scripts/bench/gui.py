"""What the dashboard takes: frames, CPU, time to the pixel, what the loop notices."""

import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bench_gui_loop
import numpy as np
from bench_gui_loop import LoopPlan, cpu_s, dashboard, dashboard_environment
from bench_latency import percentiles

ROLE = Path(__file__).with_name("bench_gui_window.py")
FIGURES = ROLE.parent.parent / "docs" / "data" / "bench_gui.json"
FEED_WORDS = "feed on "
LONGEST_S = 600  # of a fake session; it is ended long before
FRAME_MS = 33.0
TR_S = 2.1  # of a fake session

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GuiPlan:
    """How long each part is measured.

    Parameters
    ----------
    n_predictions : that are followed to the pixel, at `speed` times their usual rate.
    """

    channels: tuple[int, ...] = (26, 64)
    warm_up_s: float = 3.0
    frames_s: float = 10.0
    parts_s: float = 5.0
    cpu_s: float = 15.0
    cpu_warm_up_s: float = 7.0
    n_predictions: int = 120
    speed: float = 10.0
    loop: LoopPlan = field(default_factory=LoopPlan)


@dataclass(frozen=True, slots=True)
class Look:
    """How the session page is looked at."""

    words: str
    n_channels: int
    options: tuple[str, ...] = ()


FULL = ("--hour", "--lanes", "9")
PARTS = {
    "status": "status", "target": "target value", "clock": "TR clock",
    "commands": "commands", "plot": "ROI plot, 9 lanes over 60 min",
    "scope": "EEG scope, 64 channels", "heads": "head map", "powers": "topography",
    "brain": "glass brain, 64 ROIs", "timing": "timing", "gauges": "gauges",
    "log": "event log", "the rest": "frame, tabs, side bar",
}  # fmt: skip
TABS = ((), ("heads", "powers"), ("brain",))  # that are seen only there


def measure(plan: GuiPlan) -> Figures:
    """Return all figures; each part in processes of its own, one after the other."""
    many = max(plan.channels)
    with fake(many) as feed:
        frames = _frames(plan, feed, many)
        parts = _parts(plan, feed)
        shares = [_shown_share(plan, feed, many), _hidden_share(plan, feed, many)]
    for n_channels in plan.channels:
        if n_channels != many:
            with fake(n_channels) as feed:
                look = Look("usual", n_channels)
                frames.insert(0, _one_look(plan, feed, look))
                shares.insert(0, _shown_share(plan, feed, n_channels))
    with fake(many, speed=plan.speed) as feed:
        pixels = _pixels(plan, feed)
    loop = bench_gui_loop.compared(bench_gui_loop.measure(plan.loop))
    return {
        "frames": frames, "parts": parts, "cpu": shares, "pixels": pixels, "loop": loop,
    }  # fmt: skip


@contextmanager
def fake(n_channels: int, *, speed: float = 1.0) -> Iterator[str]:
    """Run ``rtbold fake`` with 64 ROIs; give the address of its feed."""
    process = subprocess.Popen(
        [
            sys.executable, "-m", "rtbold", "fake", "--port", "0",
            "--control-port", "0", "--channels", str(n_channels), "--rois", "64",
            "--speed", f"{speed:g}", "--duration", str(LONGEST_S),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        if not line.startswith(FEED_WORDS):
            raise RuntimeError(f"rtbold fake said {line!r}")
        yield line.removeprefix(FEED_WORDS).split(",")[0]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def play(role: str, feed: str, *options: object) -> Figures:
    """Run one role of bench_gui_window to its end; return what it said."""
    done = subprocess.run(
        _command(role, feed, *options),
        capture_output=True,
        text=True,
        env=dashboard_environment(""),
        timeout=LONGEST_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the window for {role!r} said: {done.stderr[-800:]}")
    said: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    print(f"  {role} {' '.join(map(str, options))}", file=sys.stderr, flush=True)
    return said


def _command(role: str, feed: str, *options: object) -> list[str]:
    words = [str(word) for word in options]
    return [sys.executable, str(ROLE), role, "--connect", feed, *words]


def _frames(plan: GuiPlan, feed: str, n_channels: int) -> list[Figures]:
    looks = (
        Look("usual", n_channels),
        Look("9 ROIs over 60 min", n_channels, FULL),
    )
    return [_one_look(plan, feed, look) for look in looks]


def _one_look(plan: GuiPlan, feed: str, look: Look) -> Figures:
    said = play(
        "frames", feed, "--seconds", plan.frames_s, "--warm-up", plan.warm_up_s,
        *look.options,
    )  # fmt: skip
    _expect(said["n_channels"] == look.n_channels, "channels", said)
    _expect(said["page"] == "session_page", "the session page", said)
    wall_ms = np.array(said["wall_ms"])
    return {
        "look": look.words, "channels": look.n_channels, "n": len(wall_ms),
        "wall_ms": four(said["wall_ms"]), "cpu_ms": four(said["cpu_ms"]),
        "n_over_33_ms": int(np.count_nonzero(wall_ms > FRAME_MS)),
    }  # fmt: skip


def _parts(plan: GuiPlan, feed: str) -> dict[str, Figures]:
    """Return what each part takes, from the tab where it is seen."""
    timing = ("--seconds", plan.parts_s, "--warm-up", plan.warm_up_s)
    found: dict[str, Figures] = {}
    for tab, names in enumerate(TABS):
        said = play("parts", feed, "--tab", tab, *timing, *(() if tab else FULL))
        for name in names or [name for name in PARTS if name not in sum(TABS, ())]:
            ms = said["ms"][name]
            found[name] = {"mean": round(float(np.mean(ms)), 3), **four(ms)}
    return {name: found[name] for name in PARTS}


def _shown_share(plan: GuiPlan, feed: str, n_channels: int) -> Figures:
    """Return the CPU share of ``rtbold gui`` with the session page shown."""
    with dashboard(feed) as process:
        time.sleep(plan.cpu_warm_up_s)
        before_s, begun_s = cpu_s(process), time.monotonic()
        time.sleep(plan.cpu_s)
        share = (cpu_s(process) - before_s) / (time.monotonic() - begun_s)
    return {"channels": n_channels, "page": "session", "share": round(share, 4)}


def _hidden_share(plan: GuiPlan, feed: str, n_channels: int) -> Figures:
    """Return the CPU share while another page is open."""
    import psutil

    seconds = plan.cpu_warm_up_s + plan.cpu_s + 5
    with subprocess.Popen(
        _command("hidden", feed, "--seconds", seconds),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=dashboard_environment(""),
    ) as child:
        assert child.stdout is not None
        _expect(child.stdout.readline().strip() == "ready", "ready", {})
        process = psutil.Process(child.pid)
        time.sleep(plan.cpu_warm_up_s)
        before_s, begun_s = cpu_s(process), time.monotonic()
        time.sleep(plan.cpu_s)
        share = (cpu_s(process) - before_s) / (time.monotonic() - begun_s)
        child.kill()
    return {"channels": n_channels, "page": "another", "share": round(share, 4)}


def _pixels(plan: GuiPlan, feed: str) -> Figures:
    seconds = plan.n_predictions * TR_S / plan.speed
    said = play(
        "pixels", feed, "--predictions", plan.n_predictions, "--seconds", seconds
    )
    _expect(len(said["ms"]) >= plan.n_predictions, "predictions", said)
    return {"speed": plan.speed, "n": len(said["ms"]), "ms": four(said["ms"])}


def _expect(right: bool, what: str, said: Mapping[str, object]) -> None:
    if not right:
        known = {k: v for k, v in said.items() if not k.endswith("ms")}
        raise RuntimeError(f"the window did not show {what} as it should: {known}")


def four(values: list[float]) -> dict[str, float]:
    """Return p50, p95, p99 and the greatest, rounded."""
    names = ("p50", "p95", "p99", "max")
    return {
        name: round(value, 3)
        for name, value in zip(names, percentiles(values), strict=True)
    }


def store(figures: Figures, facts: str, path: Path = FIGURES) -> None:
    """Keep the figures beside the page that shows them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    content = {"measured": day, "facts": facts, "load": os.getloadavg(), **figures}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
