"""Out-of-fold predictions over a whole scan, and the fit that is kept.

Per fold, everything is learned from its training part: scaling and drift of the target,
features' scaling, penalties, weights. The ridge runs on the same folds.

Looking ahead: at horizon h a window's target is the BOLD of the volume h later. Target
and window lie in one part, so the last h volumes of each are not used; series stand at
the volume that is predicted, not where the prediction was made.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np
import torch
from torch import nn

from rtbold.calibration.evaluate.nulls import pairing
from rtbold.calibration.fit import subject_ridge
from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.head import in_batches
from rtbold.calibration.fit.linear import Smoother
from rtbold.calibration.fit.protocol import (
    CancellationToken,
    Clock,
    Fitted,
    Material,
    Pace,
    Prepared,
    Strategy,
    Task,
    Tell,
    ignore_progress,
    untimed,
)
from rtbold.calibration.fit.split import IntArray, Part
from rtbold.calibration.fit.subject_ridge import (
    RidgeTables,
    SubjectRidge,
    fit_subject_ridge,
)
from rtbold.calibration.fit.target import (
    MeasuredScan,
    TargetScaling,
    TargetSettings,
    fit_scaling,
    scored_target,
    targets,
)
from rtbold.calibration.inputs.windows import OtherEeg, on_grid
from rtbold.messages import WINDOW_S, Float32Array, FloatArray

HORIZONS: Final = (0, 1, 2, 3)
WITHIN_R: Final = 0.02  # of the best: what looking further ahead may cost
# The models that a calibration chooses between; the base as it is learned nothing.
Kept = Literal["network", "ridge_live", "base"]
KEPT: Final[tuple[Kept, ...]] = get_args(Kept)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedScan:
    """One scan that has been read once: what all folds and horizons share."""

    material: Material
    measured: MeasuredScan  # rows are the windows
    prepared: Prepared
    tables: RidgeTables
    strategy: Strategy


@dataclass(frozen=True, slots=True)
class FitOptions:
    """What a fit is told besides its data."""

    target: TargetSettings = field(default_factory=TargetSettings)
    horizon_tr: int = 0
    seed: int = 0
    now_s: Clock = untimed
    tell: Tell = ignore_progress
    cancel: CancellationToken = field(default_factory=CancellationToken)


@dataclass(frozen=True, slots=True, eq=False)
class FoldModels:
    """The models that one fold fitted."""

    part: Part
    scaling: TargetScaling
    network: Fitted
    ridge: SubjectRidge  # the best form, of 16 or 24 s
    ridge_live: SubjectRidge  # the best form that a session can run

    @property
    def facts(self) -> "FoldFit":
        """What is kept of it once it has predicted."""
        notes, errors = self.network.notes, self.network.errors
        return FoldFit(self.part, self.scaling, notes, errors, self.ridge.form)


@dataclass(frozen=True, slots=True, eq=False)
class FoldFit:
    """What one fold learned."""

    part: Part
    scaling: TargetScaling
    notes: dict[str, float]
    errors: tuple[float, ...]  # learning curve, of the stopping part
    ridge_form: tuple[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class FoldedScan:
    """Series over the windows' volumes, (volumes, rois); nan where not predicted."""

    horizon_tr: int
    network: FloatArray  # model units of each fold
    ridge: FloatArray  # the best form, of 16 or 24 s
    ridge_live: FloatArray  # the best form that a session can run
    base: FloatArray  # the bundle's own answers; zero for ROIs that it does not know
    target: FloatArray  # model units of each fold: what residuals are taken from
    scored: FloatArray  # the scanner's unit: what R is taken with
    folds: tuple[FoldFit, ...]
    interrupted: bool
    # What the same models predict from each other subject's EEG at equal scan time.
    others: Mapping[Kept, tuple[FloatArray, ...]] = field(default_factory=dict)
    # Of closed forms: how their predictions come from the measurement.
    smoothers: Mapping[Kept, Smoother] = field(default_factory=dict)

    def r(self, name: str = "network") -> FloatArray:
        """Return R of each ROI for one of the series, without cubic drift."""
        return pairing(getattr(self, name), self.scored).r

    def on_grid(self, name: str, volume: IntArray, n_volumes: int) -> FloatArray:
        """Return one series with a row for every volume of the scan, as scores take it.

        Parameters
        ----------
        volume : (windows,), number of each window's volume.
        """
        return on_grid(getattr(self, name), volume, n_volumes)

    def others_on_grid(
        self, name: Kept, volume: IntArray, n_volumes: int
    ) -> tuple[FloatArray, ...]:
        """Return what one model predicts from others' EEG, as `on_grid` does."""
        series = self.others.get(name, ())
        return tuple(on_grid(each, volume, n_volumes) for each in series)


@dataclass(frozen=True, slots=True, eq=False)
class FinalFit:
    """The fit on all volumes, with the settings of the folds."""

    fitted: Fitted
    ridge: SubjectRidge  # of a form that runs live
    scaling: TargetScaling
    part: Part


def read_scan(
    material: Material,
    measured: MeasuredScan,
    base: Base,
    *,
    strategy: Strategy,
    options: FitOptions | None = None,
) -> PreparedScan:
    """Let network and ridge read all windows, once."""
    options = options or FitOptions()
    n = len(material.volume)
    total = strategy.n_batches(n) + subject_ridge.n_batches(n)
    pace = Pace("features", total, now_s=options.now_s, tell=options.tell)
    prepared = strategy.prepare(base, material, pace)
    channels: Sequence[str] = base.network.config.channels  # type: ignore
    tables = subject_ridge.ridge_tables(material, channels, len(measured.rois), pace)
    return PreparedScan(material, measured, prepared, tables, strategy)


def out_of_fold(
    session: PreparedScan,
    parts: Sequence[Part],
    options: FitOptions | None = None,
    *,
    others: Sequence[OtherEeg] = (),
) -> FoldedScan:
    """Predict every test part by what the others taught.

    After Ctrl-C the fold at hand keeps its best so far, and those that are left their
    closed-form start; `interrupted` says so.
    """
    options = options or FitOptions()
    folds = fit_folds(session, parts, options)
    return predictions_of(session, folds, options, others=others)


def fit_folds(
    session: PreparedScan, parts: Sequence[Part], options: FitOptions
) -> Iterator[FoldModels]:
    """Yield the models of fold after fold; nobody else keeps them."""
    total = sum(session.strategy.n_steps(len(part.train)) for part in parts)
    pace = Pace("folds", total, now_s=options.now_s, tell=options.tell)
    for part in parts:
        scaling = fit_scaling(session.measured, part.train, options.target)
        task = _task(session, part, scaling, options)
        network = session.strategy.fit(
            session.prepared, task, pace=pace, cancel=options.cancel
        )
        yield FoldModels(part, scaling, network, *_ridges(session.tables, task))


def predictions_of(
    session: PreparedScan,
    folds: Iterable[FoldModels],
    options: FitOptions,
    *,
    others: Sequence[OtherEeg] = (),
) -> FoldedScan:
    """Return what each fold's models predict of their test part."""
    shape = session.measured.bold.shape
    series = {name: np.full(shape, np.nan) for name in _SERIES}
    beside = {name: tuple(np.full(shape, np.nan) for _ in others) for name in KEPT}
    facts: list[FoldFit] = []
    for fold in folds:
        made, at = _pairs(session.material.volume, fold.part.test, options.horizon_tr)
        for name, (rows, values) in _answers(session, fold, made, at).items():
            series[name][rows] = values
        for number, other in enumerate(others):
            here = np.isin(made, other.rows)
            base = session.prepared.base.network
            for name, values in _from_other(fold, other, made[here], base).items():
                beside[name][number][at[here]] = values
        facts.append(fold.facts)
    return FoldedScan(
        horizon_tr=options.horizon_tr,
        folds=tuple(facts),
        interrupted=options.cancel.interrupted,
        others=beside,
        **series,
    )


_SERIES: Final = ("network", "ridge", "ridge_live", "base", "target", "scored")


def _answers(
    session: PreparedScan, fold: FoldModels, made: IntArray, at: IntArray
) -> dict[str, tuple[IntArray, FloatArray | Float32Array]]:
    """Return the rows and values of each series; `made` predict the rows `at`."""
    scan, test, scaling = session.measured, fold.part.test, fold.scaling
    return {
        "network": (at, fold.network.predict(made)),
        "ridge": (at, fold.ridge.predict(made)),
        "ridge_live": (at, fold.ridge_live.predict(made)),
        "base": (at, session.prepared.fit_features.prior[made]),
        "target": (test, targets(scan, test, scaling)),
        "scored": (test, scored_target(scan, test, scaling)),
    }


def _from_other(
    fold: FoldModels, other: OtherEeg, made: IntArray, base: nn.Module
) -> dict[Kept, Float32Array]:
    """Return what a fold's models predict from another subject's EEG."""
    if not len(made):
        return {}
    windows = torch.from_numpy(other.windows)
    chosen = np.searchsorted(other.rows, made)
    modules = (fold.network.module(), fold.ridge_live.module(), base)
    return {
        name: in_batches(module, (windows,), chosen)
        for name, module in zip(KEPT, modules, strict=True)
    }


def _ridges(tables: RidgeTables, task: Task) -> tuple[SubjectRidge, SubjectRidge]:
    """Return the best form, and the best that runs live."""
    rows = np.sort(np.concatenate([task.train, task.stop]))
    best = fit_subject_ridge(tables, task.targets, rows)
    if best.form[1] == WINDOW_S:
        return best, best
    return best, fit_subject_ridge(tables, task.targets, rows, live=True)


def fit_all(
    session: PreparedScan, part: Part, options: FitOptions | None = None
) -> FinalFit:
    """Fit the model that is kept.

    Parameters
    ----------
    part : of `split.final_part`: all volumes, `test` empty.
    """
    options = options or FitOptions()
    total = session.strategy.n_steps(len(part.train))
    pace = Pace("final", total, now_s=options.now_s, tell=options.tell)
    scaling = fit_scaling(session.measured, part.train, options.target)
    task = _task(session, part, scaling, options)
    fitted = session.strategy.fit(
        session.prepared, task, pace=pace, cancel=options.cancel
    )
    rows = np.sort(np.concatenate([task.train, task.stop]))
    ridge = fit_subject_ridge(session.tables, task.targets, rows, live=True)
    return FinalFit(fitted, ridge, scaling, part)


def _task(
    session: PreparedScan, part: Part, scaling: TargetScaling, options: FitOptions
) -> Task:
    """Return the rows with a target `horizon_tr` volumes later in their own part."""
    units = np.full(session.measured.bold.shape, np.nan, np.float32)
    chosen = []
    for rows in (part.train, part.stop):
        own = targets(session.measured, rows, scaling)
        made, at = _pairs(session.material.volume, rows, options.horizon_tr)
        units[made] = own[np.searchsorted(rows, at)]
        chosen.append(made)
    return Task(units, chosen[0], chosen[1], options.seed)


def _pairs(
    volume: IntArray, rows: IntArray, horizon_tr: int
) -> tuple[IntArray, IntArray]:
    """Return rows that predict, and the rows that they predict; both in `rows`."""
    place = {int(volume[row]): int(row) for row in rows}
    pairs = [
        (int(row), place[int(volume[row]) + horizon_tr])
        for row in rows
        if int(volume[row]) + horizon_tr in place
    ]
    both: IntArray = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def furthest_horizon(r_of_horizon: Mapping[int, float]) -> int:
    """Return the largest horizon within 0.02 of the best R."""
    best = max(r_of_horizon.values())
    return max(h for h, r in r_of_horizon.items() if r >= best - WITHIN_R)
