"""Training of one network by gradient, on Lightning Fabric.

One process or many: each step learns from one batch a process, and gradients are their
mean, so that two processes end where one with the doubled batch does. All that is drawn
at random depends on seed, epoch, step and process, and the state is written whole or
not at all. So a run that was killed at any moment ends, when it is started again, as it
would have: to the last bit on one machine and thread count, on a CPU.
"""

import copy
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.fit.protocol import (
    Clock,
    Progress,
    Tell,
    ignore_progress,
    untimed,
)
from rtbold.calibration.train.batches import (
    Batch,
    LostChannels,
    Part,
    Prefetched,
    Share,
    TrainingBatches,
    gather,
    in_order,
)
from rtbold.calibration.train.drawn import DrawnBatches, DrawnSessions, scale_by
from rtbold.calibration.train.losses import Figures, figures_of, loss_of
from rtbold.calibration.train.machines import Machines
from rtbold.calibration.train.optimiser import optimiser_of, pace_at, set_pace
from rtbold.calibration.train.recipe import Recipe
from rtbold.errors import ConfigError, RtboldError
from rtbold.messages import Float32Array

State = dict[str, Tensor]
STATE_EVERY_S: Final = 300.0  # within an epoch; after each epoch in any case
_EARLY: Final = 10.0  # steps over which the average forgets the random start


class Board(Protocol):
    """Where figures are drawn while training, such as TensorBoard."""

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Add a point to a curve."""


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """Who is told, and what time it is; time is an argument."""

    now_s: Clock = untimed  # monotonic seconds
    tell: Tell = ignore_progress
    board: Board | None = None
    on_epoch: Callable[["Course"], None] = lambda course: None


@dataclass(slots=True)
class Course:
    """How a training went so far; `epoch` and `step` say where it goes on."""

    epoch: int = 0
    step: int = 0  # of the epoch
    loss_sum: float = 0.0  # of the steps of the epoch
    losses: list[float] = field(default_factory=list)  # mean of each epoch
    validation: list[Figures] = field(default_factory=list)  # of each epoch
    best_epoch: int = -1
    stopped_early: bool = False
    windows: int = 0  # learned from, by all processes
    training_s: float = 0.0  # spent in steps, waiting included
    waiting_s: float = 0.0  # of it, for batches

    @property
    def best(self) -> Figures:
        """Figures of the best epoch."""
        return self.validation[self.best_epoch]

    @property
    def windows_per_s(self) -> float:
        """How fast it learned, validation left out."""
        return self.windows / self.training_s if self.training_s else 0.0

    @property
    def waiting_share(self) -> float:
        """How much of the training time the trainer waited for batches."""
        return self.waiting_s / self.training_s if self.training_s else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Where a training runs, and what of it is kept."""

    machines: Machines
    seed: int = 0
    reference: str = "average"  # of the EEG, which a lost channel changes
    state: Path | None = None  # file to go on from, and to write to
    belongs: str = ""  # what the state is of, beside recipe and seed
    drawn: DrawnSessions | None = None  # learned from in place of the training part


def fit(
    network: nn.Module,
    parts: tuple[Part, Part],
    recipe: Recipe,
    *,
    run: Run,
    watch: Watch | None = None,
) -> Course:
    """Train in place and leave the network with the weights of its best epoch.

    Parameters
    ----------
    parts : training and validation; the epoch is chosen by the second alone.

    Raises
    ------
    ConfigError : the parts do not fit the recipe, or the state is of another run.
    RtboldError : the loss is not finite.
    """
    training = _Training(network, parts, recipe, run=run, watch=watch or Watch())
    training.resume()
    while not training.done:
        training.epoch()
        training.judge()
        training.save()
    return training.finish()


def predict(
    network: nn.Module, part: Part, machines: Machines | None = None
) -> list[Float32Array]:
    """Return (windows, rois) of each scan that has windows in the part.

    Several processes share the windows, and all of them get all predictions.
    """
    network.eval()
    share = Share() if machines is None else machines.share
    device = next(network.buffers(), next(network.parameters())).device
    rows = []
    batches = Prefetched(in_order(part, share), now_s=lambda: 0.0)
    with torch.inference_mode(), batches:
        for windows in batches:
            rows.append(network(windows.to(device)).float())
    own = torch.cat(rows)
    whole = own if machines is None else machines.gathered(own)
    # The last ones were given out twice where processes did not go round
    return part.by_scan(whole[: len(part)].cpu().numpy())


class _Training:
    """One network with its optimiser, and where it is."""

    def __init__(
        self,
        network: nn.Module,
        parts: tuple[Part, Part],
        recipe: Recipe,
        *,
        run: Run,
        watch: Watch,
    ) -> None:
        train, self._validation = parts
        self._recipe, self._how, self._run, self._watch = (
            recipe, recipe.training, run, watch
        )  # fmt: skip
        device = run.machines.device
        if run.drawn is not None:
            scale_by(network, run.drawn)
        self._network = network.to(device)
        self._average = copy.deepcopy(network) if self._how.averaging else network
        learned = train if run.drawn is None else run.drawn
        self._loss = loss_of(self._how, np.concatenate(learned.measured)).to(device)
        self._batches = self._feed(train)
        _leave_unread(network, train)
        self._optimiser = optimiser_of(network, self._how)
        self._wrapped, self._stepper = run.machines.fabric.setup(
            network, self._optimiser
        )
        self._best: State = {}
        self._saved_s = watch.now_s()
        self.course = Course()

    def _feed(self, train: Part) -> TrainingBatches | DrawnBatches:
        data = self._recipe.data
        if self._run.drawn is not None:
            return DrawnBatches(
                self._run.drawn,
                size=self._how.batch_size,
                jitter=data.amplitude_jitter,
                seed=self._run.seed,
                share=self._run.machines.share,
            )
        if data.drawn:
            raise ConfigError(
                "the recipe learns from drawn sessions, but none were made; expected "
                "them as Run.drawn"
            )
        lost = LostChannels(
            cast("Sequence[str]", self._network.config.channels),  # type: ignore[union-attr]  # every architecture has one
            self._run.reference,
            expected=data.channel_dropout,
            windows=data.dropout_share,
        )
        return TrainingBatches(
            train,
            lost,
            size=self._how.batch_size,
            jitter=data.amplitude_jitter,
            seed=self._run.seed,
            share=self._run.machines.share,
        )

    @property
    def _total(self) -> int:
        return self._how.epochs * self._batches.n_steps

    @property
    def done(self) -> bool:
        """Whether no epoch is left, or patience is at its end."""
        return self.course.stopped_early or self.course.epoch >= self._how.epochs

    def epoch(self) -> None:
        """Make the steps that are left of this epoch."""
        course, now_s = self.course, self._watch.now_s
        begun_s, first = now_s(), course.step
        source = self._batches.epoch(course.epoch, first)
        self._wrapped.train()
        prefetched = Prefetched(source, now_s=now_s)
        with closing(source), prefetched:
            for batch in prefetched:
                self._step(batch)
                course.step = batch.step + 1
                self._tell(begun_s, course.step - first)
                self._save_by_clock(begun_s, first, prefetched.waited_s)
        self._count(begun_s, first, prefetched.waited_s)

    def _count(self, begun_s: float, first: int, waited_s: float) -> None:
        whole = self._how.batch_size * self._run.machines.share.world
        self.course.windows += (self.course.step - first) * whole
        self.course.training_s += self._watch.now_s() - begun_s
        self.course.waiting_s += waited_s

    def _step(self, batch: Batch) -> None:
        course, device = self.course, self._run.machines.device
        done = course.epoch * self._batches.n_steps + batch.step
        set_pace(self._optimiser, pace_at(done, self._total, self._how))
        # Dropout must depend neither on a resumption nor be alike in all processes
        key = (self._run.seed, course.epoch, batch.step, self._run.machines.share.rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
        windows = batch.windows_uv.to(device, non_blocking=True)
        target = batch.targets.to(device, non_blocking=True)
        with self._run.machines.autocast(self._how.precision):
            predicted = self._wrapped(windows)
        loss = self._loss(predicted.float(), target)
        self._optimiser.zero_grad(set_to_none=True)
        self._run.machines.fabric.backward(loss)
        if self._how.gradient_clip:
            nn.utils.clip_grad_norm_(
                self._network.parameters(), self._how.gradient_clip
            )
        self._stepper.step()
        self._follow(done + 1)
        course.loss_sum += self._finite(loss.item(), batch.step)

    def _finite(self, loss: float, step: int) -> float:
        if np.isfinite(loss):
            return loss
        raise RtboldError(
            f"the loss is {loss} in step {step} of epoch {self.course.epoch + 1}, "
            "expected a finite number. Lower training.learning_rate, set "
            "training.gradient_clip to 1, or train in float32"
        )

    def _follow(self, step: int) -> None:
        """Let the average come after the weights."""
        if self._average is self._network:
            return
        # Early on the average would remember the random start: let it lag behind less
        decay = min(self._how.averaging, step / (step + _EARLY))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self._average.parameters()),
                list(self._network.parameters()),
                1.0 - decay,
            )
            # Running statistics of a batch normalisation are averages already
            pairs = zip(self._average.buffers(), self._network.buffers(), strict=True)
            for kept, latest in pairs:
                kept.copy_(latest)

    def judge(self) -> None:
        """Close the epoch: figures of the validation part, best weights, patience."""
        course = self.course
        predicted = predict(self._average, self._validation, self._run.machines)
        loss = self._loss.to("cpu")
        figures = figures_of(predicted, self._validation.measured, loss)
        self._loss.to(self._run.machines.device)
        best = course.validation[course.best_epoch] if course.validation else None
        if figures.better_than(best, self._how.select):
            course.best_epoch = course.epoch
            self._best = {
                name: value.detach().cpu().clone()
                for name, value in self._average.state_dict().items()
            }
        course.validation.append(figures)
        own = course.loss_sum / max(course.step, 1)
        course.losses.append(self._run.machines.mean(own))
        course.epoch, course.step, course.loss_sum = course.epoch + 1, 0, 0.0
        waited = course.epoch - 1 - max(course.best_epoch, 0)
        course.stopped_early = bool(
            self._how.patience
            and waited >= self._how.patience
            and course.epoch < self._how.epochs
        )
        self._draw(figures)
        self._watch.on_epoch(course)

    def _draw(self, figures: Figures) -> None:
        if self._watch.board is None:
            return
        at = self.course.epoch
        self._watch.board.add_scalar("training/loss", self.course.losses[-1], at)
        for name, value in asdict(figures).items():
            self._watch.board.add_scalar(f"validation/{name}", value, at)

    def finish(self) -> Course:
        """Load the weights of the best epoch."""
        if not self._best:
            raise RtboldError(
                f"no epoch had a validation figure {self._how.select!r} that is a "
                "number; look at the targets of the validation part"
            )
        self._network.load_state_dict(self._best)
        self._network.to("cpu").eval()
        return self.course

    def _tell(self, begun_s: float, steps: int) -> None:
        course = self.course
        done = course.epoch * self._batches.n_steps + course.step
        spent_s = self._watch.now_s() - begun_s
        left_s = spent_s / steps * max(self._total - done, 0)
        stage = f"epoch {course.epoch + 1} of {self._how.epochs}, in all"
        self._watch.tell(Progress(stage, done, self._total, left_s))

    # What a run needs to go on after it was killed.

    def resume(self) -> None:
        """Go on from the file; begin where there is none."""
        state = self._run.state
        if state is None:
            return
        found = read_state(state, self._key()) if state.exists() else None
        # Nobody may write a new state before all have read this one
        self._run.machines.fabric.barrier()
        if found is None:
            return
        for name, part in self._parts().items():
            part.load_state_dict(found[name])
        self._best = found["best"]
        course = found["course"]
        figures = [Figures(**each) for each in course.pop("validation")]
        self.course = Course(**course, validation=figures)

    def save(self) -> None:
        """Write everything that `resume` needs; whole or not at all."""
        self._saved_s = self._watch.now_s()
        if self._run.state is None or self._run.machines.share.rank:
            return
        kept = {name: part.state_dict() for name, part in self._parts().items()}
        write_state(
            self._run.state,
            {
                **kept,
                "key": self._key(),
                "best": self._best,
                "course": asdict(self.course),
            },
        )

    def _save_by_clock(self, begun_s: float, first: int, waited_s: float) -> None:
        if self._watch.now_s() - self._saved_s < STATE_EVERY_S:
            return
        now = self.course
        before = now.windows, now.training_s, now.waiting_s
        self._count(begun_s, first, waited_s)
        self.save()
        now.windows, now.training_s, now.waiting_s = before

    def _key(self) -> dict[str, str | int]:
        return {
            "recipe": self._recipe.sha256,
            "seed": self._run.seed,
            "processes": self._run.machines.share.world,
            "data": self._run.belongs,
        }

    def _parts(self) -> Mapping[str, Any]:
        parts: dict[str, Any] = {
            "network": self._network,
            "optimiser": self._optimiser,
        }
        if self._average is not self._network:
            parts["average"] = self._average
        return parts


def _leave_unread(network: nn.Module, train: Part) -> None:
    """Take weights that nothing reads, as some forms have, out of the training.

    Processes would wait for their gradients; no optimiser moves them anyway.
    """
    network.eval()
    some = torch.from_numpy(gather(train.scans, train.places[:1]))
    network(some.to(next(network.parameters()).device)).sum().backward()
    for parameter in network.parameters():
        if parameter.requires_grad and parameter.grad is None:
            parameter.requires_grad_(False)
        parameter.grad = None


def read_state(path: Path, key: Mapping[str, str | int]) -> dict[str, Any]:
    """Return what `write_state` wrote, if it belongs to this run.

    Raises
    ------
    ConfigError : the file is damaged, or of another run; says what differs.
    """
    try:  # the file is our own, and nothing in it is run
        found: dict[str, Any] = torch.load(  # noqa: TID251
            path, map_location="cpu", weights_only=True
        )
        theirs = dict(found["key"])
    except Exception as error:  # torch says what is damaged in many ways
        raise ConfigError(
            f"{path} cannot be read as a training's state ({type(error).__name__}); "
            "remove it to start over"
        ) from error
    differing = [name for name in key if theirs.get(name) != key[name]]
    if differing:
        raise ConfigError(
            f"{path} is the state of a run with another {' and '.join(differing)}. "
            "Remove it to start over, give what that run was started with, or choose "
            "another --out."
        )
    return found


def write_state(path: Path, state: Mapping[str, object]) -> None:
    """Write through to the disk under another name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    with draft.open("wb") as stream:
        torch.save(dict(state), stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, path)
