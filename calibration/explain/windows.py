"""Windows as the live pipeline hands them to a model, kept evenly over a recording."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from rtbold.errors import DataFileError
from rtbold.messages import BoldPrediction, Float32Array, FloatArray


@dataclass(eq=False)
class WindowKeeper:
    """Stands in for a model; keeps at most twice `n_wanted` windows, evenly spread.

    A recording of any length is read once and needs the same memory: when there are too
    many, every other window is let go, and from then on half as many are kept.
    """

    n_wanted: int
    n_rois: int
    n_seen: int = 0
    _every: int = 1
    _kept: list[tuple[int, Float32Array]] = field(default_factory=list)

    def __call__(self, eeg_uv: Float32Array) -> Float32Array:
        """Take one window (1, channels, 3200); answer zeros."""
        if self.n_seen % self._every == 0:
            self._kept.append((self.n_seen, eeg_uv[0].copy()))
        self.n_seen += 1
        if len(self._kept) > 2 * self.n_wanted:
            self._kept = self._kept[::2]
            self._every *= 2
        return np.zeros((1, self.n_rois), np.float32)

    def chosen(self) -> tuple[list[int], list[Float32Array]]:
        """Return at most `n_wanted` windows and their places among all that came."""
        n = min(self.n_wanted, len(self._kept))
        rows = np.linspace(0, len(self._kept) - 1, n).round().astype(int)
        picked = [self._kept[row] for row in rows]
        return [place for place, _ in picked], [window for _, window in picked]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of a recording, in order of time."""

    eeg_uv: Float32Array  # (windows, channels, 3200)
    t_end_s: FloatArray  # (windows,), end of each
    n_usable: int  # windows that the pipeline would have predicted from
    n_left_out: int  # ticks without a usable window


def windows_of(predictions: Iterable[BoldPrediction], keeper: WindowKeeper) -> Windows:
    """Run a pipeline whose model is `keeper`, and return what it kept.

    Raises
    ------
    DataFileError : not one window is usable.
    """
    t_end_s, reasons, n_ticks = [], dict[str, int](), 0
    for prediction in predictions:
        n_ticks += 1
        if prediction.values is not None:
            t_end_s.append(prediction.t_end_s)
            continue
        for reason in prediction.reasons:
            reasons[reason] = reasons.get(reason, 0) + 1
    if not t_end_s:
        told = ", ".join(f"{name} ({n})" for name, n in reasons.items()) or "none"
        raise DataFileError(
            f"none of {n_ticks} windows is usable (reasons: {told}), expected some. A "
            "window needs 16 s of EEG after the filters have settled; see what is "
            "wrong with: rtbold replay"
        )
    places, kept = keeper.chosen()
    return Windows(
        eeg_uv=np.stack(kept),
        t_end_s=np.array(t_end_s)[places],
        n_usable=len(t_end_s),
        n_left_out=n_ticks - len(t_end_s),
    )
