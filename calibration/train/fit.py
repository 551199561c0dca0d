"""Training of one network on many scans: batches, one cycle, best epoch kept.

Deterministic for a seed on one machine and thread count. Resumable: the state after
each epoch is in one file, and a second call with the same settings goes on from it.
"""

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from rtbold.calibration.evaluate.scores import r_of_scans
from rtbold.calibration.train.dataset import Scan, in_batches
from rtbold.errors import ConfigError
from rtbold.messages import Float32Array

State = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is trained."""

    epochs: int = 3
    batch_size: int = 32
    peak_learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_share: float = 0.1
    gradient_clip: float = 1.0
    averaging: float = 0.995  # decay per step of the weights that are kept
    bfloat16: bool = False  # faster where the CPU has it; the weights stay float32
    amplitude_jitter: float = 0.0  # sd of a window's log gain, as caps differ in gain
    seed: int = 0


@dataclass(slots=True)
class TrainingProgress:
    """What has been learned so far; `best` by mean R over the validation scans."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    validation_r: list[float] = field(default_factory=list)
    best_epoch: int = -1
    best: State = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Scans and their targets in model units, (volumes, rois) each."""

    scans: Sequence[Scan]
    targets: Sequence[Float32Array]


def fit(
    model: nn.Module,
    parts: tuple[Split, Split],
    settings: FitSettings,
    *,
    checkpoint: Path | None = None,
    on_epoch: Callable[[TrainingProgress], None] = lambda progress: None,
) -> TrainingProgress:
    """Train `model` in place and leave it with the weights of the best epoch.

    Parameters
    ----------
    parts : training and validation scans; no subject may be in both.
    checkpoint : file to resume from, and to write after each epoch.
    on_epoch : called after each epoch, for a log line.
    """
    train, validation = parts
    training = _start(model, train, settings)
    progress = training.resume(checkpoint)
    while progress.epoch < settings.epochs:
        progress.losses.append(training.epoch(train, progress.epoch))
        predicted = predict(training.average, validation.scans)
        r = float(r_of_scans(predicted, validation.targets).mean())
        if not progress.validation_r or r > max(progress.validation_r):
            progress.best_epoch = progress.epoch
            progress.best = copy.deepcopy(training.average.state_dict())
        progress.validation_r.append(r)
        progress.epoch += 1
        training.save(checkpoint, progress)
        on_epoch(progress)
    model.load_state_dict(progress.best)
    model.eval()
    return progress


def predict(model: nn.Module, scans: Sequence[Scan]) -> list[Float32Array]:
    """Return (volumes, rois) for each scan."""
    model.eval()
    with torch.inference_mode():
        return [
            np.concatenate(
                [model(torch.from_numpy(batch)).numpy() for batch in in_batches(scan)]
            )
            for scan in scans
        ]


@dataclass(frozen=True, slots=True, eq=False)
class _Training:
    model: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    settings: FitSettings

    def epoch(self, train: Split, epoch: int) -> float:
        """Run one epoch and return the mean loss."""
        self.model.train()
        rng = np.random.default_rng((self.settings.seed, epoch))
        # Dropout too must not depend on whether the run was resumed.
        torch.manual_seed(self.settings.seed * 1000 + epoch)
        losses = [self._step(x, y) for x, y in _batches(train, self.settings, rng)]
        return float(np.mean(losses))

    def _step(self, windows: Tensor, target: Tensor) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            predicted = self.model(windows)
        loss = nn.functional.mse_loss(predicted.float(), target)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.gradient_clip)
        self.optimiser.step()
        self.schedule.step()
        self._average()
        return loss.item()

    def _average(self) -> None:
        # Early on the average would remember the random start: let it run behind less.
        step = self.schedule.last_epoch
        decay = min(self.settings.averaging, step / (step + 10.0))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
            for kept, latest in pairs:
                kept.lerp_(latest, 1.0 - decay)
            # Running statistics of a batch normalisation are averages already.
            buffers = zip(self.average.buffers(), self.model.buffers(), strict=True)
            for kept_buffer, latest_buffer in buffers:
                kept_buffer.copy_(latest_buffer)

    def resume(self, checkpoint: Path | None) -> TrainingProgress:
        """Return the progress in the file, its state loaded; fresh if there is none."""
        if checkpoint is None or not checkpoint.exists():
            return TrainingProgress()
        try:  # the file is our own, and nothing in it is run
            state = torch.load(checkpoint, weights_only=True)  # noqa: TID251
        except Exception as error:  # torch says what is damaged in many ways
            raise ConfigError(
                f"{checkpoint} cannot be read as a training's progress "
                f"({type(error).__name__}); remove it to start over"
            ) from error
        if state["settings"] != asdict(self.settings):
            raise ConfigError(
                f"{checkpoint} was written with other settings; remove it to start "
                "over, or give the settings that it was started with"
            )
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        return TrainingProgress(**state["progress"])

    def save(self, checkpoint: Path | None, progress: TrainingProgress) -> None:
        """Write everything that `resume` needs; whole or not at all."""
        if checkpoint is None:
            return
        state = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"settings": asdict(self.settings), "progress": asdict(progress)}
        draft = checkpoint.with_suffix(".part")
        torch.save(state, draft)
        os.replace(draft, checkpoint)

    def _parts(
        self,
    ) -> dict[
        str, "nn.Module | torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler"
    ]:
        return {
            "model": self.model,
            "average": self.average,
            "optimiser": self.optimiser,
            "schedule": self.schedule,
        }


def _start(model: nn.Module, train: Split, settings: FitSettings) -> _Training:
    torch.manual_seed(settings.seed)
    n_steps = sum(len(scan) for scan in train.scans) // settings.batch_size
    optimiser = _optimiser(model, settings)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        settings.peak_learning_rate,
        total_steps=n_steps * settings.epochs,
        pct_start=settings.warmup_share,
    )
    return _Training(model, copy.deepcopy(model), optimiser, schedule, settings)


def _optimiser(model: nn.Module, settings: FitSettings) -> torch.optim.Optimizer:
    """Return AdamW; one-dimensional tensors and embeddings of place do not decay."""
    free = ("pos_embed", "cls_token", "time_embed")
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        groups[parameter.ndim > 1 and name not in free].append(parameter)
    return torch.optim.AdamW(
        [
            {"params": groups[True], "weight_decay": settings.weight_decay},
            {"params": groups[False], "weight_decay": 0.0},
        ],
        lr=settings.peak_learning_rate,
    )


def _batches(
    train: Split, settings: FitSettings, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield shuffled batches over all scans; the last incomplete one is dropped."""
    pairs = np.array(
        [(s, v) for s, scan in enumerate(train.scans) for v in range(len(scan))]
    )
    order = rng.permutation(len(pairs))
    size = settings.batch_size
    for start in range(0, len(order) - size + 1, size):
        chosen = pairs[order[start : start + size]]
        windows = np.concatenate([train.scans[s].windows_uv([v]) for s, v in chosen])
        gain = np.exp(settings.amplitude_jitter * rng.standard_normal((size, 1, 1)))
        target = np.stack([train.targets[s][v] for s, v in chosen])
        yield (
            torch.from_numpy(windows * gain.astype(np.float32)),
            torch.from_numpy(target),
        )
