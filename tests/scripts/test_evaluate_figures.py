"""Bounds, effects, summaries and tables of scripts/evaluate."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from script_packages import scripts as packages

from rtbold.calibration.evaluate.nulls import pairing
from rtbold.truth import TARGET_CUTOFF_HZ, lowpassed

PARTS = ("coverage", "fit", "gate", "power", "stats", "time")
NAMES = ("pages", "runner", *(f"evaluate.{name}" for name in PARTS))


@pytest.fixture(scope="module")
def scripts():
    with packages(*NAMES) as found:
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


def test_each_subject_is_in_as_many_pairs_as_any_other(scripts):
    items = scripts.gate.items(scripts.gate.DEFAULT_N)
    assert len(set(items)) == len(items) == 2 * 24 * 23
    for place in (0, 1):
        assert set(Counter(item[place] for item in items).values()) == {2 * 23}
    assert all(eeg != bold for eeg, bold, _ in items)
    rois = scripts.gate.turn(len(items), 16)
    assert set(rois) == set(range(16))
    # Fewer subjects are the first of more, so that what is done is not done again
    for n in (3, 4, 21):
        fewer = scripts.gate.items(n)
        assert fewer == items[: len(fewer)]


def test_mixed_series_have_the_true_r_in_the_population(scripts):
    rng = np.random.default_rng(1)
    tr_s = 2.1
    signal, noise = rng.standard_normal((2, 400, 100))
    bold = scripts.power.mixed(signal, noise, 0.3, tr_s=tr_s)
    low = [lowpassed(series, tr_s, TARGET_CUTOFF_HZ) for series in (signal, bold)]
    r = pairing(*low).r
    assert r.mean() == pytest.approx(0.3, abs=0.04)
    assert r.std() > 0.02  # what is alike by chance stays in
    # All of the noise is in it, its drift too.
    part = bold - noise
    np.testing.assert_allclose(np.abs(pairing(part, signal).r), 1.0, atol=1e-9)


def test_coverage_counts_volumes_inside(scripts):
    residual = np.array([[0.1, 2.0], [-0.5, 0.0], [3.0, 0.0], [0.2, 0.0]])
    found = scripts.coverage.inside(residual, np.array([0.5, np.nan]))
    assert found == [0.75, None]


def test_a_stage_lasts_until_the_next_one_is_named(scripts):
    said = [
        ("    0 s  reading eeg.vhdr and the BOLD\n", 12.0),
        ("         features 10%, 5 s left\n", 13.0),
        ("    4 s  563 volumes in 5 folds\n", 14.5),
    ]
    found = scripts.time.stages(said, begun_s=10.0, end_s=20.0)
    assert found == [
        ("start", 2.0), ("reading eeg.vhdr and the BOLD", 2.5),
        ("563 volumes in 5 folds", 5.5),
    ]  # fmt: skip


def lines_of_gate(scripts, n):
    rng = np.random.default_rng(3)
    lines = []
    for item in scripts.gate.items(n):
        line = {"key": list(item)}
        for name in scripts.fit.SERIES:
            line[f"{name}_r"] = [0.1] * 64
            for kind in ("p", "p_alone"):
                line[f"{name}_{kind}"] = rng.uniform(0, 1, 64).tolist()
        lines.append(line)
    return lines


def test_gate_summary_and_table(scripts):
    lines = lines_of_gate(scripts, 24)
    found = {"subjects": 24, **scripts.gate.summary(lines)}
    cells = found["lengths"]["10 min"]
    # R is the same for all: the first that passes is kept, of three uniform p here
    three = 1 - 0.95**3
    assert cells["recipe"]["every_roi"]["share"] == pytest.approx(three, abs=0.006)
    assert cells["base"]["every_roi"]["share"] == pytest.approx(0.05, abs=0.004)
    assert cells["base"]["every_roi"]["clustered_upper"] > 0.05
    looks = found["looks"]
    planned = looks["planned"]["every_roi"]["share"]
    assert planned < looks["at the whole level"]["every_roi"]["share"]
    first, last = looks["levels"].values()
    either = 1 - (1 - first) ** 3 * (1 - last) ** 3
    assert planned == pytest.approx(either, abs=0.006)
    table = scripts.pages.render("calibration_gate", found)
    hits = cells["recipe"]["declared"]["hits"]
    assert f"| 10 min | **whole recipe** | {hits} of 552" in table
    assert "shipped base as it is, alone" in table
    assert "| planned |" in table


def test_what_passes_is_kept_before_what_is_higher(scripts):
    line = {
        "stack_r": [0.4, 0.4, 0.4], "stack_p": [0.2, 0.2, 0.04],
        "subject_r": [0.2, 0.2, -0.3], "subject_p": [0.9, 0.9, 0.02],
        "base_r": [0.3, 0.3, 0.3], "base_p": [0.01, 0.3, 0.03],
    }  # fmt: skip
    kept = [scripts.fit.SERIES[at] for at in scripts.fit.kept(line)]
    assert kept == ["base", "stack", "stack"]
    assert scripts.fit.passes(line).tolist() == [True, False, True]


def test_page_is_written_between_its_marks(scripts, tmp_path):
    pages, section = scripts.pages, "calibration_gate"
    page = tmp_path / "how" / "calibration.md"
    page.parent.mkdir()
    mark = "bench:calibration-gate"
    page.write_text(f"# C\n\n<!-- {mark} -->\nbefore\n<!-- /{mark} -->\n\nKept.\n")
    lines = lines_of_gate(scripts, 24)
    for n_subjects in (23, 24):
        found = scripts.runner.conditions((0.0, 0.0, 0.0)) | {
            "subjects": n_subjects, **scripts.gate.summary(lines),
        }  # fmt: skip
        pages.keep(section, found, tmp_path)
        pages.build(section, tmp_path)
    text = page.read_text()
    assert "Kept." in text
    assert "pass the gate, 24 subjects" in text
    assert "gate, 23 subjects" not in text
    assert "before\n" not in text
    assert "Data: [calibration_gate.json](../data/calibration_gate.json)." in text
    data = json.loads((tmp_path / "data" / "calibration_gate.json").read_text())
    assert data["subjects"] == 24
    assert "load average" in data["facts"]


def test_pages_say_what_the_data_say(scripts, tmp_path):
    pages = scripts.pages
    built = []
    for data in sorted((pages.DOCS / "data").glob("*.json")):
        section = data.stem
        drawn = Path(pages.__file__).with_name(f"{section}.md.j2").exists()
        if (
            not drawn or section == "bench_models"
        ):  # which has no figures of its own yet
            continue
        page = pages.page_of(section)
        for source in (data, page):
            copy = tmp_path / source.relative_to(pages.DOCS)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
        pages.build(section, tmp_path)
        assert (tmp_path / page.relative_to(pages.DOCS)).read_text() == page.read_text()
        built.append(section)
    assert len(built) >= 9


def test_a_section_without_a_place_is_said(scripts, tmp_path):
    with pytest.raises(SystemExit, match=r"0 pages under .* <!-- bench:gui -->"):
        scripts.pages.page_of("bench_gui", tmp_path)
