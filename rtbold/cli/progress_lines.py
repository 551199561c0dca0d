"""How far a long fit is, on standard error: one line that moves, or a few that stay."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rtbold.calibration.progress import Progress

_EVERY_S = 10.0  # between lines where there is no terminal


class ProgressLines:
    """Prints stages as lines, and steps within one as a share with the time left.

    Parameters
    ----------
    out : default: standard error, as it is when something is printed.
    """

    def __init__(self, now_s: Callable[[], float], out: TextIO | None = None) -> None:
        self._now_s, self._out = now_s, out
        self._start_s = now_s()
        self._told_s = -_EVERY_S
        self._open = False

    def say(self, text: str) -> None:
        """Print a line of its own."""
        self.end()
        self._write(f"{self._now_s() - self._start_s:5.0f} s  {text}\n")

    def tell(self, progress: "Progress") -> None:
        """Show how far a stage is."""
        left = "" if progress.left_s is None else f", {_said(progress.left_s)} left"
        text = f"         {progress.stage} {progress.share:.0%}{left}"
        if self._stream.isatty():
            self._write(f"\r{text:<60}")
            self._open = True
        elif self._now_s() - self._told_s >= _EVERY_S:
            self._told_s = self._now_s()
            self._write(f"{text}\n")

    def end(self) -> None:
        """Leave a moving line as it stands."""
        if self._open:
            self._write("\n")
            self._open = False

    @property
    def _stream(self) -> TextIO:
        return self._out or sys.stderr

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _said(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
