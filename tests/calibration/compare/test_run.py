import csv
import json
import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from compared_scans import marks, scan_of, subjects_cache, tiny_bundle
from prepared_scans import ROIS, cache_of

from rtbold.bundle.card import Intervals, Lineage
from rtbold.calibration.compare import output
from rtbold.calibration.compare.bundles import parse_choice
from rtbold.calibration.compare.controls import (
    BODY,
    LAST,
    PLS,
    PREVIOUS,
    RIDGE,
    RIDGE_GSR,
    TIME,
)
from rtbold.calibration.compare.page import comparison_html
from rtbold.calibration.compare.result import (
    CONSTANT,
    OTHER,
    PLAIN,
    SHUFFLED,
    WITHOUT_GLOBAL,
)
from rtbold.calibration.compare.run import CompareSettings, compare_models
from rtbold.calibration.compare.tables import TSV_COLUMNS, comparison_tables, tsv
from rtbold.calibration.datasets.splits import Sealed
from rtbold.calibration.train.results import results_path
from rtbold.errors import ConfigError, DataFileError

pytestmark = pytest.mark.heavy
ACROSS = "published-across"
HOSTILE = "<b>bold & [red]"  # no "/": that would be a path


def nobody(text):
    pass


def asked(cache, *bundles, split=ACROSS, **changes):
    choices = tuple(parse_choice(f"{name}={b.path}") for name, b in bundles)
    return CompareSettings(cache=cache.folder, bundles=choices, split=split, **changes)


def run(cache, *bundles, **changes):
    return compare_models(
        asked(cache, *bundles, **changes), nobody, created="2026-11-30"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("compare")


@pytest.fixture(scope="module")
def cache(folder):
    return subjects_cache(folder / "cache", n_subjects=10, noise=0.7, n=90)


@pytest.fixture(scope="module")
def knowing(folder):
    """The model that the BOLD follows, with intervals."""
    quantiles = tuple(np.linspace(0, 3, 201).tolist())
    intervals = Intervals(
        half_width=((1.0, 2.0),) * 3, n_eff=(99.0,) * 3, quantiles=(quantiles,) * 3
    )
    return tiny_bundle(folder, "knowing", intervals=intervals)


@pytest.fixture(scope="module")
def turned(folder):
    """The same with its ROIs in another order: every answer is of another region."""
    return tiny_bundle(folder, "turned", rois=(ROIS[1], ROIS[2], ROIS[0]))


@pytest.fixture(scope="module")
def evaluation(cache, knowing, turned):
    return run(cache, (HOSTILE, knowing), ("turned", turned), folds=(0, 1), seed=1)


@pytest.fixture(scope="module")
def models(evaluation):
    return {model.name: model for model in evaluation.comparison.models}


@pytest.fixture(scope="module")
def page(evaluation):
    return comparison_html(evaluation)


def test_a_model_that_knows_is_told_from_one_that_does_not(models):
    # Signal and noise have sd 1 and 0.7, so R is 1 / sqrt(1.49).
    knowing = models[HOSTILE]
    assert knowing.n_subjects == knowing.n_scans == 4  # two folds of two subjects
    assert knowing.r.mean == pytest.approx(1 / np.sqrt(1.49), abs=0.05)
    assert knowing.p == pytest.approx(0.001)
    assert knowing.r.low <= knowing.r.median <= knowing.r.high
    assert knowing.own_first > 0.9
    assert models["turned"].r.mean < knowing.r.mean - 0.2
    assert models["turned"].own_first < 0.5


def test_every_control_stands_beside_the_models(models):
    kinds = {name: model.kind for name, model in models.items()}
    assert kinds == {
        HOSTILE: "bundle", "turned": "bundle", RIDGE: "baseline", PLS: "baseline",
        RIDGE_GSR: "baseline",
        TIME: "control", LAST: "control", PREVIOUS: "reference", BODY: "control",
    }  # fmt: skip
    assert models[RIDGE].r.mean > 0.35
    assert abs(models[TIME].r.mean) < 0.3
    assert models[LAST].r.mean == 0.0  # of a new subject there are none


def test_other_eeg_takes_the_signal_away(models):
    found = models[HOSTILE].controls
    assert set(found) == {CONSTANT, OTHER, SHUFFLED}
    assert found[CONSTANT].mean == 0.0
    for name, most in ((OTHER, 0.25), (SHUFFLED, 0.02)):
        assert abs(found[name].mean) < most
        assert found[name].mean_low < found[name].mean_high


def test_differences_are_paired_and_have_a_size(evaluation):
    differences = evaluation.comparison.differences
    found = {(d.a, d.b, d.of): d for d in differences}
    one = found[HOSTILE, "turned", PLAIN]
    assert one.n == 4
    assert 0 < one.low <= one.mean <= one.high
    assert one.dz > 1
    assert (HOSTILE, "turned", WITHOUT_GLOBAL) in found
    assert (HOSTILE, RIDGE, PLAIN) in found
    assert (RIDGE, PLS, PLAIN) not in found  # baselines are no question


def test_r_without_the_global_signal_is_of_its_own_target(models, cache):
    knowing = models[HOSTILE]
    assert knowing.r_gsr.mean != pytest.approx(knowing.r.mean, abs=1e-3)


def test_the_tsv_has_a_line_for_each_model_scan_and_roi(evaluation):
    lines = list(
        csv.DictReader(tsv(evaluation.models).splitlines(), dialect="excel-tab")
    )
    assert tuple(lines[0]) == TSV_COLUMNS
    own = [n for n in lines if n["model"] == HOSTILE and n["eeg"] == "own EEG"]
    assert len(own) == 4 * len(ROIS)
    assert {line["roi"] for line in own} == set(ROIS)
    assert {line["data"] for line in lines} == {"simulated"}
    r = np.mean([float(line["r"]) for line in own])
    (model,) = (m for m in evaluation.comparison.models if m.name == HOSTILE)
    assert r == pytest.approx(model.r.mean, abs=1e-6)
    of_others = [n for n in lines if n["eeg"] == OTHER and n["model"] == HOSTILE]
    assert len(of_others) == len(own)
    assert of_others[0]["mse"] == ""


def test_simulated_data_is_labelled_in_every_table_and_figure(evaluation, page):
    assert evaluation.comparison.data == "simulated"
    tables = comparison_tables(evaluation.comparison)
    assert len(tables) == 4
    assert all(table.title.startswith("SIMULATED data: ") for table in tables)
    pictures = re.findall(r'<svg role="img".*?</svg>', page, flags=re.DOTALL)
    drawn = [one for one in pictures if 'class="drawn"' in one]
    assert len(drawn) >= 4  # overview, differences, traces, intervals
    for one in drawn:
        assert 'aria-label="SIMULATED data: ' in one
        assert ">SIMULATED data<" in one
    for caption in re.findall(r"<figcaption>(.*?)</figcaption>", page, re.DOTALL):
        assert caption.startswith("SIMULATED data: ")
    assert "says nothing about people" in page


def test_measured_data_is_not_called_simulated(folder, knowing):
    scans = [
        scan_of(f"real-{k}", subject=f"r{k}", n=40, simulated=False) for k in range(5)
    ]
    measured = cache_of(folder / "measured", scans)
    found = run(measured, ("m", knowing))
    assert found.comparison.data == "measured"
    assert found.comparison.label == ""
    assert "measured\tm\t" in tsv(found.models)
    text = comparison_html(found)
    assert "SIMULATED data" not in text
    # What the model comes from is said all the same
    assert any("made from simulated data" in n for n in found.comparison.notes)
    mixed = cache_of(folder / "mixed", [*scans, scan_of("twin", subject="t", n=40)])
    found = run(mixed, ("m", knowing), folds=(0, 1, 2, 3, 4))
    assert found.comparison.label == "PARTLY SIMULATED data"


def test_names_from_outside_are_no_markup(page):
    assert "<b>" not in page
    assert "&lt;b&gt;bold &amp; [red]" in page


def test_everything_is_written_and_read_back(evaluation, tmp_path):
    written = output.write_comparison(evaluation, tmp_path / "new" / "place")
    numbers = json.loads(written.results.read_text("utf-8"))
    assert numbers["data"] == "simulated"
    assert len(numbers["models"]) == len(evaluation.comparison.models)
    kept = msgspec.json.decode(
        written.results.read_bytes(), type=type(evaluation.comparison)
    )
    assert kept == evaluation.comparison
    assert written.page.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert sorted(p.name for p in written.page.parent.iterdir()) == [
        "comparison.html", "results.json", "scores.tsv",
    ]  # fmt: skip
    with pytest.raises(DataFileError, match="cannot be made"):
        output.check_out(written.page)


def test_the_same_seed_gives_the_same_numbers(cache, knowing, evaluation):
    once, again = (run(cache, ("m", knowing), folds=(2,)).comparison for _ in range(2))
    assert once == again


def test_the_test_part_is_opened_once_and_after_the_checks(
    cache, knowing, folder, monkeypatch
):
    opened = []
    real = Sealed.open
    monkeypatch.setattr(
        Sealed, "open", lambda self, reason: opened.append(reason) or real(self, reason)
    )
    other = tiny_bundle(folder, "others", rois=("a", "b", "c"))
    with pytest.raises(ConfigError, match="no ROI in common"):
        run(cache, ("m", knowing), ("o", other))
    assert opened == []
    run(cache, ("m", knowing), truth=False)
    assert opened == ["rtbold evaluate, fold 0"]


def test_a_bundle_that_has_seen_a_test_scan_is_refused(cache, folder):
    everyone = tuple(marks(scan.name) for scan in cache.scans)
    seen = tiny_bundle(folder, "seen", lineage=Lineage(scans=everyone, complete=True))
    with pytest.raises(ConfigError, match="has learned from the EEG and BOLD of test"):
        run(cache, ("m", seen))


def trained(bundle, **changes):
    """What training leaves beside a bundle."""
    path = results_path(bundle.path)
    path.parent.mkdir(exist_ok=True)
    facts = {
        "sha256": bundle.sha256, "split": ACROSS, "fold": 1, "seed": 0,
        "train": {"windows": 90, "scans": {"sub-0": 90}},
        "epochs": [{"mse": 1.0, "training_loss": None}, {"mse": 0.5}, {"mse": 0.7}],
        "best_epoch": 2, "something": "else",
    }  # fmt: skip
    path.write_text(json.dumps(facts | changes), encoding="utf-8")


def test_within_scans_a_bundle_may_have_learned_from_the_training_rows(
    folder, tmp_path
):
    scans = [scan_of("long", subject="s", n=400), scan_of("too", subject="t", n=400)]
    both = cache_of(folder / "within", scans)
    seen = tiny_bundle(
        tmp_path, "w", lineage=Lineage(scans=(marks("long"),), complete=True)
    )
    within = "published-within"
    with pytest.raises(ConfigError, match="what training wrote beside the bundle"):
        run(both, ("m", seen), split=within)
    n = 400 * 8 // 10
    for wrong in ({"seed": 3}, {"split": ACROSS}, {"sha256": "0"}):
        facts = {"split": within, "fold": 0, "seed": 0}
        trained(seen, **facts | {"train": {"scans": {"long": n}}} | wrong)
        with pytest.raises(ConfigError, match="has learned from"):
            run(both, ("m", seen), split=within, folds=(0,), seed=0)
    from rtbold.calibration.datasets.splits import split_of

    n = len(split_of(both, within).train["long"])
    trained(seen, split=within, fold=0, train={"scans": {"long": n}})
    found = run(both, ("m", seen), split=None)  # as it was trained
    assert found.comparison.split == within
    assert found.comparison.folds == (0,)
    assert found.comparison.scans == ("long",)
    model = found.comparison.models[0]
    assert model.r.low is None  # one subject has no interval
    assert "learning" in comparison_html(found)
    assert "0.5" in str(found.curves["m"][0].epochs)


def test_bundles_of_different_splits_ask_for_one(cache, tmp_path):
    a, b = tiny_bundle(tmp_path, "a"), tiny_bundle(tmp_path, "b")
    trained(a)
    trained(b, fold=2)
    with pytest.raises(ConfigError, match=r"a different fold each .*--fold"):
        run(cache, ("a", a), ("b", b), split=None)
    found = run(cache, ("a", a), ("b", b), split=None, folds=(0,), truth=False)
    assert found.comparison.split == ACROSS


def test_damaged_notes_of_a_training_are_named(cache, tmp_path):
    bundle = tiny_bundle(tmp_path)
    trained(bundle)
    results_path(bundle.path).write_text("{")
    with pytest.raises(DataFileError, match=r"results\.json cannot be read"):
        run(cache, ("m", bundle), split=None)


def test_one_bundle_a_fold_by_its_path(cache, tmp_path):
    for fold in range(5):
        tiny_bundle(tmp_path, f"fold{fold}")
    choice = parse_choice(f"m={tmp_path}/fold{{fold}}.rtbold")
    settings = CompareSettings(
        cache=cache.folder, bundles=(choice,), split=ACROSS, folds=()
    )
    found = compare_models(settings, nobody, created="").comparison
    assert found.folds == (0, 1, 2, 3, 4)
    assert found.models[0].name == "m"
    assert found.models[0].n_subjects == 10


def test_two_models_of_one_name_are_refused(cache, knowing, turned):
    with pytest.raises(ConfigError, match=r"two models .* are called 'm'"):
        run(cache, ("m", knowing), ("m", turned))
    with pytest.raises(ConfigError, match=f"two models .* '{RIDGE}'"):
        run(cache, (RIDGE, knowing))


def test_what_the_cache_lacks_is_told(evaluation):
    notes = " / ".join(evaluation.comparison.notes)
    assert "does not list every scan that it learned from" in notes


class Tags(HTMLParser):
    """What a page is made of; refuses tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [value for key, value in attrs if key in ("href", "src")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_beside_it(page):
    tags = Tags(page)
    assert len(set(tags.ids)) == len(tags.ids)
    assert [link for link in tags.links if link[1:] not in tags.ids] == []
