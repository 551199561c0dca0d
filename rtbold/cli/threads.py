"""Threads of a fit: as many as there are cores, and none that waits by spinning.

The libraries' own defaults suit a machine that does nothing else. Their threads wait
for one another by spinning, so where another program has a core, one half of a sum
spins until the other half, which is not running, is done. Here threads sleep meanwhile.

The libraries read the environment when they are first loaded: before numpy, and torch.
"""

from collections.abc import MutableMapping
from typing import Final

import psutil

from rtbold.config import check_range

MAX_THREADS: Final = 256
# GNU's OpenMP (torch on Linux), and LLVM's and Intel's (torch on Windows and macOS)
_SLEEP: Final = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
_COUNTS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# numpy's and scipy's threads spin too, and nothing tells them not to. The matrices of
# one scan are small: a second thread gains little, and on a busy machine it makes them
# take many times as long.
_ALGEBRA: Final = "OPENBLAS_NUM_THREADS"


def settle(environment: MutableMapping[str, str], wanted: int | None) -> int | None:
    """Set how libraries compute that are loaded from now on; return torch's threads.

    What the user has set in the environment stays, except where `wanted` contradicts.

    Parameters
    ----------
    wanted : ``--threads``; None: as many as there are cores.

    Returns
    -------
    None where the user's environment says it to torch.

    Raises
    ------
    ConfigError : `wanted` is out of range.
    """
    check_range("--threads", wanted, 1, MAX_THREADS)
    for name, value in (*_SLEEP.items(), (_ALGEBRA, "1")):
        environment.setdefault(name, value)
    if wanted is None:
        return None if _COUNTS[0] in environment else usable_cores()
    environment.update(dict.fromkeys(_COUNTS, str(wanted)))
    return wanted


def usable_cores() -> int:
    """Return the cores that this process may use; hyper-threads are none."""
    process = psutil.Process()
    n = psutil.cpu_count() or 1
    if hasattr(process, "cpu_affinity"):  # not on macOS
        n = len(process.cpu_affinity())
    return max(1, min(n, psutil.cpu_count(logical=False) or n))
