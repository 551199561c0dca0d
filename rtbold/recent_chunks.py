"""The newest raw chunks, for a gap that shows only some samples later."""

from collections import deque
from collections.abc import Iterator

import numpy as np

from rtbold.messages import EegChunk, Float32Array

CHUNKS_KEPT = 64


class RecentChunks:
    """Raw samples by source index, and straight lines where some were lost."""

    def __init__(self) -> None:
        self._chunks: deque[EegChunk] = deque(maxlen=CHUNKS_KEPT)

    def append(self, chunk: EegChunk) -> None:
        """Keep a chunk (not a copy)."""
        self._chunks.append(chunk)

    def clear(self) -> None:
        """Forget everything."""
        self._chunks.clear()

    def between(self, begin: int, end: int) -> Iterator[tuple[Float32Array, float]]:
        """Yield the samples [begin, end) again, each piece with its arrival."""
        for chunk in self._chunks:
            first = max(begin - chunk.index, 0)
            last = min(end - chunk.index, chunk.data_uv.shape[1])
            if first < last:
                yield chunk.data_uv[:, first:last], chunk.t_arrived_s


def straight_line(
    before_uv: Float32Array, after_uv: Float32Array, n: int
) -> Float32Array:
    """Return the `n` samples between two, (channels, n); both are (channels, 1)."""
    share = np.arange(1, n + 1) / (n + 1)
    line_uv: Float32Array = (before_uv + (after_uv - before_uv) * share).astype(
        np.float32
    )
    return line_uv
