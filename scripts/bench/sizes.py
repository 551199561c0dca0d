"""How fast every architecture is, and what more ROIs cost; runs interleaved."""

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from bench.budget import Budget
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

Medians = dict[str, Mapping[str, float]]


def architectures(
    budget: Budget, *, turns: int, medians: Medians, seconds: float = 5.0
) -> Iterator[str]:
    """Give a table of every architecture, and put its medians into `medians`.

    Parameters
    ----------
    seconds : of turns for each.
    """
    from rtbold.models.montage import PUBLISHED_CHANNELS
    from rtbold.models.registry import ARCHITECTURES, PRESETS, build, preset

    single = [name for name in ARCHITECTURES if not name.endswith("ensemble")]
    sizes = [(name, p) for name in single for p in PRESETS.get(name, ("base",))]
    window = twin_windows(PUBLISHED_CHANNELS, 1)
    yield (
        "All architectures, fresh weights, 26 channels, 64 ROIs, 2 threads.\n\n"
        "| model | torch, ms | OpenVINO f32, ms |\n|---|---|---|"
    )
    for name, size in sizes:
        label = name if size == "base" else f"{name} {size}"
        budget.begin(label)
        if (name, size) == ("neurobolt", "base"):
            model = drawn_neurobolt()  # exported already
        else:
            config = preset(name, size)
            model = build(
                name, config, channels=PUBLISHED_CHANNELS, n_rois=N_ROIS
            ).eval()
        eager, compiled = _both(model, label, window, turns=turns, seconds=seconds)
        medians[label] = {
            "torch_ms": round(statistics.median(eager.ms), 3),
            "openvino_f32_ms": round(statistics.median(compiled.ms), 3),
        }
        yield f"| `{label}` | {eager.spread()} | {compiled.spread()} |"


def _both(
    model,  # noqa: ANN001
    label: str,
    window: np.ndarray,
    *,
    turns: int,
    seconds: float,
) -> list[Timed]:
    """Time a network in torch and in OpenVINO, in turns."""
    from rtbold.engine.openvino import OpenVinoEngine

    with tempfile.TemporaryDirectory() as folder, torch_threads(2):
        made = bundle_of(model, Path(folder), label.replace(" ", "-"))
        engine = OpenVinoEngine(made, n_threads=2, batch_size=1)
        rows = [Timed(label, in_torch(model)), Timed(label, engine)]
        in_turns(rows, window, turns=turns, seconds=seconds)
    return rows


def rois(budget: Budget, *, turns: int) -> Iterator[str]:
    """Say what 64 ROIs cost beside one."""
    from rtbold.engine.openvino import OpenVinoEngine

    one, many = drawn_neurobolt(1), drawn_neurobolt(N_ROIS)
    window = twin_windows(one.config.channels, 1)
    with tempfile.TemporaryDirectory() as folder, torch_threads(2):
        rows = [Timed("torch 1", in_torch(one)), Timed("torch 64", in_torch(many))]
        for name, model in (("one", one), ("many", many)):
            made = bundle_of(model, Path(folder), name)
            rows.append(Timed(name, OpenVinoEngine(made, n_threads=2, batch_size=1)))
        budget.begin("one ROI and 64 in turns")
        in_turns(rows, window, turns=turns, seconds=10.0)
    in_eager, compiled = (ratio(rows[i + 1], rows[i]) for i in (0, 2))
    yield (
        f"64 ROIs take {in_eager:.2f} times as long as one in torch and {compiled:.2f} "
        "times in OpenVINO f32 (NeuroBOLT base, 2 threads)."
    )
