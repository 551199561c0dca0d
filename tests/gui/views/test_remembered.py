import pytest
from PyQt6.QtCore import QByteArray

from rtbold.gui.state.preferences import Preferences
from rtbold.gui.views.theme import Remembered


def test_preferences_and_place_come_back_from_the_file(tmp_path):
    file = str(tmp_path / "dashboard.ini")
    kept = Preferences(theme="light", choices={"subject": "S01, ü; \\ [x]"})
    first = Remembered(file)
    first.keep(kept)
    first.keep_geometry(QByteArray(b"\x00\xff place"))
    first.flush()
    again = Remembered(file)
    assert again.preferences() == kept
    assert again.geometry() == QByteArray(b"\x00\xff place")
    assert again.file == file


@pytest.mark.parametrize(
    "content",
    ["", "[General]\npreferences={broken", "\x00\x01\x02", "geometry=nonsense"],
)
def test_a_bad_file_gives_the_defaults(tmp_path, content):
    file = tmp_path / "dashboard.ini"
    file.write_text(content, encoding="utf-8")
    remembered = Remembered(str(file))
    assert remembered.preferences() == Preferences()
    assert remembered.geometry() is None


def test_a_file_that_cannot_be_written_ends_nothing(tmp_path):
    remembered = Remembered(str(tmp_path / "no" / "\0" / "dashboard.ini"))
    remembered.keep(Preferences(theme="light"))
    remembered.flush()
