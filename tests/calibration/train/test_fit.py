from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtbold.calibration.train.dataset import Scan  # noqa: E402
from rtbold.calibration.train.fit import FitSettings, Split, fit, predict  # noqa: E402
from rtbold.errors import ConfigError  # noqa: E402

SETTINGS = FitSettings(epochs=3, batch_size=8, peak_learning_rate=0.2, averaging=0.8)


class Loudness(torch.nn.Module):
    """The least that can learn: log power per channel, one linear map."""

    def __init__(self):
        super().__init__()
        self.drop = torch.nn.Dropout(0.1)
        self.head = torch.nn.Linear(2, 1)

    def forward(self, eeg_uv):
        return self.head(self.drop(torch.log(eeg_uv.std(2) + 1e-3)))


def split(seed, n_scans=2, n=40):
    rng = np.random.default_rng(seed)
    scans, targets = [], []
    for _ in range(n_scans):
        loud = np.exp(0.5 * rng.standard_normal((n, 2)))
        eeg = np.repeat(loud, 3200, axis=0).T * rng.standard_normal((2, n * 3200))
        scans.append(
            Scan(
                name="s",
                eeg_uv=eeg.astype(np.float32),
                first=np.arange(n) * 3200,
                bold=np.zeros((n, 1)),
                onsets_s=np.arange(n) * 16.0,
            )
        )
        targets.append(np.log(loud[:, :1]).astype(np.float32))
    return Split(scans, targets)


PARTS = (split(0), split(1, n_scans=1))


def trained(settings=SETTINGS, **options):
    torch.manual_seed(0)
    model = Loudness()
    return model, fit(model, PARTS, settings, **options)


def test_learns_and_keeps_the_best_epoch():
    model, progress = trained()
    assert max(progress.validation_r) > 0.9
    assert progress.best_epoch == int(np.argmax(progress.validation_r))
    kept = predict(model, PARTS[1].scans)[0]
    assert np.corrcoef(kept[:, 0], PARTS[1].targets[0][:, 0])[0, 1] == pytest.approx(
        max(progress.validation_r), abs=1e-5
    )


def test_same_seed_same_weights_other_seed_others():
    first, again = trained()[0], trained()[0]
    other = trained(replace(SETTINGS, seed=1))[0]
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_a_run_that_was_cut_off_ends_the_same(tmp_path):
    whole, _ = trained()
    state = tmp_path / "state.pt"

    class CutOff(Exception):
        pass

    def cut(progress):
        if progress.epoch == 2:
            raise CutOff

    with pytest.raises(CutOff):
        trained(checkpoint=state, on_epoch=cut)
    resumed, progress = trained(checkpoint=state)
    assert len(progress.losses) == 3
    assert torch.equal(whole.head.weight, resumed.head.weight)


def test_checkpoint_of_other_settings_is_refused(tmp_path):
    state = tmp_path / "state.pt"
    trained(checkpoint=state)
    with pytest.raises(ConfigError, match="other settings"):
        trained(replace(SETTINGS, epochs=5), checkpoint=state)


def test_running_statistics_reach_the_weights_that_are_kept():
    class Normed(Loudness):
        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm1d(2, affine=False)

        def forward(self, eeg_uv):
            return self.head(self.norm(torch.log(eeg_uv.std(2) + 1e-3)))

    torch.manual_seed(0)
    model = Normed()
    progress = fit(model, PARTS, SETTINGS)
    assert progress.best["norm.num_batches_tracked"] > 0
    assert max(progress.validation_r) > 0.9
