"""One model on a cache, top to bottom: split, start, train, look once more, save.

The validation part chooses everything that is chosen. The test part is not opened; it
is for ``rtbold evaluate``.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import msgspec
import numpy as np
import torch
from torch import nn

from rtbold import bundle
from rtbold.bundle import SUFFIX, Bundle, Card, SeenScan
from rtbold.calibration.datasets.cache import Cache, PreparedScan
from rtbold.calibration.datasets.splits import Rows, Split
from rtbold.calibration.fit.protocol import Clock, Tell, ignore_progress, untimed
from rtbold.calibration.lineage import (
    lineage_of_training,
    not_checked,
    refuse_seen_among,
)
from rtbold.calibration.train.batches import Part
from rtbold.calibration.train.drawn import (
    FOLDER,
    DrawnSessions,
    draw_sessions,
    parse_drawn,
    refuse_drawn,
)
from rtbold.calibration.train.finish import (
    check_windows_of,
    known_eeg,
    out_of_sample_baseline,
    software,
    write_bundle,
)
from rtbold.calibration.train.losses import (
    Figures,
    figures_of,
    keep_of_common,
    loss_of,
)
from rtbold.calibration.train.machines import Machines
from rtbold.calibration.train.recipe import NOTHING, Recipe
from rtbold.calibration.train.results import (
    RESULTS_NAME,
    EpochFacts,
    PartFacts,
    SpeedFacts,
    TrainResults,
    work_folder,
    write_results,
)
from rtbold.calibration.train.ridge import fit_efp, fit_linear, refit_head
from rtbold.calibration.train.start import Started, start_network
from rtbold.calibration.train.trainer import Board, Course, Run, Watch, fit, predict
from rtbold.errors import BundleError, ConfigError, DataFileError
from rtbold.messages import Float32Array
from rtbold.models import Efp, LinearModel
from rtbold.sim import SimulationSettings, TwinSettings, refuse_held_out

STATE_NAME: Final = "state.pt"


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What is asked for beside data and recipe."""

    out: Path  # NAME.rtbold; its folder of work lies beside it
    seed: int = 0
    base: str | None = None  # over the recipe's start

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        if self.out.suffix != SUFFIX or self.out.name == SUFFIX:
            raise ConfigError(
                f"--out is {self.out}, expected a folder to be made: NAME{SUFFIX}"
            )
        if self.seed < 0:
            raise ConfigError(f"--seed is {self.seed}, expected 0 or more")

    @property
    def work(self) -> Path:
        """Folder of state, curves and results."""
        return work_folder(self.out)


@dataclass(frozen=True, slots=True, eq=False)
class TrainHooks:
    """How whoever started a training is told; time is an argument."""

    say: Callable[[str], None] = lambda text: None
    tell: Tell = ignore_progress
    now_s: Clock = untimed
    today: str = ""  # ISO date, for the card
    board: Callable[[Path], Board] | None = None  # of a folder: where curves are drawn


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One training, as it was asked for."""

    cache: Cache
    split: Split
    recipe: Recipe
    settings: TrainSettings
    machines: Machines
    hooks: TrainHooks
    base: Bundle | None
    parts: tuple[Part, Part]

    @property
    def first(self) -> bool:
        """Whether this process is the one that speaks and writes."""
        return self.machines.share.rank == 0

    def say(self, text: str) -> None:
        """Say it once, however many processes there are."""
        if self.first:
            self.hooks.say(text)


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A network, and how it came about."""

    network: nn.Module
    predicted: list[Float32Array]  # of the validation part
    figures: Figures
    course: Course | None = None
    penalty: float | None = None
    head: str = "gradient"
    drawn_sha256: str = ""  # of the drawn sessions that it learned from


def train_model(
    cache: Cache,
    split: Split,
    recipe: Recipe,
    *,
    settings: TrainSettings,
    machines: Machines,
    hooks: TrainHooks | None = None,
) -> TrainResults | None:
    """Train the model of a recipe on a cache and write its bundle.

    Returns
    -------
    What was found out; None in all processes but the first.

    Raises
    ------
    ConfigError : recipe, split, base and cache do not fit each other.
    BundleError : the bundle is there already.
    """
    hooks = hooks or TrainHooks()
    begun_s = hooks.now_s()
    again = _is_unfinished(settings)
    base = _base(recipe, settings)
    refuse_seen_among(_card_of(base), _not_for_training(cache, split))
    refuse_held_out(_simulations(cache, split))
    refuse_drawn(parse_drawn(recipe.data.drawn), _not_drawn(cache, split))
    parts = parts_of(cache, split, recipe)
    job = _Job(cache, split, recipe, settings, machines, hooks, base, parts)
    card = _card(job)
    started = start_network(recipe.model, card, base=base, seed=settings.seed)
    for line in _opening(job, started):
        job.say(line)
    if job.first:
        settings.work.mkdir(parents=True, exist_ok=True)
        (settings.work / RESULTS_NAME).unlink(missing_ok=True)  # of a bundle long gone
    fitted = _fitted(job, started.network)
    machines.fabric.barrier()
    if not job.first:
        return None
    written = _save(job, fitted, card, replace=again)
    results = _results(job, fitted, written, seconds=hooks.now_s() - begun_s)
    write_results(settings.work, results)
    (settings.work / STATE_NAME).unlink(missing_ok=True)
    return results


# Before the first step: what is learned from, and what must not have been.


def _is_unfinished(settings: TrainSettings) -> bool:
    """Whether a run that was killed had written its bundle, but not its results."""
    if not settings.out.exists():
        return False
    if settings.work.is_dir() and not (settings.work / RESULTS_NAME).exists():
        return True
    raise BundleError(
        f"{settings.out} exists already; choose another name or remove it"
    )


def _base(recipe: Recipe, settings: TrainSettings) -> Bundle | None:
    name = recipe.model.start if settings.base is None else settings.base
    return None if name == NOTHING else bundle.load(name)


def _card_of(base: Bundle | None) -> Card | None:
    return None if base is None else base.card


def _not_for_training(cache: Cache, split: Split) -> dict[str, SeenScan | None]:
    """Return the marks of the scans that choose or score; the test part stays shut."""
    names = {*split.validation, *split.test.scans}
    return {scan.name: scan.scan.seen for scan in cache.scans if scan.name in names}


def _simulations(cache: Cache, split: Split) -> Iterator[SimulationSettings]:
    """Yield what made the simulated scans that are learned from, or choose."""
    names = {*split.train, *split.validation}
    for scan in cache.scans:
        if scan.name in names and scan.twin is not None:
            yield scan.twin


def _not_drawn(cache: Cache, split: Split) -> Iterator[int]:
    """Yield the subjects of the twin that choose or score the model."""
    names = {*split.validation, *split.test.scans}
    for scan in cache.scans:
        if scan.name in names and isinstance(scan.twin, TwinSettings):
            yield scan.twin.seed


def parts_of(cache: Cache, split: Split, recipe: Recipe) -> tuple[Part, Part]:
    """Return the windows of training and validation with their targets.

    Raises
    ------
    ConfigError : a part has no window.
    DataFileError : a target is not a number.
    """
    known = {scan.name: scan for scan in cache.scans}
    gsr = recipe.data.global_regression
    return (
        _part("training", known, split.train, gsr=gsr),
        _part("validation", known, split.validation, gsr=gsr),
    )


def _part(
    what: str, known: Mapping[str, PreparedScan], rows: Rows, *, gsr: bool
) -> Part:
    names = sorted(name for name in rows if len(rows[name]))
    if not names:
        raise ConfigError(
            f"the {what} part has no windows, expected some; choose another --split or "
            "--fold, or prepare more scans"
        )
    scans = [known[name] for name in names]
    targets = [
        (scan.bold_gsr if gsr else scan.scan.bold).astype(np.float32) for scan in scans
    ]
    chosen = [np.asarray(rows[name], np.int64) for name in names]
    for name, target, own in zip(names, targets, chosen, strict=True):
        if not np.isfinite(target[own]).all():
            raise DataFileError(
                f"{what} target of {name} holds values that are no numbers; prepare it "
                "again, and look at what rtbold prepare says of its ROIs"
            )
    return Part([scan.scan for scan in scans], targets, chosen)


def data_sha256(parts: tuple[Part, Part], channels: tuple[str, ...]) -> str:
    """Return a hash of the windows' places, targets and EEG that both parts hold."""
    digest = hashlib.sha256("\n".join(channels).encode())
    for part in parts:
        for scan, target, rows in zip(part.scans, part.targets, part.rows, strict=True):
            digest.update(scan.name.encode())
            made = (scan.eeg_uv, scan.first, scan.matrices, scan.matrix_of)
            for array in (*made, target, rows):
                if array is not None:
                    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _card(job: _Job) -> Card:
    """Return the card as far as it is known before the first step."""
    draft, settings = job.cache.card(), job.settings
    names = {scan.name for part in job.parts for scan in part.scans}
    used = [scan for scan in job.cache.scans if scan.name in names]
    base = _card_of(job.base)
    simulated = any(scan.simulated for scan in used)
    origin = msgspec.structs.replace(
        draft.origin,
        kind="simulated" if all(scan.simulated for scan in used) else "group",
        simulated_lineage=simulated
        or (base is not None and base.origin.simulated_lineage),
        base_sha256=job.base.sha256 if job.base else None,
    )
    return msgspec.structs.replace(
        draft,
        name=settings.out.stem,
        origin=origin,
        # Validation chose the epoch, or the penalty
        lineage=lineage_of_training((scan.scan.seen for scan in used), base),
        training_data_sha256=data_sha256(job.parts, draft.channels),
        software=software(),
        created=job.hooks.today,
        note=_note(job, simulated=simulated),
    )


def _note(job: _Job, *, simulated: bool) -> str:
    recipe, split = job.recipe, job.split
    notes = [
        f"recipe {recipe.name} ({recipe.sha256[:12]}), split {split.rule}, fold "
        f"{split.fold}, seed {job.settings.seed}"
    ]
    if recipe.data.drawn:
        notes.append(f"learned from drawn sessions {', '.join(recipe.data.drawn)}")
    if recipe.data.global_regression:
        notes.append("targets without the global signal")
    if simulated:
        notes.insert(0, "SIMULATED data; says nothing about real brains")
    if doubt := _doubt(job):
        notes.append(doubt)
    return "; ".join(notes)


def _doubt(job: _Job) -> str:
    """Return why it cannot be known that the base has seen no scan of the cache."""
    return not_checked(_card_of(job.base), simulated=job.cache.simulated)


def _opening(job: _Job, started: Started) -> Iterator[str]:
    training, validation = job.parts
    label, n = "SIMULATED, " if job.cache.simulated else "", len(training.scans)
    yield (
        f"{label}recipe {job.recipe.name}: {len(training)} training windows of "
        f"{n} scan{'s' * (n != 1)}, {len(validation)} validation windows of "
        f"{len(validation.scans)}; {training.targets[0].shape[1]} ROIs"
    )
    if job.base is not None:
        yield (
            f"start: {job.base.card.name}, {len(started.carried)} tensors carried, "
            f"{len(started.fresh)} fresh"
        )
    if doubt := _doubt(job):
        yield f"note: {doubt}"
    share = job.machines.share
    if share.world > 1:
        yield f"{share.world} processes, {job.machines.device.type}"


# The fit itself.


def _fitted(job: _Job, network: nn.Module) -> _Fitted:
    linear = isinstance(network, LinearModel)
    fitted = _fitted_plainly(job, network, linear=linear)
    return _with_less_in_common(job, fitted) if job.first else fitted


def _with_less_in_common(job: _Job, fitted: _Fitted) -> _Fitted:
    common = job.recipe.training.common
    if common == 1.0:
        return fitted
    keep_of_common(cast("nn.Linear", fitted.network.head), common)
    predicted, figures = _looked_at(job, fitted.network)
    job.say(
        f"{common:.0%} of the mean over ROIs kept: validation R {figures.r:.4f} after "
        f"{fitted.figures.r:.4f}"
    )
    return replace(fitted, predicted=predicted, figures=figures)


def _fitted_plainly(job: _Job, network: nn.Module, *, linear: bool) -> _Fitted:
    if job.recipe.training.method == "closed-form":
        if not linear:
            raise ConfigError(
                "training.method is 'closed-form' for a "
                f"{job.recipe.model.architecture}, expected 'gradient': only "
                "bandpower_ridge and efp are solved so"
            )
        return _solved(job, cast("LinearModel", network))
    if linear:
        raise ConfigError(
            f"training.method is 'gradient' for a {job.recipe.model.architecture}, "
            "expected 'closed-form'"
        )
    return _trained(job, network)


def _solved(job: _Job, network: LinearModel) -> _Fitted:
    training, validation = job.parts
    chosen_by = None
    if job.recipe.training.penalty_by == "validation":
        chosen_by = validation
    elif len(training.scans) < 2:
        raise ConfigError(
            "training.penalty_by is 'training', but the training part has one scan, "
            "expected two or more to leave one out; use 'validation'"
        )
    if isinstance(network, Efp) and "electrode" not in job.recipe.model.options:
        network, fitted = fit_efp(network.config, training, validation=chosen_by)
        job.say(f"electrode {network.config.electrode}")
    else:
        fitted = fit_linear(network, training, chosen_by)
    job.say(f"penalty {fitted.alpha:g}, chosen by {job.recipe.training.penalty_by}")
    predicted, figures = _looked_at(job, network)
    return _Fitted(network, predicted, figures, None, fitted.alpha, "closed-form")


def _trained(job: _Job, network: nn.Module) -> _Fitted:
    settings, select = job.settings, job.recipe.training.select
    drawn = _drawn(job, network)
    belongs = data_sha256(job.parts, job.cache.settings.channels)
    run = Run(
        machines=job.machines,
        seed=settings.seed,
        reference=job.cache.card().reference,
        state=settings.work / STATE_NAME,
        belongs=belongs if drawn is None else f"{belongs} {drawn.sha256}",
        drawn=drawn,
    )
    board = job.hooks.board(settings.work) if job.hooks.board and job.first else None
    watch = Watch(
        now_s=job.hooks.now_s,
        tell=job.hooks.tell if job.first else ignore_progress,
        board=board,
        on_epoch=lambda course: job.say(_epoch_line(course, job.recipe)),
    )
    course = fit(network, job.parts, job.recipe, run=run, watch=watch)
    job.say(f"best epoch {course.best_epoch + 1} of {course.epoch}, by {select}")
    predicted, figures = _looked_at(job, network)
    made_of = "" if drawn is None else drawn.sha256
    kept = _Fitted(network, predicted, figures, course, drawn_sha256=made_of)
    if job.recipe.training.head == "closed-form" and job.first:
        return _with_solved_head(job, kept)
    return kept


def _drawn(job: _Job, network: nn.Module) -> DrawnSessions | None:
    """Return the sessions that the recipe learns from; make those that lack."""
    wanted = parse_drawn(job.recipe.data.drawn)
    if not wanted:
        return None
    folder, share = job.cache.folder / FOLDER, job.machines.share
    if share.world > 1:  # each makes its own share, then all read all
        draw_sessions(wanted, network, job.cache.card(), folder=folder, share=share)
        job.machines.fabric.barrier()
    tell = job.hooks.tell if job.first else ignore_progress
    found = draw_sessions(wanted, network, job.cache.card(), folder=folder, tell=tell)
    job.say(f"{len(found.powers)} drawn sessions, {len(found)} windows")
    return found


def _with_solved_head(job: _Job, kept: _Fitted) -> _Fitted:
    """Return the network with its head solved, where validation finds it better."""
    head = cast("nn.Linear", kept.network.head)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    fitted = refit_head(kept.network, job.parts)
    predicted, figures = _looked_at(job, kept.network)
    select = job.recipe.training.select
    better = figures.better_than(kept.figures, select)
    job.say(
        f"head in closed form: penalty {fitted.alpha:g}, validation R {figures.r:.4f} "
        f"after {kept.figures.r:.4f}: {'kept' if better else 'not kept'}"
    )
    if not better:
        head.load_state_dict(before)
        return kept
    return replace(
        kept,
        predicted=predicted,
        figures=figures,
        penalty=fitted.alpha,
        head="closed-form",
    )


def _looked_at(job: _Job, network: nn.Module) -> tuple[list[Float32Array], Figures]:
    """Return predictions and figures of the validation part."""
    training, validation = job.parts
    predicted = predict(network, validation)
    loss = loss_of(job.recipe.training, np.concatenate(training.measured))
    return predicted, figures_of(predicted, validation.measured, loss)


def _epoch_line(course: Course, recipe: Recipe) -> str:
    last = course.validation[-1]
    best = "  (best so far)" if course.best_epoch == course.epoch - 1 else ""
    early = "; stopped: no better epoch came" if course.stopped_early else ""
    return (
        f"epoch {course.epoch} of {recipe.training.epochs}: loss "
        f"{course.losses[-1]:.4f}, validation MSE {last.mse:.4f}, R {last.r:.4f}, R "
        f"without the mean over ROIs {last.r_centred:.4f}{best}{early}"
    )


# What is written.


def _save(job: _Job, fitted: _Fitted, card: Card, *, replace: bool) -> Bundle:
    job.say("looking at the training EEG, for the monitor of a session")
    likeness, scale = known_eeg(job.parts[0], fitted.network, tr_s=card.tr_s)
    job.say("writing the bundle")
    seen = f"{card.training_data_sha256} {fitted.drawn_sha256}".encode()
    data = hashlib.sha256(seen).hexdigest() if fitted.drawn_sha256 else None
    whole = msgspec.structs.replace(
        card,
        training_data_sha256=data or card.training_data_sha256,
        baseline=out_of_sample_baseline(fitted.predicted),
        likeness=likeness,
    )
    return write_bundle(
        job.settings.out,
        whole,
        fitted.network,
        check_uv=check_windows_of(job.parts[1]),
        scale=scale,
        replace=replace,
    )


def _results(
    job: _Job, fitted: _Fitted, written: Bundle, *, seconds: float
) -> TrainResults:
    course, card = fitted.course, written.card
    return TrainResults(
        bundle=str(written.path),
        sha256=written.sha256,
        recipe=job.recipe,
        recipe_sha256=job.recipe.sha256,
        split=job.split.rule,
        fold=job.split.fold,
        tests=job.split.folds[job.split.fold],
        seed=job.settings.seed,
        simulated=job.cache.simulated,
        base=job.base.card.name if job.base else NOTHING,
        not_checked=_doubt(job),
        data_sha256=card.training_data_sha256,
        train=_facts(job.parts[0]),
        validation=_facts(job.parts[1]),
        figures=_epoch_facts(
            fitted.figures, course.losses[course.best_epoch] if course else None
        ),
        epochs=_epochs(course),
        best_epoch=course.best_epoch + 1 if course else 0,
        stopped_early=course is not None and course.stopped_early,
        head=fitted.head,
        penalty=fitted.penalty,
        speed=_speed(job, course, seconds) if course else None,
        software=card.software,
    )


def _facts(part: Part) -> PartFacts:
    scans = {s.name: len(r) for s, r in zip(part.scans, part.rows, strict=True)}
    return PartFacts(windows=len(part), scans=scans)


def _epoch_facts(figures: Figures, training_loss: float | None) -> EpochFacts:
    return EpochFacts(
        training_loss=training_loss,
        loss=figures.loss,
        mse=figures.mse,
        r=figures.r,
        r_centred=figures.r_centred,
    )


def _epochs(course: Course | None) -> tuple[EpochFacts, ...]:
    if course is None:
        return ()
    pairs = zip(course.validation, course.losses, strict=True)
    return tuple(_epoch_facts(figures, loss) for figures, loss in pairs)


def _speed(job: _Job, course: Course, seconds: float) -> SpeedFacts:
    return SpeedFacts(
        windows_per_s=course.windows_per_s,
        waiting_share=course.waiting_share,
        training_s=course.training_s,
        seconds=seconds,
        processes=job.machines.share.world,
        device=job.machines.device.type,
        threads=torch.get_num_threads(),
    )
