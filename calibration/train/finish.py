"""From a trained network to its bundle: what it answers elsewhere, what EEG it knows.

An ordinary bundle: a session runs it, a calibration starts from it.
"""

import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from torch import nn

from rtbold import bundle
from rtbold.bundle import CHECK_NAME, Baseline, Card, Check, LikenessReference
from rtbold.calibration.datasets.scan import Scan, in_batches
from rtbold.calibration.evaluate.ood import (
    MIN_WINDOWS,
    FeatureScale,
    head_inputs,
    lines_of,
    ood_reference,
    statistics_of,
)
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.train.batches import Part, gather
from rtbold.distribution import NAME, checkout, version
from rtbold.messages import Float32Array
from rtbold.models import check_file, name_of, options_of, to_onnx, to_safetensors

N_OOD_SCANS: Final = 20  # that say what EEG the model knows
N_CHECK_WINDOWS: Final = 16
_PACKAGES: Final = ("numpy", "scipy", "torch", "lightning-fabric", "onnx")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some windows of a scan, to be asked for as those of a whole one."""

    scan: Scan
    rows: IntArray

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.rows)

    def windows_uv(self, chosen: Sequence[int] | None = None) -> Float32Array:
        """Return (chosen, channels, 3200) microvolt; all windows without a choice."""
        rows = self.rows if chosen is None else self.rows[np.asarray(chosen, int)]
        places = np.column_stack([np.zeros(len(rows), np.int64), rows])
        return gather([self.scan], places)


def rows_of(part: Part) -> Iterator[Rows]:
    """Yield each scan that has windows in the part."""
    for scan, rows in zip(part.scans, part.rows, strict=True):
        if len(rows):
            yield Rows(scan, rows)


def known_eeg(
    part: Part, network: nn.Module, *, tr_s: float
) -> tuple[LikenessReference, FeatureScale | None]:
    """Return what training EEG looks like; each scan by the scale of the others.

    Too few windows to say: an empty reference, so that a session watches nothing.
    """
    statistics, features, lines, group = [], [], [], []
    known = list(rows_of(part))
    at = np.linspace(0, len(known) - 1, min(N_OOD_SCANS, len(known))).round()
    for number, scan in enumerate([known[int(i)] for i in at]):
        statistics += statistics_of(in_batches(scan))
        features.append(head_inputs(network, in_batches(scan)))
        lines += lines_of(in_batches(scan), tr_s=tr_s)
        group += [number] * len(scan)
    if len(statistics) < MIN_WINDOWS:
        return LikenessReference(), None
    table = np.concatenate(features)
    reference = ood_reference(
        statistics,
        group=np.array(group) if len(features) > 1 else None,
        features=table,
        lines=lines,
        tr_s=tr_s,
    )
    return reference, FeatureScale.of(table)


def out_of_sample_baseline(predicted: Sequence[Float32Array]) -> Baseline:
    """Return mean and sd of predictions on scans that the fit did not see."""
    everything = np.concatenate(predicted).astype(np.float64)
    return Baseline(
        mean=tuple(everything.mean(axis=0).tolist()),
        sd=tuple(everything.std(axis=0).tolist()),
        n=len(everything),
    )


def check_windows_of(part: Part, n: int = N_CHECK_WINDOWS) -> Float32Array:
    """Return windows spread over a part, for ``check.npz``."""
    places = part.places
    at = np.linspace(0, len(places) - 1, min(n, len(places))).round().astype(int)
    return gather(part.scans, places[at])


def write_bundle(
    folder: Path,
    card: Card,
    network: nn.Module,
    *,
    check_uv: Float32Array,
    scale: FeatureScale | None = None,
    replace: bool = False,
) -> bundle.Bundle:
    """Export a trained network and write its bundle, whole or not at all.

    Parameters
    ----------
    card : everything but architecture and check.
    check_uv : windows (n, channels, 3200), for ``check.npz``.
    scale : of what the head reads; the graph then says how far a window is from it.
    """
    simulated = card.origin.kind == "simulated"
    card = msgspec.structs.replace(
        card,
        architecture=name_of(network),
        architecture_config=options_of(network.config),
        check=Check(windows="simulated" if simulated else "recorded", n=len(check_uv)),
    )
    watch = None if scale is None else (scale.mean, scale.sd)
    contents: dict[str, bytes | Path] = {
        CHECK_NAME: check_file(
            network, check_uv, channels=card.channels, rois=card.rois
        ),
        "model.onnx": to_onnx(network, len(card.channels), watch=watch),
        "weights.safetensors": to_safetensors(
            network, card.lineage, simulated=card.origin.simulated_lineage
        ),
    }
    return bundle.write(folder, card, contents, replace=replace)


def software() -> dict[str, str]:
    """Return what a training depends on: versions, and the revision of the code."""
    found = {"python": platform.python_version(), NAME: version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # of an extra that was not used
            continue
    return found | revision(checkout())


def revision(folder: Path | None) -> dict[str, str]:
    """Return the revision of a checkout, with a mark where files differ from it."""
    if folder is None:
        return {}
    words = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=10.0, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"git": done.stdout.strip()} if done.returncode == 0 else {}
