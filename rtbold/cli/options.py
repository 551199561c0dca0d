"""Options that several commands share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

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
