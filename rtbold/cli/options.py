"""Options that several commands share, each written once."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypedDict, get_type_hints

import typer

from rtbold.config import FeedbackSettings, RunSettings, feedback_table

SubjectRoot = Annotated[
    Path | None,
    typer.Option("--root", help="Folder of all subjects [the user's data folder]."),
]
Trigger = Annotated[
    str | None, typer.Option(help="Label of the volume trigger, e.g. R128.")
]
Tr = Annotated[
    float | None, typer.Option(help="TR in seconds; without triggers: run free.")
]
DummyVolumes = Annotated[
    int | None, typer.Option(help="Volumes to ignore at the start of a run [0].")
]
UpstreamDelay = Annotated[
    float | None, typer.Option(help="Measured delay of the cleaning software.")
]
Cleaning = Annotated[
    str | None,
    typer.Option(
        help="What the EEG was cleaned by: online:NAME, offline:NAME or none."
    ),
]
Scanner = Annotated[
    str | None,
    typer.Option(
        help="inside_running, inside_idle or outside [triggers: inside_running]."
    ),
]
Unit = Annotated[
    str | None, typer.Option(help="Unit where the stream says none: V, mV, uV.")
]
Reference = Annotated[
    str | None, typer.Option(help="Recording reference, e.g. FCz or average.")
]
Interpolate = Annotated[
    bool | None,
    typer.Option("--interpolate", help="Fill missing channels from neighbours."),
]
EngineChoice = Annotated[
    str | None, typer.Option(help="auto, openvino, tensorrt or torch [auto].")
]
PrecisionChoice = Annotated[
    str | None, typer.Option(help="auto, f32, tf32, bf16, f16 or int8 [f32].")
]
AllowUnvalidated = Annotated[
    bool | None,
    typer.Option(
        "--allow-unvalidated",
        help="Run a model that was not validated on this conditioning chain.",
    ),
]
AllowSimulatedModel = Annotated[
    bool | None,
    typer.Option(
        "--allow-simulated-model",
        help="Run a model of simulated data on real EEG; feedback stays invalid.",
    ),
]
AllowDomainShift = Annotated[
    bool | None,
    typer.Option(
        "--allow-domain-shift",
        help="Run on EEG of another cleaning chain or outside the scanner; degraded.",
    ),
]


# The options of a session, once for all commands that open or look at one.

Text = str | None


class RunOptions(TypedDict):
    """What ``rtbold run`` can be told, in the order of its help; None: not given."""

    model: Annotated[
        Text, typer.Option(help="Bundle: a path, or a name (`models list`).")
    ]
    subject: Annotated[Text, typer.Option(help="Use the newest model of this subject.")]
    root: SubjectRoot
    stream: Annotated[Text, typer.Option(help="Name of the EEG stream.")]
    host: Annotated[Text, typer.Option(help="Computer that sends it, if two have one.")]
    type_: Annotated[
        Text, typer.Option("--type", help="LSL type of the EEG stream [EEG].")
    ]
    wait: Annotated[
        float | None, typer.Option(help="Seconds to wait for the streams [5].")
    ]
    unit: Unit
    reference: Reference
    interpolate: Interpolate
    trigger_stream: Annotated[
        Text, typer.Option(help="Name of the marker stream of the scanner.")
    ]
    trigger_host: Annotated[
        Text, typer.Option(help="Computer that sends the markers, if two have one.")
    ]
    trigger: Trigger
    trigger_channel: Annotated[
        Text, typer.Option(help="Trigger channel inside the EEG stream.")
    ]
    trigger_every: Annotated[
        int | None, typer.Option(help="Triggers per volume, for slice triggers [1].")
    ]
    dummy_volumes: DummyVolumes
    upstream_delay_ms: UpstreamDelay
    cleaning: Cleaning
    scanner: Scanner
    tr: Tr
    target: Annotated[
        Text,
        typer.Option(
            help="What is fed back: a ROI, Global, or a contrast such as "
            "'Putamen - 0.5*Global' [the card's]."
        ),
    ]
    feedback: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="How it is made of predictions, as in the table [feedback] of "
            "--config, such as smooth=mean; repeatable.",
        ),
    ]
    approval: Annotated[
        Text,
        typer.Option(
            help="Id under which a model that calibration did not find fit is fed "
            "back; without it, nothing is."
        ),
    ]
    kind: Annotated[
        Text,
        typer.Option(
            help="localiser, baseline, training or transfer [training]. Feedback is "
            "shown in training alone."
        ),
    ]
    engine: EngineChoice
    precision: PrecisionChoice
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
    record_copy: Annotated[
        Path | None, typer.Option(help="Folder on another disk for a second copy.")
    ]
    record_as: Annotated[
        Text, typer.Option(help="Subject in the recording's names [--subject].")
    ]
    session: Annotated[
        Text, typer.Option(help="Session in the recording's names [01].")
    ]
    task: Annotated[Text, typer.Option(help="Task in the recording's names [nf].")]
    run: Annotated[int | None, typer.Option(help="Number of the run [the next one].")]
    blind: Annotated[
        Path | None,
        typer.Option(help="Folder of a blinded study: its allocation names the arm."),
    ]
    protocol: Annotated[
        Path | None,
        typer.Option(help="Follow this protocol; --run is then a run of it."),
    ]
    attempt: Annotated[
        int | None, typer.Option(help="Attempt at a protocol's run [the next one].")
    ]
    condition: Annotated[
        Text, typer.Option(help="Opaque code that travels with each value.")
    ]
    confirmed_by: Annotated[
        Text, typer.Option(help="Code of who confirms what a protocol lists as risky.")
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
    allow_unvalidated: AllowUnvalidated
    allow_simulated_model: AllowSimulatedModel
    allow_domain_shift: AllowDomainShift
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
class RequestedRun:
    """A session as the command line asks for it."""

    settings: RunSettings
    root: Path | None = None  # of the subjects; None: the user's data folder

    @classmethod
    def from_options(cls, given: dict[str, Any]) -> "RequestedRun":
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
        if pairs := given.get("feedback"):
            values["feedback"] = feedback_table(pairs)
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
    """Let `command`, whose first argument is a `RequestedRun`, take session options.

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
        command(RequestedRun.from_options(given), **mine)

    called.__doc__, called.__name__ = command.__doc__, command.__name__
    ours = [parameter.replace(kind=first.KEYWORD_ONLY) for parameter in own]
    called.__signature__ = inspect.Signature([*ours, *shared])  # type: ignore[attr-defined]
    called.__annotations__ = {}
    return called


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _words(name: str, value: object) -> list[str]:
    option = "--" + name.replace("_", "-")
    if isinstance(value, FeedbackSettings):
        pairs = [
            f"{field.name}={getattr(value, field.name)}"
            for field in fields(FeedbackSettings)
            if getattr(value, field.name) != field.default
        ]
        return [word for pair in pairs for word in (option, pair)]
    if isinstance(value, bool):
        return [option]
    if isinstance(value, tuple):
        return [word for each in value for word in (option, str(each))]
    return [option, str(value)]
