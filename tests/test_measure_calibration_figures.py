"""Bounds, effects, summaries and tables of scripts/measure_calibration.py."""

import json
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("torch")

from calibration_scripts import calibration_scripts

from rtbold.calibration.nulls import pairing
from rtbold.calibration.target import LOWPASS_HZ, lowpassed
from rtbold.sim import seeds


@pytest.fixture(scope="module")
def scripts():
    with calibration_scripts() as found:
        yield found


def test_bounds_are_those_of_clopper_and_pearson(scripts):
    # None of n: 1 - 0.05 ** (1 / n); 95 % two-sided of 4 of 40 from published tables.
    assert scripts.stats.upper_bound(0, 400) == pytest.approx(1 - 0.05 ** (1 / 400))
    assert scripts.stats.upper_bound(5, 5) == 1.0
    found = scripts.stats.share(4, 40)
    assert (found["low"], found["high"]) == pytest.approx((0.0279, 0.2366), abs=1e-4)


def test_bound_over_subjects_is_wider_where_one_subject_makes_the_hits(scripts):
    first = np.repeat(np.arange(20), 4)
    second = (first + np.tile([1, 2, 5, 7], 20)) % 20
    of_one = (first == 3) * 1.0
    spread = (np.arange(80) % 20 == 0) * 1.0
    assert of_one.sum() == spread.sum() == 4
    wide = scripts.stats.clustered_upper(of_one, first, second)
    assert wide > scripts.stats.clustered_upper(spread, first, second) > 0.05
    assert scripts.stats.clustered_upper(np.ones(80), first, second) == 1.0


def test_effect_of_known_differences(scripts):
    rng = np.random.default_rng(0)
    difference = rng.standard_normal(400) + 0.5
    found = scripts.stats.effect(difference)
    assert found["mean"] == pytest.approx(difference.mean())
    assert found["dz"] == pytest.approx(difference.mean() / difference.std(ddof=1))
    assert found["low"] < 0.5 < found["high"]
    # The t interval of so many is nearly the bootstrap's.
    half = 1.966 * difference.std(ddof=1) / 20
    assert found["high"] - found["mean"] == pytest.approx(half, rel=0.05)


def test_each_subject_is_in_as_many_pairs_as_any_other(scripts):
    items = scripts.gate.items(scripts.gate.DEFAULT_N)
    pairs = {item[:2] for item in items}
    assert len(pairs) == len(items) >= 400
    assert not {(b, a) for a, b in pairs} & pairs
    for place in (0, 1):
        assert set(Counter(item[place] for item in items).values()) == {7}
    for eeg, bold, *others in items:
        assert len({eeg, bold, *others}) == 5
    rois = scripts.gate.turn(len(items), 64)
    assert set(rois) == set(range(64))


def test_few_subjects_still_make_null_scans(scripts):
    for n in (3, 4, 5):
        items = scripts.gate.items(n)
        assert items
        assert all(len({*item}) == len(item) >= 3 for item in items)


def test_mixed_series_have_the_true_r_as_scores_take_it(scripts):
    rng = np.random.default_rng(1)
    tr_s = 2.1
    signal, noise = np.cumsum(rng.standard_normal((2, 400, 3)), axis=1)
    bold = scripts.power.mixed(signal, noise, 0.3, tr_s=tr_s)
    low = [lowpassed(series, tr_s, LOWPASS_HZ) for series in (signal, bold)]
    np.testing.assert_allclose(pairing(*low).r, 0.3, atol=1e-6)
    # All of the noise is in it, its drift too.
    part = bold - noise
    np.testing.assert_allclose(np.abs(pairing(part, signal).r), 1.0, atol=1e-9)


def test_folds_of_a_strategy_are_joined(scripts, tmp_path):
    rng = np.random.default_rng(4)
    measured = rng.standard_normal((200, 3))
    for size, n in (("shipped", 3), ("base size", 2)):
        for seed in seeds.CALIBRATED_SEEDS[:n]:
            for strategy, noise in (("head", 1.0), ("all", 3.0)):
                predicted = measured + noise * rng.standard_normal((200, 3))
                for fold in range(5):
                    rows = slice(40 * fold, 40 * (fold + 1))
                    path = scripts.everything._path(
                        tmp_path, (size, seed, strategy, fold)
                    )
                    np.savez(
                        path, network=predicted[rows], ridge_live=-measured[rows],
                        scored=measured[rows],
                    )  # fmt: skip
    found = scripts.everything._compared("shipped", 3, tmp_path)
    assert found["mean"]["head"]["mean"] == pytest.approx(0.7, abs=0.07)
    assert found["difference"]["head - all"]["low"] > 0.2
    np.testing.assert_allclose(found["each"]["ridge"], -1.0)
    small = scripts.everything._compared("base size", 2, tmp_path)
    table = scripts.page.everything({"shipped": found, "base size": small})
    assert "| base size | 2 |" in table


def test_every_fold_of_both_strategies_is_an_item(scripts):
    items = scripts.everything.items(8)
    assert len(items) == len(set(items)) == (8 + 2) * 2 * 5


def test_coverage_counts_volumes_inside(scripts):
    residual = np.array([[0.1, 2.0], [-0.5, 0.0], [3.0, 0.0], [0.2, 0.0]])
    found = scripts.coverage.inside(residual, np.array([0.5, np.nan]))
    assert found == [0.75, None]


def test_what_all_weights_would_take(scripts):
    # 64 training volumes: 4 steps an epoch, 8 epochs; 9 looks at 10 stopping volumes.
    found = scripts.time.fits_s([(64, 10), (64, 0)], step_s=2.0, window_s=0.1)
    assert found == pytest.approx(2 * 8 * 4 * 2.0 + 9 * 10 * 0.1)


def lines_of_gate(scripts, n):
    rng = np.random.default_rng(3)
    lines = []
    for item in scripts.gate.items(n):
        line = {"key": list(item)}
        for name in scripts.fit.SERIES:
            line[f"{name}_r"] = [0.1] * 64
            for kind in ("phase", "other"):
                line[f"{name}_p_{kind}"] = rng.uniform(0, 1, 64).tolist()
        lines.append(line)
    return lines


def test_gate_summary_and_table(scripts):
    lines = lines_of_gate(scripts, 60)
    found = {"subjects": 60, "scans": len(lines), **scripts.gate.summary(lines)}
    alone = found["phases alone"]
    # The larger of two p at half of alpha: 2.5 % of one uniform p.
    assert alone["every_roi"]["share"] == pytest.approx(0.025, abs=0.004)
    assert alone["every_roi"]["clustered_upper"] > alone["every_roi"]["share"]
    assert found["other subjects too"]["every_roi"]["share"] < 0.002
    assert found["alone"]["network"]["share"] == pytest.approx(0.05, abs=0.006)
    table = scripts.page.gate(found)
    assert f"{alone['declared']['hits']} of {len(lines)}" in table


def test_page_is_written_between_its_marks(scripts, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts.page, "PAGE", tmp_path / "calibration.md")
    monkeypatch.setattr(scripts.page, "DATA", tmp_path / "data")
    (tmp_path / "calibration.md").write_text("# Calibration\n\nKept.\n")
    for text in ("first", "second"):
        scripts.page.write("gate", {"n": 1}, text, load_before=(0.0, 0.0, 0.0))
    page = (tmp_path / "calibration.md").read_text()
    assert "Kept." in page
    assert "second" in page
    assert "first" not in page
    data = json.loads((tmp_path / "data" / "calibration_gate.json").read_text())
    assert data["n"] == 1
    assert "load average" in data["measured"]
