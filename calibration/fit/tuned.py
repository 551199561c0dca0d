"""Last blocks, adapters, everything: gradient steps from the closed-form head on."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.fit.base import Base
from rtbold.calibration.fit.head import (
    in_batches,
    n_batches,
    notes_of,
    read_features,
    with_head,
)
from rtbold.calibration.fit.protocol import (
    CancellationToken,
    Fitted,
    Material,
    Pace,
    Prepared,
    StrategyName,
    Task,
)
from rtbold.calibration.fit.ridge import LinearHead, solve_head
from rtbold.calibration.fit.split import IntArray
from rtbold.calibration.fit.tail import Capture, Tail
from rtbold.condition import spline_interpolation
from rtbold.electrodes import has_position, positions
from rtbold.errors import ConfigError
from rtbold.messages import Float32Array
from rtbold.models import Attention, LinearAttention

# Channel dropout as the live loop knows it: a lost channel is interpolated.

MAX_LOST = 4
MIN_CHANNELS = 8  # with fewer, the neighbours say too little


class ChannelDropout:
    """Replaces random channels of a window by spherical splines of the others.

    A session interpolates bad channels in the same way; zeros would be a signal that
    no session gives.

    Parameters
    ----------
    p : expected share of the channels that are lost.
    """

    def __init__(self, channels: Sequence[str], p: float, *, seed: int) -> None:
        usable = len(channels) >= MIN_CHANNELS and all(map(has_position, channels))
        self._p = p if usable else 0.0
        self._xyz = positions(channels) if usable else np.empty((0, 3))
        self._rng = np.random.default_rng((seed, 0xC4))

    def __call__(self, windows: Tensor) -> Tensor:
        """Return (b, c, s) with the same channels lost in all of the batch."""
        if not self._p:
            return windows
        n = len(self._xyz)
        lost = np.flatnonzero(self._rng.random(n) < self._p)[:MAX_LOST]
        if not len(lost):
            return windows
        kept = np.setdiff1d(np.arange(n), lost)
        matrix = np.eye(n)
        matrix[lost] = 0.0
        weights = spline_interpolation(self._xyz[kept], self._xyz[lost])
        matrix[np.ix_(lost, kept)] = weights
        return torch.from_numpy(matrix.astype(np.float32)) @ windows


# Low-rank adapters on attention's linear maps (Hu et al., ICLR 2022, LoRA).
#
# ``W x + (alpha / rank) B A x`` with W frozen; B starts at zero, so that the start is
# the network itself. Merged afterwards: what is exported has the layers it had.

_MAPS: Final[dict[type, tuple[str, ...]]] = {
    Attention: ("qkv", "proj"),
    LinearAttention: ("to_q", "to_k", "to_v", "to_out"),
}


class LowRank(nn.Module):
    """A frozen linear map with a trained one of few dimensions beside it."""

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.down = nn.Parameter(torch.empty(rank, linear.in_features))
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.scale = alpha / rank

    def forward(self, x: Tensor) -> Tensor:
        """Map the last axis."""
        out: Tensor = self.linear(x) + self.scale * (x @ self.down.mT @ self.up.mT)
        return out

    def merged(self) -> nn.Linear:
        """Return one linear map that gives the same answers."""
        with torch.no_grad():
            self.linear.weight += self.scale * (self.up @ self.down)
        return self.linear.requires_grad_(True)


def attach_low_rank(network: nn.Module, *, rank: int, alpha: float) -> None:
    """Put adapters on all attention maps, in place; all other weights are frozen.

    The head stays trainable.

    Raises
    ------
    ConfigError : the network has no attention.
    """
    network.requires_grad_(False)
    places = [
        (module, name)
        for module in list(network.modules())
        for name in _MAPS.get(type(module), ())
    ]
    if not places:
        raise ConfigError(
            f"a {type(network).__name__} has no attention, so there is nothing to "
            "adapt; use --strategy head or all"
        )
    for module, name in places:
        setattr(module, name, LowRank(getattr(module, name), rank, alpha))
    network.get_submodule("head").requires_grad_(True)


def merge_low_rank(network: nn.Module) -> None:
    """Replace all adapters by plain linear maps, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LowRank):
                setattr(module, name, child.merged())
    network.requires_grad_(True)


# Gradient steps from a solved head on; the best epoch is kept, the start too.
#
# Deterministic for a seed on one machine and thread count.

State = dict[str, Tensor]
ForwardPass = Callable[[Tensor], Tensor]  # rows -> (b, rois)


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
    answer: ForwardPass
    learning: ForwardPass  # as `answer`, with augmentation


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
    cancel: CancellationToken,
) -> Course:
    """Train in place; the module is left with the weights of its best epoch.

    Ctrl-C, or `cancel`, ends it at the best so far.
    """
    torch.manual_seed(task.seed)
    total = n_steps(len(task.train), settings)
    steps = _Steps(learner, task, settings, total=total)
    errors = [steps.error()]
    best, best_epoch, spent = _copy(learner.module), 0, 0
    try:
        while len(errors) <= settings.epochs and not cancel.to_stop():
            for rows in steps.epoch(len(errors)):
                steps.take(rows)
                spent += 1
                pace.step()
                if cancel.to_stop():
                    break
            else:
                errors.append(steps.error())
                if errors[-1] < errors[best_epoch]:
                    best, best_epoch = _copy(learner.module), len(errors) - 1
                if len(errors) - 1 - best_epoch >= settings.patience:
                    break
    except KeyboardInterrupt:
        cancel.interrupted = True
    learner.module.load_state_dict(best)
    learner.module.eval()
    pace.saved(total - spent)
    return Course(tuple(errors), best_epoch, cancel.interrupted)


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
            fit_features = read_features(base, material, pace)
            return Prepared(base, fit_features, (_shared(material.windows_uv),))
        n = len(material.windows_uv)
        capture = Capture(base.network, n, max_bytes=CACHE_BYTES)
        try:
            fit_features = read_features(
                base, material, pace, after_batch=capture.after_batch
            )
        finally:
            kept = capture.close()
        return Prepared(base, fit_features, kept)

    def fit(
        self, prepared: Prepared, task: Task, *, pace: Pace, cancel: CancellationToken
    ) -> Fitted:
        """Solve the head on the training part, then train from there."""
        solved = solve_head(prepared.fit_features, task.targets, task.train)
        network = with_head(prepared.base, solved)
        learner = self._learner(network, prepared.inputs, task.seed)
        course = train(learner, task, self.settings, pace=pace, cancel=cancel)
        if self.name == "adapters":
            merge_low_rank(network)
        return _fitted(network.eval(), learner.module, prepared, solved, course)

    def _learner(
        self, network: nn.Module, inputs: Sequence[Tensor], seed: int
    ) -> Learner:
        if self.name == "last":
            tail = Tail(network)
            answer = _reader(tail, inputs)
            return Learner(tail, answer, answer)
        if self.name == "adapters":
            attach_low_rank(network, rank=self.rank, alpha=float(self.rank))
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

    def predictions(rows: IntArray) -> Float32Array:
        return in_batches(reader, prepared.inputs, rows)

    notes = {**notes_of(solved), "best_epoch": float(course.best_epoch)}
    return Fitted(network, predictions, notes, course.errors, course.interrupted)
