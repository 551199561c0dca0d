import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from rtbold.calibration.train.losses import (
    Figures,
    TargetLoss,
    figures_of,
    keep_of_common,
    loss_of,
    whitening_of,
)
from rtbold.calibration.train.recipe import TrainingPart
from rtbold.errors import ConfigError

RNG = np.random.default_rng(0)


def correlated(n=4000, rois=6):
    """Targets of one shared component that holds most of the variance."""
    shared = RNG.standard_normal((n, 1))
    return shared + 0.3 * RNG.standard_normal((n, rois))


def test_mse_is_the_mean_squared_error():
    predicted, target = torch.randn(5, 3), torch.randn(5, 3)
    expected = torch.nn.functional.mse_loss(predicted, target)
    assert TargetLoss("mse")(predicted, target) == pytest.approx(expected.item())


def test_centred_adds_the_error_without_the_mean_over_rois():
    target = torch.randn(8, 4)
    shift = torch.randn(8, 1)
    loss = TargetLoss("mse+centred")
    # An error that all ROIs share is paid once, one that differs between them twice
    assert loss(target + shift, target).item() == pytest.approx(
        (shift**2).mean().item(), rel=1e-5
    )
    apart = torch.tensor([[1.0, -1.0, 1.0, -1.0]])
    assert loss(target + apart, target).item() == pytest.approx(2.0, rel=1e-5)


def test_whitened_components_weigh_alike():
    target = correlated()
    whitened = (target - target.mean(axis=0)) @ whitening_of(target, ridge=1e-6).T
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(6), atol=0.02)


def test_the_ridge_of_the_whitening_keeps_small_components_small():
    target = correlated()
    whitened = (target - target.mean(axis=0)) @ whitening_of(target, ridge=0.5).T
    values = np.linalg.eigvalsh(np.cov(whitened.T))
    assert values[-1] > 3 * values[0]
    assert (whitened**2).mean() == pytest.approx(1.0, rel=1e-3)


def test_whitening_makes_a_shared_error_cheap_and_others_dear():
    target = correlated()
    whitening = torch.from_numpy(whitening_of(target)).float()
    loss = TargetLoss("mse", whitening_of(target))
    zeros = torch.zeros(1, 6)
    shared, apart = torch.ones(1, 6), torch.tensor([[1.0, -1, 1, -1, 1, -1]])
    assert loss(shared, zeros) < 0.2 * loss(apart, zeros)
    assert loss(shared, zeros).item() == pytest.approx(
        ((shared @ whitening.T) ** 2).mean().item()
    )


def test_targets_that_do_not_vary_cannot_be_whitened():
    with pytest.raises(ConfigError, match="do not vary"):
        whitening_of(np.ones((10, 3)))


def test_one_roi_has_no_mean_to_take_out():
    with pytest.raises(ConfigError, match="there is one ROI"):
        loss_of(TrainingPart(loss="mse+centred"), np.ones((10, 1)))


def test_figures_of_a_prediction_that_is_the_shared_component_alone():
    measured = [correlated(200).astype(np.float32) for _ in range(2)]
    predicted = [np.repeat(m.mean(1, keepdims=True), 6, axis=1) for m in measured]
    figures = figures_of(predicted, measured, TargetLoss("mse"))
    assert figures.r > 0.9
    assert abs(figures.r_centred) < 1e-6
    assert figures.loss == pytest.approx(figures.mse, rel=1e-5)


def test_the_figure_that_selects_decides():
    one = Figures(loss=1.0, mse=1.0, r=0.1, r_centred=0.3)
    other = Figures(loss=0.5, mse=2.0, r=0.2, r_centred=0.1)
    assert other.better_than(one, "r")
    assert other.better_than(one, "loss")
    assert not other.better_than(one, "mse")
    assert not other.better_than(one, "r-centred")
    assert one.better_than(None, "mse")
    assert not one.better_than(one, "r")
    broken = Figures(loss=np.nan, mse=np.nan, r=np.nan, r_centred=np.nan)
    assert not broken.better_than(None, "r")


def test_a_share_of_the_mean_over_rois_is_kept():
    torch.manual_seed(0)
    head = torch.nn.Linear(5, 4)
    x = torch.randn(7, 5)
    with torch.no_grad():
        before = head(x)
        keep_of_common(head, 0.25)
        after = head(x)
    mean = before.mean(1, keepdim=True)
    torch.testing.assert_close(after, before - 0.75 * mean)
