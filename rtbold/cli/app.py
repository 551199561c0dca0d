"""The commands and where they live; a command's module is imported when it is used.

A list of commands shows the lines that stand here, so that ``rtbold --help`` imports
none of them; ``tests/rtbold/cli/test_app.py`` holds that each is its docstring's first.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperGroup

from rtbold.cli.panels import OPTION_PANELS


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
    "declare": Place(
        "declare",
        "declare",
        "Declare target, level and planned looks before the scan, with date and hash.",
    ),
    "prepare": Place(
        "prepare",
        "prepare",
        "Read and condition the scans of a data set once, for training and evaluation.",
    ),
    "train": Place(
        "train",
        "train",
        "Train a model on prepared scans by a recipe, on one machine or many.",
    ),
    "evaluate": Place(
        "evaluate",
        "evaluate",
        "Put models side by side on scans they have not seen, with controls.",
    ),
    "reproduce": Place(
        "reproduce",
        "reproduce",
        "Prepare, train and evaluate as NeuroBOLT was published, "
        "within and across scans.",
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
    "report": Place(
        "session_report",
        "report",
        "Report recorded sessions: regulation, learning, quality, methods, CRED-nf.",
    ),
    "methods": Place(
        "session_report",
        "methods",
        "Print a methods text and the checklists CRED-nf, COBIDAS-MEEG and "
        "COBIDAS-MRI.",
    ),
    "play": Place("play", "play", "Play a recording on LSL in real time."),
    "replay": Place(
        "replay",
        "replay",
        "Compute the predictions of a recording with the live session's own pipeline.",
    ),
    "unblind": Place(
        "blind",
        "unblind",
        "Open what a blinded session has sealed, and keep who asked and when.",
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
    "bridge": Place(
        "bridge",
        "bridge",
        "Pass a feed on to browsers, MURFI tasks, TCP, OSC and UDP.",
    ),
    "check-client": Place(
        "check_client",
        "check_client",
        "Play sessions to a client, and say what it showed that it should not have.",
    ),
    "keys": Place(
        "keys",
        "keys",
        "Make the CURVE keys without which a feed does not leave this machine.",
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

BLIND_COMMANDS: Final = {
    "keys": Place(
        "blind",
        "keys",
        "Make a pair of keys: the statistician's, or that of the session machine.",
    ),
    "allocate": Place(
        "blind",
        "allocate",
        "Draw who gets which arm, and seal it for the statistician and one machine.",
    ),
    "list": Place(
        "blind",
        "list_",
        "Show the whole list with its arms, to whoever has the statistician's key.",
    ),
    "enrol": Place(
        "blind",
        "enrol",
        "Give a new participant the next place; nobody learns of which arm it is.",
    ),
    "guess": Place(
        "blind",
        "guess",
        "Write down which arm operator or participant think it was, before unblinding.",
    ),
}

PROTOCOL_COMMANDS: Final = {
    "new": Place(
        "protocol",
        "new",
        "Write a commented protocol to begin with; a file that is there is left alone.",
    ),
    "check": Place(
        "protocol",
        "check",
        "Check a protocol and draw it as a timeline; "
        "what is wrong is said with its line.",
    ),
    "runs": Place(
        "protocol",
        "runs",
        "List the runs of a protocol, the attempts at each, and which one comes next.",
    ),
}
# The list of commands in panels, by the order in which a lab comes to need them.
PANELS: Final = {
    "Start here": ("doctor", "demo", "gui"),
    "Prepare a session": (
        "streams", "declare", "calibrate", "subjects", "protocol", "blind",
        "preflight", "rehearse",
    ),
    "Run and watch": ("run", "monitor", "bridge", "keys"),
    "After a session": (
        "recorders", "report", "unblind", "verify", "replay", "export", "methods",
    ),
    "Without a scanner": ("simulate", "play", "fake", "check-client"),
    "Models": ("prepare", "train", "evaluate", "reproduce", "models"),
}  # fmt: skip

_MARKUP: Final = "markdown"
_SETTINGS: Final = {"help_option_names": ["-h", "--help"]}


def load(module: str, function: str) -> Callable[..., Any]:
    """Import one command; modules import heavy packages inside the function."""
    found: Callable[..., Any] = getattr(
        importlib.import_module(f"{__package__}.{module}"), function
    )
    return found


def build_app() -> typer.Typer:
    """Return the typer application with all commands."""
    app = _group(COMMANDS, "Predict fMRI BOLD from EEG, live.", name="rtbold")
    app.callback()(_root)
    models = (
        "Model bundles: list, show, seal, predict, import, export, compile, explain."
    )
    subjects = "Calibrated subjects: list, show, compare."
    protocol = "Protocols of a study: new, check, runs."
    blind = "Blinded studies: keys, allocate, list, enrol, guess."
    for name, places, line in (
        ("models", MODEL_COMMANDS, models),
        ("blind", BLIND_COMMANDS, blind),
        ("subjects", SUBJECT_COMMANDS, subjects),
        ("protocol", PROTOCOL_COMMANDS, protocol),
    ):
        panel = panel_of(name)
        app.add_typer(_group(places, line), name=name, rich_help_panel=panel)
    return app


def panel_of(name: str) -> str | None:
    """Return the panel of a command of the first level; None: it is not one."""
    return next((title for title, names in PANELS.items() if name in names), None)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from rtbold import distribution

        typer.echo(f"{distribution.NAME} {distribution.version()}")
        raise typer.Exit


# Taken off the line by `main`, wherever they stand; declared to be listed.
_Debug = Annotated[
    bool, typer.Option("--debug", help="Show where an error came from, any command.")
]


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Show the version."
        ),
    ] = False,
    debug: _Debug = False,
) -> None:
    """Predict fMRI BOLD from EEG, live."""


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
        context_settings=_SETTINGS,
    )
    for word, place in places.items():
        panel = panel_of(word) if places is COMMANDS else None
        group.command(word, help=place.line, rich_help_panel=panel)(_listed)
    return group


def _listed() -> None:
    """Stand in a list for a command that is not imported; `_lazy_group` runs it."""


def _lazy_group(places: Mapping[str, Place]) -> type[TyperGroup]:
    """Return a group that imports the command that was asked for, and no other."""

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # click's own type is private
            order = [each for names in PANELS.values() for each in names]
            known = super().list_commands(ctx)
            return sorted(known, key=lambda n: order.index(n) if n in order else 0)

        def loaded(self, name: str) -> Any:  # noqa: ANN401 -- click's types are private
            """Return the command itself, imported; None: it is a group, or unknown."""
            if name not in places:
                return None
            alone = typer.Typer(add_completion=False, rich_markup_mode=_MARKUP)
            place = places[name]
            alone.command(name)(load(place.module, place.function))
            command = typer.main.get_command(alone)
            panels = OPTION_PANELS.get(place.function, {}) if places is COMMANDS else {}
            return _with_panels(command, panels)

        def resolve_command(  # type: ignore[override]  # click's own type is private
            self, ctx: typer.Context, args: list[str]
        ) -> tuple[str | None, Any, list[str]]:
            name, listed, rest = super().resolve_command(ctx, args)
            if name is None or name not in places:  # a group; None: completing
                return name, listed, rest
            return name, self.loaded(name), rest

    return LazyGroup


def _with_panels(command: Any, panels: Mapping[str, Sequence[str]]) -> Any:  # noqa: ANN401 -- as `loaded`
    """Put the options of a command into panels, and list what every command takes."""
    titles = {name: title for title, names in panels.items() for name in names}
    for option in command.params:
        option.rich_help_panel = titles.get(option.name, option.rich_help_panel)
    command.params.append(_debug_option())
    return command


def _debug_option() -> Any:  # noqa: ANN401 -- as `loaded`
    def takes(debug: _Debug = False) -> None:
        pass

    alone = typer.Typer(add_completion=False)
    alone.command()(takes)
    (option,) = typer.main.get_command(alone).params
    option.expose_value = False
    return option
