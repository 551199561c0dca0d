from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from rtbold.bundle.card import Card, Origin
from rtbold.calibration.datasets.scan import Recording, Scan, conditioned
from rtbold.calibration.train.dataset import data_sha256, fit_normalisation, normalised
from rtbold.calibration.train.demo import CHANNELS
from rtbold.condition.conditioner import Conditioner
from rtbold.errors import DataFileError, StreamMismatch
from rtbold.messages import Channel

TR_S = 2.1


def card(**changes):
    fields = {
        "name": "t",
        "architecture": "none",
        "channels": ("O1", "O2", "CZ"),
        "reference": "average",
        "tr_s": TR_S,
        "rois": ("a", "b"),
        "scanner": "simulated",
        "origin": Origin(kind="simulated", simulated_lineage=True),
    }
    return Card(**{**fields, **changes})


def recording(rate_hz=200.0, seconds=60.0, first_s=1.0025, labels=None):
    rng = np.random.default_rng(0)
    labels = labels or ("Cz", "Fp1", "O1", "O2")
    n_volumes = int((seconds - first_s) / TR_S)
    n_samples = round(seconds * rate_hz)
    noise = rng.standard_normal((len(labels), n_samples))
    return Recording(
        name="r",
        eeg_uv=(10 * noise + 50).astype(np.float32),
        rate_hz=rate_hz,
        channels=tuple(Channel(label) for label in labels),
        volume_onsets_s=first_s + TR_S * np.arange(n_volumes),
        bold=rng.standard_normal((n_volumes, 2)),
    )


@pytest.mark.parametrize("rate_hz", [200.0, 500.0])
def test_windows_hold_the_samples_before_the_volume(rate_hz):
    made = recording(rate_hz)
    scan = conditioned(made, card())
    last = (scan.first + 3200 - 1) / 200.0  # time of each window's last sample
    assert (last < scan.onsets_s).all()
    assert (last + 1 / 200.0 >= scan.onsets_s).all()


def test_windows_are_slices_of_the_live_chain():
    made = recording()
    scan = conditioned(made, card())
    rows = [2, 3, 0]  # O1, O2, CZ
    live = Conditioner(200.0, 3, card().conditioning)
    chunks = [live(made.eeg_uv[rows, i : i + 13]) for i in range(0, 12000, 13)]
    signal = np.concatenate(chunks, axis=1)
    window = signal[:, scan.first[2] : scan.first[2] + 3200]
    window = window - window.mean(axis=0)
    window = window - window.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(scan.windows_uv([2])[0], window, atol=1e-4)


def test_hum_that_begins_just_before_a_volume_is_known_to_its_window():
    made, whole_cap = recording(labels=CHANNELS), card(channels=CHANNELS)
    eeg_uv, at = made.eeg_uv.copy(), int(np.ceil(made.volume_onsets_s[24] * 200))
    eeg_uv[2, at - 50 : at] += 300 * np.sin(np.pi * np.arange(50) / 2 + 0.7)  # 50 Hz
    scan = conditioned(replace(made, eeg_uv=eeg_uv), whole_cap)
    assert len(scan.matrices) > 1  # F7 is interpolated there
    assert len(scan) == len(conditioned(made, whole_cap))


def test_windows_do_not_see_the_future():
    made = recording()
    scan = conditioned(made, card())
    # The FIR needs 0.1 s after a sample; nothing later may matter.
    from_sample = int(scan.onsets_s[3] * 200) + 21
    changed = made.eeg_uv.copy()
    changed[:, from_sample:] = 0
    again = conditioned(
        Recording("x", changed, 200.0, made.channels, made.volume_onsets_s, made.bold),
        card(),
    )
    np.testing.assert_array_equal(scan.windows_uv(range(4)), again.windows_uv(range(4)))


def test_windows_have_no_mean_and_are_average_referenced():
    windows = conditioned(recording(), card()).windows_uv()
    np.testing.assert_allclose(windows.mean(axis=2), 0, atol=1e-4)
    np.testing.assert_allclose(windows.mean(axis=1), 0, atol=1e-3)


def test_missing_channel_short_scan_and_named_reference():
    with pytest.raises(StreamMismatch, match="O2"):
        conditioned(recording(labels=("Cz", "Fp1", "O1")), card())
    with pytest.raises(DataFileError, match="no volume"):
        conditioned(recording(seconds=15.0), card())
    with pytest.raises(StreamMismatch, match="FCZ"):
        conditioned(recording(), card(reference="FCZ"))


def test_normalisation_is_frozen_from_training():
    train = [conditioned(recording(), card())]
    frozen = fit_normalisation(train, 0.15)
    units = normalised(train[0].bold, frozen)
    np.testing.assert_allclose(units.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(units.std(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(
        normalised(train[0].bold + 1, frozen) - units,
        np.tile(1 / np.array(frozen.scale), (len(units), 1)),
        rtol=1e-5,
    )


def test_data_hash_sees_every_part():
    scan = conditioned(recording(), card())
    other = conditioned(recording(first_s=1.1025), card())
    assert data_sha256([scan]) == data_sha256([scan])
    assert data_sha256([scan]) != data_sha256([other])


def test_a_dead_channel_is_interpolated_as_in_a_session():
    labels = ("Cz", "Fp1", "Fp2", "F3", "F4", "C3", "C4", "P3", "P4", "Pz", "O1", "O2")
    made = recording(labels=labels)
    made.eeg_uv[10, 6000:8000] = 0.0  # O1, ten seconds
    scan = conditioned(made, card(channels=labels))
    assert len(scan.matrices) == 2
    assert set(scan.matrix_of) == {0, 1}
    assert len(scan) == len(scan.bold) == len(scan.onsets_s) == len(scan.matrix_of)


def test_an_older_cache_gives_the_windows_that_it_gave():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((3, 4000)).astype(np.float32)
    scan = Scan("old", signal, np.array([5]), np.zeros((1, 2)), np.zeros(1))
    window = signal[:, 5:3205].copy()[None]
    window -= window.mean(axis=2, keepdims=True)
    np.testing.assert_array_equal(scan.windows_uv(), window)
