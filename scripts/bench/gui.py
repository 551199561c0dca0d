"""What the dashboard takes: frames, CPU, time to the pixel, what the loop notices."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from runner import progress

from bench import gui_loop
from bench.gui_loop import LoopPlan
from bench.processes import LONGEST_S, cpu_s, dashboard, fake, percentiles, unseen

ROLE = Path(__file__).with_name("gui_window.py")
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


def measure(plan: GuiPlan) -> Figures:
    """Return all figures; each part in processes of its own, one after the other."""
    many, frames, shares = max(plan.channels), [], []
    for n_channels in plan.channels:
        with fake(n_channels) as feed:
            frames.append(_one_look(plan, feed, Look("usual", n_channels)))
            if n_channels == many:
                full = Look("9 ROIs over 60 min", n_channels, FULL)
                frames.append(_one_look(plan, feed, full))
            shares.append(_share(plan, feed, n_channels))
    with fake(many, speed=plan.speed) as feed:
        pixels = _pixels(plan, feed)
    progress(f"  one session, {plan.loop.n_blocks} turns of {plan.loop.block_s:g} s")
    loop = gui_loop.compared(gui_loop.measure(plan.loop))
    found = {"frames": frames, "cpu": shares, "pixels": pixels, "loop": loop}
    return {"plan": asdict(plan), **found}


def play(role: str, feed: str, *options: object) -> Figures:
    """Run one role of gui_window to its end; return what it said."""
    progress(f"  {role} {' '.join(map(str, options))}")
    done = subprocess.run(
        [sys.executable, ROLE, role, "--connect", feed, *map(str, options)],
        capture_output=True,
        text=True,
        env=unseen(""),
        timeout=LONGEST_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the window for {role!r} said: {done.stderr[-800:]}")
    said: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return said


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
        "wall_ms": percentiles(said["wall_ms"]), "cpu_ms": percentiles(said["cpu_ms"]),
        "n_over_33_ms": int(np.count_nonzero(wall_ms > FRAME_MS)),
    }  # fmt: skip


def _share(plan: GuiPlan, feed: str, n_channels: int) -> Figures:
    """Return the CPU share of ``rtbold gui``, which shows the session page."""
    progress(f"  CPU of the whole window, {n_channels} channels")
    with dashboard(feed) as process:
        time.sleep(plan.cpu_warm_up_s)
        before_s, begun_s = cpu_s(process), time.monotonic()
        time.sleep(plan.cpu_s)
        share = (cpu_s(process) - before_s) / (time.monotonic() - begun_s)
    return {"channels": n_channels, "page": "session", "share": round(share, 4)}


def _pixels(plan: GuiPlan, feed: str) -> Figures:
    seconds = plan.n_predictions * TR_S / plan.speed
    said = play(
        "pixels", feed, "--predictions", plan.n_predictions, "--seconds", seconds
    )
    _expect(len(said["ms"]) >= plan.n_predictions, "predictions", said)
    return {"speed": plan.speed, "n": len(said["ms"]), "ms": percentiles(said["ms"])}


def _expect(right: bool, what: str, said: Mapping[str, object]) -> None:
    if not right:
        known = {k: v for k, v in said.items() if not k.endswith("ms")}
        raise RuntimeError(f"the window did not show {what} as it should: {known}")
