"""The table of models in the docs is what the code counts."""

import pytest
from script_packages import scripts

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def script():
    with scripts("evaluate.model_table") as found:
        yield found.model_table


def test_docs_are_up_to_date(script):
    pages, section = script.pages, script.SECTION
    text = pages.page_of(section).read_text("utf-8")
    new = pages.filled(text, pages.mark(section), script.table())
    assert new == text, "run python scripts/pages model_table"


def test_every_architecture_that_is_one_network_has_a_row(script):
    from rtbold.models.registry import ARCHITECTURES, PRESETS

    named = {(row["architecture"], row["preset"]) for row in script.ROWS}
    single = {
        name for name in ARCHITECTURES if not name.endswith(("ensemble", "stacked"))
    }
    presets = {(a, name) for a, names in PRESETS.items() for name in names}
    assert named == {(name, "base") for name in single} | presets


def test_measured_latencies_take_their_columns(script):
    rows = script.table({"efp": {"torch_ms": 0.5, "openvino_f32_ms": 0.25}})
    efp = next(line for line in rows.splitlines() if line.startswith("| `efp`"))
    assert "| 0.50 | 0.25 |" in efp
    assert rows.count("not measured") == 2 * (len(script.ROWS) - 1)
