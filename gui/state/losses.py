"""What a session and this window have lost, in words. Pure.

Short and by itself: no other page says anything in these words.
"""

from rtbold.gui.state.dashboard import DashboardState


def loss_words(state: DashboardState) -> str:
    """Return what was dropped since the session began; empty: nothing."""
    beat, quality, link = state.beat, state.quality, state.link
    counts = (
        (beat.n_encode_errors if beat else 0, "messages not encoded"),
        (quality.n_overflow_samples if quality else 0, "samples dropped"),
        (quality.n_triggers_implausible if quality else 0, "triggers ignored"),
        (beat.n_dropped if beat else 0, "messages dropped in its feed"),
        (link.n_dropped if link else 0, "messages dropped in this window"),
    )
    return ", ".join(f"{n} {what}" for n, what in counts if n)
