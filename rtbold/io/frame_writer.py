"""In the inlet process: write frames to the session, never silent for long."""

from collections.abc import Callable
from typing import IO, TypeVar

from rtbold.acquire.frames import Frame, KeepAlive, pack
from rtbold.clock import Clock

KEEP_ALIVE_S = 0.25
_T = TypeVar("_T")


class FrameWriter:
    """Writes frames to the session. One thread only: the one that pulls."""

    def __init__(self, pipe: IO[bytes], clock: Clock) -> None:
        self._pipe = pipe
        self._clock = clock
        self._sent_s = clock.now_s()

    def send(self, frame: Frame) -> None:
        """Write `frame` at once; blocks while the session does not read."""
        self._pipe.writelines(pack(frame))
        self._pipe.flush()
        self._sent_s = self._clock.now_s()

    def keep_alive(self) -> None:
        """Say that this loop lives, if nothing else was said for a while."""
        if self._clock.now_s() - self._sent_s >= KEEP_ALIVE_S:
            self.send(KeepAlive())

    def sleep(self, seconds: float) -> None:
        """Sleep at most 0.2 s, so that keep-alives stay in time."""
        seconds = min(max(seconds, 0.0), 0.2)
        self._clock.sleep_until(self._clock.now_s() + seconds)
        self.keep_alive()

    def patiently(self, call: Callable[[float], _T], limit_s: float) -> _T:
        """Call a blocking liblsl function with short time limits until it answers.

        Raises
        ------
        pylsl.util.TimeoutError
            It has not answered within `limit_s`.
        """
        from pylsl.util import TimeoutError as LslTimeoutError

        end_s = self._clock.now_s() + limit_s
        while True:
            try:
                return call(0.2)
            except LslTimeoutError:
                if self._clock.now_s() >= end_s:
                    raise
                self.keep_alive()
