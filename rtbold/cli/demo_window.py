"""The demo's dashboard: a process of its own, joined to the demo's session."""

import subprocess
import sys
from typing import Self

POLITE_END_S = 10.0


class DemoWindow:
    """``rtbold gui`` as a child; ends with this object.

    Parameters
    ----------
    address, control : of the demo's session.
    """

    def __init__(self, address: str, control: str) -> None:
        command = [
            sys.executable, "-m", "rtbold", "gui",
            "--connect", address, "--control", control, "--close-quietly",
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    @property
    def open(self) -> bool:
        """Whether it has not been closed."""
        return self._process.poll() is None

    @property
    def failed(self) -> bool:
        """Whether it ended with an error, which it has said itself."""
        return self._process.poll() not in (None, 0)

    def wait(self) -> None:
        """Wait until it is closed."""
        self._process.wait()

    def close(self) -> None:
        """Close it, politely first."""
        if self.open:
            self._process.terminate()
            try:
                self._process.wait(POLITE_END_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
