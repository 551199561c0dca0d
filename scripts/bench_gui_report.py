"""Figures of scripts/bench_gui.py as markdown."""

from typing import Any

from bench_gui import PARTS, GuiPlan

Figures = dict[str, Any]
FRAMES_A_SECOND = 30


def text(plan: GuiPlan, figures: Figures) -> str:
    """Return the section of docs/data/benchmarks.md."""
    return "\n\n".join(
        [
            "### Dashboard",
            "`rtbold fake` with 64 ROIs, measured BOLD, one volume each 2.1 s; a "
            "window of 1366 x 768 without a screen (Qt's `offscreen`).",
            _frames(plan, figures["frames"]),
            _parts(figures["parts"]),
            _shares(plan, figures["cpu"]),
            _pixels(figures["pixels"]),
            _loop(plan, figures["loop"]),
        ]
    )


def _frames(plan: GuiPlan, frames: list[Figures]) -> str:
    lines = [
        f"One frame of the session page, refresh and painting, {plan.frames_s:g} s at "
        "30 frames a second. CPU is that of the drawing thread.",
        "",
        "| what is shown | frames | ms: p50 | p95 | p99 | max | over 33 ms "
        "| CPU ms: p50 | p95 | max |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in frames:
        wall, cpu = row["wall_ms"], row["cpu_ms"]
        lines.append(
            f"| {row['channels']} channels, {row['look']} | {row['n']} "
            f"| {wall['p50']:.1f} | **{wall['p95']:.1f}** | {wall['p99']:.1f} "
            f"| {wall['max']:.1f} | {row['n_over_33_ms']} | {cpu['p50']:.1f} "
            f"| {cpu['p95']:.1f} | {cpu['max']:.1f} |"
        )
    return "\n".join(lines)


def _parts(parts: dict[str, Figures]) -> str:
    lines = [
        "Where it goes, refresh and painting of each part together. Most paint once "
        "per volume: the mean says what they cost, the greatest what one frame bears.",
        "",
        "| part | ms a frame: mean | p95 | max |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {PARTS[name]} | {ms['mean']:.2f} | {ms['p95']:.2f} | {ms['max']:.1f} |"
        for name, ms in parts.items()
    ]
    return "\n".join(lines)


def _shares(plan: GuiPlan, shares: list[Figures]) -> str:
    lines = [
        f"CPU of the whole process over {plan.cpu_s:g} s, in shares of one core.",
        "",
        "| channels | page that is open | CPU seconds per second |",
        "|---|---|---|",
    ]
    lines += [
        f"| {row['channels']} | {row['page']} | **{row['share']:.3f}** |"
        for row in shares
    ]
    return "\n".join(lines)


def _pixels(pixels: Figures) -> str:
    ms = pixels["ms"]
    return (
        f"From a prediction's publication to the end of its painting, {pixels['n']} "
        f"predictions (at {pixels['speed']:g} times their usual rate, EEG too): p50 "
        f"{ms['p50']:.1f} ms, p95 **{ms['p95']:.1f} ms**, p99 {ms['p99']:.1f} ms, at "
        f"most {ms['max']:.1f} ms. Half a frame (17 ms) of it is waiting for the next "
        "one; the screen comes on top."
    )


def _loop(plan: GuiPlan, loop: Figures) -> str:
    lines = [
        "What the loop notices: one session with the twin "
        f"({plan.loop.rate_hz:g} Hz, TR {plan.loop.tr_s:g} s, model "
        f"`{plan.loop.model}`), without and with the dashboard in turns of "
        f"{plan.loop.block_s:g} s; arrival of the last needed sample to subscriber.",
        "",
        "| | predictions | ms: p50 | p95 | p99 | max |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("without", "with"):
        ms = loop[name]
        lines.append(
            f"| {name} the dashboard | {ms['n']} | {ms['p50']:.1f} | {ms['p95']:.1f} "
            f"| {ms['p99']:.1f} | {ms['max']:.1f} |"
        )
    ratio, between = loop["ratio"], _each(loop["p99_ratio_interval"], " to ")
    lines += [
        "",
        f"With over without: p50 {ratio['p50']:.2f}, p95 {ratio['p95']:.2f}, p99 "
        f"**{ratio['p99']:.2f}** (90 % lie in {between}, were "
        "other pairs drawn of these); of each pair of turns, p99 "
        f"{_each(loop['p99_ratio_of_each_pair'])} and p50 "
        f"{_each(loop['p50_ratio_of_each_pair'])}. (A turn's p99 is nearly its worst "
        "prediction.)",
    ]
    return "\n".join(lines)


def _each(ratios: list[float], between: str = ", ") -> str:
    return between.join(f"{ratio:.2f}" for ratio in ratios)
