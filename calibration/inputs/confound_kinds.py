"""What a given confound is, by its name, and how its kind acts on BOLD. Pure.

A column of a table says what a body did at a volume. BOLD answers later, and over tens
of seconds. So each column is unfolded into what BOLD may show of it:

- heart rate: through the cardiac response function (Chang 2009), and freely at 0 to
  24 s;
- respiration: through the respiratory response function (Birn 2008), and freely at 0 to
  30 s;
- motion with its change from volume to volume and the squares of both, framewise
  displacement and the like: at one volume before (a derivative lies between two) to six
  after;
- white matter, CSF and components of them: one volume before to one after;
- a regressor that somebody else's model has made (PhysIO, cosines): as it is;
- anything else: one volume before to three after.

What the kinds unfold into is scaled so that each may explain as much; a fit weighs them
by evidence (`rtbold.calibration.fit.nuisance`).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from rtbold.errors import ConfigError
from rtbold.messages import FloatArray
from rtbold.text import did_you_mean

Kind = Literal[
    "heart rate", "respiration", "motion", "displacement", "tissue", "global signal",
    "regressor", "other",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_NAMES: Final[dict[Kind, str]] = {
    "heart rate": r"heart.*|hr|hr_.*|pulse_?rate.*|cardiac_?rate.*|bpm",
    "respiration": r"resp.*|breath.*|rvt?|rvt?_.*",
    "displacement": r"framewise_?displacement.*|fd|fd_.*|(std_)?dvars.*|rmsd.*",
    "motion": r"(trans|rot)_[xyz].*|(head_)?motion(?!_?outlier).*|rp_?\d+|[tr][xyz]|"
    r"roll|pitch|yaw",
    "tissue": r"csf.*|white_?matter.*|wm|wm_.*|[actw]?_?comp_?cor.*|edge_comp_cor.*|"
    r"aroma.*",
    "global signal": r"global_?signal.*|gs|gs_.*",
    "regressor": r"cosine.*|motion_outlier.*|non_steady_state.*|retroicor.*|"
    r"regressor.*|physio.*|hrv|hrv_.*",
}
_SAID: Final = ": "  # between a kind that somebody said and the column's own name

HEART_BACK_S: Final = 24.0
BREATH_BACK_S: Final = 30.0
MOTION_VOLUMES: Final = range(-1, 7)
TISSUE_VOLUMES: Final = range(-1, 2)
OTHER_VOLUMES: Final = range(-1, 4)
FREE_SHARE: Final = 0.25  # of variance, of a free response beside the published one
SMOOTH_S: Final = 4.0  # over which a free response varies
RESPONSE_S: Final = 50.0
MOST_COLUMNS: Final = 24  # of a kind; more are taken together to what varies most
_STEP_S: Final = 0.1  # of the convolution
_SMALLEST: Final = 0.02  # of the prior's largest variance


def kind_of(name: str) -> Kind:
    """Return what a column is: what was said, else what its name says."""
    said, found, _ = name.partition(_SAID)
    if found and said in KINDS:
        return said
    key = re.sub(r"[\s\-]+", "_", name.casefold())
    for kind, pattern in _NAMES.items():
        if re.fullmatch(pattern, key):
            return kind
    return "other"


def said_to_be(name: str, kind: str) -> str:
    """Return the name of a column that somebody says is of a kind.

    Raises
    ------
    ConfigError : there is no such kind.
    """
    known = kind.replace("_", " ").casefold()
    if known not in KINDS:
        raise ConfigError(
            f"the confound {name!r} is said to be {kind!r}, expected one of "
            f"{', '.join(KINDS)}.{did_you_mean([known], KINDS)}"
        )
    return name if kind_of(name) == known else f"{known}{_SAID}{name}"


@dataclass(frozen=True, slots=True, eq=False)
class Acting:
    """What given confounds may do to BOLD, column by column."""

    names: tuple[str, ...]
    values: FloatArray  # (volumes, columns), finite, without mean

    @classmethod
    def none(cls, n_volumes: int) -> "Acting":
        """Return that nothing was given."""
        return cls((), np.zeros((n_volumes, 0)))

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.names)


def acting(given: Mapping[str, FloatArray], *, tr_s: float) -> Acting:
    """Return columns of a table as they act on BOLD.

    Parameters
    ----------
    given : name -> (volumes,), on the scan's regular grid of volumes; a value that is
        missing is taken from its neighbours. Constant columns are left out.
    """
    n = len(next(iter(given.values()))) if given else 0
    names: list[str] = []
    parts = [np.zeros((n, 0))]
    for kind in KINDS:
        series = {k: _whole(v) for k, v in given.items() if kind_of(k) == kind}
        varying = {k: v for k, v in series.items() if v is not None}
        if not varying:
            continue
        columns = _UNFOLD[kind](varying, tr_s)
        columns = _fewer(columns - columns.mean(axis=0))
        parts.append(columns)
        what = ", ".join(varying) if len(varying) < 3 else kind
        names += [f"{what} ({k + 1})" for k in range(columns.shape[1])]
    return Acting(tuple(names), np.concatenate(parts, axis=1))


def _whole(series: FloatArray) -> FloatArray | None:
    """Return a series in its own sd without holes; None: it does not vary."""
    known = np.flatnonzero(np.isfinite(series))
    if not len(known):
        return None
    filled = np.interp(np.arange(len(series)), known, series[known])
    centred = filled - filled.mean()
    sd = float(centred.std())
    # Relative, or rounding would make a regressor of a constant.
    varies = sd > 1e-9 * float(np.abs(filled).max())
    return np.asarray(centred / sd) if varies else None


def _fewer(columns: FloatArray) -> FloatArray:
    """Return many columns as their largest components, each with its variance."""
    if columns.shape[1] <= MOST_COLUMNS:
        return columns
    left, sizes, _ = np.linalg.svd(columns, full_matrices=False)
    kept: FloatArray = left[:, :MOST_COLUMNS] * sizes[:MOST_COLUMNS]
    return kept


def _share(columns: FloatArray, variance: float = 1.0) -> FloatArray:
    """Return columns whose variances sum to one number."""
    total = float(columns.var(axis=0).sum())
    scaled: FloatArray = columns * np.sqrt(variance / total) if total > 0 else columns
    return scaled


Series = Mapping[str, FloatArray]


def cardiac_response(t_s: FloatArray) -> FloatArray:
    """Return BOLD's answer to heart rate (Chang, Cunningham and Glover 2009, eq. 5)."""
    late = np.exp(-((t_s - 12.0) ** 2) / 18.0) * 16.0 / np.sqrt(2 * np.pi * 9.0)
    response: FloatArray = 0.6 * t_s**2.7 * np.exp(-t_s / 1.6) - late
    return response


def respiratory_response(t_s: FloatArray) -> FloatArray:
    """Return BOLD's answer to breathing (Birn 2008, eq. 3)."""
    late = 0.0023 * t_s**3.54 * np.exp(-t_s / 4.25)
    response: FloatArray = 0.6 * t_s**2.1 * np.exp(-t_s / 1.6) - late
    return response


def _through(
    response: Callable[[FloatArray], FloatArray], back_s: float
) -> Callable[[Series, float], FloatArray]:
    """Return the unfolding through a response function, and freely around it."""

    def unfold(series: Series, tr_s: float) -> FloatArray:
        parts = []
        for each in series.values():
            parts.append(_share(_convolved(each, response, tr_s)[:, None]))
            lags = range(round(back_s / tr_s) + 1)
            free = _lagged(each, lags) @ _smooth(len(lags), tr_s)
            parts.append(_share(free, FREE_SHARE))
        return _share(np.concatenate(parts, axis=1), 1.0 + FREE_SHARE)

    return unfold


def _convolved(
    series: FloatArray, response: Callable[[FloatArray], FloatArray], tr_s: float
) -> FloatArray:
    """Return a series through a response; before its start it was as at its start."""
    at_s = np.arange(len(series)) * np.float64(tr_s)
    before_n = round(RESPONSE_S / _STEP_S)
    fine_s = np.arange(-before_n, at_s[-1] / _STEP_S + 1) * _STEP_S
    fine = np.interp(fine_s, at_s, series)
    answer = response(np.arange(before_n + 1) * np.float64(_STEP_S))
    answered = np.convolve(fine, answer)[: len(fine_s)]
    return np.asarray(np.interp(at_s, fine_s, answered), dtype=np.float64)


def _smooth(n_lags: int, tr_s: float) -> FloatArray:
    """Return (lags, components): responses that are smooth over seconds."""
    apart_s = np.abs(np.subtract.outer(np.arange(n_lags), np.arange(n_lags))) * tr_s
    values, vectors = np.linalg.eigh(np.exp(-0.5 * (apart_s / SMOOTH_S) ** 2))
    kept = values > _SMALLEST * values.max()
    smooth: FloatArray = vectors[:, kept] * np.sqrt(values[kept])
    return smooth


def _lagged(series: FloatArray, lags: Sequence[int]) -> FloatArray:
    """Return (volumes, lags): the series so many volumes ago, ends held."""
    last = len(series) - 1
    at = np.clip(np.arange(len(series))[:, None] - np.asarray(lags), 0, last)
    found: FloatArray = series[at]
    return found


def _at(volumes: range) -> Callable[[Series, float], FloatArray]:
    def unfold(series: Series, _tr_s: float) -> FloatArray:
        lagged = [_lagged(each, volumes) for each in series.values()]
        return _share(np.concatenate(lagged, axis=1))

    return unfold


def _motion(series: Series, tr_s: float) -> FloatArray:
    """Return motion, its change and the squares of both, before and after.

    What a table has of these already is not made a second time.
    """
    made = dict(series)
    for name, each in series.items():
        derived = "derivative" in name or "power" in name
        if not derived and f"{name}_derivative1" not in series:
            made[f"{name}_derivative1"] = np.diff(each, prepend=each[0])
    for name, each in tuple(made.items()):
        if "power" not in name and f"{name}_power2" not in series:
            made[f"{name}_power2"] = (each - each.mean()) ** 2
    units = {name: _whole(each) for name, each in made.items()}
    return _at(MOTION_VOLUMES)({k: v for k, v in units.items() if v is not None}, tr_s)


_UNFOLD: Final[dict[Kind, Callable[[Series, float], FloatArray]]] = {
    "heart rate": _through(cardiac_response, HEART_BACK_S),
    "respiration": _through(respiratory_response, BREATH_BACK_S),
    "motion": _motion,
    "displacement": _at(MOTION_VOLUMES),
    "tissue": _at(TISSUE_VOLUMES),
    "global signal": _at(range(1)),
    "regressor": _at(range(1)),
    "other": _at(OTHER_VOLUMES),
}
