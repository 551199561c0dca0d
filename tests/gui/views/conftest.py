import pytest
from PyQt6.QtWidgets import QApplication


@pytest.fixture(autouse=True)
def same_look_afterwards(request):
    """Give the next test the application as it was: the theme is application-wide."""
    if "qtbot" not in request.fixturenames:
        yield
        return
    app = request.getfixturevalue("qapp")
    font, sheet, palette = app.font(), app.styleSheet(), app.palette()
    yield
    QApplication.setFont(font)
    app.setStyleSheet(sheet)
    app.setPalette(palette)
