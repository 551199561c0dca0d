"""Count every architecture's parameters and products, for the table of all models.

Latencies are read from what ``python scripts/bench models --write`` measured, where
that has been run. ``python scripts/pages model_table`` puts the table into its page.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pages

from rtbold.models.export.checks import flops_per_window, parameter_count
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.registry import build, preset

SECTION = "model_table"
KNOWN = Path(pages.__file__).with_name(f"{SECTION}.toml")
ROWS: list[dict[str, str]] = tomllib.loads(KNOWN.read_text("utf-8"))["model"]
LATENCIES = ("torch_ms", "openvino_f32_ms")

Latencies = Mapping[str, Mapping[str, float]]  # ms by model, then of LATENCIES


def table(measured: Latencies | None = None) -> str:
    """Return the table, one row per architecture or preset.

    Parameters
    ----------
    measured : None: those in docs/data.
    """
    latencies = stored() if measured is None else measured
    return pages.render(SECTION, [_counted(row, latencies) for row in ROWS])


def stored() -> Latencies:
    """Return the measured latencies; nothing where no benchmark was written."""
    file = pages.data_file("bench_models")
    if not file.exists():
        return {}
    found: Latencies = json.loads(file.read_text("utf-8"))["architectures"]
    return found


def _counted(row: Mapping[str, str], measured: Latencies) -> dict[str, object]:
    size = row["preset"]
    options = preset(row["architecture"], size)
    model = build(row["architecture"], options, channels=PUBLISHED_CHANNELS, n_rois=1)
    name = row["architecture"] + ("" if size == "base" else f" {size}")
    return {
        **row,
        "name": name,
        "n_parameters": parameter_count(model),
        "gflop": flops_per_window(model, len(PUBLISHED_CHANNELS)) / 1e9,
        **{key: measured.get(name, {}).get(key) for key in LATENCIES},
    }
