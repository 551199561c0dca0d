"""``rtbold reproduce``: the publication's two protocols on a data set, in one go."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from rtbold.cli import evaluate, train
from rtbold.distribution import need

# Li et al., NeurIPS 2024: sensory, cognitive and deep regions, and the mean of all
TARGETS: Final = (
    "Cuneus", "Heschl's gyrus", "Middle frontal gyrus anterior", "Precuneus anterior",
    "Putamen", "Thalamus", "global signal clean",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Protocol:
    """How the publication prepares, splits and trains."""

    conditioning: str
    rule: str
    recipe: str


PROTOCOLS: Final = {
    "within": Protocol("published-within", "published-within", "neurobolt-published"),
    "across": Protocol("published", "published-across", "neurobolt-published-across"),
}

DataSetPath = Annotated[
    Path, typer.Argument(help="Folder of scans, or a TOML that describes them.")
]
Out = Annotated[Path, typer.Option(help="Folder for caches, models and comparisons.")]
ProtocolName = Annotated[
    str, typer.Option(help="within (each scan), across (subjects), or both.")
]
Roi = Annotated[
    list[str] | None,
    typer.Option(help="Only this target; repeatable [of NeuroBOLT the seven]."),
]
Atlas = Annotated[Path | None, typer.Option(help="Labels or maps, for BOLD as NIfTI.")]
RecipeName = Annotated[
    str | None,
    typer.Option("--recipe", help="Another recipe, name or file [as published]."),
]
Base = Annotated[
    str | None, typer.Option(help="Bundle whose weights are the start [none].")
]
Sheet = Annotated[
    Path | None, typer.Option(help="Sheet of the split across subjects [drawn].")
]
Seed = Annotated[int, typer.Option(help="Of all that is drawn, the split too.")]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad scans out, and go on.")
]
Jobs = Annotated[int, typer.Option(help="Processes that prepare.")]


def reproduce(
    data_set: DataSetPath,
    out: Out,
    protocol: ProtocolName = "both",
    roi: Roi = None,
    atlas: Atlas = None,
    recipe: RecipeName = None,
    base: Base = None,
    sheet: Sheet = None,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
    jobs: Jobs = 1,
) -> None:
    """Prepare, train and evaluate as NeuroBOLT was published, within and across scans.

    Runs `rtbold prepare`, `train` for each fold, and `evaluate`, and prints each
    command. The same command goes on after it was stopped.

    Example:

        rtbold reproduce NeuroBOLT --out neurobolt --base labram.rtbold
    """
    from rtbold.calibration import check_out, load_recipe, open_dataset

    for extra, packages in train.PACKAGES.items():
        need(*packages, extra=extra, purpose="rtbold reproduce")
    need(*evaluate.PACKAGES, extra="calibration", purpose="rtbold reproduce")
    chosen = _protocols(protocol)
    _check_given(out, atlas, sheet)
    if recipe is not None:
        load_recipe(recipe)
    found = open_dataset(data_set, atlas=atlas)
    rois = tuple(roi or ()) or (TARGETS if found.layout == "neurobolt" else ())
    check_out(out)
    preparing = ["prepare", str(data_set), *_option("--atlas", atlas)]
    preparing += [word for name in rois for word in ("--roi", name)]
    preparing += ["--jobs", str(jobs), *(["--skip-bad"] if skip_bad else [])]
    for name in chosen:
        one, folder = PROTOCOLS[name], out / name
        cache = folder / "cache"
        at = ["--conditioning", one.conditioning, "--out", str(cache)]
        _run([*preparing, *at])
        rule = str(sheet) if sheet and name == "across" else one.rule
        split = ["--split", rule, "--seed", str(seed)]
        for fold in range(_n_folds(cache, rule, seed)):
            bundle = folder / f"fold{fold}.rtbold"
            if bundle.exists() and _is_trained(bundle):
                continue
            words = ["train", str(cache), "--recipe", recipe or one.recipe, *split]
            words += ["--fold", str(fold), *_option("--base", base)]
            _run([*words, "--out", str(bundle)])
        models = f"{Path(recipe or 'neurobolt').stem}={folder / 'fold{fold}.rtbold'}"
        comparison = ["--fold", "all", "--out", str(folder / "comparison")]
        _run(["evaluate", str(cache), models, *split, *comparison])


def _protocols(name: str) -> tuple[str, ...]:
    from rtbold.errors import ConfigError

    if name == "both":
        return tuple(PROTOCOLS)
    if name not in PROTOCOLS:
        raise ConfigError(
            f"--protocol is {name!r}, expected one of {', '.join(PROTOCOLS)}, both."
        )
    return (name,)


def _check_given(out: Path, atlas: Path | None, sheet: Path | None) -> None:
    from rtbold.errors import ConfigError

    if "{" in str(out) or "}" in str(out):
        raise ConfigError(
            f"--out is {str(out)!r}, expected a folder without braces: names of models "
            "are filled in there. Choose another."
        )
    for option, path in (("--atlas", atlas), ("--sheet", sheet)):
        if path is not None and not path.is_file():
            raise ConfigError(
                f"{option} is {str(path)!r}, but there is no such file. Correct it."
            )


def _option(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]


def _n_folds(cache: Path, rule: str, seed: int) -> int:
    from rtbold.calibration import open_cache, split_of

    return len(split_of(open_cache(cache), rule, seed=seed).folds)


def _is_trained(bundle: Path) -> bool:
    """Whether its training came to an end; else `rtbold train` says what to do."""
    from rtbold.calibration import results_path

    return results_path(bundle).is_file()


def _run(words: Sequence[str]) -> None:
    """Run a command of rtbold in a process of its own, which gives all memory back.

    Raises
    ------
    RtboldError : it did not end well; it has said why.
    """
    from rtbold.errors import RtboldError

    said = shlex.join(["rtbold", *words])
    typer.echo(f"$ {said}", err=True)
    done = subprocess.run([sys.executable, "-m", "rtbold", *words], check=False)
    if done.returncode:
        raise RtboldError(
            f"{said} ended with {done.returncode}, expected 0; its reason stands "
            "above. When that is mended, the same command goes on from here."
        )
