"""From the settings of a run to the settings of its parts. Pure."""

from rtbold.acquire.acquisition import AcquisitionSettings
from rtbold.acquire.streams import StreamQuery
from rtbold.acquire.triggers import TriggerChannel, TriggerSource, TriggerStream
from rtbold.bundle.card import Card
from rtbold.bundle.gates import SessionDomain, domain_reasons
from rtbold.bundle.store import Bundle, check_domain
from rtbold.channel_choice import spatial_matrix, usable_channels
from rtbold.config import RunSettings
from rtbold.errors import ConfigError, StreamMismatch
from rtbold.messages import Reason, StreamDescription
from rtbold.pipeline_settings import IntakeSettings, PipelineSettings
from rtbold.publish.lsl_mirror import MirrorSettings
from rtbold.window.intake import Intake
from rtbold.window.schedule import ScheduleSettings

TRIGGER_WAIT_S = 0.1  # at least; the filter delay if that is longer


def acquisition_settings(run: RunSettings) -> AcquisitionSettings:
    """Return which streams to take."""
    return AcquisitionSettings(
        query=StreamQuery(name=run.stream, type=run.type, host=run.host),
        wait_s=run.wait_s,
        unit=run.unit,
        reference=run.reference,
        trigger=trigger_source(run),
    )


def session_domain(run: RunSettings) -> SessionDomain:
    """Return what the options say of where the EEG comes from.

    Raises
    ------
    ConfigError : --cleaning names no chain.
    """
    return SessionDomain(cleaning=run.cleaning, scanner=run.scanner)


def trigger_source(run: RunSettings) -> TriggerSource | None:
    """Return where volume triggers come from; None for a free run.

    Raises
    ------
    ConfigError : nothing was said, or two sources were.
    """
    if run.trigger_channel and run.trigger_stream:
        raise ConfigError(
            "--trigger-channel and --trigger-stream were both given; a session has one "
            "source of triggers. Prefer the channel: it shares the EEG's clock."
        )
    if run.trigger_channel:
        return TriggerChannel(run.trigger_channel, run.trigger)
    if run.trigger_stream or run.trigger:
        delay_ms = run.upstream_delay_ms
        return TriggerStream(
            StreamQuery(
                name=run.trigger_stream,
                type="Markers",
                host=run.trigger_host,
                name_option="--trigger-stream",
                host_option="--trigger-host",
            ),
            run.trigger,
            None if delay_ms is None else delay_ms / 1000,
        )
    if run.tr_s is None:
        raise ConfigError(
            "no source of volume triggers was given. Expected --trigger-stream NAME "
            "(with --trigger R128), or --trigger-channel LABEL; to run without the "
            "scanner's clock, ask for it with --tr 2.1."
        )
    return None


def check_counted(acquire: AcquisitionSettings) -> None:
    """Refuse measured BOLD where volumes are not counted by the scanner's triggers."""
    if acquire.trigger is None:
        raise ConfigError(
            "--truth was given for a free run, whose volumes have no numbers that the "
            "scanner knows. Expected triggers: give --trigger-stream or "
            "--trigger-channel, or leave --truth out."
        )


def check_clocks(eeg: StreamDescription, marker: StreamDescription | None) -> None:
    """Refuse to lock EEG to triggers where one of them is on a foreign clock."""
    foreign = [s for s in (eeg, marker) if s is not None and s.foreign_clock]
    if marker is None or not foreign:
        return
    raise StreamMismatch(
        f"stream {foreign[0].name!r} is stamped on another clock than LSL's (Unix "
        "time), so triggers and samples cannot be put in line to the millisecond. Take "
        "the triggers from a channel of the EEG stream (--trigger-channel), or let the "
        "sender stamp with LSL's local_clock."
    )


def stream_pipeline_settings(
    run: RunSettings, bundle: Bundle, stream: StreamDescription
) -> PipelineSettings:
    """Refuse a stream that does not fit the bundle; say how windows are made.

    Raises
    ------
    StreamMismatch : channels, rate or reference do not fit.
    DomainRefused : the model may not run on such a stream.
    """
    card = bundle.card
    standing = check_domain(
        card,
        stream,
        target=run.target,
        allow_simulated_model=run.allow_simulated_model,
        allow_unvalidated=run.allow_unvalidated,
    )
    if "simulated_model" not in standing:  # that is a shift already, and said so
        standing += domain_reasons(
            card,
            stream,
            session_domain(run),
            triggers=trigger_source(run) is not None,
            allowed=run.allow_domain_shift,
        )
    intake = IntakeSettings(interpolate_missing=run.interpolate)
    delay_s = Intake(stream, card, intake).delay_s  # raises StreamMismatch
    return pipeline_settings(run, card, filter_delay_s=delay_s, standing=standing)


def pipeline_settings(
    run: RunSettings, card: Card, *, filter_delay_s: float, standing: tuple[Reason, ...]
) -> PipelineSettings:
    """Return how events become predictions in this run."""
    source = trigger_source(run)
    delayed = isinstance(source, TriggerStream) and run.upstream_delay_ms is not None
    delay_s = (run.upstream_delay_ms or 0.0) / 1000 if delayed else 0.0
    if run.upstream_delay_ms is None:
        standing = (*standing, "upstream_delay_unknown")
    return PipelineSettings(
        schedule=ScheduleSettings(
            tr_s=run.tr_s or card.tr_s,
            mode="trigger" if source else "free_run",
            dummy_volumes=run.dummy_volumes,
            trigger_every=run.trigger_every,
            wait_s=max(filter_delay_s, TRIGGER_WAIT_S),
        ),
        intake=IntakeSettings(
            interpolate_missing=run.interpolate, upstream_delay_s=delay_s
        ),
        standing=standing,
    )


def conversion(
    stream: StreamDescription, card: Card, *, interpolate: bool
) -> dict[str, object]:
    """Return the matrix from the stream's channels to the model's, for the record.

    As it is while no channel is bad; it is computed anew when the bad ones change.
    """
    _, labels = usable_channels(stream, card)
    matrix = spatial_matrix(stream, card, labels, interpolate_missing=interpolate)
    return {
        "from_channels": labels,
        "from_reference": stream.reference,
        "to_channels": card.channels,
        "to_reference": card.reference,
        "matrix": matrix.matrix(frozenset()).matrix.tolist(),
    }


def mirror_settings(
    bundle: Bundle, *, target: str, tr_s: float, simulated: bool, port: int
) -> MirrorSettings:
    """Return what the LSL mirror says about itself."""
    return MirrorSettings(
        rois=bundle.card.rois,
        target=target,
        tr_s=tr_s,
        model_sha256=bundle.sha256,
        simulated=simulated,
        port=port,
    )


def mirror_streams(settings: MirrorSettings) -> tuple[StreamDescription, ...]:
    """Return the mirror's streams as the recorder must look for them."""
    return tuple(
        StreamDescription(
            name=name,
            type=kind,
            rate_hz=rate_hz,
            channels=(),
            source_id=settings.source_id(name),
        )
        for name, kind, rate_hz in (
            (settings.name, "Prediction", 1 / settings.tr_s),
            (settings.events_name, "Markers", 0.0),
        )
    )
