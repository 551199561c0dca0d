"""How fast every architecture is, and what more ROIs cost; runs interleaved."""

import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.models import (
    N_ROIS,
    Timed,
    bundle_of,
    drawn_neurobolt,
    in_torch,
    in_turns,
    ratio,
    torch_threads,
    twin_windows,
)


def architectures(*, turns: int) -> tuple[str, dict[str, Mapping[str, float]]]:
    """Return a table of every architecture, and its medians by name and engine."""
    from rtbold.engine.openvino import OpenVinoEngine
    from rtbold.models.montage import PUBLISHED_CHANNELS
    from rtbold.models.registry import ARCHITECTURES, PRESETS, build, preset

    single = [name for name in ARCHITECTURES if not name.endswith("ensemble")]
    sizes = [(name, p) for name in single for p in PRESETS.get(name, ("base",))]
    window = twin_windows(PUBLISHED_CHANNELS, 1)
    rows: list[Timed] = []
    with tempfile.TemporaryDirectory() as folder, torch_threads(2):
        for name, size in sizes:
            label = name if size == "base" else f"{name} {size}"
            model = build(
                name, preset(name, size), channels=PUBLISHED_CHANNELS, n_rois=N_ROIS
            ).eval()
            made = bundle_of(model, Path(folder), label.replace(" ", "-"))
            engine = OpenVinoEngine(made, n_threads=2, batch_size=1)
            rows += [Timed(label, in_torch(model)), Timed(label, engine)]
        in_turns(rows, window, turns=turns)
    lines = ["| model | torch, ms | OpenVINO f32, ms |", "|---|---|---|"]
    medians = {}
    for eager, compiled in zip(rows[::2], rows[1::2], strict=True):
        lines.append(f"| `{eager.label}` | {eager.spread()} | {compiled.spread()} |")
        medians[eager.label] = {
            "torch_ms": round(statistics.median(eager.ms), 3),
            "openvino_f32_ms": round(statistics.median(compiled.ms), 3),
        }
    text = "All architectures, fresh weights, 26 channels, 64 ROIs, 2 threads.\n\n"
    return text + "\n".join(lines), medians


def rois(*, turns: int) -> str:
    """Say what 64 ROIs cost beside one."""
    from rtbold.engine.openvino import OpenVinoEngine

    one, many = drawn_neurobolt(1), drawn_neurobolt(N_ROIS)
    window = twin_windows(one.config.channels, 1)
    with tempfile.TemporaryDirectory() as folder, torch_threads(2):
        rows = [Timed("torch 1", in_torch(one)), Timed("torch 64", in_torch(many))]
        for name, model in (("one", one), ("many", many)):
            made = bundle_of(model, Path(folder), name)
            rows.append(Timed(name, OpenVinoEngine(made, n_threads=2, batch_size=1)))
        in_turns(rows, window, turns=turns)
    in_eager, compiled = (ratio(rows[i + 1], rows[i]) for i in (0, 2))
    return (
        f"64 ROIs take {in_eager:.2f} times as long as one in torch and {compiled:.2f} "
        "times in OpenVINO f32 (NeuroBOLT base, 2 threads)."
    )
