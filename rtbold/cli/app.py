"""The commands and where they live; a command's module is imported when it is used."""

import importlib
from collections.abc import Callable
from typing import Any

import typer

# command -> (module under rtbold.cli, function, one line for `rtbold --help`)
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "demo"),
    "calibrate": ("calibrate", "calibrate"),
    "preflight": ("preflight", "preflight"),
    "rehearse": ("rehearse", "rehearse"),
    "run": ("run", "run"),
    "simulate": ("simulate", "simulate"),
    "play": ("play", "play"),
    "replay": ("replay", "replay"),
    "gui": ("gui", "gui"),
    "monitor": ("monitor", "monitor"),
    "fake": ("fake", "fake"),
    "streams": ("streams", "streams"),
    "doctor": ("doctor", "doctor"),
}
MODEL_COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("models", "list_models"),
    "show": ("models", "show"),
    "predict": ("models", "predict"),
    "import": ("models_import", "import_"),
    "export": ("models_compile", "export"),
    "compile": ("models_compile", "compile_"),
    "explain": ("models_explain", "explain"),
}
SUBJECT_COMMANDS: dict[str, tuple[str, str]] = {
    "list": ("subjects", "list_subjects"),
    "show": ("subjects", "show"),
    "compare": ("subjects", "compare"),
}


def load(module: str, function: str) -> Callable[..., Any]:
    """Import one command; modules import heavy packages inside the function."""
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"rtbold.cli.{module}"), function
    )
    return found


def build_app() -> typer.Typer:
    """Return the typer application with all commands."""
    app = typer.Typer(
        name="rtbold",
        help="Predict fMRI BOLD from EEG, live.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    for name, (module, function) in COMMANDS.items():
        app.command(name)(load(module, function))
    models = typer.Typer(
        help="Model bundles: list, show, predict, import, export, compile, explain.",
        no_args_is_help=True,
    )
    for name, (module, function) in MODEL_COMMANDS.items():
        models.command(name)(load(module, function))
    app.add_typer(models, name="models")
    subjects = typer.Typer(
        help="Calibrated subjects: list, show, compare.", no_args_is_help=True
    )
    for name, (module, function) in SUBJECT_COMMANDS.items():
        subjects.command(name)(load(module, function))
    app.add_typer(subjects, name="subjects")
    return app
