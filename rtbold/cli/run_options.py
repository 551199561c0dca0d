"""The options of a session, once for all commands that open or look at one."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypedDict, get_type_hints

import typer

from rtbold.cli import options
from rtbold.config import RunSettings

Text = str | None


class RunOptions(TypedDict):
    """What ``rtbold run`` can be told, in the order of its help; None: not given."""

    model: Annotated[
        Text, typer.Option(help="Bundle: a path, or a name (`models list`).")
    ]
    subject: Annotated[Text, typer.Option(help="Use the newest model of this subject.")]
    root: options.SubjectRoot
    stream: Annotated[Text, typer.Option(help="Name of the EEG stream.")]
    host: Annotated[Text, typer.Option(help="Computer that sends it, if two have one.")]
    type_: Annotated[
        Text, typer.Option("--type", help="LSL type of the EEG stream [EEG].")
    ]
    wait: Annotated[
        float | None, typer.Option(help="Seconds to wait for the streams [5].")
    ]
    unit: options.Unit
    reference: options.Reference
    interpolate: options.Interpolate
    trigger_stream: Annotated[
        Text, typer.Option(help="Name of the marker stream of the scanner.")
    ]
    trigger_host: Annotated[
        Text, typer.Option(help="Computer that sends the markers, if two have one.")
    ]
    trigger: options.Trigger
    trigger_channel: Annotated[
        Text, typer.Option(help="Trigger channel inside the EEG stream.")
    ]
    trigger_every: Annotated[
        int | None, typer.Option(help="Triggers per volume, for slice triggers [1].")
    ]
    dummy_volumes: options.DummyVolumes
    upstream_delay_ms: options.UpstreamDelay
    cleaning: options.Cleaning
    scanner: options.Scanner
    tr: options.Tr
    target: Annotated[
        Text, typer.Option(help="ROI that is fed back [the card's first].")
    ]
    engine: options.EngineChoice
    precision: options.PrecisionChoice
    bind: Annotated[Text, typer.Option(help="Address to publish on [127.0.0.1].")]
    port: Annotated[int | None, typer.Option(help="Port of the feed [5580].")]
    control_port: Annotated[
        int | None, typer.Option(help="Port of the control socket [5581].")
    ]
    curve_keys: Annotated[
        Path | None, typer.Option(help="Folder of CURVE keys, needed beyond loopback.")
    ]
    encoding: Annotated[Text, typer.Option(help="json or msgpack [json].")]
    record: Annotated[
        Path | None, typer.Option(help="Folder to record into (XDF and event log).")
    ]
    truth: Annotated[
        Text,
        typer.Option(
            help="Measured BOLD: lsl:NAME, file:PATH, tcp:HOST:PORT, tbv:HOST:PORT."
        ),
    ]
    truth_roi: Annotated[
        list[str] | None,
        typer.Option(help="ROI names of a source that sends numbers; repeatable."),
    ]
    truth_first: Annotated[
        int | None, typer.Option(help="Number that the source gives to volume 0 [0].")
    ]
    truth_by_onset: Annotated[
        bool,
        typer.Option(
            "--truth-by-onset",
            help="Number its volumes by their onsets instead: the scan runs already.",
        ),
    ]
    duration: Annotated[
        float | None, typer.Option(help="Seconds to run; without: until stopped.")
    ]
    allow_unvalidated: options.AllowUnvalidated
    allow_simulated_model: options.AllowSimulatedModel
    allow_domain_shift: options.AllowDomainShift
    config: Annotated[
        Path | None, typer.Option(help="TOML with the same names; options go over it.")
    ]


# Where a setting is not called like its option
_SETTING_OF = {
    "type_": "type",
    "wait": "wait_s",
    "tr": "tr_s",
    "duration": "duration_s",
}
_OPTION_OF = {setting: option.rstrip("_") for option, setting in _SETTING_OF.items()}
_NO_SETTINGS = ("root", "config")


@dataclass(frozen=True, slots=True)
class AskedRun:
    """A session as the command line asks for it."""

    settings: RunSettings
    root: Path | None = None  # of the subjects; None: the user's data folder

    @classmethod
    def from_options(cls, given: dict[str, Any]) -> "AskedRun":
        """Return the settings of option values by name; None means not given.

        Raises
        ------
        ConfigError : a value is wrong, by itself or beside another.
        """
        values = {
            _SETTING_OF.get(name, name): tuple(value) if _is_list(value) else value
            for name, value in given.items()
            if name not in _NO_SETTINGS and value not in (None, [])
        }
        settings = RunSettings.build(values, given.get("config"))
        return cls(settings, given.get("root"))

    def arguments(self) -> list[str]:
        """Return the command line that asks ``rtbold run`` for the same."""
        words = [] if self.root is None else ["--root", str(self.root)]
        for field in fields(RunSettings):
            value = getattr(self.settings, field.name)
            if value != field.default:
                words += _words(_OPTION_OF.get(field.name, field.name), value)
        return words


def takes_run_options(command: Callable[..., None]) -> Callable[..., None]:
    """Let `command`, whose first argument is an `AskedRun`, take a session's options.

    Its own options come first in the help; one of the same name goes over a session's.
    """
    first, *own = inspect.signature(command, eval_str=True).parameters.values()
    names = {parameter.name for parameter in own}
    shared = [
        inspect.Parameter(name, first.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in get_type_hints(RunOptions, include_extras=True).items()
        if name not in names
    ]

    def called(**given: Any) -> None:  # noqa: ANN401 (as typer calls it)
        mine = {name: given.pop(name) for name in names}
        command(AskedRun.from_options(given), **mine)

    called.__doc__, called.__name__ = command.__doc__, command.__name__
    ours = [parameter.replace(kind=first.KEYWORD_ONLY) for parameter in own]
    called.__signature__ = inspect.Signature([*ours, *shared])  # type: ignore[attr-defined]
    called.__annotations__ = {}
    return called


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _words(name: str, value: object) -> list[str]:
    option = "--" + name.replace("_", "-")
    if isinstance(value, bool):
        return [option]
    if isinstance(value, tuple):
        return [word for each in value for word in (option, str(each))]
    return [option, str(value)]
