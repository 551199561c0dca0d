"""Where the dashboard keeps its preferences: an ini file of the operator."""

import json

from PyQt6.QtCore import QByteArray, QSettings

from rtbold.gui.state.preferences import Preferences, as_dict, from_dict


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
