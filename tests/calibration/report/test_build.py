import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from twin_scans import make_scan, write_scan

pytest.importorskip("torch")

from torch import nn

from rtbold.bundle.card import Cleaning
from rtbold.calibration.recipe import calibrate
from rtbold.calibration.report import build
from rtbold.calibration.report.build import (
    Made,
    Sources,
    cleaning_words,
    report_content,
)
from rtbold.calibration.report.page import report_html
from rtbold.calibration.settings import CalibrationSettings, ScanFiles
from rtbold.errors import EngineError

pytestmark = pytest.mark.heavy
ROIS = ("Cuneus", "Putamen")
MADE = Made(
    bundle="20261123-120000.rtbold",
    created="2026-11-23 12:00 UTC",
    sources=Sources(files={"S.xdf": "cd" * 32}, software={"numpy": "9.9.9"}),
)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scan")
    xdf, tsv = write_scan(folder, make_scan())
    settings = CalibrationSettings(
        subject="S07",
        scan=ScanFiles(eeg=xdf, bold=str(tsv), rois=ROIS),
        cleaning=Cleaning(software="RecView", mode="online"),
        root=folder,
        target=ROIS[0],
    )
    return calibrate(settings)


@pytest.fixture(scope="module")
def quick():
    """Explanations of few steps: the numbers are tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "SMALL_NETWORK", (10, 1, 2))
        yield


@pytest.fixture(scope="module")
def content(result, quick):
    return report_content(result, MADE)


def test_a_calibration_becomes_a_page(content):
    html = report_html(content)
    assert "Calibration of S07" in html
    assert "Simulated data" in html
    assert "RecView, online" in html
    assert "cd" * 32 in html
    assert "9.9.9" in html
    assert not re.search(r"\b(nan|inf|None)\b", html)


def test_series_are_those_that_were_judged(result, content):
    made = content.traces
    known = np.isfinite(made.predicted).all(axis=1)
    assert known.sum() == result.verdict.n_volumes == content.windows.n_used
    rows = result.aligned.scan.volume
    kept = getattr(result.folded, result.choice.kept)
    np.testing.assert_array_equal(made.predicted[rows], kept)
    assert set(made.fold[rows]) == {0, 1, 2, 3, 4}
    assert (made.fold[~known] == -1).all()
    part = result.folded.folds[2].part
    assert (made.fold[rows[part.test]] == 2).all()


def test_every_channel_of_the_model_was_judged(result, content):
    assert [c.label for c in content.channels] == list(result.aligned.card.channels)
    assert all(c.judged_s > 400 for c in content.channels)


def test_the_target_is_explained_and_progress_is_told(result, content, quick):
    assert [found.roi for found in content.attributions] == ["Cuneus"]
    told = []
    report_content(result, MADE, told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_a_model_that_cannot_be_explained_is_reported_all_the_same(result, monkeypatch):
    def fail(*_, **__):
        raise EngineError("the predictions do not vary")

    monkeypatch.setattr(build, "attribute", fail)
    made = report_content(result, MADE)
    assert made.attributions == ()
    assert "It could not be explained: the predictions" in report_html(made)


def test_learning_curves_are_the_networks(result):
    folds = tuple(SimpleNamespace(errors=(1.0, 0.5)) for _ in range(2))
    tuned = SimpleNamespace(
        choice=SimpleNamespace(kept="network"),
        folded=SimpleNamespace(folds=folds),
        final=SimpleNamespace(fitted=SimpleNamespace(errors=(1.0, 0.4, 0.6))),
    )
    curves = build._learning(tuned)
    assert [curve.name for curve in curves] == ["fold 1", "fold 2", "final"]
    assert curves[-1].best == 1
    assert build._learning(result) == ()  # the ridge was kept


def test_a_large_network_is_explained_with_less():
    assert build._effort(nn.Linear(2000, 600)) == build.LARGE_NETWORK
    assert build._effort(nn.Linear(20, 6)) == build.SMALL_NETWORK


def test_only_names_of_files_go_into_the_page(content, result):
    folder = str(Path(result.settings.scan.eeg).parent)
    assert folder not in report_html(content)


@pytest.mark.parametrize(
    ("cleaning", "words"),
    [
        (Cleaning(software="none", mode="none"), "none"),
        (Cleaning(), "unknown"),
        (Cleaning(software="A", version="2", mode="offline"), "A 2, offline"),
    ],
)
def test_words_of_a_cleaning_chain(cleaning, words):
    assert cleaning_words(cleaning) == words
