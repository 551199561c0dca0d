"""Whether something lasts: too many of the last windows had it. Pure.

A minute is looked back on as a whole, so nothing lasts before it is full; and what
lasts ends only when clearly fewer windows have it, so that a status does not flicker.
Beside its two users because both must mean the same by it.
"""

from collections import deque


class Lasting:
    """Remembers the last windows.

    Parameters
    ----------
    n : windows that are looked back on.
    begins, ends : shares of them with which it begins and below which it ends.
    """

    def __init__(self, n: int, begins: float, ends: float) -> None:
        self._had: deque[bool] = deque(maxlen=n)
        self._n, self._begins, self._ends = n, begins, ends
        self._lasts = False

    def __call__(self, has: bool) -> bool:
        """Take the newest window; return whether it lasts."""
        self._had.append(has)
        share = sum(self._had) / self._n
        self._lasts = share >= (self._ends if self._lasts else self._begins)
        return self._lasts
