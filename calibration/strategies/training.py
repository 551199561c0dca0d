"""Gradient steps from a solved head on; the best epoch is kept, the start too.

Deterministic for a seed on one machine and thread count.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.fit.protocol import Task, Wish
from rtbold.calibration.progress import Pace

State = dict[str, Tensor]
Answer = Callable[[Tensor], Tensor]  # rows -> (b, rois)


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How the weights move."""

    epochs: int = 8
    batch_size: int = 16
    learning_rate: float = 1e-4  # peak
    warmup_epochs: float = 0.5
    end_rate: float = 1e-6
    weight_decay: float = 0.05
    layer_decay: float = 0.65  # per block, towards the input (Li et al. 2024)
    patience: int = 2  # epochs without a better one before training ends
    channel_dropout: float = 0.05  # of the channels are interpolated; needs windows
    gradient_clip: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Learner:
    """What is trained, and how it answers rows of the scan."""

    module: nn.Module
    answer: Answer
    learning: Answer  # as `answer`, with augmentation


@dataclass(frozen=True, slots=True)
class Course:
    """How a training went."""

    errors: tuple[float, ...]  # of the stopping part; first: before any step
    best_epoch: int  # 0: the start
    interrupted: bool


def n_steps(n_train: int, settings: TrainingSettings) -> int:
    """Return how many steps all epochs take; the last incomplete batch is dropped."""
    return settings.epochs * max(1, n_train // settings.batch_size)


def train(
    learner: Learner,
    task: Task,
    settings: TrainingSettings,
    *,
    pace: Pace,
    wish: Wish,
) -> Course:
    """Train in place; the module is left with the weights of its best epoch.

    Ctrl-C, or `wish`, ends it at the best so far.
    """
    torch.manual_seed(task.seed)
    total = n_steps(len(task.train), settings)
    steps = _Steps(learner, task, settings, total=total)
    errors = [steps.error()]
    best, best_epoch, spent = _copy(learner.module), 0, 0
    try:
        while len(errors) <= settings.epochs and not wish.to_stop():
            for rows in steps.epoch(len(errors)):
                steps.take(rows)
                spent += 1
                pace.step()
                if wish.to_stop():
                    break
            else:
                errors.append(steps.error())
                if errors[-1] < errors[best_epoch]:
                    best, best_epoch = _copy(learner.module), len(errors) - 1
                if len(errors) - 1 - best_epoch >= settings.patience:
                    break
    except KeyboardInterrupt:
        wish.interrupted = True
    learner.module.load_state_dict(best)
    learner.module.eval()
    pace.saved(total - spent)
    return Course(tuple(errors), best_epoch, wish.interrupted)


class _Steps:
    """Optimiser, learning rate and batches of one training."""

    def __init__(
        self, learner: Learner, task: Task, settings: TrainingSettings, *, total: int
    ) -> None:
        self._learner, self._task, self._settings = learner, task, settings
        self._targets = torch.from_numpy(task.targets)
        self._optimiser = torch.optim.AdamW(groups(learner.module, settings))
        per_epoch = total / settings.epochs
        warmup = max(1.0, settings.warmup_epochs * per_epoch)
        floor = settings.end_rate / settings.learning_rate

        def rate(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            share = min((step - warmup) / max(total - warmup, 1.0), 1.0)
            return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share))

        self._schedule = torch.optim.lr_scheduler.LambdaLR(self._optimiser, rate)

    def epoch(self, number: int) -> Iterator[Tensor]:
        """Yield the rows of each batch, in an order of the seed and the epoch."""
        rng = np.random.default_rng((self._task.seed, number))
        order = torch.from_numpy(rng.permutation(self._task.train))
        size = min(self._settings.batch_size, len(order))
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]

    def take(self, rows: Tensor) -> None:
        """Make one step."""
        self._learner.module.train()
        predicted = self._learner.learning(rows)
        loss = nn.functional.mse_loss(predicted, self._targets[rows])
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(
            self._learner.module.parameters(), self._settings.gradient_clip
        )
        self._optimiser.step()
        self._schedule.step()

    def error(self) -> float:
        """Return the mean squared error of the stopping part."""
        self._learner.module.eval()
        rows = torch.from_numpy(self._task.stop)
        with torch.inference_mode():
            squares = [
                ((self._learner.answer(some) - self._targets[some]) ** 2).sum()
                for some in torch.split(rows, self._settings.batch_size)
            ]
        return float(torch.stack(squares).sum()) / (len(rows) * self._targets.shape[1])


def _copy(module: nn.Module) -> State:
    return copy.deepcopy(module.state_dict())


def groups(module: nn.Module, settings: TrainingSettings) -> list[dict[str, object]]:
    """Return AdamW's groups: decay of weights and of rates by layer (models' recipe).

    One-dimensional tensors and the embeddings of place do not decay. Position rows,
    class token and temporal encoder learn slowest, block i next; all else at the full
    rate.
    """
    named = [(n, p) for n, p in module.named_parameters() if p.requires_grad]
    blocks = [n for n, _ in named if n.startswith("blocks.")]
    top = 1 + max((int(n.split(".")[1]) for n in blocks), default=-1)
    free = ("pos_embed", "cls_token", "time_embed")
    return [
        {
            "params": [parameter],
            "lr": settings.learning_rate
            * settings.layer_decay ** (top + 1 - _depth(name, top)),
            "weight_decay": 0.0
            if parameter.ndim < 2 or name in free
            else settings.weight_decay,
        }
        for name, parameter in named
    ]


def _depth(name: str, top: int) -> int:
    """Return 0 at the input, `top` + 1 where the full rate holds."""
    if name.startswith("blocks."):
        return int(name.split(".")[1]) + 1
    lowest = ("pos_embed", "cls_token", "patch_embed.")
    return 0 if name.startswith(lowest) else top + 1
