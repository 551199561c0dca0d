"""``rtbold demo``: the whole loop on one machine, with the truth beside it."""

import math
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from rtbold.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from rtbold.messages import FloatArray
    from rtbold.sim import DemoData, DemoProcesses, DemoSettings
SILENCE_S = 45.0  # a session that says nothing for so long has hung
VIEWS = ("dashboard", "terminal", "lines")


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="A line per TR: --view lines.")
    ] = False,
    view: Annotated[
        str | None,
        typer.Option(
            help="dashboard, terminal or lines [the first that is possible here]."
        ),
    ] = None,
    duration: Annotated[
        float, typer.Option(help="Seconds of the session.", min=20, max=3600)
    ] = 300.0,
    model: Annotated[str, typer.Option(help="demo or demo-ridge, or a path.")] = "demo",
    seed: Annotated[int | None, typer.Option(help="Which simulated brain.")] = None,
    engine: options.EngineChoice = None,
    precision: options.PrecisionChoice = None,
    level: Annotated[str, typer.Option(help="As of rtbold simulate.")] = "hard",
    port: Annotated[
        int, typer.Option(help="Port of the feed.", min=1, max=65535)
    ] = 5580,
    control_port: Annotated[
        int, typer.Option(help="Port of the control.", min=1, max=65535)
    ] = 5581,
    picture: Annotated[
        Path | None, typer.Option(help="Keep the last live view as an SVG.")
    ] = None,
) -> None:
    """Simulate a brain, predict its BOLD live, and show the truth beside it.

    A twin plays EEG, volume triggers and measured BOLD over LSL; a session predicts
    the BOLD once per TR and publishes it; this command subscribes. Each is a process
    of its own. At the end it shows how prediction and measurement correlate.

    Example: rtbold demo --duration 180
    """
    from rich.console import Console

    from rtbold.config import RunSettings
    from rtbold.sim import DEMO_SEED, DemoProcesses, DemoSettings, card_of

    console = Console()
    shown = select_view("lines" if headless else view, terminal=console.is_terminal)
    RunSettings.build({"engine": engine, "precision": precision})
    card_of(model)  # what is wrong is said before anything is started
    settings = DemoSettings(
        seed=DEMO_SEED if seed is None else seed,
        duration_s=duration,
        model=model,
        engine=engine or "auto",
        precision=precision or "f32",
        level=level,
        port=port,
        control_port=control_port,
    )
    typer.echo(
        f"rtbold demo: {duration:g} s of simulated EEG and BOLD (seed "
        f"{settings.seed}, level {level}), model {model!r}; other programs can "
        f"subscribe to tcp://127.0.0.1:{port}"
    )
    with DemoProcesses(settings) as processes:
        follow = {"dashboard": _window, "terminal": _screen, "lines": _lines}[shown]
        data = follow(settings, processes, console)
    _summarise(data, console)
    if picture is not None:
        _keep(data, picture)


def select_view(wanted: str | None, *, terminal: bool) -> str:
    """Return the view that is wanted, or the best that is possible; say why not.

    Raises
    ------
    ConfigError : there is no such view.
    RtboldError : the dashboard was asked for and cannot open.
    """
    from rtbold.cli.process import why_no_window
    from rtbold.errors import ConfigError, RtboldError
    from rtbold.preflight import unseen

    if wanted is not None and wanted not in VIEWS:
        raise ConfigError(f"--view is {wanted!r}, expected one of {', '.join(VIEWS)}.")
    trouble = why_no_window() if wanted in (None, "dashboard") else None
    if wanted is None and unseen():
        trouble = "QT_QPA_PLATFORM draws on no screen (--view dashboard does so anyway)"
    if wanted == "dashboard" and trouble:
        raise RtboldError(trouble)
    if wanted in (None, "dashboard") and not trouble:
        return "dashboard"
    if trouble:
        typer.echo(f"no dashboard: {trouble}")
    if wanted != "lines" and not terminal:
        typer.echo("no terminal to redraw: running headless, one line per TR")
    return "terminal" if terminal and wanted != "lines" else "lines"


def _follow(
    settings: "DemoSettings",
    processes: "DemoProcesses",
    show: "Callable[[DemoData], None]",
    *,
    go_on: "Callable[[], bool]" = lambda: True,
) -> "DemoData":
    """Subscribe until the session ends or nobody looks; `show` each prediction."""
    import time

    from rtbold.errors import RtboldError
    from rtbold.sim import DemoData, subscriber

    data = DemoData()
    with subscriber(settings) as feed:
        heard_s = time.monotonic()
        while processes.running and go_on():
            messages = feed.poll(0.25)
            if any([data.take(message) for message in messages]):
                show(data)
            if messages:
                heard_s = time.monotonic()
            if time.monotonic() - heard_s > SILENCE_S:
                raise RtboldError(
                    f"the demo's session has said nothing for {SILENCE_S:g} s, "
                    "expected a heartbeat twice a second. Run rtbold doctor."
                )
    return data


def _window(
    settings: "DemoSettings", processes: "DemoProcesses", console: "Console"
) -> "DemoData":
    """Show the dashboard until it is closed; then the demo ends."""
    from rtbold.sim import feed_address

    control = f"tcp://127.0.0.1:{settings.control_port}"
    typer.echo("the dashboard opens; close its window to end the demo")
    with DemoWindow(feed_address(settings), control) as window:
        data = _follow(settings, processes, lambda _: None, go_on=lambda: window.open)
        if window.open:
            typer.echo("the session has ended; close the window to end the demo")
            window.wait()
        if not window.failed:
            return data
    typer.echo("the dashboard failed; going on in the terminal")
    follow = _screen if console.is_terminal else _lines
    return follow(settings, processes, console)


def _lines(
    settings: "DemoSettings", processes: "DemoProcesses", console: "Console"
) -> "DemoData":

    return _follow(settings, processes, lambda data: typer.echo(line(data)))


def _screen(
    settings: "DemoSettings", processes: "DemoProcesses", console: "Console"
) -> "DemoData":
    from rich.live import Live

    from rtbold.sim import DemoData

    with Live(live(DemoData()), console=console, auto_refresh=False) as screen:
        return _follow(
            settings,
            processes,
            lambda data: screen.update(live(data), refresh=True),
        )


def _summarise(data: "DemoData", console: "Console") -> None:
    import numpy as np

    from rtbold.sim import ENOUGH_VOLUMES

    counts = ", ".join(f"{n} {status}" for status, n in data.n_by_status.items())
    typer.echo(f"predictions: {counts or 'none'}")
    r = data.correlations()
    if r is None:
        typer.echo(
            f"{len(data.paired[0])} volumes with prediction and measurement: too short "
            f"to judge, expected {ENOUGH_VOLUMES}. Give a longer --duration (180 s)."
        )
        return
    console.print(final_table(data, r, console.width))
    console.print(
        f"mean R over {len(r)} ROIs: {np.nanmean(r):+.3f} ({len(data.paired[0])} "
        "volumes; measurement low-passed at 0.15 Hz after the run). SIMULATED: this "
        "says nothing about a real brain."
    )


def _keep(data: "DemoData", picture: Path) -> None:
    """Draw the last live view once more, as an SVG."""
    import io

    from rich.console import Console

    drawing = Console(record=True, width=124, file=io.StringIO(), force_terminal=True)
    drawing.print(live(data))
    picture.write_text(drawing.export_svg(title="rtbold demo"), encoding="utf-8")


# What the demo shows on a terminal.

SHOWN_ROIS = 8
NAME_WIDTH = 30
COLUMN_WIDTH = NAME_WIDTH + 5 + 4  # name, R, and the space between
TRACE_VOLUMES = 32
_BARS = " ▁▂▃▄▅▆▇█"
_COLOURS = {"ok": "green", "degraded": "yellow", "invalid": "red"}


def live(data: "DemoData") -> Group:
    """Return the picture of this moment: status, then prediction beside truth."""
    return Group(_headline(data), _traces(data))


def _headline(data: "DemoData") -> Text:
    body = data.newest
    if not body:
        return Text("starting: the twin makes its EEG, the session opens it ...")
    status, reasons = body["status"], ", ".join(body["reasons"])
    text = Text()
    text.append("SIMULATED EEG and BOLD   ", style="bold magenta")
    text.append(status.upper(), style=f"bold {_COLOURS.get(status, 'cyan')}")
    text.append(f" ({reasons})" if reasons else "")
    text.append(f"   volume {_shown(body['volume_index'])}")
    text.append(f"   published {body['age_ms']:.0f} ms after its trigger")
    return text


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _traces(data: "DemoData") -> Table:
    """Return one row per ROI; each trace fills its own range."""
    table = Table(show_lines=True)
    table.add_column("ROI (DiFuMo-64)", no_wrap=True, max_width=30)
    table.add_column(
        "predicted, newest right", no_wrap=True, width=TRACE_VOLUMES, style="cyan"
    )
    table.add_column("now", justify="right", width=6)
    table.add_column(
        "measured (a TR later)", no_wrap=True, width=TRACE_VOLUMES, style="green"
    )
    table.add_column("R so far", justify="right", width=8)
    for roi, name in enumerate(data.rois[:SHOWN_ROIS]):
        predicted = [row[roi] for _, row in sorted(data.predicted.items())]
        measured = [row[roi] for _, row in sorted(data.measured.items())]
        now = f"{predicted[-1]:+.2f}" if predicted else ""
        table.add_row(name, bars(predicted), now, bars(measured), so_far(data, name))
    return table


def so_far(data: "DemoData", roi: str) -> str:
    """Return the session's rolling R, or that too few independent volumes came."""
    if roi not in data.r_so_far:
        return ""
    r = data.r_so_far[roi]
    return "n < 20" if r is None else f"{r:+.2f}"


def bars(values: list[float]) -> str:
    """Return the newest values as a row of small bars."""
    newest = np.array(values[-TRACE_VOLUMES:])
    if newest.size < 2 or not np.isfinite(newest).all():
        return ""
    low, high = newest.min(), newest.max()
    share = (newest - low) / (high - low or 1.0)
    steps = np.rint(share * (len(_BARS) - 2)).astype(int) + 1
    return "".join(_BARS[step] for step in steps)


def line(data: "DemoData") -> str:
    """Return one line for a log, where there is no screen to redraw."""
    body = data.newest
    value = body["value"]
    parts = [
        f"volume {_shown(body['volume_index']):>4}",
        f"{body['status']:<8}",
        f"{body['target']}: predicted {'null' if value is None else f'{value:+.3f}'}",
    ]
    if data.measured and data.rois:
        newest = max(data.measured)
        truth = data.measured[newest][data.rois.index(body["target"])]
        parts.append(f"measured (volume {newest}) {truth:+.3f}")
    if body["reasons"]:
        parts.append(", ".join(body["reasons"]))
    return "   ".join(parts)


def final_table(data: "DemoData", r: "FloatArray", width: int = 80) -> Table:
    """Return R of every ROI, best first, in as many columns as `width` allows."""
    table = Table(title="R of prediction and measured BOLD, SIMULATED", box=None)
    columns = max(width // COLUMN_WIDTH, 1)
    for _ in range(columns):
        table.add_column("ROI", width=NAME_WIDTH, no_wrap=True)
        table.add_column("R", justify="right", width=5, no_wrap=True)
    order = np.argsort(-np.nan_to_num(r, nan=-2.0))
    rows = math.ceil(len(order) / columns)
    for row in range(rows):
        cells = []
        for roi in order[row::rows]:
            cells += [data.rois[roi], f"{r[roi]:+.2f}"]
        table.add_row(*cells)
    return table


# The demo's dashboard: a process of its own, joined to the demo's session.

POLITE_END_S = 10.0


class DemoWindow:
    """``rtbold gui`` as a child; ends with this object.

    Parameters
    ----------
    address, control : of the demo's session.
    """

    def __init__(self, address: str, control: str) -> None:
        command = [
            sys.executable, "-m", "rtbold", "gui",
            "--connect", address, "--control", control, "--close-quietly",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    @property
    def open(self) -> bool:
        """Whether it has not been closed."""
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended with an error, which it has said itself."""
        return self._process.poll() not in (None, 0)

    def wait(self) -> None:
        """Wait until it is closed."""
        self._process.wait()

    def close(self) -> None:
        """Close it, politely first."""
        if self.open:
            self._process.terminate()
            try:
                self._process.wait(POLITE_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
