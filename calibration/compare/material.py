"""The scans of one fold: which rows may be learned from, and what they hold."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from rtbold.calibration.compare.scores import Rows, Target
from rtbold.calibration.datasets.scan import in_batches
from rtbold.calibration.train.ridge import Table
from rtbold.errors import DataFileError
from rtbold.messages import FloatArray
from rtbold.models import BandPowerRidge, BandPowerRidgeConfig, Unmixing

if TYPE_CHECKING:
    from rtbold.calibration.datasets.cache import PreparedScan


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of one scan, by what they are for."""

    scan: "PreparedScan"
    train: Rows
    validation: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """What may be learned from in one fold; the rows that are scored stay sealed."""

    number: int
    parts: tuple[Part, ...]  # every scan of the cache, in its order

    def lessons(self, test: "PreparedScan") -> tuple[Part, ...]:
        """Return what a baseline of `test` learns from.

        Where rows of that very scan serve for training, the split is within scans, and
        those rows are all that is taken; otherwise all training scans are.
        """
        own = tuple(
            part
            for part in self.parts
            if part.scan.name == test.name and len(part.train)
        )
        return own or tuple(p for p in self.parts if len(p.train) or len(p.validation))


def standard(scan: "PreparedScan", *, gsr: bool = False) -> FloatArray:
    """Return the targets (windows, rois) in sd of each ROI over the whole scan."""
    series = np.asarray(scan.bold_gsr if gsr else scan.scan.bold, dtype=np.float64)
    left = series - series.mean(axis=0)
    sd = left.std(axis=0)
    units: FloatArray = left / np.where(sd > 0, sd, 1.0)
    return units


def target_of(scan: "PreparedScan", rows: Rows, *, fold: int) -> Target:
    """Return what is scored of a scan."""
    return Target(
        scan=scan.name,
        subject=scan.subject,
        session=scan.session,
        fold=fold,
        simulated=scan.simulated,
        rois=scan.rois,
        volume=np.asarray(scan.volume)[rows],
        onsets_s=np.asarray(scan.scan.onsets_s)[rows],
        plain=standard(scan)[rows],
        gsr=standard(scan, gsr=True)[rows],
    )


def learned_and_chosen(
    parts: Sequence[Part], features: Sequence[FloatArray], *, gsr: bool = False
) -> tuple[Table, Table]:
    """Return features and targets of the training and of the validation rows.

    Without validation rows the last fifth of each scan's training rows stands in.

    Parameters
    ----------
    features : (windows, features) of each part's scan.
    gsr : targets without the global signal.

    Raises
    ------
    DataFileError : there is nothing to learn from.
    """
    parts = with_choice(parts)
    tables = []
    for kind in ("train", "validation"):
        rows = [(getattr(p, kind), p, x) for p, x in zip(parts, features, strict=True)]
        used = [(at, p, x) for at, p, x in rows if len(at) >= 2]
        if not used:
            raise DataFileError(
                f"the split leaves no {kind} rows for the baselines, expected two or "
                "more in a scan; take another split, or longer scans"
            )
        features_of = Chosen([x for _, _, x in used], [at for at, _, _ in used])
        tables.append(
            Table(features_of, [standard(p.scan, gsr=gsr)[at] for at, p, _ in used])
        )
    return tables[0], tables[1]


class Chosen(Sequence[FloatArray]):
    """Some rows of each scan, read from the disk when they are asked for.

    So a fit over hundreds of scans holds the features of one at a time.
    """

    def __init__(self, arrays: Sequence[FloatArray], rows: Sequence[Rows]) -> None:
        self._arrays, self._rows = arrays, rows

    def __len__(self) -> int:
        return len(self._arrays)

    @overload
    def __getitem__(self, place: int) -> FloatArray: ...
    @overload
    def __getitem__(self, place: slice) -> list[FloatArray]: ...
    def __getitem__(self, place: int | slice) -> FloatArray | list[FloatArray]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        chosen: FloatArray = self._arrays[place][self._rows[place]]
        return chosen


def with_choice(parts: Sequence[Part]) -> Sequence[Part]:
    """Return the parts; without any validation rows the end of training chooses."""
    if any(len(part.validation) for part in parts):
        return parts
    return [_with_validation(part) for part in parts]


def _with_validation(part: Part) -> Part:
    n = max(len(part.train) * 4 // 5, min(len(part.train), 2))
    return Part(part.scan, part.train[:n], part.train[n:])


class BandPower:
    """Log band power of every window, computed once a scan and kept on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, scan: "PreparedScan", unmixing: Unmixing) -> FloatArray:
        """Return (windows, channels * lags * bands), memory-mapped."""
        path = self._folder / f"{scan.content_sha256[:24]}-{scan.name}-{unmixing}.npy"
        if not path.exists():
            np.save(path, _band_power(scan, unmixing))
        kept: FloatArray = np.load(path, mmap_mode="r")
        return kept


@contextmanager
def band_power() -> Iterator[BandPower]:
    """Keep features in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rtbold-features-") as folder:
        yield BandPower(Path(folder))


def _band_power(scan: "PreparedScan", unmixing: Unmixing) -> FloatArray:
    import torch

    model = BandPowerRidge(BandPowerRidgeConfig(scan.channels, unmixing=unmixing))
    model.eval()
    with torch.inference_mode():
        rows = [model.features(torch.from_numpy(b)) for b in in_batches(scan.scan)]
        features: FloatArray = torch.cat(rows).numpy()
    return features
