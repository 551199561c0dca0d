"""The bundles that rtbold ships: whole, small, honest about what they are."""

from pathlib import Path

import numpy as np
import pytest

from rtbold.bundle.card import Check
from rtbold.bundle.check_windows import read_check
from rtbold.bundle.store import load
from rtbold.engine.opening import open_engine
from rtbold.messages import Channel, StreamDescription

MAX_BYTES = 10_000_000
DOCS = Path(__file__).parents[2] / "docs" / "explanation" / "demo-models.md"


@pytest.fixture(params=["demo", "demo-ridge"], scope="module")
def shipped(request):
    return load(request.param)


def test_below_ten_megabytes(shipped):
    listed = [shipped.file(entry.path) for entry in shipped.card.files]
    assert sum(path.stat().st_size for path in listed) < MAX_BYTES


def test_card_says_what_the_loop_needs(shipped):
    card = shipped.card
    n_rois = len(card.rois)
    assert (len(card.channels), n_rois, card.reference) == (19, 64, "average")
    assert card.name == shipped.path.name.removesuffix(".rtbold")
    assert "Heschl's gyrus" in card.rois
    assert len(card.normalisation.mean) == len(card.normalisation.scale) == n_rois
    assert len(card.baseline.mean) == len(card.baseline.sd) == n_rois
    assert min(card.baseline.sd) > 0
    assert len(card.training_data_sha256) == 64


def test_card_says_simulated(shipped):
    card = shipped.card
    assert (card.scanner, card.origin.kind) == ("simulated", "simulated")
    assert card.origin.simulated_lineage
    assert not card.origin.verdict_on_real_data
    assert "simulated" in card.scores.data
    assert "SIMULATED" in card.note


def test_scores_carry_interval_p_and_controls(shipped):
    scores = shipped.card.scores
    assert scores.n_subjects >= 20
    assert scores.mean_r_low < scores.mean_r < scores.mean_r_high
    assert 0 <= scores.p < 0.05
    assert [row.roi for row in scores.per_roi] == list(shipped.card.rois)
    for control in ("constant_eeg", "shuffled_volumes", "other_subject_eeg"):
        assert abs(scores.controls[control]) < scores.mean_r / 2
    ceiling = scores.controls["noise_ceiling"]
    assert scores.mean_r < scores.controls["oracle_true_drive"] <= ceiling


def test_docs_give_the_cards_figure(shipped):
    assert f"{shipped.card.scores.mean_r:.3f}" in DOCS.read_text("utf-8")


def windows(n=3):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 19, 3200)).cumsum(axis=2)
    x -= x.mean(axis=1, keepdims=True)
    x -= x.mean(axis=2, keepdims=True)
    return (12 * x / x.std()).astype(np.float32)


def test_engines_agree_within_the_cards_tolerance(shipped):
    pytest.importorskip("torch")
    reference = open_engine(shipped, engine="torch")(windows())
    bold = open_engine(shipped, batch_size=None)(windows())
    np.testing.assert_allclose(bold, reference, atol=shipped.card.tolerance, rtol=0)


def test_check_windows_are_torchs_answers(shipped):
    pytest.importorskip("torch")
    check = read_check(shipped)
    assert len(check) == 16
    assert shipped.card.check == Check(windows="simulated", n=16)
    reference = open_engine(shipped, engine="torch")(check.eeg_uv)
    np.testing.assert_allclose(check.bold, reference, atol=1e-5, rtol=0)
    assert np.abs(check.eeg_uv.mean(axis=2)).max() < 0.01  # as live windows
    assert np.abs(check.eeg_uv.mean(axis=1)).max() < 0.01  # average reference


def test_the_card_refuses_real_streams(shipped):
    from rtbold.bundle.gates import check_domain
    from rtbold.errors import DomainRefused

    stream = StreamDescription(
        name="amp", type="EEG", rate_hz=200.0, channels=(Channel("CZ"),)
    )
    with pytest.raises(DomainRefused, match="simulated"):
        check_domain(shipped.card, stream)


@pytest.mark.heavy
def test_predicts_a_twin_that_it_has_never_seen(shipped):
    """A sanity check on one subject outside all seed ranges, not a score."""
    pytest.importorskip("torch")
    from rtbold.calibration.datasets.scan import as_recording, conditioned
    from rtbold.calibration.evaluate.scores import pearson_r
    from rtbold.calibration.train.dataset import normalised
    from rtbold.sim.settings import TwinSettings
    from rtbold.sim.twin import simulate

    card = shipped.card
    twin = simulate(TwinSettings(seed=5001, duration_s=300.0, channels=card.channels))
    scan = conditioned(as_recording(twin), card)
    bold = open_engine(shipped, batch_size=None, n_threads=2)(scan.windows_uv())
    r = pearson_r(bold, normalised(scan.bold, card.normalisation))
    assert r.mean() > 0.15
