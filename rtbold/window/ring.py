"""The last seconds of the conditioned signal, always readable in one piece."""

from typing import Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", np.float32, np.float64)


class Ring(Generic[Scalar]):
    """Mirrored ring: every sample is stored twice, one ring length apart.

    So any stretch of up to `n_samples` samples lies contiguous in memory, and reading
    copies nothing. Samples are named by the index that they are written with. One
    thread writes and reads; a view that must outlive the next write is to be copied by
    its reader.

    Parameters
    ----------
    n_channels : rows.
    n_samples : how many of the newest samples stay readable.
    dtype : what samples are stored as.
    """

    @overload
    def __init__(self: "Ring[np.float32]", n_channels: int, n_samples: int) -> None: ...
    @overload
    def __init__(
        self, n_channels: int, n_samples: int, dtype: type[Scalar]
    ) -> None: ...
    def __init__(
        self,
        n_channels: int,
        n_samples: int,
        dtype: type[Scalar] = np.float32,  # type: ignore[assignment]  # overload 1
    ) -> None:
        if n_channels < 1 or n_samples < 1:
            raise ValueError(
                f"a ring of {n_channels} channels and {n_samples} samples was asked "
                "for; both must be at least 1"
            )
        self._n_samples = n_samples
        self._twice: NDArray[Scalar] = np.zeros((n_channels, 2 * n_samples), dtype)
        self._readable: NDArray[Scalar] = self._twice.view()
        self._readable.flags.writeable = False
        self._begin = self._end = 0

    @property
    def n_channels(self) -> int:
        """Return the number of rows."""
        return int(self._twice.shape[0])

    @property
    def n_samples(self) -> int:
        """Return how many of the newest samples stay readable."""
        return self._n_samples

    @property
    def begin(self) -> int:
        """Return the index of the oldest sample that is readable."""
        return max(self._begin, self._end - self._n_samples)

    @property
    def end(self) -> int:
        """Return the index after the newest sample."""
        return self._end

    def write(
        self, data: NDArray[np.float32] | NDArray[np.float64], index: int
    ) -> None:
        """Append samples; the cost depends on their number, never on the ring's length.

        Parameters
        ----------
        data : (channels, n). Of more than a ring's length only the newest are kept.
        index : of the first of them. If it does not follow on the newest sample, the
            ring begins anew with it.

        Raises
        ------
        ValueError : wrong shape (a single row would otherwise be spread over all).
        """
        if data.ndim != 2 or data.shape[0] != self.n_channels:
            raise ValueError(
                f"samples of shape {data.shape} came, the ring takes "
                f"({self.n_channels}, n): channels first"
            )
        n_new = data.shape[1]
        kept = data[:, -self._n_samples :]
        start = (index + n_new - kept.shape[1]) % self._n_samples
        n_head = min(kept.shape[1], self._n_samples - start)
        self._write_at(start, kept[:, :n_head])
        self._write_at(0, kept[:, n_head:])
        if index != self._end:
            self._begin = index
        self._end = index + n_new

    def _write_at(
        self, start: int, data: NDArray[np.float32] | NDArray[np.float64]
    ) -> None:
        stop = start + data.shape[1]
        self._twice[:, start:stop] = data
        self._twice[:, start + self._n_samples : stop + self._n_samples] = data

    def latest(self, n: int, end: int | None = None) -> NDArray[Scalar]:
        """Return the `n` samples before index `end` as a read-only view.

        Parameters
        ----------
        n : 0 to the ring's length.
        end : index after the last sample wanted; without it, the newest.

        Returns
        -------
        (channels, n), valid until the next write.

        Raises
        ------
        LookupError : some of them are not written yet, or overwritten already.
        """
        end = self._end if end is None else end
        if n < 0 or end - n < self.begin or end > self._end:
            raise LookupError(
                f"samples [{end - n}, {end}) were asked for, the ring holds "
                f"[{self.begin}, {self._end}); wait for more samples, or ask for "
                f"newer ones (at most {self._n_samples} are kept)"
            )
        start = (end - n) % self._n_samples
        return self._readable[:, start : start + n]
