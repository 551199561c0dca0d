"""Stage 3: what models that did not see a volume predict of it, at every horizon.

What is handed on to the evaluation, per horizon, is a `FoldedScan`: the out-of-fold
series of every candidate (``base``, ``network``, ``subject``, ``stack``; `KEPT` and
``base``), and in ``smoothers`` a `Smoother` for each that is a closed form. The base
needs none: its series does not depend on the measurement.
``smoothers[name].refit(scan.bold)`` is the series itself, on the scan's grid.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import cast

from rtbold.calibration.evaluate.scores import Declared
from rtbold.calibration.fit.base import Base, Start, adapt_base, fresh_base
from rtbold.calibration.fit.choice import caution, strategy_of
from rtbold.calibration.fit.folds import (
    HORIZONS,
    FitOptions,
    FoldedScan,
    PreparedScan,
    out_of_fold,
    read_scan,
)
from rtbold.calibration.fit.protocol import (
    CancellationToken,
    Hooks,
    Material,
    Strategy,
)
from rtbold.calibration.fit.split import StrictSettings, strict_folds
from rtbold.calibration.fit.target import MeasuredScan
from rtbold.calibration.gather import AlignedScan
from rtbold.calibration.inputs.bold_series import plain_name
from rtbold.calibration.inputs.confound_kinds import acting
from rtbold.calibration.settings import CalibrationSettings, StrategyOption
from rtbold.errors import ConfigError


@dataclass(frozen=True, slots=True, eq=False)
class OutOfFoldPredictions:
    """One scan, and everything that was predicted of it out of fold."""

    aligned: AlignedScan
    declared: Declared
    session: PreparedScan  # the scan as the models have read it
    options: FitOptions
    split: StrictSettings
    folded: Mapping[int, FoldedScan]  # by volumes ahead


def predict_out_of_fold(aligned: AlignedScan, hooks: Hooks) -> OutOfFoldPredictions:
    """Fit every model fold after fold, and let it predict the rest.

    Raises
    ------
    ConfigError : base and strategy do not go together, or not with the scan.
    """
    settings, scan = aligned.settings, aligned.scan
    declared = _declared(aligned)
    measured = _measured(aligned)
    split = split_of(settings)
    parts = strict_folds(measured.onsets_s, split)
    hooks.say(f"{len(measured.onsets_s)} volumes in {len(parts)} folds")
    options = FitOptions(
        seed=settings.seed,
        now_s=hooks.now_s,
        tell=hooks.tell,
        cancel=hooks.cancel or CancellationToken(),
    )
    base = _base(aligned)
    strategy = _strategy(settings, base, hooks.say)
    material = Material(scan.windows, measured.onsets_s, scan.volume)
    session = read_scan(material, measured, base, strategy=strategy, options=options)
    folded = {}
    for horizon_tr in _horizons(aligned):
        ahead = replace(options, horizon_tr=horizon_tr)
        folded[horizon_tr] = out_of_fold(session, parts, ahead, others=aligned.others)
    return OutOfFoldPredictions(aligned, declared, session, options, split, folded)


def split_of(settings: CalibrationSettings) -> StrictSettings:
    """Return how the scan is cut: a closed form needs no part to stop by."""
    if settings.strategy in ("head", "ridge"):
        return StrictSettings(n_folds=settings.n_folds, stop_share=0.0)
    return StrictSettings(n_folds=settings.n_folds)


def _strategy(
    settings: CalibrationSettings, base: Base, say: Callable[[str], None]
) -> Strategy:
    """Return the strategy of the option; say what speaks against it."""
    strategy = strategy_of(cast("StrategyOption", settings.strategy), base)
    if warning := caution(strategy.name, base):
        say(warning)
    return strategy


def _declared(aligned: AlignedScan) -> Declared:
    settings, rois = aligned.settings, aligned.scan.rois
    weights = dict(settings.contrast)
    target = settings.target_name or rois[0]
    if weights and target in rois:
        raise ConfigError(
            f"--target names the contrast {target!r}, which is the name of an ROI; "
            "give the contrast a name of its own."
        )
    return Declared(target if weights else plain_name(target), weights)


def _measured(aligned: AlignedScan) -> MeasuredScan:
    """Return the measured series at the volumes that have a window."""
    scan, rows = aligned.scan, aligned.scan.volume
    given = {name: scan.confounds[name] for name in aligned.regressed}
    unfolded = acting(given, tr_s=scan.tr_s)
    return MeasuredScan(
        bold=scan.bold[rows],
        onsets_s=scan.onsets_s[rows],
        rois=scan.rois,
        confounds=unfolded.values[rows] if len(unfolded) else None,
        confound_names=unfolded.names,
        unfolded=True,
    )


def _base(aligned: AlignedScan) -> Base:
    settings = aligned.settings
    channels, rois = aligned.card.channels, aligned.scan.rois
    if aligned.base is not None:
        return adapt_base(aligned.base, channels, rois)
    if settings.strategy in ("head", "ridge"):
        # A closed-form head has only band power to read where nothing was learned.
        fresh = Start("bandpower_ridge", "base")
    else:
        fresh = Start("neurobolt", settings.size, settings.seed)
    return fresh_base(channels, rois, fresh)


def _horizons(aligned: AlignedScan) -> tuple[int, ...]:
    """Return the horizons to fit: all where a fit takes a moment or all are asked."""
    settings = aligned.settings
    if settings.horizon is None or settings.strategy in ("head", "ridge"):
        return HORIZONS
    return (settings.horizon,)
