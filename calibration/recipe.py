"""Calibration, top to bottom: read, split, fit, choose, judge. Writes nothing.

``outcome.save`` writes what comes out of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch

from rtbold import bundle as bundles
from rtbold.bundle import Bundle, LikenessReference
from rtbold.calibration.evaluate.choose import (
    Candidates,
    Judgement,
    OtherAnswers,
    choose,
    published_score,
)
from rtbold.calibration.evaluate.intervals import conformal_intervals
from rtbold.calibration.evaluate.likeness import (
    head_inputs,
    likeness_reference,
    statistics_of,
)
from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.fit.base import Base, Start, adapt_base, fresh_base
from rtbold.calibration.fit.choice import caution, strategy_of
from rtbold.calibration.fit.folds import (
    HORIZONS,
    FinalFit,
    FitOptions,
    FoldedScan,
    Session,
    fit_all,
    out_of_fold,
    read_scan,
)
from rtbold.calibration.fit.protocol import (
    Clock,
    Material,
    Strategy,
    Tell,
    Wish,
    untimed,
    untold,
)
from rtbold.calibration.fit.split import Part, StrictSettings, final_part, strict_folds
from rtbold.calibration.fit.target import MeasuredScan
from rtbold.calibration.gather import Gathered, Say, gather
from rtbold.calibration.inputs.bold_series import plain_name
from rtbold.calibration.lineage import refuse_same_data
from rtbold.calibration.result import CalibrationResult, Choice
from rtbold.calibration.settings import NOTHING, CalibrationSettings, StrategyOption
from rtbold.errors import ConfigError
from rtbold.messages import Float32Array, FloatArray

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Hooks:
    """How whoever started it is told, and may end it."""

    say: Say = lambda text: None
    tell: Tell = untold
    now_s: Clock = untimed
    wish: Wish | None = None  # None: only Ctrl-C inside a training step


def calibrate(
    settings: CalibrationSettings, hooks: Hooks | None = None
) -> CalibrationResult:
    """Return a model for one subject, with the verdict on it.

    Raises
    ------
    RtboldError : files, volumes, channels or base are not what is needed; the message
        says what to do.
    """
    hooks = hooks or Hooks()
    if settings.n_threads is not None:
        torch.set_num_threads(settings.n_threads)
    work = _read(settings, hooks)
    folded = {horizon: _folded(work, horizon) for horizon in _horizons(settings)}
    choice = choose(
        Candidates(settings, work.declared, work.base, folded, work.gathered.scan)
    )
    hooks.say("judging the predictions")
    kept = folded[choice.horizon_tr]
    judgement = Judgement(settings, work.gathered, work.declared, work.others)
    nuisances = judgement.nuisances(kept)
    verdicts = judgement.both(kept, choice, nuisances)
    hooks.say("fitting the model that is kept, on the whole scan")
    final = _final(work, choice)
    read = _head_inputs(work.session, choice, final)
    return CalibrationResult(
        settings=settings,
        gathered=work.gathered,
        base=work.base,
        measured=work.session.measured,
        folded=kept,
        choice=choice,
        declared=work.declared,
        nuisances=nuisances,
        kept=verdicts[0],
        beside=verdicts[1],
        intervals=conformal_intervals(getattr(kept, choice.kept), kept.target),
        published=published_score(work.session, choice, work.options),
        final=final,
        likeness=_likeness(work.gathered, read),
        head_inputs=read,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """One scan, read and split, before anything was learned from it."""

    base: Bundle | None  # None: from nothing
    gathered: Gathered
    declared: Declared
    parts: tuple[Part, ...]
    session: Session
    others: OtherAnswers
    options: FitOptions


def _read(settings: CalibrationSettings, hooks: Hooks) -> _Work:
    """Gather the scan, split it, let network and ridge read its windows."""
    base = open_base(settings)
    gathered = gather(settings, base.card if base else None, hooks.say)
    declared = _declared(settings, gathered)
    measured = measured_scan(gathered)
    if base is not None:
        refuse_same_data(base.card, gathered.data_sha256)
    parts = strict_folds(measured.onsets_s, StrictSettings(n_folds=settings.n_folds))
    options = _options(settings, hooks)
    hooks.say(f"{len(measured.onsets_s)} volumes in {len(parts)} folds")
    start = _base(settings, gathered, base)
    session = read_scan(
        Material(gathered.scan.windows, measured.onsets_s, gathered.scan.volume),
        measured,
        start,
        strategy=_strategy(settings, start, hooks.say),
        options=options,
    )
    return _Work(
        base=base,
        gathered=gathered,
        declared=declared,
        parts=parts,
        session=session,
        others=OtherAnswers(gathered),
        options=options,
    )


def open_base(settings: CalibrationSettings) -> Bundle | None:
    """Return the bundle that the fit starts from; None: from nothing.

    Naming it is the consent to a simulated lineage, which `choose` keeps only if it
    is better than nothing.

    Raises
    ------
    BundleError : no such bundle.
    """
    if settings.base == NOTHING:
        return None
    return bundles.load(settings.base, subject_root=settings.root)


def measured_scan(gathered: Gathered) -> MeasuredScan:
    """Return the measured series at the volumes that have a window."""
    scan, names = gathered.scan, gathered.regressed
    rows = scan.volume
    confounds = [scan.confounds[name][rows] for name in names]
    return MeasuredScan(
        bold=scan.bold[rows],
        onsets_s=scan.onsets_s[rows],
        rois=scan.rois,
        confounds=np.stack(confounds, axis=1) if confounds else None,
        confound_names=names,
    )


def _declared(settings: CalibrationSettings, gathered: Gathered) -> Declared:
    weights = {plain_name(roi): w for roi, w in settings.contrast.items()}
    target = settings.target_name or gathered.scan.rois[0]
    if weights and target in gathered.scan.rois:
        raise ConfigError(
            f"--target names the contrast {target!r}, which is the name of an ROI; "
            "give the contrast a name of its own."
        )
    return Declared(target if weights else plain_name(target), weights)


def _options(settings: CalibrationSettings, hooks: Hooks) -> FitOptions:
    return FitOptions(
        seed=settings.seed,
        now_s=hooks.now_s,
        tell=hooks.tell,
        wish=hooks.wish or Wish(),
    )


def _base(
    settings: CalibrationSettings, gathered: Gathered, start: Bundle | None
) -> Base:
    channels, rois = gathered.card.channels, gathered.scan.rois
    if start is not None:
        return adapt_base(start, channels, rois)
    if settings.strategy in ("head", "ridge"):
        # A closed-form head has only band power to read where nothing was learned.
        fresh = Start("bandpower_ridge", "base")
    else:
        fresh = Start("neurobolt", settings.size, settings.seed)
    return fresh_base(channels, rois, fresh)


def _strategy(settings: CalibrationSettings, base: Base, say: Say) -> Strategy:
    """Return the strategy that the option names, and say what speaks against it."""
    strategy = strategy_of(cast("StrategyOption", settings.strategy), base)
    if warning := caution(strategy.name, base):
        say(warning)
    return strategy


def _horizons(settings: CalibrationSettings) -> tuple[int, ...]:
    """Return the horizons to fit: all where a fit takes a moment or all are asked."""
    if settings.horizon is None or settings.strategy in ("head", "ridge"):
        return HORIZONS
    return (settings.horizon,)


def _folded(work: _Work, horizon_tr: int) -> FoldedScan:
    listener = work.others.listener(horizon_tr)
    at_horizon = replace(work.options, horizon_tr=horizon_tr, each=listener)
    return out_of_fold(work.session, work.parts, at_horizon)


def _final(work: _Work, choice: Choice) -> FinalFit:
    """Fit on all volumes what is kept."""
    part = final_part(work.session.measured.onsets_s)
    options = replace(work.options, horizon_tr=choice.horizon_tr)
    return fit_all(work.session, part, options)


def _head_inputs(session: Session, choice: Choice, final: FinalFit) -> FloatArray:
    """Return what the kept model's head reads; read anew only if the encoder moved."""
    if choice.kept == "ridge_live":
        found = session.tables.forms[final.ridge.form].features
    elif session.strategy.name == "head":
        found = session.prepared.readings.features
    else:
        return head_inputs(final.fitted.module(), _batches(session.material.windows_uv))
    return np.asarray(found, dtype=np.float64)


def _likeness(gathered: Gathered, read: FloatArray) -> LikenessReference:
    windows = statistics_of(_batches(gathered.scan.windows))
    return likeness_reference(windows, features=read)


def _batches(windows: Float32Array) -> Iterator[Float32Array]:
    return (windows[i : i + _BATCH] for i in range(0, len(windows), _BATCH))
