from PyQt6.QtWidgets import QDialogButtonBox

from rtbold.gui.state.address import Address
from rtbold.gui.views.dialogs import ConnectDialog


def ok(dialog):
    return dialog.buttons.button(QDialogButtonBox.StandardButton.Ok)


def test_what_was_typed_becomes_an_address(qtbot):
    dialog = ConnectDialog(Address())
    qtbot.addWidget(dialog)
    assert ok(dialog).isEnabled()
    dialog.feed.setText("scanner-pc:6000")
    ok(dialog).click()
    assert dialog.result() == 1
    assert dialog.address == Address("tcp://scanner-pc:6000")


def test_what_is_no_address_is_said_while_typing_and_cannot_be_joined(qtbot):
    dialog = ConnectDialog(Address())
    qtbot.addWidget(dialog)
    dialog.feed.setText("http://here")
    assert "expected tcp://HOST:PORT" in dialog.problem.text()
    assert not ok(dialog).isEnabled()
    dialog.feed.setText("here")
    assert dialog.problem.text() == ""
    assert ok(dialog).isEnabled()


def test_one_key_alone_is_said(qtbot):
    dialog = ConnectDialog(Address())
    qtbot.addWidget(dialog)
    dialog.secret.setText("me.key_secret")
    assert "expected both" in dialog.problem.text()
    dialog.server.setText("server.key")
    assert ok(dialog).isEnabled()
    assert dialog.address.server_file == "server.key"
