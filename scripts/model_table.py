"""Write the table of all models into docs/reference/models.md.

    python scripts/model_table.py            # print it
    python scripts/model_table.py --write    # put it between the markers

Parameters and arithmetic are counted here; latencies are read from what
``scripts/bench.py models --write`` measured, where that has been run.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtbold.models.flops import flops_per_window, parameter_count
from rtbold.models.montage import PUBLISHED_CHANNELS
from rtbold.models.registry import build, preset

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "reference" / "models.md"
BENCH = ROOT / "docs" / "data" / "bench_models.json"
BEGIN, END = "<!-- bench:model-table -->", "<!-- /bench:model-table -->"
LATENCIES = {"torch_ms": "torch, ms", "openvino_f32_ms": "OpenVINO f32, ms"}
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Row:
    """What is known of a model besides what can be counted."""

    architecture: str
    source: str
    deviations: str
    preset: str = "base"

    @property
    def name(self) -> str:
        """Return the architecture, and the preset where it is not the default."""
        suffix = "" if self.preset == "base" else f" {self.preset}"
        return self.architecture + suffix


ROWS = (
    Row(
        "neurobolt",
        "Li et al., NeurIPS 2024, arXiv 2410.05341",
        "one head for all ROIs",
    ),
    Row(
        "neurobolt",
        "the same",
        "an option each: spectral branch alone, log magnitude, Laplacian, tokens kept",
        preset="small",
    ),
    Row(
        "labram",
        "Jiang et al., ICLR 2024, arXiv 2405.18765 (LaBraM-base)",
        "one head for all ROIs",
    ),
    Row(
        "biot",
        "Yang et al., NeurIPS 2023, arXiv 2305.10351",
        "scaled by the 95th percentile inside; a channel token per electrode",
    ),
    Row(
        "beira",
        "Kovalev et al. 2022, arXiv 2211.02024, and its code",
        "sequence to one: no decoder; 200 Hz; one network for all ROIs",
    ),
    Row(
        "siren",
        "Li et al. 2024, SPIE 12926, arXiv 2311.04234",
        "only the abstract could be read: sizes and encoder are ours",
    ),
    Row(
        "bandpower_ridge",
        "after Leite et al. 2013, de Munck et al.",
        "scaling frozen from training",
    ),
    Row(
        "efp",
        "Meir-Hasson et al., NeuroImage 2014",
        "only the abstract could be read: grid ours, short-time spectrum; one "
        "electrode for all ROIs",
    ),
)


def table(bench: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table, one row per architecture or preset.

    Parameters
    ----------
    bench : measured latencies in ms by row name, then by key of ``LATENCIES``.
    """
    head = ["model", "parameters", "GFLOP", *LATENCIES.values(), "source", "deviations"]
    lines = [head, ["---", *["---:"] * (2 + len(LATENCIES)), "---", "---"]]
    lines += [_cells(row, bench.get(row.name, {})) for row in ROWS]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Row, measured: Mapping[str, float]) -> list[str]:
    options = preset(row.architecture, row.preset)
    model = build(row.architecture, options, channels=PUBLISHED_CHANNELS, n_rois=1)
    gflop = flops_per_window(model, len(PUBLISHED_CHANNELS)) / 1e9
    latencies = [
        f"{measured[key]:.2f}" if key in measured else NOT_MEASURED for key in LATENCIES
    ]
    return [
        f"`{row.name}`",
        f"{parameter_count(model):,}".replace(",", " "),
        f"{gflop:.2g}" if gflop < 1 else f"{gflop:.1f}",
        *latencies,
        row.source,
        row.deviations,
    ]


def read_bench() -> dict[str, dict[str, float]]:
    """Return the measured latencies; nothing where no benchmark was written."""
    if not BENCH.exists():
        return {}
    measured: dict[str, dict[str, float]] = json.loads(BENCH.read_text("utf-8"))[
        "architectures"
    ]
    return measured


def filled(text: str, rows: str) -> str:
    """Return `text` with `rows` between the two markers."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into its page")
    options = parser.parse_args()
    rows = table(read_bench())
    print(rows)
    if options.write:
        DOCS.write_text(filled(DOCS.read_text("utf-8"), rows), "utf-8")


if __name__ == "__main__":
    main()
