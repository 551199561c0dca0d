"""Dark and light: one palette and one style sheet for all windows."""

import json

from PyQt6.QtCore import QByteArray, QSettings
from PyQt6.QtGui import QColor, QFont, QPalette
from PyQt6.QtWidgets import QApplication

from rtbold.gui.state.preferences import Colours, Preferences, as_dict, from_dict

Role = QPalette.ColorRole
SHEET = """
QWidget {{ color: {text}; }}
QMainWindow, QDialog, QStackedWidget > QWidget {{ background: {background}; }}
QToolTip {{ color: {text}; background: {panel}; border: 1px solid {border}; }}
QPushButton {{ background: {panel}; border: 1px solid {border}; border-radius: 4px;
  padding: 4px 10px; }}
QPushButton:hover {{ border-color: {accent}; }}
QPushButton:focus {{ border: 2px solid {accent}; padding: 3px 9px; }}
QPushButton:checked, QPushButton:default {{ background: {accent}; color: {on_fill}; }}
QPushButton:disabled {{ color: {muted}; background: {background}; }}
QLineEdit, QPlainTextEdit, QTextEdit, QTextBrowser, QComboBox, QSpinBox,
QDoubleSpinBox, QTableView, QTreeView, QListView {{ background: {panel};
  border: 1px solid {border}; border-radius: 3px; padding: 2px;
  selection-background-color: {accent}; selection-color: {on_fill}; }}
QLineEdit:focus, QComboBox:focus, QSpinBox:focus, QDoubleSpinBox:focus,
QTableView:focus, QListView:focus {{ border: 2px solid {accent}; }}
QComboBox[wrong="true"] {{ border: 2px solid {invalid}; color: {invalid}; }}
QCheckBox::indicator {{ width: 12px; height: 12px; border: 1px solid {muted};
  border-radius: 2px; background: {panel}; }}
QCheckBox::indicator:checked {{ background: {accent}; border-color: {accent}; }}
QHeaderView::section {{ background: {background}; color: {muted}; border: none;
  padding: 3px 6px; }}
QGroupBox {{ border: 1px solid {border}; border-radius: 4px; margin-top: 1.1em; }}
QGroupBox::title {{ subcontrol-origin: margin; left: 8px; color: {muted}; }}
QSplitter::handle {{ background: {border}; }}
QSplitter::handle:horizontal {{ width: 3px; }}
QSplitter::handle:vertical {{ height: 3px; }}
QProgressBar {{ background: {panel}; border: 1px solid {border}; border-radius: 3px;
  text-align: center; }}
QProgressBar::chunk {{ background: {accent}; }}
"""


def sheet(colours: Colours) -> str:
    """Return the style sheet of a theme."""
    names = (
        "text", "background", "panel", "border", "accent", "on_fill", "muted",
        "invalid",
    )  # fmt: skip
    return SHEET.format(**{name: getattr(colours, name) for name in names})


def palette(colours: Colours) -> QPalette:
    """Return the palette of a theme, for what the style draws by itself."""
    chosen = QPalette()
    roles = {
        Role.Window: colours.background,
        Role.WindowText: colours.text,
        Role.Base: colours.panel,
        Role.AlternateBase: colours.background,
        Role.Text: colours.text,
        Role.Button: colours.panel,
        Role.ButtonText: colours.text,
        Role.ToolTipBase: colours.panel,
        Role.ToolTipText: colours.text,
        Role.PlaceholderText: colours.muted,
        Role.Highlight: colours.accent,
        Role.HighlightedText: colours.on_fill,
        Role.Link: colours.accent,
    }
    for role, colour in roles.items():
        chosen.setColor(role, QColor(colour))
    for role in (Role.Text, Role.ButtonText, Role.WindowText):
        chosen.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.muted))
    return chosen


def apply(
    app: QApplication, colours: Colours, *, text_scale: float, base_points: float
) -> None:
    """Give all windows these colours and this text size.

    Parameters
    ----------
    base_points : size of the system's own font, before any scaling.
    """
    font = QFont(app.font())
    font.setPointSizeF(base_points * text_scale)
    wanted = palette(colours)
    # only what has changed: each call asks every widget that there is
    if app.palette() != wanted:
        app.setPalette(wanted)
    if (app.font(), app.styleSheet()) != (font, sheet(colours)):
        app.setFont(font)
        app.setStyleSheet(sheet(colours))  # gives the font to what has a style, too


# Where the dashboard keeps its preferences: an ini file of the operator.


class Remembered:
    """Reads and writes one ini file; a bad one gives the defaults.

    Parameters
    ----------
    file : of the settings; None: the usual place of this system.
    """

    def __init__(self, file: str | None = None) -> None:
        ini = QSettings.Format.IniFormat
        if file is None:
            user = QSettings.Scope.UserScope
            self._settings = QSettings(ini, user, "rtbold", "dashboard")
        else:
            self._settings = QSettings(file, ini)

    @property
    def file(self) -> str:
        """Path of the ini file."""
        return self._settings.fileName()

    def preferences(self) -> Preferences:
        """Return what was kept, or the defaults."""
        try:
            return from_dict(json.loads(str(self._settings.value("preferences", "{}"))))
        except ValueError:
            return Preferences()

    def keep(self, preferences: Preferences) -> None:
        """Write the preferences."""
        self._settings.setValue("preferences", json.dumps(as_dict(preferences)))

    def geometry(self) -> QByteArray | None:
        """Return the main window's place and size, if kept."""
        found = self._settings.value("geometry")
        return found if isinstance(found, QByteArray) else None

    def keep_geometry(self, geometry: QByteArray) -> None:
        """Write the main window's place and size."""
        self._settings.setValue("geometry", geometry)

    def flush(self) -> None:
        """Write the file now."""
        self._settings.sync()
