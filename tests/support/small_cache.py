"""A cache of small planted scans, and the smallest recipe that learns from them."""

import numpy as np
from planted import CHANNELS, ROIS, SMALLEST, TR_S

STEP = round(TR_S * 200)  # samples from window to window
RECIPE = """\
name = "tiny"
[model]
architecture = "neurobolt"
[model.options]
dim = 8
heads = 2
branches = "spectral"
spectral_depth = 1
spectral_heads = 2
spectral_steps = 8
magnitude = "log"
head = "tokens"
token_width = 4
dropout = {dropout}
spectral_attention_dropout = {dropout}
drop_path = 0.0
[data]
split = "leave-one-subject-out"
{data}
[training]
epochs = 4
batch_size = 8
learning_rate = 2e-2
select = "r"
{training}
"""
assert SMALLEST["dim"] == 8


def recipe(*, dropout=0.1, data="", **training):
    """Return the tiny recipe with some of its values changed."""
    import msgspec

    from rtbold.calibration.train.recipe import parse_recipe

    text = RECIPE.format(dropout=dropout, data=data, training="")
    found = parse_recipe(text, where="tiny")
    changed = msgspec.structs.replace(found.training, **training)
    return msgspec.structs.replace(found, training=changed)


def planted_scan(name, seed, n=60, subject=None, session="1", *, simulated=True):
    """Return a prepared scan whose BOLD follows the loudness of two electrodes."""
    from rtbold.calibration.datasets.cache import PreparedReport, PreparedScan
    from rtbold.calibration.datasets.scan import Scan
    from rtbold.calibration.fit.target import TargetScaling
    from rtbold.calibration.lineage import TRAINING_N, scan_marks, volume_power

    rng = np.random.default_rng(seed)
    slow = np.zeros((n + 8, 4))
    for i in range(1, n + 8):
        slow[i] = 0.8 * slow[i - 1] + rng.standard_normal(4)
    slow /= slow.std(axis=0)
    eeg = 20 * rng.standard_normal((4, (n + 8) * STEP)).astype(np.float32)
    eeg *= np.repeat(np.exp(0.5 * slow), STEP, axis=0).T.astype(np.float32)
    bold = np.stack([slow[7:-1, 0], slow[5:-3, 2]], axis=1)[:n]
    first = np.arange(n) * STEP
    power = volume_power(eeg, np.arange(n) * STEP, 200.0, tr_s=TR_S)
    scan = Scan(
        name=name,
        eeg_uv=eeg,
        first=first,
        bold=bold,
        onsets_s=(first + 3200) / 200.0,
        seen=scan_marks(power, bold).on_card(TRAINING_N),
        matrices=np.stack([np.eye(4), np.eye(4)[[1, 0, 2, 3]]]),
        matrix_of=np.zeros(n, int),
    )
    scaling = TargetScaling(
        method="zscore", mean=(0.0, 0.0), scale=(1.0, 1.0), lowpass_hz=None
    )
    return PreparedScan(
        name=name,
        subject=subject or name,
        session=session,
        scan=scan,
        bold_gsr=bold - bold.mean(axis=1, keepdims=True),
        volume=np.arange(n) + 8,
        rois=ROIS,
        channels=CHANNELS,
        tr_s=TR_S,
        confounds={},
        simulated=simulated,
        twin=None,
        content_sha256=f"{seed:064x}",
        scaling=scaling,
        scaling_gsr=scaling,
        report=PreparedReport(n_volumes=n, n_markers=n, n_missed=0, n_windows=n),
    )


def write_small_cache(folder, n_subjects=4, n=60, *, first_seed=0, simulated=True):
    """Write a cache of one scan a subject, and open it."""
    seeds = range(first_seed, first_seed + n_subjects)
    return write_scans(
        folder,
        [
            planted_scan(f"sub-{i}", seed, n, simulated=simulated)
            for i, seed in enumerate(seeds)
        ],
    )


def write_scans(folder, scans):
    """Write a cache of these scans, and open it."""
    from rtbold.calibration.datasets.cache import (
        CacheSettings,
        claim_cache,
        open_cache,
        write_scan,
    )

    settings = CacheSettings(
        data_set="planted", channels=CHANNELS, rois=scans[0].rois, tr_s=TR_S
    )
    claim_cache(folder, settings)
    for i, scan in enumerate(scans):
        write_scan(folder, scan, key=f"{i:064x}")
    return open_cache(folder)
