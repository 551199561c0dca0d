import json

import pytest

from rtbold import cli
from rtbold.cli.panels import OPTION_PANELS


def run(capsys, *words):
    code = cli.main(["train", *map(str, words)])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    pytest.importorskip("torch")
    from small_cache import write_small_cache

    folder = tmp_path_factory.mktemp("data") / "cache"
    write_small_cache(folder)
    return folder


@pytest.fixture
def tiny(tmp_path):
    pytest.importorskip("torch")
    from small_cache import recipe

    path = tmp_path / "tiny.toml"
    path.write_text(recipe(epochs=2).toml())
    return path


def test_the_options_stand_in_panels():
    assert set(OPTION_PANELS["train"]) == {"Training", "Machine", "On a cluster"}


@pytest.mark.heavy
def test_trains_by_a_file_and_says_what_came_out(capsys, cache, tiny, tmp_path):
    for package in ("lightning_fabric", "tensorboardX", "onnx", "safetensors"):
        pytest.importorskip(package)
    out = tmp_path / "rest-{fold}-{seed}.rtbold"
    words = (cache, "--recipe", tiny, "--out", out, "--fold", 1, "--seed", 2)
    code, told, err = run(capsys, *words, "--device", "cpu", "--json")
    assert code == 0, err
    results = json.loads(told)
    assert (results["fold"], results["seed"]) == (1, 2)
    assert results["bundle"].endswith("rest-1-2.rtbold")
    assert "SIMULATED, validation, not test: R " in err
    assert "epoch 2 of 2: loss " in err
    work = tmp_path / "rest-1-2.training"
    assert json.loads((work / "results.json").read_text()) == results
    assert list(work.glob("events.out.tfevents*"))
    code, _, err = run(capsys, *words)
    assert code != 0
    assert "exists already" in err
    assert cli.main(["models", "show", str(tmp_path / "rest-1-2.rtbold")]) == 0
    assert "SIMULATED" in capsys.readouterr().out


def test_a_misspelt_key_is_answered_with_the_one_that_is_meant(
    capsys, cache, tiny, tmp_path
):
    pytest.importorskip("lightning_fabric")
    pytest.importorskip("tensorboardX")
    tiny.write_text(tiny.read_text().replace("epochs", "epoch", 1))
    code, _, err = run(capsys, cache, "--recipe", tiny, "--out", tmp_path / "m.rtbold")
    assert code != 0
    assert "Did you mean" in err


def test_submit_prints_a_script_and_imports_nothing_heavy(capsys, tmp_path):
    code, out, _ = run(
        capsys, tmp_path / "cache", "--recipe", "ridge", "--split", "strict-within",
        "--out", "runs/{fold}.rtbold", "--fold", "0-3", "--submit", "slurm",
    )  # fmt: skip
    assert code == 0
    assert out.startswith("#!/bin/bash\n")
    assert "#SBATCH --array=0-3\n" in out
    assert f"train {tmp_path}/cache --recipe ridge --split strict-within" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--submit", "lsf"], "--submit is 'lsf', expected slurm"),
        (["--submit", "slurm", "--fold", "0-2"], "3 folds, expected {fold}"),
        (["--submit", "slurm", "--nodes", "0"], "--nodes is 0"),
    ],
)
def test_what_cannot_be_submitted_is_refused(capsys, tmp_path, words, said):
    given = (tmp_path, "--recipe", "ridge", "--out", "m.rtbold", *words)
    code, _, err = run(capsys, *given)
    assert code != 0
    assert said in " ".join(err.split())


def test_a_range_is_for_many_jobs(capsys, tmp_path):
    pytest.importorskip("lightning_fabric")
    pytest.importorskip("tensorboardX")
    given = (tmp_path, "--recipe", "ridge", "--out", "m.rtbold", "--fold", "0-2")
    code, _, err = run(capsys, *given)
    assert code != 0
    assert "expected one number; a range is for --submit" in " ".join(err.split())
