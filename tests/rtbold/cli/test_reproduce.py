import csv

import dataset_files as files
import pytest

from rtbold import cli
from rtbold.calibration.datasets.cache import open_cache
from rtbold.cli.reproduce import PROTOCOLS, TARGETS

REGIONS = (
    "Cuneus", "Heschl\u2019s gyrus", "Middle frontal gyrus anterior",
    "Precuneus anterior", "Putamen", "Thalamus",
)  # fmt: skip
FIVE = tuple(f"sub0{k}-scan01" for k in range(1, 6))
MINUTES = [pytest.mark.integration, pytest.mark.heavy, pytest.mark.long]
whole = pytest.mark.parametrize(
    "run", [pytest.param(True, marks=MINUTES)], ids=["whole"]
)


def reproduced(*words):
    for package in ("torch", "lightning_fabric", "tensorboardX", "matplotlib"):
        pytest.importorskip(package)
    return cli.main(["reproduce", *map(str, words), "--recipe", "ridge"])


def scored(folder):
    """Return the ROIs and scans that the models of a comparison have an R of."""
    with (folder / "comparison" / "scores.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t")]
    own = [row for row in rows if row["model"] == "ridge"]
    return {row["roi"] for row in own}, {row["scan"] for row in own}


@whole
def test_seven_targets_within_scans_of_neurobolt(run, tmp_path):
    names = FIVE[:2]
    root = files.neurobolt(tmp_path / "NeuroBOLT", names, n=230, named=REGIONS)
    out = tmp_path / "out"
    words = (root, "--out", out, "--protocol", "within")
    assert reproduced(*words) == 0
    assert scored(out / "within") == (set(TARGETS), set(names))
    cache = open_cache(out / "within" / "cache")
    assert cache.rois == TARGETS
    assert cache.settings.chain == "published-within"
    cards = sorted((out / "within").glob("fold*.rtbold/card.json"))
    before = [card.stat().st_mtime_ns for card in cards]
    assert len(before) == 2
    assert reproduced(*words) == 0  # goes on: nothing is trained twice
    assert [card.stat().st_mtime_ns for card in cards] == before


@whole
def test_seven_targets_across_subjects_of_neurobolt(run, tmp_path):
    root = files.neurobolt(tmp_path / "NeuroBOLT", FIVE, n=60, named=REGIONS)
    assert reproduced(root, "--out", tmp_path / "out", "--protocol", "across") == 0
    assert scored(tmp_path / "out" / "across") == (set(TARGETS), set(FIVE))


@whole
def test_ds002338_with_an_atlas(run, tmp_path):
    root = tmp_path / "ds002338"
    stems = [f"sub-xp20{k}_task-MIpre" for k in range(1, 6)]
    labels = (*files.NEUROBOLT_EEG, "ECG")
    for seed, stem in enumerate(stems):
        files.bids_scan(root, stem, tr_s=1.0, n=60, labels=labels, seed=seed)
        (folder,) = root.glob(f"{stem.partition('_')[0]}/eeg")
        cleaned = root / "derivatives" / folder.parent.name / "eeg_pp"
        markers = [("Response", w, t - files.FIRST_S - 2.0)
                   for w, t in files.volumes(n=60, tr_s=1.0)[2:]]  # fmt: skip
        files.write_vhdr(
            cleaned / f"{stem}_eeg_pp.vhdr", labels,
            files.eeg_uv(len(labels), 60.0, 200.0, seed), rate_hz=200.0,
            markers=markers, samples=".dat",
        )  # fmt: skip
    files.bids_top(root, "10.18112/openneuro.ds002338.v2.0.2")
    described = tmp_path / "ds002338.toml"
    described.write_text(f'root = "{root.name}"\n[bids]\neeg = "derivatives"\n')
    atlas = files.write_atlas(tmp_path / "atlas.nii.gz")
    out = tmp_path / "out"
    words = (described, "--out", out, "--protocol", "across", "--atlas", atlas)
    assert reproduced(*words) == 0
    assert scored(out / "across") == (set(files.PLAIN_ROIS), set(stems))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--protocol", "between"), "--protocol is 'between', expected one of within"),
        (("--sheet", "no.xlsx"), "--sheet is 'no.xlsx', but there is no such file"),
        (("--atlas", "no.nii"), "--atlas is 'no.nii', but there is no such file"),
        (("--out", "a{b}"), "expected a folder without braces"),
        (("--recipe", "rigde"), "no recipe 'rigde'"),
    ],
)
def test_wrong_options_are_refused(words, told, tmp_path, monkeypatch, capsys):
    for package in ("torch", "lightning_fabric", "tensorboardX"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    code = cli.main(["reproduce", str(tmp_path), "--out", "o", *words])
    assert code == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_protocol_names_a_recipe_of_the_same_split():
    from rtbold.calibration import load_recipe

    for protocol in PROTOCOLS.values():
        assert load_recipe(protocol.recipe).data.split == protocol.rule
