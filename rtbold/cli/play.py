"""``rtbold play``: a recording on LSL, in real time."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import threading

    from rtbold.files import Recording
    from rtbold.messages import Channel
    from rtbold.sim import PlayReport, Track

_LINGER_S = 0.5


def play(
    file: Annotated[Path, typer.Argument(help="The recording.")],
    name: Annotated[
        str, typer.Option(help="Name of the EEG stream; markers get NAME-markers.")
    ] = "rtbold-play",
    start: Annotated[
        float, typer.Option(help="Begin this many seconds into the recording.")
    ] = 0.0,
    duration: Annotated[
        float | None, typer.Option(help="Seconds to play; default: to the end.")
    ] = None,
    loop: Annotated[
        bool, typer.Option("--loop", help="Begin again at the end, until Ctrl-C.")
    ] = False,
    markers: Annotated[
        bool, typer.Option(help="Play the file's annotations as a marker stream.")
    ] = True,
    trigger_every_s: Annotated[
        float | None,
        typer.Option(help="Add artificial volume triggers, one every so many seconds."),
    ] = None,
    trigger_label: Annotated[
        str, typer.Option(help="Label of the artificial triggers.")
    ] = "R128",
    unit: Annotated[
        str | None, typer.Option(help="Unit where the file gives none: V, mV or uV.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="Recording reference, e.g. FCz or average.")
    ] = None,
    stream: Annotated[
        str | None, typer.Option(help="Which EEG stream of an XDF, by name.")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Wait up to so many seconds for a listener.")
    ] = 0.0,
) -> None:
    """Play a recording on LSL in real time.

    Reads EDF, BDF, BrainVision (.vhdr), EEGLAB (.set), FIF, XDF and eeghdf (.h5).
    Samples are sent at the file's nominal rate and stamped by their count.

    Example: rtbold play rest.vhdr --duration 600 --trigger-every-s 2.1
    """
    from dataclasses import replace

    from rtbold.files import read_recording
    from rtbold.sim import cut, with_triggers

    recording = read_recording(file, stream=stream, unit=unit)
    part = cut(recording, start_s=start, duration_s=duration)
    if not markers:
        part = replace(part, markers=())
    note = f"played from {file.name}"
    if trigger_every_s is not None:
        part = with_triggers(part, every_s=trigger_every_s, label=trigger_label)
        note += f"; triggers {trigger_label!r} are artificial, not the scanner's"
    for text in recording.notes:
        typer.echo(f"note: {text}", err=True)
    report = _play(
        part, name=name, reference=reference, note=note, loop=loop, wait_s=wait
    )
    typer.echo(
        f"played {report.n_samples} samples and {report.n_events} markers; "
        f"{report.n_late} chunks left late, the worst by {report.worst_late_s:.3f} s"
    )


def _play(
    part: "Recording",
    *,
    name: str,
    reference: str | None,
    note: str,
    loop: bool,
    wait_s: float,
) -> "PlayReport":
    from rtbold import sim
    from rtbold.acquire import LslClock

    eeg = sim.open_eeg_outlet(
        sim.EegOutletSettings(
            name=name,
            channels=_described(part),
            rate_hz=part.rate_hz,
            reference=reference or part.reference,
            simulated=part.simulated,
            note=note,
        )
    )
    track = _markers(part, f"{name}-markers", note=note) if part.markers else None
    length = "for ever" if loop else f"for {part.duration_s:.1f} s"
    typer.echo(
        f"playing {len(part.channels)} channels at {part.rate_hz:g} Hz as {name!r} "
        f"{length}, with {len(part.markers)} markers; Ctrl-C ends it"
    )
    if wait_s > 0:
        waited: dict[str, tuple[Any, float]] = {"": (eeg, wait_s)}
        if track is not None:
            waited[" to the markers"] = (track.outlet, sim.MARKERS_WAIT_S)
        _wait_for_listeners(waited)
    clock = LslClock()
    report = sim.play(
        part.data_uv, part.rate_hz, eeg, clock,
        start_s=clock.now_s() + 0.2,
        markers=(track,) if track else (), loop=loop, stop=_stop_on_signals(),
    )  # fmt: skip
    # An outlet that is closed at once takes the last chunks with it.
    clock.sleep_until(clock.now_s() + _LINGER_S)
    return report


def _markers(part: "Recording", name: str, *, note: str) -> "Track":
    from rtbold import sim

    outlet = sim.open_marker_outlet(name, simulated=part.simulated, note=note)
    labels, times_s = zip(*((m.label, m.t_s) for m in part.markers), strict=True)
    return sim.Track(outlet, sim.marker_events(labels, times_s))


def _wait_for_listeners(waited: "dict[str, tuple[Any, float]]") -> None:
    """Wait for each outlet's listener in turn, so that the first triggers have one."""
    for where, (outlet, longest_s) in waited.items():
        if not outlet.wait_for_consumers(longest_s):
            text = f"nobody listens{where} after {longest_s:g} s; playing all the same"
            typer.echo(text, err=True)


def _described(part: "Recording") -> "tuple[Channel, ...]":
    """Return the channels with a unit each: an outlet takes none for microvolt."""
    from dataclasses import replace

    return tuple(
        channel if channel.unit else replace(channel, unit="a.u.")
        for channel in part.channels
    )


def _stop_on_signals() -> "threading.Event":
    """Return an event that Ctrl-C or a polite end from outside sets."""
    import signal
    import threading

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
