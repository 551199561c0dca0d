"""``rtbold prepare``: a data set's scans, read and conditioned once, into a cache."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli import options

if TYPE_CHECKING:
    from rtbold.calibration import DataSet, Outcome, PreparedReport

MANY_BAD = 3  # channels that a report line names

DataSetPath = Annotated[
    Path, typer.Argument(help="Folder of scans, or a TOML that describes them.")
]
Out = Annotated[
    Path | None, typer.Option(help="Folder of the cache; made, or added to.")
]
Scan = Annotated[
    list[str] | None,
    typer.Option(help="Only this scan, by name or by its number in --list."),
]
List = Annotated[
    bool, typer.Option("--list", help="List the scans and what became of them.")
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad scans out, and go on.")
]
Jobs = Annotated[int, typer.Option(help="Processes; each has one scan in memory.")]
Atlas = Annotated[Path | None, typer.Option(help="Labels or maps, for BOLD as NIfTI.")]
Roi = Annotated[
    list[str] | None,
    typer.Option(help="Only this ROI; repeatable [all that the data set has]."),
]
Conditioning = Annotated[
    str,
    typer.Option(
        help="live; or published (zero-phase 0.5 Hz) or published-within (no "
        "high-pass), which no session can run."
    ),
]
Channels = Annotated[
    str | None,
    typer.Option(help="Electrodes: FZ,CZ,... [all of the first scan]."),
]
Interpolate = Annotated[
    bool, typer.Option("--interpolate", help="Fill missing channels from neighbours.")
]
ModelReference = Annotated[
    str | None,
    typer.Option(help="Reference of the windows [average; published: FCz]."),
]
Confounds = Annotated[
    str | None,
    typer.Option(help="Columns to regress out: trans_*,rot_*; or none [all]."),
]
Scale = Annotated[
    str | None, typer.Option(help="zscore or p95 [zscore; published: p95].")
]
Detrend = Annotated[int, typer.Option(help="Degree of the drift to take off, 0 to 3.")]
Lowpass = Annotated[
    float, typer.Option(help="Zero-phase low-pass of targets in Hz; 0: none.")
]


def prepare(
    data_set: DataSetPath,
    out: Out = None,
    scan: Scan = None,
    listed: List = False,
    skip_bad: SkipBad = False,
    jobs: Jobs = 1,
    atlas: Atlas = None,
    roi: Roi = None,
    conditioning: Conditioning = "live",
    channels: Channels = None,
    interpolate: Interpolate = False,
    model_reference: ModelReference = None,
    cleaning: options.Cleaning = None,
    confounds: Confounds = None,
    scale: Scale = None,
    detrend: Detrend = 0,
    lowpass: Lowpass = 0.15,
) -> None:
    r"""Read and condition the scans of a data set once, for training and evaluation.

    What is there already is left as it is, so a run that was stopped goes on, and many
    jobs may fill one cache: `--scan $SLURM_ARRAY_TASK_ID`.

    Example:

        rtbold prepare study.toml --out cache --skip-bad
    """
    from rtbold.bundle import Cleaning, parse_cleaning
    from rtbold.calibration import (
        PrepareSettings,
        as_chain,
        named_columns,
        open_dataset,
        prepare,
        target_settings,
    )
    from rtbold.config import check_range
    from rtbold.errors import ConfigError

    check_range("--jobs", jobs, 1, 256)
    chain = as_chain(conditioning)
    found = open_dataset(data_set, atlas=atlas)
    sources = tuple(
        replace(source, rois=tuple(roi)) if roi else source for source in found.sources
    )
    if listed:
        _list(found, out)
        return
    if out is None:
        raise ConfigError("--out is missing, expected the folder of the cache.")
    settings = PrepareSettings(
        out=out,
        chain=chain,
        channels=named_columns(channels) or (),
        reference=model_reference,
        interpolate=interpolate,
        targets=target_settings(
            chain, scale=scale, detrend=detrend, lowpass_hz=lowpass
        ),
        confounds=named_columns(confounds),
        cleaning=parse_cleaning(cleaning) if cleaning else Cleaning(),
        atlas=atlas.name if atlas else "",
        skip_bad=skip_bad,
    )
    chosen = _names(found, scan or ())
    _tell_left_out(found)
    made = prepare(found.name, sources, settings, chosen=chosen, n_processes=jobs)
    _end(_shown(made), out)


def _names(found: "DataSet", chosen: Iterable[str]) -> tuple[str, ...]:
    """Return names of scans; a number is one's place in the list, from 1."""
    from rtbold.errors import ConfigError

    names = [source.name for source in found.sources]
    wanted = []
    for each in chosen:
        if each not in names and each.isdecimal():
            if not 1 <= int(each) <= len(names):
                raise ConfigError(
                    f"--scan is {each}, expected 1 to {len(names)}: {found.name} has "
                    f"{len(names)} scans."
                )
            each = names[int(each) - 1]
        wanted.append(each)
    return tuple(wanted)


def _shown(made: Iterable["Outcome"]) -> dict[str, int]:
    """Print a line for each scan as it comes; return how many came to what."""
    counts: dict[str, int] = {}
    for outcome in made:
        counts[outcome.state] = counts.get(outcome.state, 0) + 1
        for line in lines_of(outcome):
            typer.echo(line)
    return counts


def _end(counts: dict[str, int], out: Path) -> None:
    from rtbold.errors import DataFileError

    told = ", ".join(f"{n} {state}" for state, n in counts.items())
    if set(counts) == {"left out"}:
        raise DataFileError(
            f"{told}: nothing was prepared, expected at least one scan. The reasons "
            "stand above."
        )
    typer.echo(f"{told}; {out}")


def lines_of(outcome: "Outcome") -> list[str]:
    """Return what is said of one scan: a line, and one for each warning."""
    head = f"{outcome.name}\t{outcome.state}"
    if outcome.report is None:
        return [f"{head}\t{outcome.reason}" if outcome.reason else head]
    line = f"{head}\t{report_line(outcome.report)}"
    return [line, *(f"  warning: {text}" for text in outcome.report.warnings)]


def report_line(report: "PreparedReport") -> str:
    """Return a scan's report in one line."""
    parts = [
        f"{report.n_volumes} volumes",
        f"{report.n_markers} markers",
        f"{report.n_missed} missed",
        f"{report.n_windows} windows",
        _lag(report),
        _bad(report.bad_channels),
    ]
    if report.dropped_rois:
        named = [f"{roi} ({why})" for roi, why in report.dropped_rois.items()]
        parts.append(f"ROIs dropped: {'; '.join(named)}")
    parts.append(f"global signal: {report.global_signal}")
    return ", ".join(parts)


def _lag(report: "PreparedReport") -> str:
    if report.lag_peak_s is None or report.lag_p is None:
        return "lag not known"
    return f"lag peak {report.lag_peak_s:+.0f} s (p {report.lag_p:.2g})"


def _bad(shares: dict[str, float]) -> str:
    if not shares:
        return "no bad channel"
    worst = [f"{name} {100 * s:.0f} %" for name, s in list(shares.items())[:MANY_BAD]]
    more = len(shares) - len(worst)
    return f"bad: {', '.join(worst)}{f' and {more} more' if more > 0 else ''}"


def _tell_left_out(found: "DataSet") -> None:
    for name, reason in found.left_out:
        typer.echo(f"{name}\tno scan\t{reason}", err=True)


def _list(found: "DataSet", out: Path | None) -> None:
    """Print every scan of the data set, with what the cache knows of it."""
    from rtbold.calibration import scan_states

    for number, (source, known) in enumerate(scan_states(found.sources, out), start=1):
        head = f"{number}\t{source.subject}\t{source.session}"
        if known is None:
            typer.echo(f"{head}\t{source.name}\tnot prepared")
            continue
        for line in lines_of(known):
            typer.echo(f"{head}\t{line}" if not line.startswith(" ") else line)
    for name, reason in found.left_out:
        typer.echo(f"-\t-\t-\t{name}\tno scan\t{reason}")
