"""``rtbold rehearse``: minutes of the real path, and a go or a no-go."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from rtbold.cli.checks import print_json, print_table, run_checks
from rtbold.cli.options import RequestedRun, takes_run_options
from rtbold.pages import rendered

if TYPE_CHECKING:
    from rtbold.errors import RtboldError
    from rtbold.messages import Check
    from rtbold.preflight import Figures, RehearsalResult, Stage

SYMBOLS: Final = {"ok": "✓", "warn": "▲", "fail": "✕"}
WORDS: Final = {"ok": "ok", "warn": "look", "fail": "NOT OK"}
FIGURES: Final = (
    ("run time", "ran_s", "{:.0f} s"),
    ("volume triggers", "n_triggers", "{}"),
    ("trigger interval", "trigger_every_s", "{:.3f} s"),
    ("answers", "n_answers", "{}"),
    ("usable", "n_usable", "{}"),
    ("late", "n_late", "{}"),
    ("age p50", "age_p50_ms", "{:.0f} ms"),
    ("age p99", "age_p99_ms", "{:.0f} ms"),
    ("age, largest", "age_max_ms", "{:.0f} ms"),
    ("model p99", "infer_p99_ms", "{:.1f} ms"),
    ("feed p99", "feed_p99_ms", "{:.1f} ms"),
    ("control socket", "control_ms", "{:.0f} ms"),
    ("longest silence", "longest_silence_s", "{:.1f} s"),
    ("EEG rate", "rate_hz", "{:.2f} Hz"),
    ("EEG gaps", "n_gaps", "{}"),
    ("memory", "memory_end_mb", "{:.0f} MB"),
)


@takes_run_options
def rehearse(
    asked: RequestedRun,
    duration: Annotated[
        float, typer.Option(help="Seconds that the session runs, 20 to 3600.")
    ] = 300.0,
    without_scanner: Annotated[
        bool,
        typer.Option(
            "--without-scanner", help="Judge all but the triggers; the session is free."
        ),
    ] = False,
    page: Annotated[
        Path | None, typer.Option(help="Write the result as HTML for one A4 sheet.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="A JSON object a line, as things come.")
    ] = False,
) -> None:
    r"""Run a session with these options for five minutes, and say GO or NO-GO.

    It resolves the streams, waits for triggers, predicts, publishes and records as
    `rtbold run` does, and subscribes as an app would. Exit code 1 is a NO-GO.

    Example:

        rtbold rehearse --subject S01 --stream BrainVision \
            --trigger-stream BrainVision-Markers --trigger R128 --page go.html
    """
    from rtbold.acquire import LslClock
    from rtbold.bundle import default_root
    from rtbold.config import check_range
    from rtbold.preflight import Rehearsal, RehearsalResult, RehearsalSettings

    check_range("--duration", duration, 20, 3600)
    if page is not None:
        _check_page(page)
    settings = RehearsalSettings(
        run=asked.settings,
        arguments=lambda run: RequestedRun(run, asked.root).arguments(),
        subject_root=asked.root or default_root(),
        duration_s=duration,
        without_scanner=without_scanner,
    )
    reader = _Reader(page=page, root=asked.root, as_json=as_json)
    with _interrupts() as pressed:
        rehearsal = Rehearsal(settings, LslClock(), stopping=lambda: bool(pressed))
        told = run_checks(rehearsal.steps(), reader.show)
    if not any(
        isinstance(one, RehearsalResult) and one.verdict == "go" for one in told
    ):
        raise typer.Exit(1)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Note Ctrl-C and a polite end from outside, instead of breaking off."""
    import signal

    pressed: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(n, lambda n, _: pressed.append(n)) for n in numbers]
    try:
        yield pressed
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _check_page(page: Path) -> None:
    from rtbold.errors import ConfigError

    if not page.absolute().parent.is_dir() or page.is_dir():
        raise ConfigError(
            f"--page is {str(page)!r}, expected a file in a folder that is there, such "
            "as rehearsal.html."
        )


@dataclass
class _Reader:
    """Shows each thing as it comes, and the outcome whatever becomes of the page."""

    page: Path | None
    root: Path | None
    as_json: bool
    stage: str = ""

    def show(self, told: "Check | Stage | RehearsalResult") -> None:
        from rtbold.messages import Check
        from rtbold.preflight import RehearsalResult

        if isinstance(told, RehearsalResult):
            self._end(told)
        elif self.as_json:
            print_json(told)
        elif isinstance(told, Check):
            if told.state != "ok":
                typer.echo(f"\r{told.state:<4} {told.name}: {told.found}", err=True)
        else:
            self._show_stage(told)

    def _show_stage(self, told: "Stage") -> None:
        """Write one line again and again on a terminal, else one for each stage."""
        import sys

        text = f"{told.stage}, {told.remaining_s:.0f} s left: {told.text}"
        if sys.stderr.isatty():
            typer.echo(f"\r{text:<78.78}", err=True, nl=False)
        elif told.stage != self.stage:
            typer.echo(text, err=True)
        self.stage = told.stage

    def _end(self, outcome: "RehearsalResult") -> None:
        page = self.page
        problem = None if page is None else _write_page(outcome, page, self.root)
        if self.as_json:
            end = {
                "verdict": outcome.verdict,
                "why": list(outcome.why),
                "figures": _figures(outcome),
                "page": None if problem or page is None else str(page),
            }
            typer.echo(json.dumps(end))
        else:
            typer.echo("", err=True)
            _show(outcome)
        if problem:
            raise problem


def _figures(outcome: "RehearsalResult") -> dict[str, object]:
    if outcome.figures is None:
        return {}
    figures = asdict(outcome.figures)
    recording = figures.pop("recording") or {}
    return figures | {f"recording_{name}": value for name, value in recording.items()}


def _show(outcome: "RehearsalResult") -> None:
    from rich.console import Console
    from rich.markup import escape

    not_well = [check for check in outcome.before if check.state != "ok"]
    print_table((*not_well, *outcome.rehearsed), "rehearsed")
    console = Console()
    if outcome.verdict == "no-go" and outcome.figures and outcome.figures.recording:
        console.print(f"the recording is kept: {outcome.figures.recording.path}")
    console.print("GO" if outcome.verdict == "go" else "NO-GO", style="bold")
    for why in outcome.why:
        console.print(f"- {escape(why)}")


def _write_page(
    outcome: "RehearsalResult", page: Path, root: Path | None
) -> "RtboldError | None":
    """Write the page; return why that cannot be done."""
    import datetime
    import platform
    import shlex

    from rtbold import distribution
    from rtbold.errors import RtboldError
    from rtbold.owner_only import write_text

    now = datetime.datetime.now().astimezone()
    words = ["rtbold", "run", *RequestedRun(outcome.run, root).arguments()]
    facts = PageFacts(
        date=now.strftime("%Y-%m-%d %H:%M %Z"),
        machine=f"{platform.node()}, {platform.system()} {platform.release()}",
        software=f"rtbold {distribution.version()}, Python {platform.python_version()}",
        command=shlex.join(words),
    )
    try:
        write_text(page, rehearsal_page(outcome, facts))
    except OSError as error:
        return RtboldError(
            f"the page cannot be written to {page}: {error.strerror}. Expected a file "
            "that can be written; the verdict stands all the same."
        )
    return None


# The result of a rehearsal as one sheet of A4: HTML without a script. Pure.


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """What the page says of when and where; told by whoever writes it."""

    date: str
    machine: str
    software: str
    command: str


def rehearsal_page(outcome: "RehearsalResult", facts: PageFacts) -> str:
    """Return the page; every text from outside is escaped."""
    found = {check.name: check.found for check in reversed(outcome.before)}
    return rendered(
        "rtbold.cli",
        "rehearsal.html.j2",
        outcome=outcome,
        facts=facts,
        about={name: found.get(name, "not found") for name in ("model", "stream")},
        figures=_figure_rows(outcome.figures) if outcome.figures else (),
        symbols=SYMBOLS,
        words=WORDS,
    )


def _figure_rows(figures: "Figures") -> list[tuple[str, str]]:
    """Return what was measured, and how much it came to."""
    values = [(what, getattr(figures, name), form) for what, name, form in FIGURES]
    return [
        (what, "not known" if value is None else form.format(value))
        for what, value, form in values
    ]
