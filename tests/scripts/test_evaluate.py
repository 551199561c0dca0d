"""What scripts/evaluate does with a scan, and how it goes on."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")

from script_packages import scripts as packages
from twin_scans import write_scan

from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.evaluate.select import Candidates, select
from rtbold.calibration.evaluate.verdict import judge
from rtbold.calibration.fit.folds import FoldedScan
from rtbold.calibration.fit.protocol import Hooks
from rtbold.calibration.fit.split import STRICT_GAP_S
from rtbold.calibration.gather import align_scan, read_scan_files
from rtbold.calibration.settings import ScanFiles
from rtbold.sim import settings as seeds

pytestmark = pytest.mark.heavy
NAMES = (
    "runner", "pages", "evaluate.run", "evaluate.fit", "evaluate.scans",
    "evaluate.confound", "evaluate.models", "evaluate.before",
)  # fmt: skip


@pytest.fixture(scope="module")
def scripts():
    with packages(*NAMES) as found:
        yield found


def test_seeds_are_test_seeds_of_one_question_each():
    parts = [
        seeds.CALIBRATED_SEEDS, seeds.NULL_SEEDS, seeds.POWER_SEEDS,
        seeds.CONFOUND_SEEDS, seeds.COVERAGE_SEEDS, seeds.TIMED_SEEDS,
        seeds.MODEL_SEEDS,
    ]  # fmt: skip
    demo = set(seeds.TEST_SEEDS[:100])  # what the shipped bundle was scored on
    for part in parts:
        assert set(part) <= set(seeds.TEST_SEEDS) - demo
    for a, b in itertools.combinations(parts, 2):
        assert not set(a) & set(b)


def fake_folded(n_windows, rois, rng):
    shape = (n_windows, len(rois))
    measured = np.cumsum(rng.standard_normal(shape), axis=0) * 0.3
    measured += rng.standard_normal(shape)
    strength = np.linspace(-0.3, 0.4, len(rois))
    series = {
        name: np.roll(strength, shift) * measured + rng.standard_normal(shape)
        for name, shift in (("stack", 0), ("subject", 12), ("base", 30))
    }
    return FoldedScan(
        horizon_tr=0, network=np.zeros(shape), target=measured, scored=measured,
        folds=(), interrupted=False, **series,
    )  # fmt: skip


def test_decision_is_that_of_the_recipe(scripts, monkeypatch):
    monkeypatch.setattr(scripts.fit, "N_SURROGATES", 999)  # as many as the recipe's
    rng = np.random.default_rng(2)
    rois, n, n_windows = scripts.scans.base().rois, 150, 140
    folded = fake_folded(n_windows, rois, rng)
    volume = np.arange(n - n_windows, n)
    eeg = SimpleNamespace(bold=np.zeros((n, len(rois))), volume=volume, step=1)
    line = scripts.fit.columns(scripts.fit.Fitting(folded, eeg, eeg.bold))
    scan = SimpleNamespace(bold=eeg.bold, volume=volume, rois=rois, tr_s=2.1)
    seen = set()
    for at in (0, 6, 12, 20, 32, 63):
        declared = Declared(rois[at])
        choice, looked = select(
            Candidates(scripts.confound.settings(), declared, scripts.scans.shipped(),
                       {0: folded}, scan)
        )  # fmt: skip
        gate = judge(looked, choice.kept).gate
        assert scripts.fit.SERIES[scripts.fit.kept(line)[at]] == choice.kept
        assert scripts.fit.passes(line)[at] == gate.passed
        assert line[f"{choice.kept}_p"][at] == pytest.approx(gate.p, abs=1e-4)
        seen.add((choice.kept, gate.passed))
    assert len(seen) >= 3


def counted(item, cache):
    counts = cache / "count"
    counts.write_text(counts.read_text() + "." if counts.exists() else ".")
    return {"twice": 2 * item[0]}


def test_what_is_in_the_log_is_not_done_again(scripts, tmp_path, monkeypatch, capsys):
    log = scripts.runner
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
    job = scripts.runner.Job("some", [], counted, tmp_path)
    before = scripts.runner.fingerprint(job)
    assert before == scripts.runner.fingerprint(job)
    monkeypatch.setattr(scripts.runner, "SOURCES", ("scripts/runner.py",))
    assert scripts.runner.fingerprint(job) != before


def test_sources_that_have_moved_are_said(scripts, tmp_path, monkeypatch):
    monkeypatch.setattr(scripts.runner, "SOURCES", ("rtbold/nowhere/*.py",))
    with pytest.raises(RuntimeError, match=r"no file is rtbold/nowhere/\*\.py"):
        scripts.runner.fingerprint(scripts.runner.Job("some", [], counted, tmp_path))


def test_what_only_writes_reports_does_not_count_as_code(
    scripts, tmp_path, monkeypatch
):
    monkeypatch.setattr(scripts.runner, "ROOT", tmp_path)
    (tmp_path / "fit.py").write_text("1")
    (tmp_path / "outcome.py").write_text("1")
    before = scripts.runner.code_hash(["*.py"])
    (tmp_path / "outcome.py").write_text("2")
    assert scripts.runner.code_hash(["*.py"]) == before
    (tmp_path / "fit.py").write_text("2")
    assert scripts.runner.code_hash(["*.py"]) != before


@pytest.fixture(scope="module")
def session(scripts):
    return scripts.scans.simulated(2990, minutes=8.0)


@pytest.fixture(scope="module")
def short(scripts, session):
    return scripts.scans.read(session)


def test_windows_are_those_of_a_calibration(scripts, tmp_path, session):
    xdf, tsv = write_scan(tmp_path, session.twin)
    files = ScanFiles(eeg=xdf, bold=str(tsv))
    settings = replace(scripts.confound.settings(), scan=files)
    found = align_scan(read_scan_files(settings, Hooks()), Hooks()).scan
    ours = session.material
    both, theirs_at, at = np.intersect1d(found.volume, ours.volume, return_indices=True)
    # The first volumes, while the filters settle, may be in one and not in the other.
    assert len(both) >= max(len(found.volume), len(ours.volume)) - 2
    np.testing.assert_allclose(found.windows[theirs_at], ours.windows_uv[at], atol=1e-3)
    theirs = scripts.confound.calibration_scan(session, {})
    np.testing.assert_allclose(found.bold, theirs.bold, rtol=1e-4, atol=1e-4)
    assert found.rois == theirs.rois


def test_cache_gives_back_what_was_read(scripts, tmp_path, monkeypatch, short):
    scans = scripts.scans
    monkeypatch.setattr(scans, "read", lambda session: short)
    monkeypatch.setattr(scans, "simulated", lambda seed: None)
    written = scans.cached_read(2990, tmp_path)
    again = scans.cached_read(2990, tmp_path)
    for found in (written, again):
        np.testing.assert_array_equal(
            found.fit_features.features, short.fit_features.features
        )
        np.testing.assert_array_equal(
            found.fit_features.prior, short.fit_features.prior
        )
        np.testing.assert_array_equal(found.bold, short.bold)
        np.testing.assert_array_equal(found.table.features, short.table.features)
        assert found.fit_features.earlier is scans.base().earlier
    assert len(list(tmp_path.iterdir())) == 1


def test_first_minutes_and_last_part_share_nothing(scripts, short):
    part = scripts.scans.first_minutes(short, 6.0)
    assert part.volume_onsets_s[-1] < 360 <= short.volume_onsets_s[len(part.bold)]
    n = len(part.volume)
    np.testing.assert_array_equal(part.onsets_s, short.onsets_s[:n])
    np.testing.assert_array_equal(
        part.fit_features.features, short.fit_features.features[:n]
    )
    last = scripts.fit.last_part(short, 6.0)
    assert last.train.max() == n - 1
    gap_s = short.onsets_s[last.test[0]] - short.onsets_s[n - 1]
    assert STRICT_GAP_S - 1e-6 <= gap_s < STRICT_GAP_S + 2.1
    assert last.test[-1] == len(short.volume) - 1


def test_held_out_answers_only_the_last_part(scripts, short):
    folded = scripts.fit.held_out(short, 6.0)
    rows = folded.folds[0].part.test
    assert np.isfinite(folded.network[rows]).all()
    assert np.isfinite(folded.network).all(axis=1).sum() == len(rows)


def test_models_are_scored_beside_the_solver_of_before(scripts, short):
    before = scripts.before.series_before(scripts.fit.session_of(short))
    known = np.isfinite(before["head"]).all(axis=1)
    assert known.sum() == len(short.volume)
    assert np.isfinite(before["ridge"][known]).all()
    r = scripts.models.r_of_models(short)
    assert tuple(r) == scripts.models.SERIES
    assert r["stack"] > r["ridge_before"]  # the base knows the twin


def test_a_subject_that_was_read_is_kept(scripts, tmp_path, monkeypatch, short):
    models = scripts.models
    monkeypatch.setattr(models, "read", lambda session: short)
    monkeypatch.setattr(models, "simulated", lambda seed, level: None)
    for _ in range(2):
        found = models.kept_read("hard", 9540, tmp_path)
        np.testing.assert_array_equal(found.table.features, short.table.features)
        np.testing.assert_array_equal(found.onsets_s, short.onsets_s)
        np.testing.assert_array_equal(found.bold, short.bold)
    assert len(list(tmp_path.iterdir())) == 1


def test_models_summary_and_table(scripts):
    models, rng = scripts.models, np.random.default_rng(0)
    lines = [
        {
            "key": item,
            "r": {
                m: {name: float(rng.uniform()) for name in models.SERIES}
                for m in ("10", "20")
            },
        }
        for item in models.items(4)
    ]
    found = {"subjects": 4, **models.summary(lines)}
    table = scripts.pages.render("calibration_models", found)
    assert "| foreign, 10 min | " in table
    assert "| subject less ridge before | " in table
    assert len({line.count("|") for line in table.splitlines() if "min |" in line}) == 2


@pytest.mark.parametrize("n", ["0", "2", "1000"])
def test_numbers_that_cannot_be_are_refused(scripts, n, capsys):
    with pytest.raises(SystemExit):
        scripts.run.parse(["gate", "--cache", "x", "--n", n])
    assert "expected 3 to 24 subjects" in capsys.readouterr().err
