import pytest
from PyQt6.QtGui import QFontMetricsF
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
    # only what has changed: each call asks every widget that there is
    if app.font() != font:
        QApplication.setFont(font)
    if app.styleSheet() != sheet:
        app.setStyleSheet(sheet)
    if app.palette() != palette:
        app.setPalette(palette)


@pytest.fixture
def real_letters(qapp):
    """Skip what measures text where no font is installed: each letter is a wide box."""
    metrics = QFontMetricsF(qapp.font())
    if metrics.horizontalAdvance("i") == metrics.horizontalAdvance("W"):
        pytest.skip("no font with letters of their own width is installed")
