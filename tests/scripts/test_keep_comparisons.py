"""What `rtbold evaluate` found becomes one section of the docs, whoever won."""

import json

import pytest
from script_packages import scripts

pytest.importorskip("jinja2")


def estimate(mean, low=None, high=None):
    return {"median": mean, "low": low, "high": high, "mean": mean,
            "mean_low": low, "mean_high": high}  # fmt: skip


def model(name, kind, r, **controls):
    return {
        "name": name, "kind": kind, "first_share": 0.725, "own_first": None,
        "own_rank": 12.0, "p": 0.001, "rois": [{"roi": "a"}],
        "r": estimate(r, r - 0.01, r + 0.01), "r_gsr": estimate(0.09),
        "mse": estimate(0.9), "r_of_mean": estimate(0.5), "controls": controls,
    }  # fmt: skip


def results():
    constant = {"constant EEG": estimate(0.0), "another subject's EEG": estimate(0.02)}
    bundle = model("powers", "bundle", 0.37, **constant)
    ridge = model("ridge", "baseline", 0.3)
    difference = {"a": "powers", "b": "ridge", "n": 6, "dz": 1.0, "dz_low": None,
                  "dz_high": None}  # fmt: skip
    return {
        "data": "simulated", "subjects": ["a"] * 6, "scans": ["x"] * 6, "split": "s",
        "models": [bundle, ridge], "notes": ["one note"],
        "differences": [
            {**difference, "of": "R", "mean": 0.07, "low": 0.05, "high": 0.09},
            {**difference, "of": "R without global signal", "mean": 0.01, "low": None,
             "high": None},
        ],
    }  # fmt: skip


@pytest.fixture
def script():
    with scripts("keep_comparisons", "pages") as found:
        yield found.keep_comparisons


def test_every_model_has_a_line_without_its_rois(script):
    short = script.short(results())
    assert [line["name"] for line in short["models"]] == ["powers", "ridge"]
    assert "rois" not in short["models"][0]
    assert json.dumps(short)


def test_the_tables_say_simulated_and_give_every_figure(script):
    found = {"levels": {"hard": script.short(results())}}
    text = script.pages.render(script.SECTION, found)
    assert "`hard`: 6 unseen subjects" in text
    assert "SIMULATED" in text
    assert (
        "| powers | 0.370 (0.360 to 0.380) | 0.090 | 0.900 | 72.5 % | \u2013 | 0.000 "
        "| 0.020 |"
    ) in text
    assert "| ridge | 0.300 (0.290 to 0.310) |" in text
    assert "| powers - ridge | +0.070 (+0.050 to +0.090) | 0.010 |" in text
    assert "- one note" in text
