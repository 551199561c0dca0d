"""Options of ``rtbold calibrate`` that no other command has, each written once."""

from pathlib import Path
from typing import Annotated

import typer

Subject = Annotated[str, typer.Option(help="Code of the subject, such as S01.")]
Cleaning = Annotated[
    str,
    typer.Option(help="What cleaned the EEG: online:NAME, offline:NAME or none."),
]
Eeg = Annotated[
    Path | None, typer.Option(help="XDF, BrainVision, EEGLAB, EDF, BDF or FIF.")
]
Bold = Annotated[
    str | None,
    typer.Option(help="TSV, CSV, NPY, MAT, pickle, XDF; or NIfTI with --atlas."),
]
Base = Annotated[str, typer.Option(help="Bundle to start from, or nothing.")]
Continue = Annotated[
    str | None,
    typer.Option(
        "--continue", help="An earlier calibration of this subject, or latest."
    ),
]
Roi = Annotated[
    list[str] | None, typer.Option(help="ROI to predict; once for each [all].")
]
Target = Annotated[
    str | None, typer.Option(help="ROI that will be fed back [the first].")
]
Contrast = Annotated[
    list[str] | None,
    typer.Option(help="ROI=WEIGHT; once for each, --target is then its name."),
]
Channels = Annotated[
    str | None, typer.Option(help="Electrodes to use: FZ,CZ,... [the base's].")
]
Marker = Annotated[
    str | None, typer.Option("--trigger", "--marker", help="Label of the volumes.")
]
TriggerStream = Annotated[
    str | None, typer.Option(help="XDF: stream of the volume markers.")
]
TriggerChannel = Annotated[
    str | None, typer.Option(help="Trigger channel inside the EEG.")
]
TriggerEvery = Annotated[
    int, typer.Option(help="Triggers per volume, for slice triggers.")
]
Run = Annotated[
    int | None, typer.Option(help="Which run of triggers, from 1, of several.")
]
Tr = Annotated[
    float | None, typer.Option(help="TR in seconds [BOLD file, else triggers].")
]
DummyVolumes = Annotated[
    int, typer.Option(help="First triggers that have no row of BOLD.")
]
SpareTriggers = Annotated[
    int, typer.Option(help="Last triggers that have no row of BOLD.")
]
DropVolumes = Annotated[int, typer.Option(help="First rows of BOLD to leave out.")]
DropLastVolumes = Annotated[int, typer.Option(help="Last rows of BOLD to leave out.")]
Confounds = Annotated[
    Path | None, typer.Option(help="Table; all columns are regressed out.")
]
Atlas = Annotated[Path | None, typer.Option(help="Labels or maps, for BOLD as NIfTI.")]
Stream = Annotated[
    str | None, typer.Option(help="Which EEG stream of an XDF, by name.")
]
Scanner = Annotated[str, typer.Option(help="inside_running, inside_idle or outside.")]
SlicesPerTr = Annotated[
    int | None, typer.Option(help="Slices, or groups of a multiband sequence.")
]
Strategy = Annotated[str, typer.Option(help="head, last, adapters, all, or ridge.")]
Size = Annotated[str, typer.Option(help="Of a network from nothing: small or base.")]
Horizon = Annotated[str, typer.Option(help="Volumes to look ahead: 0 to 3, or auto.")]
Folds = Annotated[int, typer.Option(help="Contiguous test folds, 5 or more.")]
OtherEeg = Annotated[
    list[Path] | None,
    typer.Option(help="Another subject's EEG, for the second null; repeatable."),
]
Seed = Annotated[int, typer.Option(help="Of all that is drawn at random.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads [one a core].")]
AsJson = Annotated[
    bool, typer.Option("--json", help="The verdict as one object on stdout.")
]
