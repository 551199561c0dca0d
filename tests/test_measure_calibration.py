"""The pieces of scripts/measure_calibration.py; what they measure is for the docs."""

import itertools
import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.calibration.choosing import Candidates, choose, out_of_fold_of
from rtbold.calibration.nulls import pairing
from rtbold.calibration.outoffold import FoldedScan
from rtbold.calibration.scored import Declared
from rtbold.calibration.split import STRICT_GAP_S
from rtbold.calibration.target import LOWPASS_HZ, lowpassed
from rtbold.calibration.verdict import ALPHA, VerdictSettings, judge
from rtbold.sim import seeds

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


@pytest.fixture(scope="module")
def scripts():
    before = set(sys.modules)
    sys.path.insert(0, str(SCRIPTS))
    try:
        import measure_calibration as module

        yield SimpleNamespace(
            entry=module,
            **{
                name.removeprefix("measure_calibration_"): found
                for name, found in sys.modules.items()
                if name.startswith("measure_calibration_")
            },
        )
    finally:
        sys.path.remove(str(SCRIPTS))
        for name in set(sys.modules) - before:
            if name.startswith(("measure_calibration", "bench")):
                del sys.modules[name]


def test_seeds_are_test_seeds_of_one_question_each():
    parts = [
        seeds.CALIBRATED_SEEDS, seeds.NULL_SEEDS, seeds.POWER_SEEDS,
        seeds.CONFOUND_SEEDS, seeds.COVERAGE_SEEDS, seeds.TIMED_SEEDS,
    ]  # fmt: skip
    demo = set(seeds.TEST_SEEDS[:100])  # what the shipped bundle was scored on
    for part in parts:
        assert set(part) <= set(seeds.TEST_SEEDS) - demo
    for a, b in itertools.combinations(parts, 2):
        assert not set(a) & set(b)


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


def fake_folded(n, n_windows, rois, rng):
    shape = (n_windows, len(rois))
    measured = np.cumsum(rng.standard_normal(shape), axis=0) * 0.3
    measured += rng.standard_normal(shape)
    strength = np.linspace(-0.3, 0.4, len(rois))
    series = {
        "network": strength * measured + rng.standard_normal(shape),
        "ridge_live": np.roll(strength, 12) * measured + rng.standard_normal(shape),
    }
    nothing = np.zeros(shape)
    return FoldedScan(
        horizon_tr=0, ridge=nothing, base=nothing, target=measured, scored=measured,
        folds=(), interrupted=False, **series,
    )  # fmt: skip


def test_decision_is_that_of_the_recipe(scripts):
    rng = np.random.default_rng(2)
    rois, n, n_windows = scripts.scans.base().rois, 150, 140
    folded = fake_folded(n, n_windows, rois, rng)
    volume = np.arange(n - n_windows, n)
    eeg = SimpleNamespace(bold=np.zeros((n, len(rois))), volume=volume)
    others = {
        name: [0.3 * getattr(folded, name) + rng.standard_normal(folded.scored.shape)]
        for name in scripts.fit.SERIES
    }
    line = scripts.fit.columns(scripts.fit.Fitting(folded, others, eeg))
    scan = SimpleNamespace(bold=eeg.bold, volume=volume, rois=rois)
    seen = set()
    for at in (0, 3, 6, 12, 20, 32, 63):
        declared = Declared(rois[at])
        choice = choose(
            Candidates(scripts.confound.settings(), declared, scripts.scans.shipped(),
                       {0: folded}, scan)
        )  # fmt: skip
        for given in (False, True):
            scored = out_of_fold_of(folded, choice.kept, scan)
            if given:
                grid = np.full((n, len(rois)), np.nan)
                grid[volume] = others[choice.kept][0]
                scored = type(scored)(scored.predicted, scored.measured, rois, (grid,))
            gate = judge(
                scored, declared, settings=VerdictSettings(ALPHA / choice.n_choices)
            ).gate
            assert scripts.fit.passes(line, others=given)[at] == gate.passed
            seen.add((choice.kept, gate.passed))
    assert len(seen) >= 3


def counted(item, cache):
    counts = cache / "count"
    counts.write_text(counts.read_text() + "." if counts.exists() else ".")
    return {"twice": 2 * item[0]}


def test_what_is_in_the_log_is_not_done_again(scripts, tmp_path, monkeypatch, capsys):
    log = scripts.log
    monkeypatch.setattr(log, "fingerprint", lambda job: "now")
    job = log.Job("some", [(1,), (2,)], counted, tmp_path)
    assert [line["twice"] for line in log.done_or_do(job)] == [2, 4]
    path = tmp_path / "some.jsonl"
    # Cut off in the middle of the second line, as by a killed process.
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\n{second[:20]}")
    more = log.Job("some", [(1,), (2,), (3,)], counted, tmp_path)
    assert [line["twice"] for line in log.done_or_do(more)] == [2, 4, 6]
    assert len((tmp_path / "count").read_text()) == 4
    assert [line["twice"] for line in log.done_or_do(more)] == [2, 4, 6]
    assert len((tmp_path / "count").read_text()) == 4
    monkeypatch.setattr(log, "fingerprint", lambda job: "later")
    log.done_or_do(job)
    assert len((tmp_path / "count").read_text()) == 6


def test_fingerprint_follows_the_code(scripts, tmp_path, monkeypatch):
    job = scripts.log.Job("some", [], counted, tmp_path)
    before = scripts.log.fingerprint(job)
    assert before == scripts.log.fingerprint(job)
    monkeypatch.setattr(scripts.log, "SOURCES", ("scripts/measure_calibration_log.py",))
    assert scripts.log.fingerprint(job) != before


@pytest.fixture(scope="module")
def short(scripts):
    return scripts.scans.read(scripts.scans.simulated(2990, minutes=8.0))


def test_cache_gives_back_what_was_read(scripts, tmp_path, monkeypatch, short):
    scans = scripts.scans
    monkeypatch.setattr(scans, "read", lambda session, live_only: short)
    monkeypatch.setattr(scans, "simulated", lambda seed: None)
    written = scans.cached_read(2990, tmp_path)
    again = scans.cached_read(2990, tmp_path)
    for found in (written, again):
        np.testing.assert_array_equal(found.readings.features, short.readings.features)
        np.testing.assert_array_equal(found.readings.prior, short.readings.prior)
        np.testing.assert_array_equal(found.bold, short.bold)
        for form in scans.LIVE_FORMS:
            np.testing.assert_array_equal(
                found.tables.forms[form].features, short.tables.forms[form].features
            )
        assert found.readings.earlier is scans.base().earlier
    assert len(list(tmp_path.iterdir())) == 1


def test_first_minutes_and_last_part_share_nothing(scripts, short):
    part = scripts.scans.first_minutes(short, 6.0)
    assert part.volume_onsets_s[-1] < 360 <= short.volume_onsets_s[len(part.bold)]
    n = len(part.volume)
    np.testing.assert_array_equal(part.onsets_s, short.onsets_s[:n])
    np.testing.assert_array_equal(part.readings.features, short.readings.features[:n])
    last = scripts.fit.last_part(short, 6.0)
    assert max(last.train.max(), last.stop.max()) == n - 1
    gap_s = short.onsets_s[last.test[0]] - short.onsets_s[n - 1]
    assert STRICT_GAP_S - 1e-6 <= gap_s < STRICT_GAP_S + 2.1
    assert last.test[-1] == len(short.volume) - 1


def test_held_out_answers_only_the_last_part(scripts, short):
    folded = scripts.fit.held_out(short, 6.0)
    rows = folded.folds[0].part.test
    assert np.isfinite(folded.network[rows]).all()
    assert np.isfinite(folded.network).all(axis=1).sum() == len(rows)


def test_others_answer_as_the_modules_of_a_calibration_would(scripts, short):
    itself = scripts.fit.fitted_folds(short, None, [short])
    for name in scripts.fit.SERIES:
        own = getattr(itself.folded, name)
        np.testing.assert_allclose(itself.others[name][0], own, atol=1e-5)


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


@pytest.mark.parametrize("n", ["0", "2", "1000"])
def test_numbers_that_cannot_be_are_refused(scripts, n, capsys):
    with pytest.raises(SystemExit):
        scripts.entry.parse(["gate", "--cache", "x", "--n", n])
    assert "expected 3 to 60 subjects" in capsys.readouterr().err
