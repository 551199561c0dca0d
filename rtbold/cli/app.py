"""The commands and where they live; a command's module is imported when it is used.

A list of commands shows the lines that stand here, so that ``rtbold --help`` imports
none of them; ``tests/rtbold/cli/test_app.py`` holds that each is its docstring's first.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperGroup


class Place(NamedTuple):
    """Where a command lives, and what the list of commands says of it."""

    module: str  # beside this one
    function: str
    line: str  # as the function's docstring begins


COMMANDS: Final = {
    "demo": Place(
        "demo",
        "demo",
        "Simulate a brain, predict its BOLD live, and show the truth beside it.",
    ),
    "calibrate": Place(
        "calibrate",
        "calibrate",
        "Make a model for one subject from one scan, "
        "and say whether it is good enough.",
    ),
    "preflight": Place(
        "preflight",
        "preflight",
        "Look at everything that `rtbold run` with the same options would open.",
    ),
    "rehearse": Place(
        "rehearse",
        "rehearse",
        "Run a session with these options for five minutes, and say GO or NO-GO.",
    ),
    "run": Place(
        "run", "run", "Run a session: EEG over LSL in, one BOLD prediction per TR out."
    ),
    "simulate": Place(
        "simulate",
        "simulate",
        "Play a simulated session on LSL: EEG, volume triggers and measured ROI BOLD.",
    ),
    "export": Place(
        "export",
        "export",
        "Write a recorded session as BIDS: EEG, events, and what was published.",
    ),
    "play": Place("play", "play", "Play a recording on LSL in real time."),
    "replay": Place(
        "replay",
        "replay",
        "Compute the predictions of a recording with the live session's own pipeline.",
    ),
    "verify": Place(
        "verify",
        "verify",
        "Say whether a recorded session's published numbers come out again, "
        "bit for bit.",
    ),
    "gui": Place(
        "gui",
        "gui",
        "Open the dashboard: set up a session, start it, watch it; "
        "or join a running one.",
    ),
    "monitor": Place(
        "monitor",
        "monitor",
        "Print what a session publishes; check its sequence, age and jitter.",
    ),
    "fake": Place(
        "fake",
        "fake",
        "Publish scripted predictions, so that an app can be written without EEG.",
    ),
    "streams": Place(
        "streams", "streams", "List the LSL streams that answer on this network."
    ),
    "recorders": Place(
        "recorders",
        "recorders",
        "List the recordings that sessions which died have left running; close them.",
    ),
    "doctor": Place(
        "doctor",
        "doctor",
        "Check this machine: packages, ports, LSL, network, disk, clocks, engine.",
    ),
}
MODEL_COMMANDS: Final = {
    "list": Place(
        "models",
        "list_models",
        "List the bundles that a name leads to, and where each was found.",
    ),
    "show": Place(
        "models",
        "show",
        "Show what a bundle is, what stream it needs, and how it scored.",
    ),
    "seal": Place(
        "models",
        "seal",
        "Seal a bundle of an earlier version: its card's hash in a file beside it.",
    ),
    "predict": Place(
        "models",
        "predict",
        "Predict BOLD from windows in a file; "
        "each channel's window mean removed before.",
    ),
    "import": Place(
        "models",
        "import_",
        "Make a bundle of published weights: NeuroBOLT, LaBraM-base or BIOT.",
    ),
    "export": Place(
        "models_compile",
        "export",
        "Write a bundle's network as one ONNX file, checked, weights inside.",
    ),
    "compile": Place(
        "models_compile",
        "compile_",
        "Compile a bundle for this CPU or for a GPU; compare each with the reference.",
    ),
    "explain": Place(
        "models_explain",
        "explain",
        "Show which channels, times and bands the predictions in a recording rest on.",
    ),
}
SUBJECT_COMMANDS: Final = {
    "list": Place(
        "subjects",
        "list_subjects",
        "List the calibrations of all subjects, or of one, oldest first.",
    ),
    "show": Place(
        "subjects",
        "show",
        "Show what a calibration found: verdict, scores per ROI, alignment.",
    ),
    "compare": Place(
        "subjects",
        "compare",
        "Put all calibrations of a subject side by side, oldest first.",
    ),
}

_MARKUP: Final = "markdown"


def load(module: str, function: str) -> Callable[..., Any]:
    """Import one command; modules import heavy packages inside the function."""
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"{__package__}.{module}"), function
    )
    return found


def build_app() -> typer.Typer:
    """Return the typer application with all commands."""
    app = _group(COMMANDS, "Predict fMRI BOLD from EEG, live.", name="rtbold")
    models = (
        "Model bundles: list, show, seal, predict, import, export, compile, explain."
    )
    app.add_typer(_group(MODEL_COMMANDS, models), name="models")
    subjects = "Calibrated subjects: list, show, compare."
    app.add_typer(_group(SUBJECT_COMMANDS, subjects), name="subjects")
    return app


def _group(
    places: Mapping[str, Place], line: str, *, name: str | None = None
) -> typer.Typer:
    group = typer.Typer(
        name=name,
        help=line,
        cls=_lazy_group(places),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=_MARKUP,
    )
    for word, place in places.items():
        group.command(word, help=place.line)(_listed)
    return group


def _listed() -> None:
    """Stand in a list for a command that is not imported; `_lazy_group` runs it."""


def _lazy_group(places: Mapping[str, Place]) -> type[TyperGroup]:
    """Return a group that imports the command that was asked for, and no other."""

    class LazyGroup(TyperGroup):
        def resolve_command(  # type: ignore[override]  # click's own type is private
            self, ctx: typer.Context, args: list[str]
        ) -> tuple[str | None, Any, list[str]]:
            name, listed, rest = super().resolve_command(ctx, args)
            if name is None or name not in places:  # a group; None: completing
                return name, listed, rest
            alone = typer.Typer(add_completion=False, rich_markup_mode=_MARKUP)
            alone.command(name)(load(places[name].module, places[name].function))
            return name, typer.main.get_command(alone), rest

    return LazyGroup
