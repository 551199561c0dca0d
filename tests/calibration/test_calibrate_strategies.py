"""Every strategy that trains, through the command line, from a fresh small network."""

import re

import numpy as np
import pytest
from twin_scans import make_scan, write_scan

pytest.importorskip("torch")

from calibration_run import Ran

from rtbold.calibration import save as outcome
from rtbold.calibration.fit.base import Start, fresh_base
from rtbold.calibration.fit.tuned import RANK
from rtbold.cli import calibrate as calibrate_fit
from rtbold.engine.opening import open_engine

LAYER = re.compile(r"transformer\.layers\.layers\.(\d+)\.")

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    xdf, tsv = write_scan(tmp_path_factory.mktemp("scan"), make_scan(duration_s=420.0))
    return ["--subject", "S01", "--eeg", xdf, "--bold", tsv, "--cleaning", "none"]


# Five fits of a network each, a minute with coverage: one is enough by default
SLOW = [pytest.param(name, marks=pytest.mark.long) for name in ("adapters", "all")]


@pytest.mark.parametrize("strategy", ["last", *SLOW])
def test_a_network_is_trained_judged_and_saved(files, tmp_path, monkeypatch, strategy):
    # Both take longer than the fits, and are the same for all
    monkeypatch.setattr(outcome, "_report", lambda *_: b"report")
    monkeypatch.setattr(calibrate_fit, "_compiled", lambda _: "")
    ran = Ran(
        tmp_path, *files, "--roi", "Cuneus", "--roi", "Putamen", "--json",
        "--target", "Cuneus",
        "--strategy", strategy,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    card, result = ran.bundle.card, ran.result
    assert card.fitting.strategy == strategy
    assert (card.architecture, result.choice.kept) == ("neurobolt", "network")
    for fold in result.folded.folds:
        start, *epochs = fold.errors
        assert epochs
        assert fold.notes["best_epoch"] == np.argmin([start, *epochs])
    assert any(fold.notes["best_epoch"] > 0 for fold in result.folded.folds)
    moved = changed(result)
    assert "head.weight" in moved
    layers = {match[1] for name in moved if (match := LAYER.search(name))}
    assert layers == ({"1"} if strategy == "last" else {"0", "1"})
    if strategy == "adapters":
        for name in moved.keys() - {"head.weight", "head.bias"}:
            assert ".to_" in name
            assert np.linalg.matrix_rank(moved[name], rtol=1e-3) <= RANK
    answers_alike(ran)


def changed(result):
    """Return what the final fit added to each weight that it moved."""
    settings = result.settings
    start = Start("neurobolt", settings.size, settings.seed)
    card = result.aligned.card
    before = fresh_base(card.channels, card.rois, start).network.state_dict()
    after = result.final.fitted.module().state_dict()
    moved = {name: (after[name] - before[name]).numpy() for name in before}
    return {name: by for name, by in moved.items() if np.abs(by).max() > 0}


def answers_alike(ran):
    """Check that the saved model answers as the one that was fitted."""
    windows = ran.result.windows[:3]
    engine = open_engine(ran.bundle, engine="openvino", n_threads=1, batch_size=1)
    predictions = np.concatenate([engine(window[None]) for window in windows])
    fitted = ran.result.final.fitted.predict(np.arange(3))
    np.testing.assert_allclose(predictions, fitted, atol=1e-3)
