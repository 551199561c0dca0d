"""``rtbold demo``: the whole loop on one machine, with the truth beside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from rtbold.sim.demo import DemoData, DemoProcesses, DemoSettings

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
    level: Annotated[str, typer.Option(help="easy, hard or confound.")] = "hard",
    port: Annotated[int, typer.Option(help="Port of the feed.")] = 5580,
    control_port: Annotated[int, typer.Option(help="Port of the control.")] = 5581,
    picture: Annotated[
        Path | None, typer.Option(help="Keep the last live view as an SVG.")
    ] = None,
) -> None:
    """Simulate a brain, predict its BOLD live, and show the truth beside it.

    A twin plays EEG, volume triggers and measured BOLD over LSL; a session predicts
    the BOLD once per TR and publishes it; this command subscribes. Each is a process
    of its own. At the end it shows how prediction and measurement correlate.

    Example: rtbold demo --duration 120
    """
    from rich.console import Console

    from rtbold.config import RunSettings
    from rtbold.sim.demo import DemoProcesses, DemoSettings, card_of
    from rtbold.sim.seeds import DEMO_SEED

    console = Console()
    shown = choose_view("lines" if headless else view, terminal=console.is_terminal)
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


def choose_view(wanted: str | None, *, terminal: bool) -> str:
    """Return the view that is wanted, or the best that is possible; say why not.

    Raises
    ------
    ConfigError : there is no such view.
    RtboldError : the dashboard was asked for and cannot open.
    """
    from rtbold.cli.process import unseen, why_no_window
    from rtbold.errors import ConfigError, RtboldError

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
    from rtbold.sim.demo import DemoData, subscriber

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
    from rtbold.cli.demo_window import DemoWindow
    from rtbold.sim.demo import feed_address

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
    from rtbold.cli.demo_view import line

    return _follow(settings, processes, lambda data: typer.echo(line(data)))


def _screen(
    settings: "DemoSettings", processes: "DemoProcesses", console: "Console"
) -> "DemoData":
    from rich.live import Live

    from rtbold.cli.demo_view import live
    from rtbold.sim.demo import DemoData

    with Live(live(DemoData()), console=console, auto_refresh=False) as screen:
        return _follow(
            settings,
            processes,
            lambda data: screen.update(live(data), refresh=True),
        )


def _summarise(data: "DemoData", console: "Console") -> None:
    import numpy as np

    from rtbold.cli.demo_view import final_table
    from rtbold.sim.demo import ENOUGH_VOLUMES

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

    from rtbold.cli.demo_view import live

    drawing = Console(record=True, width=124, file=io.StringIO(), force_terminal=True)
    drawing.print(live(data))
    picture.write_text(drawing.export_svg(title="rtbold demo"), encoding="utf-8")
