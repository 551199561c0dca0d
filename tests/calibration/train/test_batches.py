import threading

import numpy as np
import pytest

pytest.importorskip("torch")

from planted import CHANNELS
from small_cache import planted_scan

from rtbold.calibration.train.batches import (
    LostChannels,
    Part,
    Prefetched,
    Share,
    TrainingBatches,
    gather,
    in_order,
)
from rtbold.condition.spatial import SpatialMatrix, SpatialSettings
from rtbold.errors import ConfigError

CAP = ("FP1", "FP2", "F3", "FZ", "F4", "C3", "CZ", "C4", "P3", "PZ", "P4", "O1", "O2")
NONE_LOST = LostChannels(CHANNELS, "average", expected=0.0, windows=0.5)


@pytest.fixture(scope="module")
def scans():
    return [planted_scan(f"s{i}", i, 20).scan for i in range(3)]


@pytest.fixture(scope="module")
def part(scans):
    targets = [scan.bold.astype(np.float32) for scan in scans]
    return Part(scans, targets, [np.arange(4, 20), np.array([], int), np.arange(9)])


def batches(part, lost=NONE_LOST, share=None, *, size=4, jitter=0.0, seed=0):
    return TrainingBatches(
        part, lost, size=size, jitter=jitter, seed=seed, share=share or Share()
    )


def drawn(made, epoch=0, first=0):
    found = list(made.epoch(epoch, first))
    return (
        np.concatenate([batch.windows_uv.numpy() for batch in found]),
        np.concatenate([batch.targets.numpy() for batch in found]),
    )


def test_a_gather_gives_the_windows_of_the_scans(scans):
    places = np.array([[2, 3], [0, 7], [2, 0], [1, 19]])
    expected = np.concatenate([scans[s].windows_uv([v]) for s, v in places])
    np.testing.assert_allclose(gather(scans, places), expected, rtol=1e-5, atol=1e-4)


def test_a_part_keeps_windows_and_targets_together(part, scans):
    assert len(part) == 25
    assert [len(rows) for rows in part.measured] == [16, 9]
    np.testing.assert_array_equal(part.places[0], [0, 4])
    np.testing.assert_array_equal(part.places[16], [2, 0])
    pieces = part.by_scan(np.arange(25.0)[:, None])
    assert [len(piece) for piece in pieces] == [16, 9]
    whole = Part.whole(scans, part.targets)
    assert len(whole) == 60


def test_every_window_comes_once_an_epoch_and_in_another_order_the_next(part):
    made = batches(part, size=5)
    targets = [drawn(made, epoch)[1] for epoch in range(2)]
    every = np.sort(np.concatenate(part.measured)[:, 0])
    for epoch in targets:
        np.testing.assert_array_equal(np.sort(epoch[:, 0]), every)
    assert not np.array_equal(*targets)


def test_the_last_incomplete_batch_is_dropped(part):
    assert batches(part, size=4).n_steps == 6
    assert len(drawn(batches(part, size=4))[1]) == 24


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_what_one_with_the_larger_batch_learns_from(part, world):
    lost = LostChannels(CAP[:4], "average", expected=0.0, windows=0.5)
    alone = batches(part, lost, size=4, jitter=0.3)
    shared = [
        batches(part, lost, Share(rank, world), size=4 // world, jitter=0.3)
        for rank in range(world)
    ]
    for whole, *pieces in zip(
        alone.epoch(1), *(each.epoch(1) for each in shared), strict=True
    ):
        windows = np.concatenate([piece.windows_uv.numpy() for piece in pieces])
        np.testing.assert_array_equal(windows, whole.windows_uv.numpy())


def test_a_resumed_epoch_goes_on_with_the_batch_that_came_next(part):
    made = batches(part, jitter=0.3)
    whole, rest = drawn(made, 3), drawn(made, 3, first=4)
    np.testing.assert_array_equal(rest[0], whole[0][16:])
    np.testing.assert_array_equal(rest[1], whole[1][16:])


def test_jitter_changes_the_size_of_a_window_and_nothing_else(part):
    plain, loud = drawn(batches(part))[0], drawn(batches(part, jitter=0.5))[0]
    ratio = loud[:, :, 100] / plain[:, :, 100]
    np.testing.assert_allclose(ratio.std(axis=1), 0, atol=1e-4)
    assert ratio[:, 0].std() > 0.1


def test_fewer_windows_than_a_batch_are_refused(part):
    with pytest.raises(
        ConfigError, match=r"25 windows, expected .* of 32 .*batch_size"
    ):
        batches(part, size=32)


def test_processes_take_turns_and_all_get_all_windows(part):
    whole = np.concatenate([x.numpy() for x in in_order(part)])
    shared = [
        np.concatenate([x.numpy() for x in in_order(part, Share(rank, 2))])
        for rank in range(2)
    ]
    woven = np.stack(shared, axis=1).reshape(-1, *whole.shape[1:])
    np.testing.assert_array_equal(woven[: len(whole)], whole)


# What an electrode that is lost does.


def live_matrix(reference, stream_reference, bad):
    settings = SpatialSettings(
        stream_labels=CAP,
        stream_reference=stream_reference,
        model_channels=CAP,
        model_reference=reference,
        interpolate_missing=False,
    )
    return SpatialMatrix(settings).matrix(frozenset(bad)).matrix


@pytest.mark.parametrize(
    ("reference", "recorded"), [("average", "FCZ"), ("FCZ", "FCZ"), ("CZ", "FCZ")]
)
@pytest.mark.parametrize("lost", [[3], [0, 11], [2, 5, 12]])
def test_a_lost_channel_is_what_the_live_loop_makes_of_it(reference, recorded, lost):
    whole = live_matrix(reference, recorded, ())
    live = live_matrix(reference, recorded, [CAP[i] for i in lost])
    made = LostChannels(CAP, reference, expected=0.1, windows=0.5)
    np.testing.assert_allclose(made.matrix(lost) @ whole, live, atol=1e-9)


def test_the_expected_share_of_channels_is_lost():
    made = LostChannels(CAP, "FCZ", expected=0.05, windows=0.5)
    rng = np.random.default_rng(0)
    lost, n = 0, 0
    for _ in range(40):
        bank = made.bank(rng)
        chosen = bank[made.draw(rng, 100)]
        lost += (np.abs(np.diagonal(chosen, axis1=1, axis2=2)) < 1e-9).sum()
        n += chosen.shape[0] * len(CAP)
    assert lost / n == pytest.approx(0.06, abs=0.02)  # a set that loses none loses one


def test_the_reference_is_never_lost():
    made = LostChannels(CAP, "Cz", expected=0.5, windows=0.5)
    bank = made.bank(np.random.default_rng(2))
    at = CAP.index("CZ")
    np.testing.assert_array_equal(bank[:, at], np.eye(len(CAP))[[at]].repeat(33, 0))


def test_enough_channels_always_stay():
    made = LostChannels(CAP, "average", expected=0.5, windows=0.5)
    for matrix in made.bank(np.random.default_rng(1))[1:]:
        assert (np.abs(matrix).sum(axis=0) > 1e-6).sum() >= 8


def test_no_dropout_leaves_windows_as_they_are():
    assert not NONE_LOST.used
    assert not NONE_LOST.draw(np.random.default_rng(0), 5).any()


def test_a_channel_without_a_position_cannot_be_lost():
    with pytest.raises(ConfigError, match="XX has no known position"):
        LostChannels(("CZ", "XX"), "average", expected=0.1, windows=0.5)


def test_lost_channels_reach_the_batches():
    rng = np.random.default_rng(0)
    whole = planted_scan("s", 0, 20).scan
    eeg = rng.standard_normal((len(CAP), whole.eeg_uv.shape[1])).astype(np.float32)
    from dataclasses import replace

    scan = replace(whole, eeg_uv=eeg, matrices=None, matrix_of=None)
    part = Part.whole([scan], [scan.bold.astype(np.float32)])
    lost = LostChannels(CAP, "FCZ", expected=0.2, windows=1.0)
    changed, plain = drawn(batches(part, lost))[0], drawn(batches(part))[0]
    differs = (np.abs(changed - plain).max(axis=2) > 1e-3).mean(axis=1)
    assert (differs > 0).all()
    assert differs.max() < 0.6


# Batches ahead of the trainer.


def test_items_come_in_order_and_the_thread_ends():
    with Prefetched(range(20), now_s=lambda: 0.0) as items:
        assert list(items) == list(range(20))
    assert "rtbold-batches" not in [thread.name for thread in threading.enumerate()]


def test_leaving_early_ends_the_thread():
    with Prefetched(range(10_000), now_s=lambda: 0.0) as items:
        assert next(iter(items)) == 0
    assert "rtbold-batches" not in [thread.name for thread in threading.enumerate()]


def test_what_goes_wrong_while_a_batch_is_made_is_raised():
    def broken():
        yield 1
        raise ValueError("a scan was removed")

    with (
        Prefetched(broken(), now_s=lambda: 0.0) as items,
        pytest.raises(ValueError, match="removed"),
    ):
        list(items)


def test_waiting_is_counted():
    ticks = iter(range(100))
    with Prefetched([1, 2], now_s=lambda: float(next(ticks))) as items:
        list(items)
    assert items.waited_s == 3.0  # one tick for each of two items, and for the end
