"""The table of models in the docs is what the code counts."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("torch")

SCRIPT = Path(__file__).parents[1] / "scripts" / "model_table.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("model_table", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_docs_are_up_to_date(script):
    text = script.DOCS.read_text("utf-8")
    rows = script.table(script.read_bench())
    assert script.filled(text, rows) == text, "run scripts/model_table.py --write"


def test_every_architecture_that_is_one_network_has_a_row(script):
    from rtbold.models.registry import ARCHITECTURES, PRESETS

    named = {(row.architecture, row.preset) for row in script.ROWS}
    single = {name for name in ARCHITECTURES if not name.endswith("ensemble")}
    presets = {(a, name) for a, names in PRESETS.items() for name in names}
    assert named == {(name, "base") for name in single} | presets


def test_measured_latencies_take_their_columns(script):
    rows = script.table({"efp": {"torch_ms": 0.5, "openvino_f32_ms": 0.25}})
    efp = next(line for line in rows.splitlines() if line.startswith("| `efp`"))
    assert "| 0.50 | 0.25 |" in efp
    assert rows.count(script.NOT_MEASURED) == 2 * (len(script.ROWS) - 1)
