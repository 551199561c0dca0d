"""Which channels of a stream can serve the model."""

from rtbold.bundle.card import Card
from rtbold.condition.spatial import SpatialMatrix, SpatialSettings
from rtbold.electrodes import canonical, has_position
from rtbold.errors import StreamMismatch
from rtbold.messages import StreamDescription


def usable_channels(
    description: StreamDescription, card: Card
) -> tuple[list[int], tuple[str, ...]]:
    """Return rows and canonical names of the EEG channels that can serve.

    Those that the model wants, and those with a known position: they help to
    interpolate a bad neighbour. Of two channels with one name neither can be trusted as
    a neighbour; if the model wants that name, matching refuses.
    """
    wanted = {canonical(name) for name in card.channels}
    rows, names = [], []
    for row, channel in enumerate(description.channels):
        name = canonical(channel.label)
        if channel.kind == "eeg" and (name in wanted or has_position(name)):
            rows.append(row)
            names.append(name)
    return rows, tuple(names)


def spatial_matrix(
    description: StreamDescription,
    card: Card,
    labels: tuple[str, ...],
    *,
    interpolate_missing: bool,
) -> SpatialMatrix:
    """Return the conversion from the channels `labels` of a stream to the model's.

    Raises
    ------
    StreamMismatch : the stream cannot give what the card needs.
    """
    settings = SpatialSettings(
        stream_labels=labels,
        stream_reference=description.reference,
        model_channels=card.channels,
        model_reference=card.reference,
        interpolate_missing=interpolate_missing,
    )
    return SpatialMatrix(settings)


def check_same_kind(description: StreamDescription, *, simulated: bool) -> None:
    """Refuse a real stream in a session that began on a simulated one.

    What may run on a stream was decided for the kind that it began with.

    Raises
    ------
    StreamMismatch : the stream is of the other kind.
    """
    if simulated and not description.simulated:
        raise StreamMismatch(
            f"stream {description.name!r} on {description.host!r} does not declare "
            "itself simulated, but the session began on a simulated one. Expected the "
            "same kind of stream; start a session of its own for this one."
        )
