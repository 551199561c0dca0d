"""``rtbold models explain`` through the real command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from msgspec.structs import replace
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("captum")
pytest.importorskip("matplotlib")
pytest.importorskip("mne")
pytest.importorskip("pybv")

from rtbold.bundle.card import Cleaning, Origin
from rtbold.bundle.store import load, write
from rtbold.cli import models_explain
from rtbold.errors import (
    BundleError,
    ConfigError,
    DataFileError,
    DomainRefused,
    RtboldError,
)
from rtbold.sim.settings import TwinSettings
from rtbold.sim.twin import write_session

pytestmark = pytest.mark.heavy
ALLOWED = ("--allow-simulated-model",)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    folder = tmp_path_factory.mktemp("twin") / "session"
    write_session(TwinSettings(seed=5003, duration_s=60.0), folder)
    (folder / "simulated.json").unlink()  # so that it is anybody's recording
    return folder / "eeg.vhdr"


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(models_explain.explain)

    def run(*words):
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def test_figure_and_text_of_the_shipped_ridge(run, recording, tmp_path):
    result = run("demo-ridge", recording, *ALLOWED, "--windows", 8)
    assert result.exit_code == 0, result.output
    assert "8 windows of" in result.stdout
    assert "Superior frontal sulcus" in result.stdout  # the card's first
    assert "completeness: attributions sum to 100." in result.stdout
    assert (tmp_path / "demo-ridge-explain.png").read_bytes().startswith(b"\x89PNG")


def test_json_of_several_rois_by_occlusion(run, recording, tmp_path):
    out = tmp_path / "two.svg"
    result = run(
        *("demo-ridge", recording, *ALLOWED, "--windows", 8, "--json", "--out", out),
        *("--roi", "Cuneus", "--roi", "Heschl\u2019s gyrus", "--method", "occlusion"),
    )
    told = json.loads(result.stdout)
    assert [one["roi"] for one in told["rois"]] == ["Cuneus", "Heschl's gyrus"]
    assert told["simulated_lineage"] is True
    assert told["rois"][0]["method"] == "occlusion"
    assert told["rois"][0]["windows"] == 8
    n_volumes = round(60 / 2.1)
    n_ticks = told["windows_usable"] + told["volumes_without_window"]
    assert abs(n_ticks - n_volumes) <= 1
    assert "(SIMULATED model)" in out.read_text("utf-8")


def test_windows_are_those_of_replay(recording):
    """The keeper sees what the engine of a replay would."""
    from rtbold.bundle.store import load
    from rtbold.calibration.explain.windows import WindowKeeper, windows_of
    from rtbold.cli.replay import predictions
    from rtbold.config import RunSettings

    bundle = load("demo-ridge")
    seen = []

    def model(eeg_uv):
        seen.append(eeg_uv[0].copy())
        return np.zeros((1, 64), np.float32)

    settings = RunSettings.build({"allow_simulated_model": True})
    n_predicted = sum(
        p.values is not None
        for p in predictions(recording, bundle, model, settings, None)
    )
    keeper = WindowKeeper(256, 64)
    found = windows_of(predictions(recording, bundle, keeper, settings, None), keeper)
    assert len(found.eeg_uv) == found.n_usable == n_predicted > 10
    np.testing.assert_array_equal(found.eeg_uv, np.stack(seen))


@pytest.mark.parametrize(
    ("words", "error", "told"),
    [
        (("--roi", "Nowhere"), ConfigError, "no ROI 'Nowhere'"),
        (("--windows", "7"), ConfigError, "expected 8 to 256"),
        (("--method", "lime"), ConfigError, "integrated-gradients, occlusion"),
        (("--out", "figure.gif"), ConfigError, "'.gif', expected one of"),
        (("--out", "nowhere/figure.png"), RtboldError, "no folder 'nowhere'"),
        (("--trigger", "S 99"), DataFileError, "no marker is labelled 'S 99'"),
        (("--tr", "2100"), ConfigError, "milliseconds"),
    ],
)
def test_bad_options_draw_nothing(run, recording, tmp_path, words, error, told):
    with pytest.raises(error, match=told):
        run("demo-ridge", recording, *ALLOWED, *words)
    assert list(tmp_path.glob("*.*")) == []


def test_files_that_do_not_fit(run, recording, tmp_path):
    with pytest.raises(BundleError, match="no bundle 'nope'"):
        run("nope", recording)
    with pytest.raises(DataFileError, match="there is no file"):
        run("demo-ridge", tmp_path / "none.vhdr", *ALLOWED)
    with pytest.raises(DataFileError, match="expected one of"):
        run("demo-ridge", tmp_path / "notes.docx", *ALLOWED)
    with pytest.raises(DomainRefused, match="--allow-simulated-model"):
        run("demo-ridge", recording)


def test_too_short_a_recording(run, tmp_path):
    write_session(TwinSettings(seed=5003, duration_s=12.0), tmp_path / "short")
    with pytest.raises(DataFileError, match=r"none of \d+ windows is usable"):
        run("demo-ridge", tmp_path / "short" / "eeg.vhdr", *ALLOWED)


def test_a_package_that_is_missing(run, recording, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "captum", None)
    with pytest.raises(RtboldError, match=r"captum.*\[calibration\]"):
        run("demo-ridge", recording, *ALLOWED)


def test_a_bundle_of_a_named_chain_says_what_it_wants_and_takes_it(run, recording):
    shipped = load("demo-ridge")
    card = replace(
        shipped.card,
        cleaning=Cleaning(mode="online", software="RecView"),
        origin=Origin(kind="subject", simulated_lineage=False),
        scanner="inside_running",
    )
    files = {entry.path: shipped.file(entry.path) for entry in card.files}
    write(Path("chain.rtbold"), card, files)
    quick = ("--windows", 8, "--method", "occlusion")
    words = ("chain.rtbold", recording, *ALLOWED, *quick)
    with pytest.raises(DomainRefused, match="--cleaning online:RecView"):
        run(*words)
    assert "8 windows of" in run(*words, "--cleaning", "online:RecView").stdout
    assert "8 windows of" in run(*words, "--allow-domain-shift").stdout
