"""``models list --json`` and ``subjects list --json``."""

import json

import pytest
import typer
from bundles import CHANNELS, ROIS, write_tiny
from typer.testing import CliRunner
from verdicts import make_verdict

from rtbold.bundle.card import Cleaning, Conditioning, Origin
from rtbold.cli import models, subjects
from rtbold.cli.bundle_facts import described


@pytest.fixture
def run():
    app = typer.Typer()
    app.command("models")(models.list_models)
    app.command("subjects")(subjects.list_subjects)

    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.fixture
def root(tmp_path):
    """Two subjects; the second one's first bundle is broken."""
    calibrated = {
        "verdict": make_verdict("Putamen", "undecided", rois={"Cuneus": "specific"}),
        "target": "Putamen",
        "created": "2026-11-23",
        "origin": Origin(kind="subject", simulated_lineage=False, subject="S01"),
        "cleaning": Cleaning(mode="online", software="RecView"),
        "scanner": "inside_running",
    }
    write_tiny(tmp_path / "S01", name="20261123-120000", **calibrated)
    broken = write_tiny(tmp_path / "S02", name="20261123-120000")
    (broken.path / "model.onnx").write_bytes(b"cut")
    write_tiny(tmp_path / "S02", name="20261124-120000")
    return tmp_path


def test_a_subject_says_what_its_calibration_found(run, root):
    first, *_ = json.loads(run("subjects", "--root", root, "--json"))
    assert first["code"] == "S01"
    assert first["name"] == "20261123-120000"
    assert first["origin"] == "subject"
    assert not first["simulated"]
    assert first["target"] == "Putamen"
    assert first["gate"]["label"] == "undecided"
    assert first["gate"]["passed"] is False
    assert set(first["unfit"]) == {"Heschl's gyrus", "Putamen"}
    assert "undecided" in first["unfit"]["Putamen"]
    assert set(first["r_of"]) == {"Putamen", "Cuneus"}
    assert first["r_of"]["Putamen"] == first["gate"]["r"]
    assert first["calibrated"] == "2026-11-23"
    assert first["cleaning"] == "online:RecView"
    assert first["scanner"] == "inside_running"
    assert first["channels"] == list(CHANNELS)
    assert first["rois"] == list(ROIS)
    assert first["tr_s"] == 2.1


def test_a_broken_bundle_says_why_and_hides_no_other(run, root):
    rows = json.loads(run("subjects", "--root", root, "--json"))
    assert [(row["code"], bool(row["error"])) for row in rows] == [
        ("S01", False),
        ("S02", True),
        ("S02", False),
    ]
    assert "model.onnx" in rows[1]["error"]
    text = run("models", "--root", root)
    assert "S02/20261123-120000\tsubject\tcannot be read" in text
    assert "S02/20261124-120000\tsubject\tnone\t19 channels" in text


def test_no_subjects_are_an_empty_list(run, tmp_path):
    assert json.loads(run("subjects", "--root", tmp_path, "--json")) == []


def test_shipped_models_say_that_they_are_simulated(run):
    rows = {row["name"]: row for row in json.loads(run("models", "--json"))}
    demo = rows["demo"]
    assert demo["place"] == "shipped"
    assert demo["simulated"]
    assert demo["gate"] is None
    assert demo["unfit"] == {}
    assert demo["calibrated"] == ""


def test_weights_of_another_chain_are_unvalidated(tmp_path):
    found = write_tiny(tmp_path, conditioning=Conditioning(source="published"))
    facts = described(found.path, name="tiny")
    assert facts["unvalidated"]
    assert facts["cleaning"] == ""
    assert facts["path"] == str(found.path)
