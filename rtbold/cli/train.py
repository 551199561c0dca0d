"""``rtbold train``: a model of many scans, from a cache and a recipe."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli.calibrate import ProgressLines
from rtbold.cli.process import settle
from rtbold.distribution import need

if TYPE_CHECKING:
    from rtbold.calibration import TrainHooks, TrainResults

# Without which no training comes to an end: to train and draw, to write the model
PACKAGES = {
    "training": ("torch", "lightning_fabric", "tensorboardX"),
    "calibration": ("onnx", "onnxscript", "safetensors"),
}

CacheFolder = Annotated[
    Path, typer.Argument(metavar="CACHE", help="Folder that `rtbold prepare` made.")
]
RecipeName = Annotated[
    str, typer.Option("--recipe", help="Name of a shipped recipe, or a TOML file.")
]
Out = Annotated[
    str,
    typer.Option(help="Bundle to be made; {fold} and {seed} in it are filled in."),
]
Base = Annotated[
    str | None,
    typer.Option(help="Bundle whose weights are the start, or nothing [the recipe's]."),
]
Split = Annotated[
    str | None,
    typer.Option(help="Rule of the split, or a sheet's path [the recipe's]."),
]
Fold = Annotated[
    str, typer.Option(help="Which fold of the split; with --submit a range, 0-4.")
]
Seed = Annotated[
    str,
    typer.Option(help="Of all that is drawn, the split too; --submit: a range, 0-2."),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads [one a core].")]
Submit = Annotated[
    str | None,
    typer.Option(help="Print a script for a cluster instead: slurm."),
]
Nodes = Annotated[int, typer.Option(help="With --submit: nodes of each job.")]
Gpus = Annotated[int, typer.Option(help="With --submit: GPUs of a node; 0: the CPU.")]
Cpus = Annotated[int, typer.Option(help="With --submit: CPUs of each process.")]
AsJson = Annotated[
    bool, typer.Option("--json", help="The results as one object on stdout.")
]


def train(
    cache: CacheFolder,
    recipe: RecipeName,
    out: Out,
    base: Base = None,
    split: Split = None,
    fold: Fold = "0",
    seed: Seed = "0",
    device: Device = "auto",
    threads: Threads = None,
    submit: Submit = None,
    nodes: Nodes = 1,
    gpus: Gpus = 0,
    cpus: Cpus = 8,
    as_json: AsJson = False,
) -> None:
    r"""Train a model on prepared scans by a recipe, on one machine or many.

    Writes a bundle, and beside it a folder with the learning curves (TensorBoard) and
    `results.json`. The same command goes on after it was killed; under `torchrun` it
    uses all processes. The test part of the split is not opened: `rtbold evaluate` is
    for that.

    Example:

        rtbold train cache --recipe neurobolt-published --out rest.rtbold
    """
    if submit is not None:
        given = [("--base", base), ("--split", split), ("--threads", threads)]
        words = ["train", str(cache.absolute()), "--recipe", _as_given(recipe)]
        words += [str(w) for pair in given if pair[1] is not None for w in pair]
        words += [] if device == "auto" else ["--device", device]
        _print_script(
            submit, words, out, folds=fold, seeds=seed, size=(nodes, gpus, cpus)
        )
        return
    for extra, packages in PACKAGES.items():
        need(*packages, extra=extra, purpose="rtbold train")
    n_threads = settle(os.environ, threads)

    import time

    from rtbold.calibration import (
        TrainSettings,
        join_machines,
        load_recipe,
        open_cache,
        split_of,
        train_model,
    )

    number, drawn = _one(fold, "--fold"), _one(seed, "--seed")
    settings = TrainSettings(
        out=Path(_named(out, number, drawn)), seed=drawn, base=base
    )
    found, opened = load_recipe(recipe), open_cache(cache)
    rule = split or found.data.split
    chosen = split_of(opened, rule, fold=number, seed=drawn)
    lines = ProgressLines(now_s=time.monotonic)
    machines = join_machines(device, n_threads=n_threads)
    with _hooks(lines) as hooks:
        results = train_model(
            opened, chosen, found, settings=settings, machines=machines, hooks=hooks
        )
    lines.end()
    if results is not None:
        _tell(results, settings.work, as_json=as_json)


@contextmanager
def _hooks(lines: ProgressLines) -> Iterator["TrainHooks"]:
    """Return how a training speaks, and close what it drew into."""
    import datetime
    import time

    from tensorboardX import SummaryWriter

    from rtbold.calibration import TrainHooks

    boards: list[SummaryWriter] = []

    def board(folder: Path) -> SummaryWriter:
        boards.append(SummaryWriter(str(folder)))
        return boards[-1]

    try:
        yield TrainHooks(
            say=lines.say,
            tell=lines.tell,
            now_s=time.monotonic,
            today=datetime.datetime.now(datetime.UTC).date().isoformat(),
            board=board,
        )
    finally:
        for each in boards:
            each.close()


def _tell(results: "TrainResults", work: Path, *, as_json: bool) -> None:
    label = "SIMULATED, " if results.simulated else ""
    figures = results.figures
    lines = [
        f"{label}validation, not test: R {figures.r:.4f}, without the mean over ROIs "
        f"{figures.r_centred:.4f}, MSE {figures.mse:.4f}",
        *_speed(results),
        f"model    {results.bundle}",
        f"results  {work}",
    ]
    for line in lines:
        typer.echo(line, err=as_json)
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(results).decode())


def _speed(results: "TrainResults") -> list[str]:
    speed = results.speed
    if speed is None:
        return []
    return [
        f"{speed.windows_per_s:.1f} training windows a second, "
        f"{speed.waiting_share:.1%} of the time waiting for them"
    ]


# One command as many jobs.


def _print_script(
    system: str,
    words: list[str],
    out: str,
    *,
    folds: str,
    seeds: str,
    size: tuple[int, int, int],
) -> None:
    from rtbold.calibration import JobArray, numbers_of, slurm_script
    from rtbold.errors import ConfigError

    if system != "slurm":
        raise ConfigError(
            f"--submit is {system!r}, expected slurm; its script shows what another "
            "system would have to run"
        )
    nodes, gpus, cpus = size
    jobs = JobArray(
        command=("rtbold", *words),
        python=sys.executable,
        out=out,
        folds=numbers_of(folds, "--fold"),
        seeds=numbers_of(seeds, "--seed"),
        nodes=nodes,
        gpus=gpus,
        cpus=cpus,
    )
    typer.echo(slurm_script(jobs), nl=False)


def _as_given(recipe: str) -> str:
    """Return a recipe's name, or the whole path of its file."""
    return str(Path(recipe).absolute()) if Path(recipe).is_file() else recipe


def _one(text: str, option: str) -> int:
    from rtbold.calibration import numbers_of
    from rtbold.errors import ConfigError

    numbers = numbers_of(text, option)
    if len(numbers) > 1:
        raise ConfigError(
            f"{option} is {text!r}, expected one number; a range is for --submit"
        )
    return numbers[0]


def _named(out: str, fold: int, seed: int) -> str:
    from rtbold.calibration import named

    return named(out, fold=fold, seed=seed)
