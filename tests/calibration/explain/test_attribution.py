"""Models whose answer is known: attributions must give it."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("captum")

import torch
from bundles import tiny_card

from rtbold.calibration.explain.attribution import (
    ExplainSettings,
    as_method,
    attribute,
    overlapping,
    roi_index,
)
from rtbold.calibration.explain.figure import as_dict, shares_summary, span_of_half
from rtbold.errors import ConfigError, DataFileError, EngineError
from rtbold.models.linear import (
    FEATURE_BANDS_HZ,
    N_LAGS,
    BandPowerRidge,
    BandPowerRidgeConfig,
)

CHANNELS = ("FZ", "CZ", "O1")
CARD = tiny_card(CHANNELS, ("Cuneus", "Putamen"))
SHAPE = (len(CHANNELS), N_LAGS, len(FEATURE_BANDS_HZ))
QUICK = ExplainSettings(n_partners=3, n_steps=8, n_draws=200)
ALPHA = list(FEATURE_BANDS_HZ).index("alpha")
O1 = CHANNELS.index("O1")
FOUR_TO_SIX_S = 5  # the lag of 2 s that ends 4 s before the volume
WEIGHT = -0.5


def eeg_uv(n=16, seed=0):
    """Windows of noise whose power changes between windows and seconds."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((n, len(CHANNELS), 3200))
    loudness = np.exp(0.5 * rng.standard_normal((n, len(CHANNELS), 16)))
    out = 10 * noise * loudness.repeat(200, axis=2)
    return (out - out.mean(axis=2, keepdims=True)).astype(np.float32)


def ridge(weights):
    model = BandPowerRidge(BandPowerRidgeConfig(channels=CHANNELS, n_rois=2))
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.fill_(3.0)
        model.head.weight[1] = torch.tensor(weights, dtype=torch.float32).flatten()
    return model.requires_grad_(False).eval()


def one_feature():
    weights = np.zeros(SHAPE)
    weights[O1, FOUR_TO_SIX_S, ALPHA] = WEIGHT
    return ridge(weights)


@pytest.fixture(params=["integrated-gradients", "occlusion"])
def settings(request):
    return replace(QUICK, method=as_method(request.param))


def test_all_of_it_lies_where_the_only_weight_is(settings):
    found = attribute(
        one_feature(), eeg_uv(), card=CARD, roi="Putamen", settings=settings
    )
    assert found.channel.share[O1] == pytest.approx(1, abs=0.02)
    assert np.abs(np.delete(found.channel.share, O1)).max() < 1e-6
    assert found.bands[int(found.band.share.argmax())] == "alpha"
    assert found.band.share.max() > 0.85  # the ridge's taper sees a little theta
    within = (found.lags_s > 4) & (found.lags_s < 6)
    assert found.time.share[within].sum() > 0.8
    assert np.abs(found.time.share[~within]).max() < 0.1
    doubled = found.doubled[O1, found.bands.index("alpha")]
    assert doubled == pytest.approx(WEIGHT * np.log(2), rel=0.1)


def truth(model, windows, pairs_of):
    """Shares by the features themselves: the ridge is a sum of them."""
    features = model.features(torch.tensor(windows)).double().numpy()
    parts = (features * model.head.weight[1].double().numpy()).reshape(-1, *SHAPE)
    own, partner = pairs_of
    parts = parts[own] - parts[partner]
    whole = parts.sum(axis=(1, 2, 3))
    share = np.einsum("nclb,n->clb", parts, whole) / (whole**2).sum()
    return share.sum(axis=(1, 2)), share.sum(axis=(0, 2)), share.sum(axis=(0, 1))


def test_integrated_gradients_give_the_shares_of_a_sum():
    windows = eeg_uv()
    model = ridge(np.random.default_rng(1).standard_normal(SHAPE))
    found = attribute(
        model, windows, card=CARD, roi="Putamen", settings=replace(QUICK, n_steps=16)
    )
    n = len(windows)
    steps = (7, 4, 2)  # half the recording less one, a quarter, an eighth
    own = np.concatenate([np.arange(n) for _ in steps])
    partner = np.concatenate([(np.arange(n) + step) % n for step in steps])
    assert found.n_pairs == len(own)
    channel, time, band = truth(model, windows, (own, partner))
    np.testing.assert_allclose(found.channel.share, channel, atol=0.01)
    pairs_of_seconds = found.time.share.reshape(N_LAGS, 2).sum(axis=1)
    np.testing.assert_allclose(pairs_of_seconds, time, atol=0.06)
    slow, delta, *rest, high = found.band.share
    # Below 1 Hz leaks into the ridge's delta, above 80 Hz into its gamma
    estimate = [slow + delta, *rest[:-1], rest[-1] + high]
    np.testing.assert_allclose(estimate, band, atol=0.06)


def test_shares_of_integrated_gradients_add_up_and_say_how_well():
    found = attribute(one_feature(), eeg_uv(), card=CARD, roi="Putamen", settings=QUICK)
    for shares in (found.channel, found.time, found.band):
        assert shares.share.sum() == pytest.approx(1, abs=0.02)
        assert (shares.low <= shares.high).all()
    assert 0 <= found.rms_error < 0.1
    assert found.channel.low[O1] > 0.9


def test_occlusion_makes_no_claim_to_add_up():
    settings = replace(QUICK, method="occlusion")
    found = attribute(
        one_feature(), eeg_uv(), card=CARD, roi="Putamen", settings=settings
    )
    assert found.rms_error is None
    assert found.n_pairs == 16
    assert "need not add up" in shares_summary(found)


def test_the_same_windows_give_the_same_numbers(settings):
    first, second = (
        attribute(one_feature(), eeg_uv(8), card=CARD, roi="Putamen", settings=settings)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.doubled, second.doubled)
    np.testing.assert_array_equal(first.band.low, second.band.low)


def test_windows_are_left_as_they_are(settings):
    windows = eeg_uv(8)
    before = windows.copy()
    attribute(one_feature(), windows, card=CARD, roi="Putamen", settings=settings)
    np.testing.assert_array_equal(windows, before)


def test_progress_ends_at_one(settings):
    seen = []
    attribute(
        one_feature(),
        eeg_uv(8),
        card=CARD,
        roi="Putamen",
        settings=settings,
        progress=seen.append,
    )
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_refusals():
    with pytest.raises(ConfigError, match="no ROI 'Nowhere', expected one of: Cuneus"):
        roi_index(CARD, "Nowhere")
    with pytest.raises(DataFileError, match="7 usable windows, expected at least 8"):
        attribute(one_feature(), eeg_uv(7), card=CARD, roi="Putamen")
    with pytest.raises(EngineError, match=r"'Cuneus'.*nothing to explain"):
        attribute(one_feature(), eeg_uv(8), card=CARD, roi="Cuneus")
    with pytest.raises(ConfigError, match="expected one of integrated-gradients"):
        as_method("lime")


def test_a_model_that_answers_nan_is_refused():
    model = one_feature()
    model.head.bias.fill_(float("nan"))
    with pytest.raises(EngineError, match="nan"):
        attribute(model, eeg_uv(8), card=CARD, roi="Putamen")


def test_blocks_hold_the_windows_that_overlap():
    assert overlapping(np.arange(10) * 2.1) == 8
    assert overlapping(np.arange(10) * 16.0) == 1
    assert overlapping(np.array([1.0])) == 1


def test_blocks_widen_the_interval_of_windows_that_are_alike():
    windows = eeg_uv(8).repeat(4, axis=0)  # neighbours are copies
    weights = np.random.default_rng(1).standard_normal(SHAPE)
    low_high = [
        attribute(
            ridge(weights),
            windows,
            card=CARD,
            roi="Putamen",
            settings=replace(QUICK, n_partners=1, block_n=block_n),
        ).band
        for block_n in (1, 4)
    ]
    single, blocks = (float((b.high - b.low).sum()) for b in low_high)
    assert blocks > 1.2 * single


def test_numbers_for_json_are_plain_and_whole():
    found = attribute(
        one_feature(), eeg_uv(8), card=CARD, roi="Putamen", settings=QUICK
    )
    told = json.loads(json.dumps(as_dict(found)))
    assert [row["name"] for row in told["channels"]] == list(CHANNELS)
    assert told["seconds_before_volume"][0]["name"] == 15.5
    assert told["bands"][3]["low_hz"] == 8
    assert told["sum_of_shares"]["bands"] == pytest.approx(1, abs=0.05)
    assert set(told["slope_per_doubling_of_power"]) == set(CHANNELS)
    assert "O1" in shares_summary(found)


def test_span_of_half_is_the_shortest():
    lags_s = np.arange(15.5, 0, -1)
    share = np.zeros(16)
    share[[10, 11]] = 0.3  # 6 to 4 s before the volume
    share[0] = 0.4
    assert span_of_half(share, lags_s) == (6, 4)
    share[:] = 1 / 16
    far_s, near_s = span_of_half(share, lags_s)
    assert far_s - near_s == 8
