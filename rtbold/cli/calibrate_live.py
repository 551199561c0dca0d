"""``rtbold calibrate --live``: record the scan first, then calibrate on its files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rtbold.errors import ConfigError
from rtbold.run_names import DEFAULT_SESSION, check_label

if TYPE_CHECKING:
    from rtbold.calibration import CalibrationSettings, LiveSettings

Live = Annotated[
    bool, typer.Option("--live", help="Record EEG and measured BOLD now, then fit.")
]
BoldSourceOption = Annotated[
    str | None,
    typer.Option(
        help="With --live: lsl:NAME, file:PATH, tcp:HOST:PORT or tbv:HOST:PORT."
    ),
]
BoldRoi = Annotated[
    list[str] | None,
    typer.Option(help="With --live: ROI names of a source that sends numbers."),
]
BoldFirst = Annotated[
    int, typer.Option(help="With --live: number that the source gives to volume 0.")
]
Phases = Annotated[
    str, typer.Option(help="With --live: NAME:SECONDS,... shown to the operator.")
]
Record = Annotated[
    Path, typer.Option(help="With --live: folder that the scan is recorded into.")
]
Wait = Annotated[
    float, typer.Option(help="With --live: seconds to wait for the streams.")
]
Session = Annotated[
    str, typer.Option(help="With --live: session in the recording's names.")
]
DEFAULT_PHASES = "eyes open:480,eyes closed:480"
DEFAULT_RECORD = Path("recordings")


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveOptions:
    """What ``--live`` was told beside the options of any calibration."""

    source: str | None
    rois: tuple[str, ...]
    first: int
    phases: str
    record: Path
    wait_s: float
    type: str = "EEG"
    session: str = DEFAULT_SESSION

    def __post_init__(self) -> None:
        """Refuse what is no session."""
        check_label("session", self.session)


def check_inputs(eeg: Path | None, bold: str | None, *, live: bool) -> None:
    """Refuse files beside ``--live``, and neither of both.

    Raises
    ------
    ConfigError : says which option is missing, or too many.
    """
    if live and (eeg is not None or bold is not None):
        raise ConfigError(
            "--live records the scan, and --eeg or --bold name one that is there. Give "
            "one of both."
        )
    if not live and (eeg is None or bold is None):
        missing = "--eeg" if eeg is None else "--bold"
        raise ConfigError(
            f"{missing} is missing, expected --eeg FILE --bold FILE of one scan, or "
            "--live to record it now."
        )


def recorded(
    settings: "CalibrationSettings", options: LiveOptions
) -> "CalibrationSettings":
    """Record the scan; return the settings with its files in them.

    Ctrl-C ends the scan early, and what there is goes into the fit; a second one ends
    everything. The files stay.

    Raises
    ------
    RtboldError : options, streams or base are wrong, or nothing was measured.
    """
    from rtbold import bundle
    from rtbold.acquire import LslClock
    from rtbold.bundle import check_room
    from rtbold.calibration import NOTHING, live_pairing, record_scan

    _require_target(settings, options)
    check_room(settings.root)
    if settings.base != NOTHING:
        bundle.load(settings.base)  # a wrong name costs no scan
    live = live_settings(settings, options)
    pressed: list[int] = []
    with _first_interrupt_ends_the_scan(pressed):
        scan = record_scan(
            live,
            clock=LslClock(),
            say=lambda text: typer.echo(text, err=True),
            stopping=lambda: bool(pressed),
        )
    typer.echo(
        f"recorded {scan.eeg} and {scan.bold}, about {scan.n_usable} usable volumes",
        err=True,
    )
    files = settings.scan
    pairing = live_pairing(scan, files.pairing, trigger_channel=files.trigger_channel)
    return replace(
        settings,
        scan=replace(files, eeg=scan.eeg, bold=str(scan.bold), pairing=pairing),
    )


def _require_target(settings: "CalibrationSettings", options: LiveOptions) -> None:
    """Refuse a scan of which nobody has said what will be fed back.

    Raises
    ------
    ConfigError : there is no target, and more than one ROI may be measured.
    """
    one = len(settings.scan.rois or options.rois) == 1
    if settings.target is None and not settings.contrast and not one:
        raise ConfigError(
            "no target was given, expected --target ROI (or --contrast) before the "
            "scan is recorded: say what will be fed back."
        )


def live_settings(
    settings: "CalibrationSettings", options: LiveOptions
) -> "LiveSettings":
    """Return what is recorded.

    Raises
    ------
    ConfigError : the source, the phases or the triggers were not said.
    """
    from rtbold.acquire import check_source, parse_source
    from rtbold.calibration import LiveSettings, parse_phases
    from rtbold.config import RunSettings, check_range
    from rtbold.session import acquisition_settings

    if options.source is None:
        raise ConfigError(
            "--live needs to know where measured BOLD comes from, expected "
            "--bold-source lsl:NAME, file:PATH, tcp:HOST:PORT or tbv:HOST:PORT."
        )
    check_source(options.source, options.rois, option="--bold-source")
    check_range("--bold-first", options.first, -1000, 100_000)
    files = settings.scan
    marker = files.pairing.marker
    if not (marker.label or marker.stream or files.trigger_channel):
        raise ConfigError(
            "--live needs to know the scanner's volume triggers, expected "
            "--trigger-stream NAME (with --trigger R128) or --trigger-channel LABEL."
        )
    run = RunSettings(
        stream=files.stream,
        type=options.type,
        wait_s=options.wait_s,
        unit=files.unit,
        reference=files.windows.reference,
        trigger_stream=marker.stream,
        trigger=marker.label,
        trigger_channel=files.trigger_channel,
        trigger_every=marker.every,
        dummy_volumes=files.pairing.dummy_volumes,
    )
    return LiveSettings(
        subject=settings.subject,
        folder=options.record,
        session=options.session,
        acquire=acquisition_settings(run),
        source=parse_source(options.source, option="--bold-source"),
        source_rois=options.rois,
        first=options.first,
        trigger_label=marker.label,
        trigger_every=marker.every,
        dummy_volumes=files.pairing.dummy_volumes,
        phases=parse_phases(options.phases),
    )


@contextmanager
def _first_interrupt_ends_the_scan(pressed: list[int]) -> Iterator[None]:
    """Note the first Ctrl-C; the next one is an interrupt as usual."""
    import signal

    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
