"""Whether a stream is the one that a session began with, and which to read now. Pure.

LSL knows a sender by what it says: name, type, host and a source id. A stream of the
same name from somewhere else may be another head. So another sender is read only in
place of one that is gone, only if there is exactly one, and never without saying so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rtbold.acquire.streams import LONGEST_ID, FoundStream, StreamQuery, fitting
from rtbold.text import printable

GONE_S = 5.0  # looked for so long and not seen, its connection still open: it is gone
BESIDE_S = 2.0  # an outlet made so long before the known one's last sign was beside it


@dataclass(frozen=True, slots=True)
class KnownStream:
    """The sender that a session began with; only what it sends is beyond doubt."""

    sender: FoundStream  # as its newest outlet described itself
    read_uid: str  # of the outlet read last: the sender's, or another's in its place
    alive_s: float | None = None  # its last sign of life, this machine's LSL clock
    offset_s: float | None = None  # from its host's LSL clock to this machine's

    @property
    def is_replaced(self) -> bool:
        """Whether another sender is read in its place."""
        return self.read_uid != self.sender.uid


@dataclass(frozen=True, slots=True)
class Choice:
    """Which stream to read, and what has to be said of it."""

    stream: FoundStream | None
    other: str = ""  # how it differs from the known sender; empty: it is that one
    problem: str = ""  # why none is taken, or what else is there


def choose_again(
    found: Sequence[FoundStream],
    known: KnownStream,
    *,
    query: StreamQuery,
    unseen_s: float,
    closed: bool,
) -> Choice:
    """Return which stream to read once a session has had one.

    The known outlet, as long as it is announced at all. Else the known sender's new
    outlet; the other sender that is read already; any other one that is alone.

    Parameters
    ----------
    found : all streams that answered.
    query : what the session was asked for; a host that was named goes on counting.
    unseen_s : how long the outlet that was read has been looked for in vain.
    closed : its connection was closed, so it need not be waited for.
    """
    kind = known.sender.type.casefold()
    named = StreamQuery(name=known.sender.name, type=None, host=query.host)
    fits = [s for s in fitting(found, named) if s.type.casefold() == kind]
    others = [s for s in fits if s.uid != known.sender.uid]
    if len(others) < len(fits):
        outlet = next(s for s in fits if s.uid == known.sender.uid)
        return Choice(outlet, problem=_left_alone(others, outlet))
    gone = closed or unseen_s >= GONE_S
    again = [s for s in others if is_sender(s, known)]
    if len(again) == 1 and (gone or known.is_replaced):
        return Choice(again[0])
    chosen = [s for s in others if s.uid == known.read_uid]
    if not chosen and gone:
        chosen = [s for s in others if _same_host(s, known.sender)] or others
    if len(chosen) == 1:
        return Choice(chosen[0], other=difference(chosen[0], known))
    return Choice(None, problem=_none_of(chosen, known.sender) if chosen else "")


def is_sender(stream: FoundStream, known: KnownStream) -> bool:
    """Whether this is the known sender, started again as far as LSL can tell.

    A copy of the sender's program has its source id too: it is told by its outlet,
    which was there while the known one still sent.
    """
    sender = known.sender
    return _same_id(stream, sender) and not was_beside(stream, known)


def was_beside(stream: FoundStream, known: KnownStream) -> bool:
    """Whether an outlet was there while the known one sent; False: or not known."""
    sender = known.sender
    if stream.uid == sender.uid or not _same_host(stream, sender):
        return False
    if known.alive_s is None or known.offset_s is None or stream.created_s <= 0:
        return False
    return stream.created_s + known.offset_s < known.alive_s - BESIDE_S


def difference(stream: FoundStream, known: KnownStream) -> str:
    """Return how another sender differs from the known one, for people."""
    sender = known.sender
    host = "the same" if _same_host(stream, sender) else "another"
    if _same_id(stream, sender):
        said = f"source id {_id(stream)} like the known one, which it was there beside"
    elif stream.source_id == sender.source_id:
        said = "without a source id that could tell them apart"
    else:
        said = f"source id {_id(stream)} instead of {_id(sender)}"
    return f"{said}, on {host} computer, {_shape(stream, sender)}"


def _shape(stream: FoundStream, sender: FoundStream) -> str:
    now, before = (_size(s) for s in (stream, sender))
    return f"{now} as before" if now == before else f"{now} instead of {before}"


def _size(stream: FoundStream) -> str:
    rate = f"{stream.rate_hz:g} Hz" if stream.rate_hz else "no regular rate"
    return f"{stream.n_channels} channels of {stream.format} at {rate}"


def _id(stream: FoundStream) -> str:
    return repr(printable(stream.source_id, 60))


def _same_id(stream: FoundStream, sender: FoundStream) -> bool:
    """Whether both name the same source; no name, or an endless one, proves nothing."""
    same = stream.source_id == sender.source_id and _same_host(stream, sender)
    return same and 0 < len(sender.source_id) < LONGEST_ID


def _same_host(stream: FoundStream, sender: FoundStream) -> bool:
    return stream.host.casefold() == sender.host.casefold()


def _left_alone(others: Sequence[FoundStream], sender: FoundStream) -> str:
    if not others:
        return ""
    n = len(others)
    others_are = "1 other stream is" if n == 1 else f"{n} other streams are"
    return (
        f"{others_are} there under the name {sender.name!r}, and not taken: the known "
        "one is silent, but still announced. If its program hangs, end it."
    )


def _none_of(others: Sequence[FoundStream], sender: FoundStream) -> str:
    ids = ", ".join(_id(s) for s in others[:8])
    return (
        f"the known sender of {sender.name!r} is gone, and {len(others)} others have "
        f"that name (source ids {ids}); expected one, so none is taken. End those that "
        "are not this participant's."
    )
