"""Last blocks, adapters, everything: gradient steps from the closed-form head on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import torch
from torch import Tensor, nn

from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.head import notes_of, with_head
from rtbold.calibration.fit.protocol import (
    Fitted,
    Material,
    Prepared,
    StrategyName,
    Task,
    Wish,
)
from rtbold.calibration.fit.ridge import LinearHead, solve_head
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.fit.tail import Capture, Tail
from rtbold.calibration.progress import Pace
from rtbold.calibration.strategies import low_rank
from rtbold.calibration.strategies.augment import ChannelDropout
from rtbold.calibration.strategies.reading import in_batches, n_batches, read_features
from rtbold.calibration.strategies.training import (
    Course,
    Learner,
    TrainingSettings,
    n_steps,
    train,
)
from rtbold.messages import Float32Array

CACHE_BYTES: Final = 800_000_000
RANK: Final = 8


@dataclass(frozen=True, slots=True)
class Tuned:
    """What the three have in common; `name` says which weights move."""

    name: StrategyName
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    rank: int = RANK  # of the adapters

    def n_batches(self, n_windows: int) -> int:
        """Return how many steps `prepare` counts."""
        return n_batches(n_windows)

    def n_steps(self, n_train: int) -> int:
        """Return how many steps a fit on so many volumes counts at most."""
        return n_steps(n_train, self.settings)

    def prepare(self, base: Base, material: Material, pace: Pace) -> Prepared:
        """Read all windows once; `last` keeps what reaches the last blocks."""
        if self.name != "last":
            readings = read_features(base, material, pace)
            return Prepared(base, readings, (_shared(material.windows_uv),))
        n = len(material.windows_uv)
        capture = Capture(base.network, n, max_bytes=CACHE_BYTES)
        try:
            readings = read_features(
                base, material, pace, after_batch=capture.after_batch
            )
        finally:
            kept = capture.close()
        return Prepared(base, readings, kept)

    def fit(self, prepared: Prepared, task: Task, *, pace: Pace, wish: Wish) -> Fitted:
        """Solve the head on the training part, then train from there."""
        solved = solve_head(prepared.readings, task.targets, task.train)
        network = with_head(prepared.base, solved)
        learner = self._learner(network, prepared.inputs, task.seed)
        course = train(learner, task, self.settings, pace=pace, wish=wish)
        if self.name == "adapters":
            low_rank.merge(network)
        return _fitted(network.eval(), learner.module, prepared, solved, course)

    def _learner(
        self, network: nn.Module, inputs: Sequence[Tensor], seed: int
    ) -> Learner:
        if self.name == "last":
            tail = Tail(network)
            answer = _reader(tail, inputs)
            return Learner(tail, answer, answer)
        if self.name == "adapters":
            low_rank.attach(network, rank=self.rank, alpha=float(self.rank))
        drop = ChannelDropout(
            cast("Sequence[str]", network.config.channels),  # type: ignore[union-attr]
            self.settings.channel_dropout,
            seed=seed,
        )
        (windows,) = inputs

        def learning(rows: Tensor) -> Tensor:
            out: Tensor = network(drop(windows[rows]))
            return out

        return Learner(network, _reader(network, inputs), learning)


def _reader(module: nn.Module, inputs: Sequence[Tensor]) -> Callable[[Tensor], Tensor]:
    def answer(rows: Tensor) -> Tensor:
        out: Tensor = module(*[x[rows].float() for x in inputs])
        return out

    return answer


def _shared(windows_uv: Float32Array) -> Tensor:
    """Return the windows without a copy of 200 MB, where they may be shared."""
    own = windows_uv if windows_uv.flags.writeable else windows_uv.copy()
    return torch.from_numpy(own)


def _fitted(
    network: nn.Module,
    trained: nn.Module,
    prepared: Prepared,
    solved: LinearHead,
    course: Course,
) -> Fitted:
    reader = trained.eval()

    def answers(rows: IntArray) -> Float32Array:
        return in_batches(reader, prepared.inputs, rows)

    notes = {**notes_of(solved), "best_epoch": float(course.best_epoch)}
    return Fitted(network, answers, notes, course.errors, course.interrupted)
