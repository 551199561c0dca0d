"""Prepared scans whose BOLD follows from their EEG by a known model."""

from dataclasses import replace

import numpy as np
from bundles import tiny_weights, write_tiny
from prepared_scans import CHANNELS, ROIS, TR_S, cache_of, prepared_scan
from scipy.ndimage import gaussian_filter1d

from rtbold.bundle.card import SeenScan
from rtbold.calibration.datasets.scan import Scan

WEIGHTS = tiny_weights(len(CHANNELS), len(ROIS))
N = 120  # windows


def answer(windows_uv):
    """What the tiny bundle says: log power of each channel times its weights."""
    power = np.log((windows_uv.astype(float) ** 2).mean(axis=2) + 1e-3)
    return power @ WEIGHTS


def smooth(rng, shape, width):
    """Noise of unit sd along the first axis."""
    rows = gaussian_filter1d(rng.standard_normal(shape), width, axis=0)
    return (rows - rows.mean(axis=0)) / rows.std(axis=0)


def scan_of(name, *, subject, n=N, noise=1.0, seen=True, **changes):
    """A scan whose BOLD is the tiny bundle's answer plus noise, both of sd 1."""
    bare = prepared_scan(name, subject=subject, n=n, **changes)
    rng = np.random.default_rng(int(bare.content_sha256[:8], 16))
    n_samples = bare.scan.eeg_uv.shape[1]
    slow = smooth(rng, (n_samples // 200 + 2, len(CHANNELS)), 6.0)
    at = np.arange(n_samples) / 200
    gain = np.stack([np.interp(at, np.arange(len(slow)), column) for column in slow.T])
    eeg_uv = 10 * np.exp(0.6 * gain) * rng.standard_normal(gain.shape)
    scan = Scan(
        name=name,
        eeg_uv=eeg_uv.astype(np.float32),
        first=bare.scan.first,
        bold=bare.scan.bold,
        onsets_s=bare.scan.onsets_s,
        seen=marks(name) if seen else None,
    )
    signal = answer(scan.windows_uv())
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    bold = signal + noise * smooth(rng, signal.shape, 2.0)
    common = bold.mean(axis=1, keepdims=True)
    common = common - common.mean()
    share = (common * bold).sum(axis=0) / (common**2).sum()
    return replace(
        bare,
        scan=replace(scan, bold=bold),
        bold_gsr=bold - common * share,
        confounds={"trans_x": smooth(rng, n, 2.0)},
    )


def marks(name):
    """Marks as a card has them, of that scan alone."""
    import base64
    import hashlib

    def of(kind):
        digests = (
            hashlib.blake2b(f"{kind}{name}{i}".encode(), digest_size=6).digest()
            for i in range(8)
        )
        return base64.b64encode(b"".join(digests)).decode()

    return SeenScan(eeg=of("eeg"), bold=of("bold"))


def subjects_cache(folder, n_subjects=5, **changes):
    """A cache of one scan a subject."""
    scans = [scan_of(f"sub-{k}", subject=f"s{k}", **changes) for k in range(n_subjects)]
    return cache_of(folder, scans)


def tiny_bundle(folder, name="tiny", **changes):
    """The bundle whose answers the BOLD follows."""
    changes = {"tr_s": TR_S, "rois": ROIS} | changes
    return write_tiny(folder, CHANNELS, name=name, **changes)
