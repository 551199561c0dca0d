"""Why nothing is heard at an address, and what to do. Pure."""

from rtbold.gui.state.received_kinds import Link


def doubt(link: Link | None, feed: str) -> str:
    """Return what is wrong with a feed where no session was heard.

    Parameters
    ----------
    feed : its address.
    """
    if link is not None and link.error:
        return f"{feed} cannot be read: {link.error}. Join another address (Ctrl+J)."
    if link is not None and link.foreign_schema is not None:
        return (
            f"At {feed} a session of another version speaks ({link.foreign_schema}). "
            "Use the dashboard of the rtbold that runs the session."
        )
    if link is not None and link.n_bad:
        return (
            f"What comes from {feed} cannot be read ({link.n_bad} messages). A session "
            "that is to be seen here publishes JSON: start it without --encoding "
            "msgpack. Or another program uses that port."
        )
    return (
        f"Nothing is heard from {feed}. Is a session running there, is that its feed's "
        "port, and does it publish beyond its own machine (--bind, with keys)? This "
        "window goes on listening; Ctrl+J joins another address."
    )
