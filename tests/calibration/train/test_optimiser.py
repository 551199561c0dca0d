import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from rtbold.calibration.train.optimiser import optimiser_of, pace_at, set_pace
from rtbold.calibration.train.recipe import TrainingPart, load_recipe
from rtbold.models.neurobolt import NeuroBolt, NeuroBoltConfig

PUBLISHED = load_recipe("neurobolt-published").training


@pytest.mark.parametrize(("total", "warmup"), [(300, 0.3), (90, 0.0), (7, 1.0)])
def test_one_cycle_is_torch_s_own(total, warmup):
    how = TrainingPart(
        epochs=3, learning_rate=2e-3, schedule="one-cycle", warmup_epochs=warmup
    )
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    if warmup * total < 3:  # torch divides by zero where there is no warm-up
        paces = [pace_at(step, total, how) for step in range(total)]
        assert paces[0].rate == pytest.approx(2e-3, rel=0.05)
        return
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 2e-3, total_steps=total, pct_start=warmup / 3
    )
    for step in range(total):
        (group,) = optimiser.param_groups
        pace = pace_at(step, total, how)
        assert pace.rate == pytest.approx(group["lr"], rel=1e-9, abs=1e-15)
        assert pace.beta_1 == pytest.approx(group["betas"][0])
        optimiser.step()
        if step < total - 1:
            schedule.step()


def test_cosine_is_the_publication_s():
    per_epoch, total = 30, 600
    rates = [pace_at(step, total, PUBLISHED).rate for step in range(total)]
    warm = np.linspace(0, 3e-4, 5 * per_epoch)
    share = np.arange(total - 5 * per_epoch) / (total - 5 * per_epoch)
    fall = 1e-6 + 0.5 * (3e-4 - 1e-6) * (1 + np.cos(np.pi * share))
    np.testing.assert_allclose(rates, np.concatenate([warm, fall]), rtol=1e-9)


def network():
    return NeuroBolt(NeuroBoltConfig(depth=3, spectral_depth=1, n_rois=2))


def group_of(optimiser, parameter):
    (found,) = (
        group
        for group in optimiser.param_groups
        if any(parameter is each for each in group["params"])
    )
    return found


def test_rates_and_decay_by_layer_are_the_publication_s():
    net = network()
    optimiser = optimiser_of(net, PUBLISHED)
    set_pace(optimiser, pace_at(200, 600, PUBLISHED))
    full = pace_at(200, 600, PUBLISHED).rate

    def seen(parameter):
        group = group_of(optimiser, parameter)
        return group["lr"] / full, group["weight_decay"]

    assert seen(net.pos_embed) == (pytest.approx(0.65**4), 0.0)
    assert seen(net.cls_token) == (pytest.approx(0.65**4), 0.0)
    assert seen(net.patch_embed.conv1.weight) == (pytest.approx(0.65**4), 0.05)
    assert seen(net.blocks[0].attn.qkv.weight) == (pytest.approx(0.65**3), 0.05)
    assert seen(net.blocks[2].mlp.fc1.bias) == (pytest.approx(0.65), 0.0)
    assert seen(net.time_embed) == (pytest.approx(1.0), 0.0)
    assert seen(net.mss_module.channel_tokens.weight) == (pytest.approx(1.0), 0.05)
    assert seen(net.head.weight) == (pytest.approx(1.0), 0.05)


def test_every_weight_that_learns_is_in_one_group_and_groups_are_few():
    net = network()
    net.mss_module.requires_grad_(False)
    optimiser = optimiser_of(net, PUBLISHED)
    held = [p for group in optimiser.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in net.parameters() if p.requires_grad}
    assert len(held) == len({id(p) for p in held})
    assert len(optimiser.param_groups) <= 10
