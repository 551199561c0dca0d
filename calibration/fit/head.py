"""The default: the network as it is, its head solved in closed form."""

import copy
from dataclasses import dataclass
from typing import cast

import numpy as np
from torch import nn

from rtbold.calibration.fit.base import Base
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
from rtbold.calibration.progress import Pace
from rtbold.calibration.strategies.reading import (
    answers_of,
    n_batches,
    put_head,
    read_features,
)
from rtbold.messages import Float32Array


@dataclass(frozen=True, slots=True)
class ClosedFormHead:
    """Learns from the stopping part too: nothing is stopped here."""

    @property
    def name(self) -> StrategyName:
        """The option's word."""
        return "head"

    def n_batches(self, n_windows: int) -> int:
        """Return how many steps `prepare` counts."""
        return n_batches(n_windows)

    def n_steps(self, n_train: int) -> int:
        """Return how many steps a fit counts."""
        return 1

    def prepare(self, base: Base, material: Material, pace: Pace) -> Prepared:
        """Read all windows once."""
        return Prepared(base, read_features(base, material, pace), ())

    def fit(self, prepared: Prepared, task: Task, *, pace: Pace, wish: Wish) -> Fitted:
        """Solve the head; it takes a moment, so `wish` is not asked."""
        rows = np.sort(np.concatenate([task.train, task.stop]))
        solved = solve_head(prepared.readings, task.targets, rows)
        network = with_head(prepared.base, solved)
        features = prepared.readings.features

        def answers(rows: IntArray) -> Float32Array:
            return answers_of(cast("nn.Linear", network.head), features[rows])

        pace.step()
        return Fitted(network, answers, notes_of(solved), interrupted=wish.interrupted)


def with_head(base: Base, solved: LinearHead) -> nn.Module:
    """Return a copy of the base's network with the solved head."""
    network = copy.deepcopy(base.network)
    put_head(cast("nn.Linear", network.head), solved)
    return network.eval()


def notes_of(solved: LinearHead) -> dict[str, float]:
    """Return what was chosen, for the card; a penalty of -1 is an infinite one."""
    penalty = solved.penalty if np.isfinite(solved.penalty) else -1.0
    return {
        "penalty": penalty,
        "slope": solved.slope,
        "error": solved.error,
        "through_earlier": float(solved.through_earlier),
    }
