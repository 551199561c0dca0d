import copy

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning_fabric")

import torch
from planted import CHANNELS
from small_cache import planted_scan, recipe

from rtbold.calibration.fit.protocol import Progress
from rtbold.calibration.train.batches import Part
from rtbold.calibration.train.machines import join_machines
from rtbold.calibration.train.start import start_network
from rtbold.calibration.train.trainer import Run, Watch, fit, predict
from rtbold.errors import ConfigError, RtboldError
from rtbold.models.registry import build

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def machines():
    return join_machines("cpu", environ={})


def part(seeds, n=40):
    scans = [planted_scan(f"s{seed}", seed, n).scan for seed in seeds]
    return Part.whole(scans, [scan.bold.astype(np.float32) for scan in scans])


@pytest.fixture(scope="module")
def parts():
    return part((0, 1)), part((2,))


def network_of(found, seed=0):
    torch.manual_seed(seed)
    return build(
        found.model.architecture, found.model.options, channels=CHANNELS, n_rois=2
    )


def trained(parts, machines, found=None, *, seed=0, state=None, watch=None):
    found = found or recipe()
    network = network_of(found)
    run = Run(machines=machines, seed=seed, state=state, belongs="data")
    return network, fit(network, parts, found, run=run, watch=watch)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_learns_and_keeps_the_best_epoch(parts, machines):
    network, course = trained(parts, machines, recipe(epochs=6))
    assert course.best.r > 0.5
    r = [figures.r for figures in course.validation]
    assert course.best_epoch == int(np.argmax(r))
    assert not network.training
    (kept,) = predict(network, parts[1])
    measured = parts[1].targets[0]
    expected = [np.corrcoef(kept[:, i], measured[:, i])[0, 1] for i in range(2)]
    assert np.mean(expected) == pytest.approx(course.best.r, abs=1e-4)


def test_same_seed_same_weights_other_seed_others(parts, machines):
    first, again = (trained(parts, machines)[0] for _ in range(2))
    other, _ = trained(parts, machines, seed=1)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


class CutOff(Exception):
    pass


def cut_after(n_steps):
    """Return what ends a run after so many steps, as nothing in it expects."""
    seen = []

    def tell(progress):
        assert isinstance(progress, Progress)
        seen.append(progress.done)
        if len(seen) == n_steps:
            raise CutOff

    return tell


@pytest.mark.parametrize("n_steps", [1, 10, 11, 25])
@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_a_run_that_was_cut_off_ends_the_same(
    parts, machines, tmp_path, n_steps, averaging
):
    found = recipe(averaging=averaging, gradient_clip=1.0)
    whole, course = trained(parts, machines, found)
    state = tmp_path / "state.pt"
    # A clock that leaps: the state is written after every step
    ticks = iter(range(0, 10**9, 1000))
    watch = Watch(now_s=lambda: float(next(ticks)), tell=cut_after(n_steps))
    with pytest.raises(CutOff):
        trained(parts, machines, found, state=state, watch=watch)
    resumed, again = trained(parts, machines, found, state=state)
    assert torch.equal(weights(whole), weights(resumed))
    assert again.losses == course.losses
    assert again.validation == course.validation
    assert again.windows == course.windows


def test_a_state_of_another_run_is_refused(parts, machines, tmp_path):
    state = tmp_path / "state.pt"
    trained(parts, machines, recipe(epochs=1), state=state)
    with pytest.raises(ConfigError, match="run with another recipe"):
        trained(parts, machines, recipe(epochs=2), state=state)
    with pytest.raises(ConfigError, match="run with another seed"):
        trained(parts, machines, recipe(epochs=1), seed=1, state=state)
    state.write_bytes(b"half a file")
    with pytest.raises(ConfigError, match="cannot be read as a training's state"):
        trained(parts, machines, recipe(epochs=1), state=state)


def test_a_run_that_is_done_is_not_done_again(parts, machines, tmp_path):
    state, found = tmp_path / "state.pt", recipe(epochs=2)
    first, course = trained(parts, machines, found, state=state)
    told = []
    second, again = trained(
        parts, machines, found, state=state, watch=Watch(tell=told.append)
    )
    assert told == []
    assert torch.equal(weights(first), weights(second))
    assert again.losses == course.losses


def test_ends_when_no_better_epoch_comes(parts, machines):
    # At such a rate the first epoch is as good as any
    found = recipe(epochs=40, patience=3, learning_rate=1e-9, end_rate=0.0)
    _, course = trained(parts, machines, found)
    assert course.stopped_early
    assert course.epoch == course.best_epoch + 1 + 3
    assert course.epoch < 40


def test_early_stopping_looks_at_the_validation_part_alone(parts, machines):
    """Training targets of another kind change the loss, not what is compared."""
    found = recipe(epochs=3)
    _, course = trained(parts, machines, found)
    seen = [figures.r for figures in course.validation]
    shuffled = copy.copy(parts[1])
    backwards = [target[::-1].copy() for target in shuffled.targets]
    other = Part(shuffled.scans, backwards, shuffled.rows)
    _, course = trained((parts[0], other), machines, found)
    assert [figures.r for figures in course.validation] != seen


def test_the_average_of_the_weights_is_what_is_kept(parts, machines):
    plain, _ = trained(parts, machines, recipe(epochs=1))
    mean, _ = trained(parts, machines, recipe(epochs=1, averaging=0.95))
    start = weights(network_of(recipe()))
    assert torch.dist(weights(mean), start) < torch.dist(weights(plain), start)


def test_running_statistics_reach_the_weights_that_are_kept(parts, machines):
    class Normed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.config = network_of(recipe()).config
            self.norm = torch.nn.BatchNorm1d(4, affine=False)
            self.head = torch.nn.Linear(4, 2)

        def forward(self, eeg_uv):
            return self.head(self.norm(torch.log(eeg_uv.std(2) + 1e-3)))

    torch.manual_seed(0)
    network = Normed()
    run = Run(machines=machines)
    course = fit(network, parts, recipe(averaging=0.8), run=run)
    assert network.norm.num_batches_tracked > 0
    assert course.best.r > 0.3


def test_a_loss_that_is_no_number_ends_the_run_and_says_what_to_do(parts, machines):
    found = recipe(learning_rate=9.0, gradient_clip=0.0, epochs=30)
    targets = [np.full_like(target, 1e30) for target in parts[0].targets]
    broken = Part(parts[0].scans, targets, parts[0].rows)
    with pytest.raises(RtboldError, match=r"the loss is inf.*learning_rate"):
        trained((broken, parts[1]), machines, found)


def test_bfloat16_learns_and_keeps_float32_weights(parts, machines):
    network, course = trained(parts, machines, recipe(precision="bfloat16", epochs=6))
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert course.best.r > 0.4


def test_frozen_parts_stay_as_they_were(parts, machines):
    import msgspec

    found = recipe(epochs=1)
    model = msgspec.structs.replace(found.model, frozen=("mss_module",))
    card = type("Names", (), {"channels": CHANNELS, "rois": ("a", "b")})
    network = start_network(model, card).network
    before = copy.deepcopy(network.state_dict())
    fit(network, parts, found, run=Run(machines=machines))
    same = {n: torch.equal(v, before[n]) for n, v in network.state_dict().items()}
    assert all(same[n] for n in same if n.startswith("mss_module"))
    assert not same["head.weight"]


def test_progress_tells_the_time_that_is_left(parts, machines):
    told, ticks = [], iter(range(10**6))
    watch = Watch(now_s=lambda: float(next(ticks)), tell=told.append)
    _, course = trained(parts, machines, recipe(epochs=2), watch=watch)
    assert [progress.done for progress in told] == list(range(1, 21))
    assert {progress.total for progress in told} == {20}
    assert told[0].left_s > told[9].left_s > told[-1].left_s == 0
    assert 0 < course.waiting_share < 1
    assert course.windows == 160


def test_curves_are_drawn(parts, machines):
    drawn = []

    class Board:
        def add_scalar(self, name, value, step):
            drawn.append((name, value, step))

    _, course = trained(parts, machines, recipe(epochs=2), watch=Watch(board=Board()))
    assert ("validation/r", course.validation[1].r, 2) in drawn
    assert ("training/loss", course.losses[0], 1) in drawn


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="--device is 'gpu', expected one of auto"):
        join_machines("gpu", environ={})
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="torch finds none on this machine"):
            join_machines("cuda", environ={})
