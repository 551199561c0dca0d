"""``rtbold simulate``: the twin, or the foreign generator, on LSL."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rtbold.sim import SimulationSettings


def simulate(
    seed: Annotated[
        int, typer.Option(help="Which simulated subject; the same seed, the same.")
    ] = 5000,
    level: Annotated[
        str,
        typer.Option(
            help="easy, hard, hard-flat (muscle tension is constant), field (weak, as "
            "in people), varied (to train on), confound (EEG knows nothing of BOLD), "
            "or foreign (another generator)."
        ),
    ] = "hard",
    session: Annotated[
        int,
        typer.Option(help="Of foreign: another one is the same brain, another cap."),
    ] = 1,
    duration: Annotated[float, typer.Option(help="Seconds to play.")] = 600.0,
    rate: Annotated[
        float, typer.Option(help="EEG rate in Hz, 200 to 5000, a whole number.")
    ] = 200.0,
    tr: Annotated[float, typer.Option(help="Repetition time in seconds.")] = 2.1,
    reference: Annotated[
        str, typer.Option(help="Reference electrode, or average.")
    ] = "FCz",
    mains: Annotated[float, typer.Option(help="Mains frequency in Hz.")] = 50.0,
    ecg: Annotated[bool, typer.Option(help="Add an ECG channel.")] = True,
    sample_index: Annotated[
        bool,
        typer.Option(
            "--sample-index", help="Add a channel that carries the sample's index."
        ),
    ] = False,
    name: Annotated[
        str, typer.Option(help="Streams are NAME-eeg, NAME-markers, NAME-bold.")
    ] = "rtbold-twin",
    wait_for_consumers: Annotated[
        float,
        typer.Option(
            help="Wait up to so many seconds for a listener, then 10 for the markers'."
        ),
    ] = 0.0,
    save: Annotated[
        Path | None,
        typer.Option(help="Write the session into this folder instead of playing it."),
    ] = None,
    bids: Annotated[
        Path | None,
        typer.Option(help="Add the session to this BIDS folder instead, or a new one."),
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="With --bids: code of the subject, such as 01.")
    ] = None,
) -> None:
    """Play a simulated session on LSL: EEG, volume triggers and measured ROI BOLD.

    Example: rtbold simulate --seed 5000 --level hard --duration 600
    """
    from rtbold.config import check_range
    from rtbold.sim import ECG, NEUROBOLT_CHANNELS, simulation_settings

    _check_place(save, bids, subject)
    check_range("--wait-for-consumers", wait_for_consumers, 0, 3600)
    check_range("--mains", mains, 40, 70)
    settings = simulation_settings(
        seed,
        level,
        session=session,
        duration_s=duration,
        tr_s=tr,
        rate_hz=rate,
        channels=(*NEUROBOLT_CHANNELS, ECG) if ecg else NEUROBOLT_CHANNELS,
        reference=reference,
        mains_hz=mains,
        sample_index_channel=sample_index,
    )
    if save is not None:
        from rtbold.sim import write_session

        typer.echo(f"wrote {write_session(settings, save)}", err=True)
        return
    if bids is not None and subject is not None:
        from rtbold.sim import write_scan

        files = write_scan(settings, bids, subject=subject)
        typer.echo(f"wrote {len(files)} files of sub-{subject} into {bids}", err=True)
        return
    _play(settings, name=name, wait_s=wait_for_consumers)


def _check_place(save: Path | None, bids: Path | None, subject: str | None) -> None:
    """Refuse two places, and a place in a BIDS folder without a name."""
    from rtbold.errors import ConfigError

    if save is not None and bids is not None:
        raise ConfigError(
            f"--save {save} and --bids {bids} were given, expected one. Leave one out."
        )
    if (bids is None) != (subject is None):
        given, lacks = ("--bids", "--subject") if bids else ("--subject", "--bids")
        raise ConfigError(
            f"{given} was given without {lacks}, expected both or neither, such as "
            "--bids study --subject 01."
        )


def _play(settings: "SimulationSettings", *, name: str, wait_s: float) -> None:
    import signal
    import threading

    from rtbold.acquire import LslClock
    from rtbold.sim import BroadcastSettings, broadcast, simulate_base

    def tell(share: float) -> None:
        typer.echo(f"making the session: {100 * share:.0f} %", err=True)

    tell(0.0)
    # before the handlers: a signal ends it at once
    recording = simulate_base(settings, tell=tell)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    report = broadcast(
        recording,
        BroadcastSettings(name=name, wait_for_consumers_s=wait_s),
        clock=LslClock(),
        stop=stop,
        say=lambda text: typer.echo(text, err=True),
    )
    typer.echo(
        f"played {report.n_samples} samples, {report.n_events} triggers and volumes; "
        f"{report.n_late} chunks left late, the worst by {report.worst_late_s:.3f} s",
        err=True,
    )
