"""``rtbold evaluate``: models side by side on the same prepared scans."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli.process import settle
from rtbold.cli.streams import on_screen
from rtbold.distribution import need

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtbold.calibration import ComparisonTable, Evaluation

# Without which nothing is drawn or fitted beside the bundles
PACKAGES = ("torch", "matplotlib")

CacheFolder = Annotated[
    Path, typer.Argument(metavar="CACHE", help="Folder that `rtbold prepare` wrote.")
]
Bundles = Annotated[
    list[str],
    typer.Argument(
        metavar="BUNDLE...",
        help="Models by name or path; NAME=PATH shows one as NAME, and a path may hold "
        "{fold}, {seed}, {scan}, {subject} or {session}.",
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for table, numbers and page.")]
SplitOption = Annotated[
    str | None,
    typer.Option(
        "--split",
        help="Which rows are scored: a rule or a sheet, as `rtbold train` takes it "
        "[that of the bundles, else published-across].",
    ),
]
Folds = Annotated[
    list[str] | None,
    typer.Option(
        "--fold", help="Which fold of the split, or all; repeatable [the bundles']."
    ),
]
Seed = Annotated[int | None, typer.Option(help="Of the split, too [the bundles'].")]
NoTruth = Annotated[
    bool,
    typer.Option(
        "--no-truth", help="Leave out what a simulation could give at most: faster."
    ),
]
Threads = Annotated[int | None, typer.Option(help="CPU threads [one a core].")]
AsJson = Annotated[bool, typer.Option("--json", help="All numbers as JSON on stdout.")]


def evaluate(
    cache: CacheFolder,
    bundles: Bundles,
    out: Out,
    split: SplitOption = None,
    fold: Folds = None,
    seed: Seed = None,
    no_truth: NoTruth = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Put models side by side on scans they have not seen, with controls.

    Baselines and controls learn from the training part of the split; the test part is
    opened once, at the end.

    Example: rtbold evaluate cache demo demo-ridge --out comparison
    """
    need(*PACKAGES, extra="calibration", purpose="rtbold evaluate")
    n_threads = settle(os.environ, threads)

    import datetime

    from rtbold.calibration import (
        CompareSettings,
        check_out,
        compare_models,
        parse_choice,
        write_comparison,
    )

    check_out(out)
    settings = CompareSettings(
        cache=cache,
        bundles=tuple(parse_choice(text) for text in bundles),
        split=split,
        folds=None if fold is None else parse_folds(fold),
        seed=seed,
        n_threads=n_threads,
        truth=not no_truth,
    )
    evaluation = compare_models(settings, _say, created=str(datetime.date.today()))
    written = write_comparison(evaluation, out)
    _print(evaluation, as_json=as_json)
    for name, path in (
        ("table", written.scores),
        ("numbers", written.results),
        ("page", written.page),
    ):
        typer.echo(f"{name:<8} {path}", err=as_json)


def _print(evaluation: "Evaluation", *, as_json: bool) -> None:
    import msgspec

    from rtbold.calibration import comparison_tables

    comparison = evaluation.comparison
    if as_json:
        typer.echo(msgspec.json.encode(comparison).decode())
    else:
        for table in comparison_tables(comparison):
            show(table)
    for note in comparison.notes:
        typer.echo(f"note: {note}", err=True)


def parse_folds(words: "Sequence[str]") -> tuple[int, ...]:
    """Return the folds that were asked for; none: all of them.

    Raises
    ------
    ConfigError : a word is neither a whole number from 0 nor `all`.
    """
    from rtbold.errors import ConfigError

    if "all" in words:
        return ()
    wrong = [word for word in words if not word.isdecimal()]
    if wrong:
        raise ConfigError(
            f"--fold is {wrong[0]!r}, expected a whole number from 0, or all"
        )
    return tuple(dict.fromkeys(map(int, words)))


def _say(text: str) -> None:
    typer.echo(text, err=True)


def show(table: "ComparisonTable") -> None:
    """Print a table; where no person reads it, its cells with tabs between them."""
    if not on_screen():
        for line in lines_of(table):
            typer.echo(line)
        return
    from rich.console import Console

    Console().print(drawn(table))


def lines_of(table: "ComparisonTable") -> "Iterator[str]":
    """Yield title, head and rows as text."""
    yield table.title
    yield "\t".join(table.head)
    for cells in table.rows:
        yield "\t".join(cells)
    yield ""


def drawn(table: "ComparisonTable") -> object:
    """Return the table as a terminal draws it; a narrow one breaks words."""
    from rich.table import Column, Table as Drawn
    from rich.text import Text

    columns = (
        Column(head, overflow="fold", justify="left" if i in table.words else "right")
        for i, head in enumerate(table.head)
    )
    grid = Drawn(*columns, title=Text(table.title), title_justify="left")
    for cells in table.rows:
        grid.add_row(*map(Text, cells))  # a name is no markup
    return grid
