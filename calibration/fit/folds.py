"""Out-of-fold predictions over a whole scan, and the fit that is kept.

Per fold, everything is learned from its training part: scaling and drift of the target,
features' scaling, how heavily weights are shrunk, weights. On the same folds run:

- ``network``: the strategy's, such as the head solved anew;
- ``subject``: band power of this subject alone;
- ``stack``: where there is a base, its answers and the subject's band power on top;
- ``base``: the base's own answers, which no fold has changed.

Beside the predictions of those that are closed forms stands a `Smoother` each, which
predicts from any other measurement as the folds would have.

Looking ahead: at horizon h a window's target is the BOLD of the volume h later. Target
and window lie in one part, so the last h volumes of each are not used; series stand at
the volume that is predicted, not where the prediction was made.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

import numpy as np
import torch
from torch import nn

from rtbold.calibration.evaluate.nulls import pairing
from rtbold.calibration.fit import subject
from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.evidence import TrainingPart
from rtbold.calibration.fit.head import in_batches
from rtbold.calibration.fit.linear import ClosedForm, FoldForm, Smoother
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
from rtbold.calibration.fit.ridge import head_part
from rtbold.calibration.fit.split import IntArray, Part
from rtbold.calibration.fit.subject import (
    BandPowerTable,
    SubjectModel,
    subject_model,
    subject_part,
)
from rtbold.calibration.fit.target import (
    MeasuredScan,
    TargetScaling,
    TargetSettings,
    fit_scaling,
    scored_target,
    target_map,
    targets,
    weighing_of,
)
from rtbold.calibration.inputs.windows import OtherEeg, on_grid
from rtbold.messages import Float32Array, FloatArray

HORIZONS: Final = (0, 1, 2, 3)
WITHIN_R: Final = 0.02  # of the best: what looking further ahead may cost
# The models that a calibration chooses between; the base as it is learned nothing.
Kept = Literal["network", "subject", "stack", "base"]
KEPT: Final[tuple[Kept, ...]] = get_args(Kept)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedScan:
    """One scan that has been read once: what all folds and horizons share."""

    material: Material
    measured: MeasuredScan  # rows are the windows
    prepared: Prepared
    table: BandPowerTable
    strategy: Strategy

    @property
    def prior(self) -> FloatArray | None:
        """What the base answers, (windows, rois); None: it knows none of the ROIs."""
        if not any(self.prepared.base.known):
            return None
        return np.asarray(self.prepared.fit_features.prior, dtype=np.float64)

    @property
    def tr_s(self) -> float:
        """Seconds from volume to volume."""
        steps = np.diff(self.material.volume)
        return float(np.median(np.diff(self.material.onsets_s) / steps))


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
    subject: SubjectModel
    stack: SubjectModel | None  # what it adds to the base; None: there is no base

    @property
    def facts(self) -> "FoldFit":
        """What is kept of it once it has predicted."""
        notes, errors = self.network.notes, self.network.errors
        return FoldFit(self.part, self.scaling, notes, errors, self.subject.notes)


@dataclass(frozen=True, slots=True, eq=False)
class FoldFit:
    """What one fold learned."""

    part: Part
    scaling: TargetScaling
    notes: dict[str, float]
    errors: tuple[float, ...]  # learning curve, of the stopping part
    subject_notes: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class FoldedScan:
    """Series over the windows' volumes, (volumes, rois); nan where not predicted."""

    horizon_tr: int
    network: FloatArray  # model units of each fold
    subject: FloatArray  # from this subject's band power alone
    stack: FloatArray  # the base and band power on top; nan throughout without a base
    base: FloatArray  # the bundle's own answers; zero for ROIs that it does not know
    target: FloatArray  # model units of each fold: what residuals are taken from
    scored: FloatArray  # the scanner's unit: what R is taken with
    folds: tuple[FoldFit, ...]
    interrupted: bool
    # What the same models predict from each other subject's EEG at equal scan time.
    others: Mapping[Kept, tuple[FloatArray, ...]] = field(default_factory=dict)
    # How each closed form would have predicted from another measurement.
    smoothers: Mapping[Kept, Smoother] = field(default_factory=dict)

    @property
    def stacked(self) -> bool:
        """Whether there is a base, so that there is a stack."""
        return bool(np.isfinite(self.stack).any())

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
    subject: SubjectModel
    stack: SubjectModel | None  # what it adds to the base
    base: nn.Module  # unchanged
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
    """Let the network and the subject's model read all windows, once."""
    options = options or FitOptions()
    n = len(material.volume)
    total = strategy.n_batches(n) + subject.n_batches(n)
    pace = Pace("features", total, now_s=options.now_s, tell=options.tell)
    prepared = strategy.prepare(base, material, pace)
    channels: Sequence[str] = base.network.config.channels  # type: ignore
    table = subject.band_power_table(material, channels, pace)
    return PreparedScan(material, measured, prepared, table, strategy)


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
    found = predictions_of(session, folds, options, others=others)
    return replace(found, smoothers=smoothers_of(session, parts, options))


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
        yield FoldModels(part, scaling, network, *own_models(session, task, options))


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
    unchanged = [_BaseOnOther(session, other) for other in others]
    for fold in folds:
        made, at = _pairs(session.material.volume, fold.part.test, options.horizon_tr)
        for name, (rows, values) in _answers(session, fold, made, at).items():
            series[name][rows] = values
        for number, other in enumerate(others):
            here = np.isin(made, other.rows)
            answers = _from_other(fold, unchanged[number], made[here])
            for name, values in answers.items():
                beside[name][number][at[here]] = values
        facts.append(fold.facts)
    return FoldedScan(
        horizon_tr=options.horizon_tr,
        folds=tuple(facts),
        interrupted=options.cancel.interrupted,
        others=beside,
        network=series["network"],
        subject=series["subject"],
        stack=series["stack"],
        base=series["base"],
        target=series["target"],
        scored=series["scored"],
    )


_SERIES: Final = (*KEPT, "target", "scored")


def _answers(
    session: PreparedScan, fold: FoldModels, made: IntArray, at: IntArray
) -> dict[str, tuple[IntArray, FloatArray | Float32Array]]:
    """Return the rows and values of each series; `made` predict the rows `at`."""
    scan, test, scaling = session.measured, fold.part.test, fold.scaling
    power, base = session.table.features[made], session.prepared.fit_features.prior
    found: dict[str, tuple[IntArray, FloatArray | Float32Array]] = {
        "network": (at, fold.network.predict(made)),
        "subject": (at, fold.subject.predict(power, base[made])),
        "base": (at, base[made]),
        "target": (test, targets(scan, test, scaling)),
        "scored": (test, scored_target(scan, test, scaling)),
    }
    if fold.stack is not None:
        found["stack"] = (at, fold.stack.predict(power, base[made]))
    return found


class _BaseOnOther:
    """Another subject's EEG, and what the base answers to it: once for all folds."""

    def __init__(self, session: PreparedScan, other: OtherEeg) -> None:
        self._base, self._answers = session.prepared.base, np.empty((0, 0), np.float32)
        self.rows, self.windows = other.rows, torch.from_numpy(other.windows)

    def answers(self, chosen: IntArray) -> Float32Array:
        """Return (chosen, rois)."""
        if not len(self._answers):
            every = np.arange(len(self.rows))
            self._answers = in_batches(self._base.network, (self.windows,), every)
        return self._answers[chosen]


def _from_other(
    fold: FoldModels, other: _BaseOnOther, made: IntArray
) -> dict[Kept, Float32Array]:
    """Return what a fold's models predict from another subject's EEG."""
    if not len(made):
        return {}
    chosen = np.searchsorted(other.rows, made)

    def answered(module: nn.Module) -> Float32Array:
        return in_batches(module, (other.windows,), chosen)

    found: dict[Kept, Float32Array] = {
        "network": answered(fold.network.module()),
        "subject": answered(fold.subject.module()),
        "base": other.answers(chosen),
    }
    if fold.stack is not None:
        base = (fold.stack.slope or 0.0) * other.answers(chosen)
        found["stack"] = base + answered(fold.stack.module())
    return found


def own_models(
    session: PreparedScan, task: Task, options: FitOptions
) -> tuple[SubjectModel, SubjectModel | None]:
    """Return the subject's model from nothing, and on top of the base."""
    rows = taught_rows(task)
    own = task.targets[rows].astype(np.float64)
    fits = [
        subject_model(
            session.table, _part_of(session, name, own, rows, options=options), own
        )
        for name in _closed_names(session)
        if name != "network"
    ]
    return fits[0], fits[1] if len(fits) > 1 else None


def _closed_names(session: PreparedScan) -> tuple[Kept, ...]:
    """Return the models that are closed forms."""
    network: tuple[Kept, ...] = ("network",) if session.strategy.name == "head" else ()
    stack: tuple[Kept, ...] = () if session.prior is None else ("stack",)
    return (*network, "subject", *stack)


def _part_of(
    session: PreparedScan,
    name: Kept,
    own: FloatArray,
    rows: IntArray,
    *,
    options: FitOptions,
) -> TrainingPart:
    """Return the training part of one closed form; `own` are the targets of `rows`."""
    if name == "network":
        return head_part(session.prepared.fit_features, own, rows)
    return subject_part(
        session.table,
        own,
        rows,
        session.material.onsets_s,
        prior=session.prior if name == "stack" else None,
        ahead_s=options.horizon_tr * session.tr_s,
    )


def smoothers_of(
    session: PreparedScan, parts: Sequence[Part], options: FitOptions
) -> dict[Kept, Smoother]:
    """Return how each closed form predicts from any measurement; nothing is fitted.

    ``smoothers["stack"].refit(scan.bold)`` are the predictions of ``stack`` themselves.
    """

    def maker(name: Kept) -> Callable[[], Iterator[FoldForm]]:
        return lambda: (_form(session, name, part, options=options) for part in parts)

    return {
        name: ClosedForm(maker(name), session.material.volume)
        for name in _closed_names(session)
    }


def _form(
    session: PreparedScan, name: Kept, part: Part, *, options: FitOptions
) -> FoldForm:
    """Return one fold of a closed form."""
    scan, volume = session.measured, session.material.volume
    scaling = fit_scaling(scan, part.train, options.target)
    task = _task(session, part, scaling, options)
    rows = taught_rows(task)
    maps = target_map(scan, (part.train, part.stop), options.target)
    # A row of the task is taught the volume `horizon_tr` later, in its own part.
    later = [_pairs(volume, own, options.horizon_tr) for own in (part.train, part.stop)]
    taught_at = dict(zip(*np.concatenate(later, axis=1).tolist(), strict=True))
    behind = {row: i for i, row in enumerate([*part.train, *part.stop])}
    made, at = _pairs(volume, part.test, options.horizon_tr)
    own = task.targets[rows].astype(np.float64)
    return FoldForm(
        part=_part_of(session, name, own, rows, options=options),
        learn_map=maps[0],
        stop_map=maps[1],
        taught=np.array([behind[taught_at[int(row)]] for row in rows]),
        made=made,
        at=at,
        method=scaling.method,
        weighing=weighing_of(scan, part.train, options.target),
    )


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
    return FinalFit(
        fitted,
        *own_models(session, task, options),
        base=session.prepared.base.network,
        scaling=scaling,
        part=part,
    )


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


def taught_rows(task: Task) -> IntArray:
    """Return the rows that a closed form learns from: nothing stops it."""
    return np.sort(np.concatenate([task.train, task.stop]))


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
