import json

import pytest

pytest.importorskip("onnx")
pytest.importorskip("torch")
pytest.importorskip("matplotlib")

from compared_scans import subjects_cache, tiny_bundle
from rich.console import Console

from rtbold import cli
from rtbold.calibration.compare.tables import ComparisonTable
from rtbold.cli.evaluate import drawn, lines_of, parse_folds
from rtbold.errors import ConfigError

TABLE = ComparisonTable("SIMULATED data: x", ("Model", "R"), (("[red]a[/]", "0.300"),))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    subjects_cache(folder / "cache", n=40)
    tiny_bundle(folder)
    return folder


def run(place, *more):
    return cli.main(
        [
            "evaluate", str(place / "cache"), str(place / "tiny.rtbold"),
            "--out", str(place / "out"), "--threads", "1", *more,
        ]
    )  # fmt: skip


@pytest.mark.heavy
def test_tables_go_to_stdout_and_progress_to_stderr(place, capsys):
    assert run(place, "--fold", "0", "--fold", "1") == 0
    out, err = capsys.readouterr()
    assert out.startswith("SIMULATED data: models on 2 subjects, 2 scans, 3 ROIs")
    assert "\ntiny\t" in out
    assert "band-power ridge\t" in out
    for name in ("scores.tsv", "results.json", "comparison.html"):
        assert str(place / "out" / name) in out
        assert (place / "out" / name).is_file()
    assert "fold 1, scan 1 of 1: sub-" in err
    assert "note: model 'tiny' does not list every scan" in err


@pytest.mark.heavy
def test_json_is_all_that_is_on_stdout(place, capsys):
    assert run(place, "--json", "--no-truth") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data"] == "simulated"
    assert found["models"][0]["name"] == "tiny"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--fold", "9"], "fold is 9, expected 0 to 4"),
        (["--fold", "one"], "--fold is 'one', expected a whole number from 0, or all"),
        (["--split", "leave-one"], "there is no split 'leave-one'"),
    ],
)
def test_a_fold_or_split_that_is_not_there_is_named(place, capsys, more, said):
    assert run(place, *more) != 0
    assert said in capsys.readouterr().err


def test_a_folder_that_is_no_cache_is_refused(tmp_path, capsys):
    words = ["evaluate", str(tmp_path), "demo", "--out", str(tmp_path / "out")]
    assert cli.main(words) != 0
    assert "is no cache" in capsys.readouterr().err


def test_folds_are_numbers_or_all():
    assert parse_folds(["2", "0", "2"]) == (2, 0)
    assert parse_folds(["1", "all"]) == ()
    with pytest.raises(ConfigError, match="'-1'"):
        parse_folds(["-1"])


def test_a_table_is_drawn_with_its_title_and_a_name_is_no_markup():
    console = Console(width=60, record=True, file=None, force_terminal=False)
    with console.capture() as caught:
        console.print(drawn(TABLE))
    assert "SIMULATED data: x" in caught.get()
    assert "[red]a[/]" in caught.get()
    assert list(lines_of(TABLE)) == [
        "SIMULATED data: x", "Model\tR", "[red]a[/]\t0.300", "",
    ]  # fmt: skip
