"""Where a training runs: one process on a CPU or a GPU, or many under ``torchrun``.

Lightning Fabric knows the machines; this says which of them a command means, so that
the same command serves a laptop and several nodes.
"""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rtbold.calibration.train.batches import Share
from rtbold.calibration.train.recipe import Precision
from rtbold.errors import ConfigError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ACCELERATORS = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True, eq=False)
class Machines:
    """The processes of a training, and this one's place among them."""

    fabric: "Fabric"

    @property
    def share(self) -> Share:
        """Which process this is."""
        return Share(self.fabric.global_rank, self.fabric.world_size)

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.fabric.device

    def autocast(self, precision: Precision) -> AbstractContextManager[None]:
        """Return the context of a forward pass.

        Fabric's own mixed precision would round the EEG itself to eight bits before the
        network sees it: small fast rhythms on large slow waves would be lost. So the
        weights stay float32, and products inside of the network alone are bfloat16.
        """
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=precision == "bfloat16"
        )

    def gathered(self, rows: Tensor) -> Tensor:
        """Return the rows of all processes, which took turns: (processes * n, ...)."""
        if self.share.world == 1:
            return rows
        found = [torch.empty_like(rows) for _ in range(self.share.world)]
        torch.distributed.all_gather(found, rows.contiguous())
        return torch.stack(found, dim=1).flatten(0, 1)

    def mean(self, value: float) -> float:
        """Return the mean over processes."""
        if self.share.world == 1:
            return value
        own = torch.tensor([value], dtype=torch.float64, device=self.device)
        return float(self.gathered(own).mean())


def join_machines(
    accelerator: str = "auto",
    *,
    n_threads: int | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Machines:
    """Join the processes that ``torchrun`` started, or be the only one.

    Parameters
    ----------
    accelerator : auto takes a GPU where there is one.
    n_threads : of the CPU, for this process; None: as torch finds them.
    environ : ``torchrun`` says in it how many processes there are.

    Raises
    ------
    ConfigError : the accelerator is unknown, or not there.
    """
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.strategies.ddp import DDPStrategy

    _check(accelerator)
    if n_threads is not None:
        torch.set_num_threads(n_threads)
    if not torch.distributed.is_torchelastic_launched():
        # A cluster's variables mean its own job; who wants many processes says so
        alone = LightningEnvironment()
        fabric = Fabric(accelerator=accelerator, devices=1, plugins=alone)
    else:
        here = int(environ["LOCAL_WORLD_SIZE"])
        nodes = int(environ["WORLD_SIZE"]) // here
        fabric = Fabric(
            accelerator=accelerator,
            devices=here,
            num_nodes=nodes,
            strategy=DDPStrategy(),
        )
    fabric.launch()
    return Machines(fabric)


def _check(accelerator: str) -> None:
    if accelerator not in ACCELERATORS:
        raise ConfigError(
            f"--device is {accelerator!r}, expected one of {', '.join(ACCELERATORS)}"
        )
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(accelerator, True):
        raise ConfigError(
            f"--device is {accelerator!r}, but torch finds none on this machine; "
            "expected a GPU that torch was built for. Use --device cpu, or install the "
            "torch of your GPU (docs/how-to/use-a-gpu.md)."
        )
