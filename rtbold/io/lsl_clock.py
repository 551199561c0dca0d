"""LSL's clock: what a session runs on."""

import time


class LslClock:
    """LSL's local clock, with sleep by absolute deadline."""

    def __init__(self) -> None:
        from pylsl import local_clock  # late: `rtbold --help` must not load LSL

        self._now = local_clock

    def now_s(self) -> float:
        """Return LSL's local clock in seconds."""
        return float(self._now())

    def sleep_until(self, t_s: float) -> None:
        """Sleep to the absolute deadline `t_s`."""
        while (left_s := t_s - self.now_s()) > 0:
            time.sleep(left_s)
