"""One matrix from the stream's EEG channels to the model's: pick, interpolate, refer.

The matrix is applied to a whole window when a prediction is due (docs/decisions/0003),
so a channel that is found bad late is replaced over the whole window.

What a stream channel holds is a potential against the stream's reference. If that is
an electrode, its own channel is exactly zero (the implicit reference), whether the
stream carries it or not. Any other common reference (linked ears, average) is one
signal that is the same in all channels: it vanishes when a mean or another channel is
subtracted. References that differ between channels (bipolar, Laplacian) are refused.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import legendre

from rtbold.acquire import unnamed
from rtbold.bundle import Card
from rtbold.electrodes import canonical, has_position, match, positions
from rtbold.errors import BundleError, StreamMismatch
from rtbold.messages import Float32Array, FloatArray, StreamDescription
from rtbold.text import first_few

AVERAGE = "average"
_SAYS_AVERAGE = {"AVERAGE", "AVG", "AVE", "CAR", "COMMON AVERAGE", "AVERAGE REFERENCE"}
_SAYS_NOTHING = {"", "UNKNOWN", "NONE", "N/A", "NA", "COMMON", "UNSPECIFIED"}
_NOT_COMMON = ("BIPOLAR", "LAPLACIAN", "CSD", "CURRENT SOURCE", "CONTRALATERAL")
MIN_SOURCES = 4  # fewer electrodes do not hold a field on a sphere


@dataclass(frozen=True, slots=True)
class SpatialSettings:
    """What the stream carries and what the model wants."""

    stream_labels: tuple[str, ...]  # the picked EEG channels, canonical, in order
    stream_reference: str | None  # electrode, "average", other; None: unknown
    model_channels: tuple[str, ...]
    model_reference: str  # "average" or an electrode
    interpolate_missing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SpatialPlan:
    """The matrix for one set of bad channels.

    When it is not `usable` (the model's reference electrode is bad, or too few good
    channels are left), the matrix is all NaN and no prediction may be made.
    """

    matrix: FloatArray  # (model channels, stream channels), float64
    interpolated: tuple[str, ...]  # model channels that come from their neighbours
    excluded: tuple[str, ...]  # stream channels that nothing is taken from: bad ones
    usable: bool = True


def spline_interpolation(
    good_xyz: FloatArray,
    bad_xyz: FloatArray,
    *,
    stiffness: int = 4,
    n_terms: int = 50,
    regularisation: float = 1e-5,
) -> FloatArray:
    """Return (n_bad, n_good): spherical spline weights; each row sums to one.

    Perrin et al. 1989 (Electroencephalogr Clin Neurophysiol 72:184-187), equations 1
    to 3, with `regularisation` on the diagonal.

    Parameters
    ----------
    good_xyz, bad_xyz : (n, 3) unit vectors.
    stiffness : m of equation 3.
    n_terms : Legendre polynomials that are summed.
    """
    degree = np.arange(1, n_terms + 1)
    factors = (2 * degree + 1) / (degree * (degree + 1.0)) ** stiffness / (4 * np.pi)
    series = np.concatenate([[0.0], factors])
    n_good = len(good_xyz)
    system = np.ones((n_good + 1, n_good + 1))
    system[-1, -1] = 0.0
    cosines = np.clip(good_xyz @ good_xyz.T, -1, 1)
    system[:-1, :-1] = legendre.legval(cosines, series)
    system[:-1, :-1] += regularisation * np.eye(n_good)
    wanted = legendre.legval(np.clip(bad_xyz @ good_xyz.T, -1, 1), series)
    wanted = np.column_stack([wanted, np.ones(len(bad_xyz))])
    return np.asarray((wanted @ np.linalg.pinv(system))[:, :-1])


class SpatialMatrix:
    """The conversion from a stream's channels to a model's.

    Raises
    ------
    StreamMismatch
        When the stream cannot give what the model needs whatever is bad: channels are
        missing, the reference is unknown or cannot be converted.
    """

    def __init__(self, settings: SpatialSettings) -> None:
        self._settings = _normalised(settings)
        self._columns = match(settings.stream_labels, settings.model_channels)
        self._target = self._target_column()
        self._last: tuple[frozenset[str], SpatialPlan] | None = None
        self._check_missing()

    def matrix(self, bad: frozenset[str]) -> SpatialPlan:
        """Return the plan for these bad channels (names unknown here do not matter).

        The last plan is kept: the same set gives the same object. A reference electrode
        that the stream carries is flat by nature; bad or not, it stays zero.
        """
        bad = frozenset(map(canonical, bad))
        if self._last is None or self._last[0] != bad:
            self._last = bad, self._plan(bad)
        return self._last[1]

    def _plan(self, bad: frozenset[str]) -> SpatialPlan:
        labels, names = self._settings.stream_labels, self._settings.model_channels
        matrix, replaced = self._picked(bad)
        usable = self._interpolate(matrix, replaced, bad) and self._refer(
            matrix, replaced, bad
        )
        if not usable:
            matrix[:] = np.nan
        matrix.flags.writeable = False
        return SpatialPlan(
            matrix=matrix,
            interpolated=tuple(names[row] for row in replaced),
            excluded=tuple(label for label in labels if canonical(label) in bad),
            usable=usable,
        )

    def _picked(self, bad: frozenset[str]) -> tuple[FloatArray, list[int]]:
        """Return the matrix that picks and orders, and the rows it leaves to fill."""
        settings = self._settings
        shape = len(settings.model_channels), len(settings.stream_labels)
        matrix, replaced = np.zeros(shape), []
        for row, column in enumerate(self._columns):
            name = canonical(settings.model_channels[row])
            if column is not None and name not in bad:
                matrix[row, column] = 1.0
            elif name != settings.stream_reference:  # whose row is zero
                replaced.append(row)
        return matrix, replaced

    def _interpolate(
        self, matrix: FloatArray, rows: list[int], bad: frozenset[str]
    ) -> bool:
        """Fill `rows` from good stream channels; False if that cannot be done."""
        if not rows:
            return True
        wanted = [self._settings.model_channels[row] for row in rows]
        labels = [canonical(label) for label in self._settings.stream_labels]
        sources = [
            column
            for column, name in enumerate(labels)
            if name not in bad and has_position(name) and labels.count(name) == 1
        ]
        if len(sources) < MIN_SOURCES or not all(map(has_position, wanted)):
            return False
        good_xyz = positions(labels[column] for column in sources)
        weights = spline_interpolation(good_xyz, positions(wanted))
        matrix[np.ix_(rows, sources)] = weights
        return True

    def _refer(
        self, matrix: FloatArray, replaced: list[int], bad: frozenset[str]
    ) -> bool:
        """Subtract the model's reference in place; False if it is bad."""
        if self._settings.model_reference == AVERAGE:
            own = np.setdiff1d(np.arange(len(matrix)), replaced)
            if not len(own):
                return False
            matrix -= matrix[own].mean(axis=0)
        elif self._target is not None:
            if self._settings.model_reference in bad:
                return False
            matrix[:, self._target] -= 1.0
        return True

    def _target_column(self) -> int | None:
        """Return the stream channel to subtract; None if there is none to."""
        stream, model = self._settings.stream_reference, self._settings.model_reference
        if model in (AVERAGE, stream):
            return None
        if stream is None:
            raise StreamMismatch(
                f"the stream does not say its reference, expected it because the model "
                f"is referenced to {model}. Say it with --reference, or use an "
                "average-referenced bundle."
            )
        (column,) = match(self._settings.stream_labels, [model])
        if column is None:
            raise StreamMismatch(
                f"the stream is referenced to {stream} and has no channel {model}, "
                f"expected {model} because the model is referenced to it. Record it, "
                "or use an average-referenced bundle."
            )
        return column

    def _check_missing(self) -> None:
        missing = [
            name
            for name, column in zip(
                self._settings.model_channels, self._columns, strict=True
            )
            if column is None and canonical(name) != self._settings.stream_reference
        ]
        if not missing:
            return
        have = ", ".join(self._settings.stream_labels)
        if not self._settings.interpolate_missing:
            raise StreamMismatch(
                f"the stream lacks {missing}, expected all channels of the model; it "
                f"has {have}. Use this cap's own bundle, or interpolate them from "
                "their neighbours with --interpolate (predictions are then degraded)."
            )
        if not self.matrix(frozenset()).usable:
            raise StreamMismatch(
                f"the stream lacks {missing}, which {have} cannot interpolate; "
                f"expected {MIN_SOURCES} channels or more, all with known positions. "
                "Use a bundle that fits this cap."
            )


def _normalised(settings: SpatialSettings) -> SpatialSettings:
    model_reference = _reference(settings.model_reference)
    if model_reference is None:
        raise BundleError(
            f"the bundle's reference is {settings.model_reference!r}, expected "
            "'average' or an electrode. Correct its card."
        )
    return replace(
        settings,
        stream_reference=_reference(settings.stream_reference),
        model_reference=model_reference,
    )


def _reference(said: str | None) -> str | None:
    """Return an electrode, ``average``, another common reference, or None."""
    upper = (said or "").strip().upper()
    if upper in _SAYS_NOTHING:
        return None
    if upper in _SAYS_AVERAGE:
        return AVERAGE
    if any(word in upper for word in _NOT_COMMON):
        raise StreamMismatch(
            f"the reference is {said!r}: it differs between channels, expected one "
            "reference that all channels share. Record against one electrode."
        )
    return canonical(upper)


# Which channels of a stream can serve the model.


def usable_channels(
    description: StreamDescription, card: Card
) -> tuple[list[int], tuple[str, ...]]:
    """Return rows and canonical names of the EEG channels that can serve.

    Those that the model wants, and those with a known position: they help to
    interpolate a bad neighbour. Of two channels with one name neither can be trusted as
    a neighbour; if the model wants that name, matching refuses.
    """
    wanted = {canonical(name) for name in card.channels}
    rows, names = [], []
    for row, channel in enumerate(description.channels):
        name = canonical(channel.label)
        if channel.kind == "eeg" and (name in wanted or has_position(name)):
            rows.append(row)
            names.append(name)
    return rows, tuple(names)


def spatial_matrix(
    description: StreamDescription,
    card: Card,
    labels: tuple[str, ...],
    *,
    interpolate_missing: bool,
) -> SpatialMatrix:
    """Return the conversion from the channels `labels` of a stream to the model's.

    Raises
    ------
    StreamMismatch : the stream cannot give what the card needs.
    """
    if n := unnamed(description.channels):
        raise StreamMismatch(
            f"stream {description.name!r}: its {n} channels have no names (or more or "
            "fewer names than channels), expected "
            f"those of the model ({first_few(card.channels)}). Let its sender write "
            "each channel's label into the description (channels/channel/label)."
        )
    settings = SpatialSettings(
        stream_labels=labels,
        stream_reference=description.reference,
        model_channels=card.channels,
        model_reference=card.reference,
        interpolate_missing=interpolate_missing,
    )
    return SpatialMatrix(settings)


def check_same_kind(description: StreamDescription, *, simulated: bool) -> None:
    """Refuse a real stream in a session that began on a simulated one.

    What may run on a stream was decided for the kind that it began with.

    Raises
    ------
    StreamMismatch : the stream is of the other kind.
    """
    if simulated and not description.simulated:
        raise StreamMismatch(
            f"stream {description.name!r} on {description.host!r} does not declare "
            "itself simulated, but the session began on a simulated one. Expected the "
            "same kind of stream; start a session of its own for this one."
        )


# From conditioned stream channels to what the model sees.


def model_channels(matrix: FloatArray, samples_uv: Float32Array) -> FloatArray:
    """Return the model's channels, (model channels, n), float64.

    Parameters
    ----------
    matrix : (model channels, stream channels), of the spatial plan.
    samples_uv : (stream channels, n), conditioned.
    """
    # einsum and not matmul: its sums do not depend on the number of threads
    mixed_uv: FloatArray = np.einsum("mc,cs->ms", matrix, samples_uv.astype(np.float64))
    return mixed_uv


def model_window(
    matrix: FloatArray, samples_uv: Float32Array, *, remove_mean: bool
) -> Float32Array:
    """Return one window for the engine, (model channels, 3200), float32.

    Bad channels are interpolated by `matrix`; the last step removes each channel's
    mean over the window, where the card says so.
    """
    window_uv = model_channels(matrix, samples_uv)
    if remove_mean:
        window_uv -= window_uv.mean(axis=1, keepdims=True)
    return window_uv.astype(np.float32)
