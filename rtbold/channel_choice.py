"""Which channels of a stream can serve the model."""

from rtbold.card import Card
from rtbold.electrodes import canonical, has_position
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
