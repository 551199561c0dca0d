"""What waits for one client: little, and of a slow one only the newest. Pure core."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from rtbold.bridge.news import Line

MOST_WAITING: Final = 32  # lines; beyond, the newest of each topic stay
FROZEN_S: Final = 5.0  # who takes nothing for longer is cut off


class Outbox:
    """Lines that one client has not taken yet.

    Parameters
    ----------
    topics : that the client wants.
    """

    def __init__(self, topics: Iterable[str]) -> None:
        self.topics = frozenset(topics)
        self.n_skipped = 0
        self._waiting: deque[Line] = deque()
        self._there = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, lines: Iterable[Line]) -> None:
        """Add lines; never waits, and never keeps more than `MOST_WAITING`."""
        for line in lines:
            if line.topic in self.topics:
                self._waiting.append(line)
                if len(self._waiting) > MOST_WAITING:
                    self._keep_newest()
        if self._waiting:
            self._there.set()

    def take(self) -> list[Line]:
        """Return what waits, oldest first."""
        lines = list(self._waiting)
        self._waiting.clear()
        self._there.clear()
        return lines

    async def deliver(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send what comes, until cancelled.

        Raises
        ------
        TimeoutError : the client has taken nothing for `FROZEN_S`.
        """
        while True:
            await self._there.wait()
            for line in self.take():
                async with asyncio.timeout(FROZEN_S):
                    await send(line.text)

    def _keep_newest(self) -> None:
        newest = {line.topic: line for line in self._waiting}
        self.n_skipped += len(self._waiting) - len(newest)
        order = sorted(newest.values(), key=list(self._waiting).index)
        self._waiting = deque(order)
