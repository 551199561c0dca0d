"""Many trainings as one array of jobs on a cluster: a script for ``sbatch``. Pure.

Each job is the same command with its own fold and seed. A job that the cluster takes
away and starts again goes on where it was.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from rtbold.errors import ConfigError

SYSTEMS: Final = ("slurm",)
PLACES: Final = ("fold", "seed")
_RANGE: Final = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_MOST_JOBS: Final = 1000  # arrays are limited by most clusters to about this


@dataclass(frozen=True, slots=True, kw_only=True)
class JobArray:
    """What each job runs, and on what."""

    command: Sequence[str]  # without fold, seed and out: ("rtbold", "train", ...)
    python: str  # interpreter of the environment on the cluster
    out: str  # with {fold} and {seed} in it
    folds: Sequence[int]
    seeds: Sequence[int]
    nodes: int = 1
    gpus: int = 0  # of a node; 0: the CPU
    cpus: int = 8  # of a process

    def __post_init__(self) -> None:
        """Refuse jobs that would write over each other, and sizes of nothing."""
        for name, value, least in (
            ("--nodes", self.nodes, 1),
            ("--gpus", self.gpus, 0),
            ("--cpus", self.cpus, 1),
        ):
            if value < least:
                raise ConfigError(f"{name} is {value}, expected {least} or more")
        for name, numbers in (("fold", self.folds), ("seed", self.seeds)):
            if len(numbers) > 1 and f"{{{name}}}" not in self.out:
                raise ConfigError(
                    f"--out is {self.out} for {len(numbers)} {name}s, expected "
                    f"{{{name}}} in it, so that none writes over another: "
                    f"runs/{{fold}}-{{seed}}.rtbold"
                )
        if len(self) > _MOST_JOBS:
            raise ConfigError(
                f"{len(self)} jobs are asked for, expected at most {_MOST_JOBS}; "
                "submit the folds in parts"
            )

    def __len__(self) -> int:
        """Return the number of jobs."""
        return len(self.folds) * len(self.seeds)


def numbers_of(text: str, option: str) -> tuple[int, ...]:
    """Return the numbers of ``3``, ``0-4`` or ``0,2,5-7``.

    Raises
    ------
    ConfigError : it is something else.
    """
    found: list[int] = []
    for piece in text.split(","):
        match = _RANGE.fullmatch(piece.strip())
        first, last = (match[1], match[2] or match[1]) if match else ("1", "0")
        if int(last) < int(first):
            raise ConfigError(
                f"{option} is {text!r}, expected a number, or with --submit a range "
                "such as 0-4"
            )
        found += range(int(first), int(last) + 1)
    return tuple(dict.fromkeys(found))


def named(out: str, *, fold: int, seed: int) -> str:
    """Return the path of one job's bundle."""
    return out.replace("{fold}", str(fold)).replace("{seed}", str(seed))


def slurm_script(jobs: JobArray) -> str:
    """Return the script that ``sbatch`` takes."""
    name = PurePath(jobs.out).name.split("{")[0].strip("-_.") or "train"
    lines = [
        "#!/bin/bash",
        f"# {len(jobs)} trainings: each fold with each seed. Submit with: sbatch FILE",
        f"#SBATCH --job-name=rtbold-{_word(name)}",
        f"#SBATCH --array=0-{len(jobs) - 1}",
        f"#SBATCH --nodes={jobs.nodes}",
        "#SBATCH --ntasks-per-node=1",
        f"#SBATCH --cpus-per-task={jobs.cpus * max(jobs.gpus, 1)}",
        *([f"#SBATCH --gpus-per-node={jobs.gpus}"] if jobs.gpus else []),
        "#SBATCH --requeue           # it goes on where it was",
        "#SBATCH --open-mode=append",
        "#SBATCH --output=%x-%A_%a.log",
        "set -euo pipefail",
        f"folds=({' '.join(map(str, jobs.folds))})",
        f"seeds=({' '.join(map(str, jobs.seeds))})",
        f"fold=${{folds[SLURM_ARRAY_TASK_ID / {len(jobs.seeds)}]}}",
        f"seed=${{seeds[SLURM_ARRAY_TASK_ID % {len(jobs.seeds)}]}}",
        *_launched(jobs),
    ]
    return "\n".join(lines) + "\n"


def _launched(jobs: JobArray) -> list[str]:
    python = shlex.quote(jobs.python)
    module, *rest = jobs.command
    train = [
        f"    -m {shlex.quote(module)} {shlex.join(rest)} \\",
        f'    --fold "$fold" --seed "$seed" --out {_quoted(jobs.out)}',
    ]
    if jobs.nodes == 1 and jobs.gpus <= 1:
        return [f"srun {python} \\", *train]
    return [
        'host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        f"srun {python} -m torch.distributed.run \\",
        f"    --nnodes={jobs.nodes} --nproc-per-node={max(jobs.gpus, 1)} \\",
        '    --rdzv-backend=c10d --rdzv-id="$SLURM_JOB_ID" \\',
        '    --rdzv-endpoint="$host:$((20000 + SLURM_JOB_ID % 20000))" \\',
        *train,
    ]


def _quoted(out: str) -> str:
    """Return the path for a shell, with its variables in the places."""
    pieces = re.split(r"\{(fold|seed)\}", out)
    return "".join(
        f'"${{{piece}}}"' if i % 2 else (shlex.quote(piece) if piece else "")
        for i, piece in enumerate(pieces)
    )


def _word(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)
