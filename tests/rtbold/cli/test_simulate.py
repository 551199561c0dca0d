import json

import pytest
import typer
from typer.testing import CliRunner

from rtbold.cli.simulate import simulate
from rtbold.errors import ConfigError
from rtbold.files import read_recording

app = typer.Typer()
app.command()(simulate)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--level medium", "easy, hard, confound, hard-flat, field"),
        ("--level medium", "foreign"),
        ("--level hard --session 2", "one session a seed"),
        ("--level foreign --session 0", "session"),
        ("--level foreign --reference Q7", "Q7"),
        ("--tr 2100", "milliseconds"),
        ("--duration -5", "duration"),
        ("--rate 100", "200"),
        ("--rate 333.3", "whole number"),
        ("--reference Q7", "Q7"),
        ("--wait-for-consumers -1", "wait-for-consumers"),
        ("--mains 1000", "mains"),
        ("--rate 5000 --duration 3600 --sample-index", "float32"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_on_the_air(arguments, says):
    result = CliRunner().invoke(app, ["--duration", "20", *arguments.split()])
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)


def test_help_shows_an_example():
    assert "Example: rtbold simulate" in CliRunner().invoke(app, ["--help"]).output


def test_save_writes_files_and_plays_nothing(tmp_path):
    folder = tmp_path / "twin"
    result = CliRunner().invoke(app, ["--duration", "10", "--save", str(folder)])
    assert result.exit_code == 0
    assert {p.name for p in folder.iterdir()} >= {"eeg.vhdr", "bold.tsv", "truth.tsv"}


@pytest.mark.parametrize("level", ["field", "hard-flat", "foreign"])
def test_every_level_can_be_saved(tmp_path, level):
    folder = tmp_path / "session"
    options = ["--level", level, "--duration", "10", "--save", str(folder)]
    assert CliRunner().invoke(app, options).exit_code == 0
    facts = json.loads((folder / "simulated.json").read_text())
    assert facts["simulated"] is True
    assert facts["level"] == level


def test_a_scan_is_added_to_a_bids_folder(tmp_path):
    pytest.importorskip("mne_bids", reason="the extra bids brings what writes BIDS")
    root = tmp_path / "study"
    options = ["--level", "easy", "--duration", "30", "--bids", str(root)]
    for seed, subject in (("1101", "01"), ("1102", "02")):
        made = CliRunner().invoke(app, [*options, "--seed", seed, "--subject", subject])
        assert made.exit_code == 0, made.exception
        assert f"sub-{subject} into" in made.output
    (eeg,) = root.glob("sub-02/ses-01/eeg/*_eeg.vhdr")
    assert read_recording(eeg).simulated
    again = CliRunner().invoke(app, [*options, "--subject", "02"])
    assert isinstance(again.exception, ConfigError)
    assert "there already" in str(again.exception)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--bids x", "--bids was given without --subject"),
        ("--subject 01", "--subject was given without --bids"),
        ("--save x --bids y --subject 01", "expected one"),
        ("--bids x --subject a_b", "the subject is 'a_b'"),
    ],
)
def test_a_place_in_a_bids_folder_is_whole(arguments, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments.split())
    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)
    assert list(tmp_path.iterdir()) == []
