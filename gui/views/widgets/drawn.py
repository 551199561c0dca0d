"""What widgets that draw themselves share: colours, painter, words for the mouse."""

from PyQt6.QtCore import QEvent, QPointF
from PyQt6.QtGui import QColor, QHelpEvent, QPainter
from PyQt6.QtWidgets import QToolTip, QWidget

from rtbold.gui.state.theme_colours import Colours


class Drawn(QWidget):
    """A widget on the panel's ground that says what is under the mouse."""

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours = colours

    def set_colours(self, colours: Colours) -> None:
        """Draw in another theme."""
        self._colours = colours
        self.update()

    def words_at(self, position: QPointF) -> str:
        """Return what there is to say of the place at `position`."""
        raise NotImplementedError

    def event(self, event: QEvent | None) -> bool:
        """Say what is under the mouse."""
        if isinstance(event, QHelpEvent):
            words = self.words_at(QPointF(event.pos()))
            QToolTip.showText(event.globalPos(), words, self)
            return True
        return super().event(event)

    def painter(self) -> QPainter:
        """Return a painter with smooth edges, on clean ground; for `paintEvent`."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QColor(self._colours.panel))
        return painter
