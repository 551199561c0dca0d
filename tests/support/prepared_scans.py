"""Caches of made-up scans, without conditioning anything."""

import hashlib

import numpy as np

from rtbold.calibration.datasets.cache import (
    CacheSettings,
    PreparedReport,
    PreparedScan,
    claim_cache,
    open_cache,
    write_scan,
)
from rtbold.calibration.datasets.scan import Scan
from rtbold.calibration.fit.target import TargetScaling

CHANNELS = ("FZ", "CZ", "PZ")
ROIS = ("visual", "motor", "default")
TR_S = 2.1
WINDOW_N = 3200


def settings(**changes):
    known = {"data_set": "made up", "channels": CHANNELS, "rois": ROIS, "tr_s": TR_S}
    return CacheSettings(**(known | changes))


def scaling(rois):
    return TargetScaling(
        method="zscore",
        mean=tuple(float(k) for k in range(len(rois))),
        scale=(2.0,) * len(rois),
        lowpass_hz=0.15,
    )


def prepared_scan(name="s1", *, subject=None, session="1", n=20, **changes):
    """A scan whose samples follow from its name."""
    rng = np.random.default_rng(abs(hash_of(name)) % 2**32)
    rois, tr_s = changes.pop("rois", ROIS), changes.pop("tr_s", TR_S)
    volume = np.asarray(changes.pop("volume", np.arange(n) + 8))
    onsets_s = 1.0 + volume * tr_s
    first = np.round(onsets_s * 200).astype(int) - WINDOW_N
    first -= first.min()
    n_samples = changes.pop("n_samples", int(first.max()) + WINDOW_N)
    scan = Scan(
        name=name,
        eeg_uv=rng.standard_normal((3, n_samples)).astype(np.float32),
        first=first,
        bold=rng.standard_normal((len(volume), len(rois))),
        onsets_s=onsets_s,
        matrices=changes.pop("matrices", np.eye(3)[None]),
        matrix_of=changes.pop("matrix_of", np.zeros(len(volume), int)),
    )
    known = {
        "name": name, "subject": subject or name, "session": session, "scan": scan,
        "bold_gsr": rng.standard_normal((len(volume), len(rois))), "volume": volume,
        "rois": rois, "channels": CHANNELS, "tr_s": tr_s,
        "confounds": {"motion/x y": rng.standard_normal(len(volume))},
        "simulated": True, "twin": None,
        "content_sha256": hashlib.sha256(name.encode()).hexdigest(),
        "scaling": scaling(rois), "scaling_gsr": scaling(rois),
        "report": PreparedReport(
            n_volumes=n, n_markers=n, n_missed=0, n_windows=len(volume)
        ),
    }  # fmt: skip
    return PreparedScan(**(known | changes))


def hash_of(name):
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")


def cache_of(folder, scans, **changes):
    """A cache on disk that holds these scans."""
    claim_cache(folder, settings(**changes))
    for scan in scans:
        write_scan(folder, scan, hashlib.sha256(scan.name.encode()).hexdigest())
    return open_cache(folder)
