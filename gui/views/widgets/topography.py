"""Band power over the head: a map, its colours and what they stand for."""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
import pyqtgraph as pg
from numpy.polynomial import legendre
from numpy.typing import NDArray
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import (
    QColor,
    QFontMetricsF,
    QImage,
    QPainter,
    QPainterPath,
    QPaintEvent,
)
from PyQt6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import Colours
from rtbold.gui.views.drawing import Drawn
from rtbold.gui.views.widgets.assets import electrode_place
from rtbold.gui.views.widgets.heads import HeadFrame, draw_head, on_sphere

# Values between electrodes: spherical splines as one matrix.
#
# Perrin et al. (1989), Electroencephalography and Clinical Neurophysiology 72:184,
# equations 1 to 3, with m = 4.

FloatArray = NDArray[np.float64]
STIFFNESS: Final = 4
TERMS: Final = 30
SMOOTHING: Final = 1e-7  # lets two electrodes at one place differ


def spline_matrix(electrodes: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return (wanted, electrodes): times the electrodes' values, the wanted ones.

    Parameters
    ----------
    electrodes : (electrodes, 3) unit vectors, at least one.
    wanted : (wanted, 3) unit vectors.

    Rows add up to 1: where all electrodes agree, so does what is between them.
    """
    n = len(electrodes)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = _kernel(electrodes @ electrodes.T) + SMOOTHING * np.eye(n)
    system[n, n] = 0
    beside = np.ones((len(wanted), n + 1))
    beside[:, :n] = _kernel(wanted @ electrodes.T)
    # The system is symmetric, so its inverse may stand on either side.
    return np.asarray(np.linalg.solve(system, beside.T).T[:, :n])


def _kernel(cosine: FloatArray) -> FloatArray:
    """Return Perrin's g of cosines of angles, from a table: it is smooth."""
    at, values = _table()
    return np.interp(cosine, at, values)


@cache
def _table() -> tuple[FloatArray, FloatArray]:
    n = np.arange(1, TERMS + 1)
    weights = (2 * n + 1) / (n * (n + 1.0)) ** STIFFNESS / (4 * np.pi)
    at = np.linspace(-1, 1, 4001)
    return at, legendre.legval(at, np.concatenate([[0.0], weights]))


# Band power on the head, relative to the channels' median.

SIDE: Final = 72  # pixels of the map, before it is scaled up smoothly
LIMITS_DB: Final = (3.0, 6.0, 10.0, 15.0, 20.0, 30.0)
FEWEST: Final = 4  # channels; of fewer a map would say nothing
CALM: Final = 10  # looks at a smaller limit before the scale follows


def relative_db(power_uv2: FloatArray) -> FloatArray:
    """Return (channels,) dB against the channels' median; nan where there is none."""
    there = np.isfinite(power_uv2) & (power_uv2 > 0)
    found = np.full(power_uv2.shape, np.nan)
    if there.any():
        found[there] = 10 * np.log10(power_uv2[there] / np.median(power_uv2[there]))
    return found


class ScalpMap:
    """Interpolates between electrodes; its matrix is made when the channels change."""

    def __init__(self) -> None:
        self._labels: tuple[str, ...] = ()
        self._there: bytes = b""
        self._matrix: FloatArray | None = None
        self.places: dict[
            str, tuple[float, float]
        ] = {}  # of the channels that are used

    def image(self, labels: Sequence[str], values: FloatArray) -> FloatArray | None:
        """Return (side, side) values, row 0 at the nose; None if there is too little.

        Parameters
        ----------
        labels : of the channels.
        values : (channels,), nan where there is none. Between the electrodes nothing is
            higher or lower than at the highest and lowest of them.
        """
        places = [electrode_place(label) for label in labels]
        used = np.array([at is not None for at in places], bool) & np.isfinite(values)
        if used.sum() < FEWEST:
            self.places = {}
            return None
        if (tuple(labels), used.tobytes()) != (self._labels, self._there):
            self._labels, self._there = tuple(labels), used.tobytes()
            kept = zip(labels, places, used, strict=True)
            self.places = {
                label: at for label, at, use in kept if use and at is not None
            }
            chosen = [at for at, use in zip(places, used, strict=True) if use]
            self._matrix = spline_matrix(on_sphere(np.array(chosen)), _grid())
        assert self._matrix is not None
        good = values[used]
        between = np.clip(self._matrix @ good, good.min(), good.max())
        return np.asarray(between.reshape(SIDE, SIDE))


class CalmLimit:
    """The end of a colour scale: grows at once, shrinks after some quiet."""

    def __init__(self) -> None:
        self.limit_db = LIMITS_DB[0]
        self._quiet = 0

    def take(self, values_db: FloatArray) -> float:
        """Return the limit after another look; values that are nan do not count."""
        most = float(np.nanmax(np.abs(values_db), initial=0.0))
        needed = next((db for db in LIMITS_DB if db >= most), LIMITS_DB[-1])
        self._quiet = self._quiet + 1 if needed < self.limit_db else 0
        if needed > self.limit_db or self._quiet >= CALM:
            self.limit_db, self._quiet = needed, 0
        return self.limit_db


def _grid() -> FloatArray:
    """Return (pixels, 3) places of the map's pixels on the sphere."""
    at = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(at, -at)
    return on_sphere(np.column_stack([x.ravel(), y.ravel()]))


BANDS: Final = ("delta", "theta", "alpha", "beta", "gamma")
OLD_AFTER_S: Final = 5.0  # one comes each second
NOTHING: Final = "No band power yet. It comes each second while a session runs."
TOO_FEW: Final = "Too few channels with a known place for a map."
TIP: Final = (
    "Power of one band at each channel, over 4 s, against the median of all channels. "
    "Between the electrodes it is computed (spherical splines), not measured."
)
NEAR_PX: Final = 14.0


class Topography(QWidget):
    """A choice of band above the map."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("topography")
        self.setToolTip(TIP)
        self._colours = colours
        self._choice = QComboBox(self)
        self._choice.setObjectName("topography_band")
        self._choice.setToolTip("Which band is shown")
        self._choice.addItems(BANDS)
        self._choice.setCurrentText("alpha")
        self._choice.activated.connect(self._draw_again)
        self._caption = QLabel(self)
        self._caption.setObjectName("topography_caption")
        self._caption.setMinimumWidth(1)
        self.map = TopographyMap(colours, self)
        self._seen: tuple[object, ...] = ()
        self._lay_out()

    @property
    def band(self) -> str:
        """The band that is shown."""
        return self._choice.currentText()

    def set_colours(self, colours: Colours) -> None:
        """Draw in another theme."""
        self._colours = colours
        self.map.set_colours(colours)

    def refresh(self, state: DashboardState, now_s: float) -> None:
        """Show the newest band powers."""
        bands, hello, lsl_s = state.bands, state.hello, state.lsl_now_s(now_s)
        age_s = 0.0 if bands is None or lsl_s is None else lsl_s - bands.t_end
        self.map.set_age(age_s if age_s > OLD_AFTER_S else None)
        labels = hello.channels if hello else ()
        if (bands, labels) == self._seen:
            return
        self._seen = (bands, labels)
        if bands is None or len(labels) != bands.power_uv2.shape[1]:
            self.map.clear()
            return
        if bands.bands != tuple(
            self._choice.itemText(k) for k in range(self._choice.count())
        ):
            self._offer(bands.bands)
        row = self._choice.currentIndex()
        if row < 0:
            self.map.clear()
            return
        low_hz, high_hz = bands.edges_hz[row]
        self._caption.setText(f"{low_hz:g} to {high_hz:g} Hz")
        self.map.show_power(labels, bands.power_uv2[row])

    def _offer(self, bands: tuple[str, ...]) -> None:
        wanted = self.band
        self._choice.clear()
        self._choice.addItems(bands)
        self._choice.setCurrentIndex(max(0, self._choice.findText(wanted)))
        if not bands:
            self._choice.setCurrentIndex(-1)

    def _draw_again(self) -> None:
        self._seen = ()
        self.map.new_scale()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self._choice)
        row.addWidget(self._caption, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(row)
        column.addWidget(self.map, 1)


class TopographyMap(Drawn):
    """The map itself, with its colour bar."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(colours, parent)
        self.setObjectName("topography_map")
        self.setMinimumSize(130, 110)
        self._scalp, self._limit = ScalpMap(), CalmLimit()
        self._image: QImage | None = None
        self._values: dict[str, tuple[float, float]] = {}  # dB, uV^2
        self.age_s: float | None = None
        self.text = NOTHING

    def set_age(self, age_s: float | None) -> None:
        """Say that what is shown is old; None: it is not."""
        rounded = None if age_s is None else float(round(age_s))
        if rounded != self.age_s:
            self.age_s = rounded
            self.update()

    def new_scale(self) -> None:
        """Begin with the colours anew: another band has another range."""
        self._limit = CalmLimit()

    def clear(self) -> None:
        """Show that there is nothing to show."""
        self._image, self._values, self.text = None, {}, NOTHING
        self.update()

    def show_power(self, labels: tuple[str, ...], power_uv2: FloatArray) -> None:
        """Show (channels,) powers."""
        values_db = relative_db(power_uv2)
        limit_db = self._limit.take(values_db)
        found = self._scalp.image(labels, values_db)
        self._image = None if found is None else _coloured(found / limit_db)
        self.text = TOO_FEW if found is None else ""
        both = zip(
            labels,
            zip(values_db.tolist(), power_uv2.tolist(), strict=True),
            strict=True,
        )
        self._values = {
            label: pair for label, pair in both if label in self._scalp.places
        }
        self.update()

    def values_db(self) -> dict[str, float]:
        """Return what is shown at each electrode."""
        return {label: db for label, (db, _) in self._values.items()}

    def place_of(self, label: str) -> QPointF:
        """Return where the electrode `label` is drawn; it must be on the map."""
        return HeadFrame.inside(self._head()).at(*self._scalp.places[label])

    def words_at(self, position: QPointF) -> str:
        """Return what there is to say of the electrode at `position`."""
        near = [
            ((self.place_of(label) - position).manhattanLength(), label)
            for label in self._scalp.places
        ]
        distance, label = min(near, default=(NEAR_PX, ""))
        if distance >= NEAR_PX or label not in self._values:
            return TIP
        db, uv2 = self._values[label]
        return f"{label}: {db:+.1f} dB against the median ({uv2:.3g} µV²)"

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802 (Qt's)
        """Draw map, head, electrodes and colour bar."""
        painter = self.painter()
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        frame = HeadFrame.inside(self._head())
        if self._image is not None:
            self._draw_map(painter, frame)
            self._draw_bar(painter)
        draw_head(painter, frame, self._colours)
        words = self.text
        if self.age_s is not None and self._image is not None:
            overlay = QColor(self._colours.panel)
            overlay.setAlpha(170)
            painter.fillRect(self.rect(), overlay)
            words = f"{self.age_s:.0f} s old"
        painter.setPen(QColor(self._colours.text))
        flags = int(Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap)
        painter.drawText(self._head().adjusted(16, 0, -16, 0), flags, words)

    def _bar_width(self) -> float:
        return QFontMetricsF(self.font()).horizontalAdvance("+30 dB") + 18

    def _head(self) -> QRectF:
        return QRectF(self.rect()).adjusted(2, 2, -self._bar_width(), -2)

    def _draw_map(self, painter: QPainter, frame: HeadFrame) -> None:
        if self._image is None:
            return
        circle = QPainterPath()
        circle.addEllipse(frame.outline())
        painter.save()
        painter.setClipPath(circle)
        painter.drawImage(frame.outline(), self._image)
        painter.restore()
        painter.setPen(QColor("#000000"))
        painter.setBrush(QColor("#ffffff"))
        for place in self._scalp.places.values():
            painter.drawEllipse(frame.at(*place), 1.8, 1.8)

    def _draw_bar(self, painter: QPainter) -> None:
        font_height = QFontMetricsF(self.font()).height()
        left = self.width() - self._bar_width() + 4
        head = HeadFrame.inside(self._head()).outline()
        tall = max(8.0, min(self.height() - 2 * font_height, head.height()))
        box = QRectF(left, head.center().y() - tall / 2, 10, tall)
        ramp = np.linspace(1, -1, 64)[:, None]
        painter.drawImage(box, _coloured(ramp))
        painter.setPen(QColor(self._colours.text))
        limit_db = self._limit.limit_db
        for share, words in (
            (0, f"+{limit_db:g} dB"),
            (0.5, "median"),
            (1, f"\u2212{limit_db:g}"),
        ):
            y = box.top() + share * box.height()
            room = QRectF(left + 13, y - font_height / 2, 100, font_height)
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter.value, words)


def _coloured(share: FloatArray) -> QImage:
    """Return the picture of (rows, columns) values from -1 to 1, in viridis."""
    table = pg.colormap.get("viridis").getLookupTable(nPts=256)  # (256, 3)
    index = np.clip(np.round((share + 1) * 127.5), 0, 255).astype(np.int64)
    pixels = np.ascontiguousarray(table[index], np.uint8)  # (rows, columns, 3)
    rows, columns = index.shape
    kept = QImage(
        pixels.tobytes(), columns, rows, 3 * columns, QImage.Format.Format_RGB888
    )
    return kept.copy()  # of its own, not a view of `pixels`
