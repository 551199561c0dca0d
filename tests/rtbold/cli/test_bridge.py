import json
import signal
import socket
import subprocess
import sys

import pytest
import typer
from bridged import PATIENCE_S
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from rtbold.cli import main
from rtbold.cli.bridge import bridge
from rtbold.errors import ConfigError

app = typer.Typer()
app.command()(bridge)


def test_help_has_an_example():
    assert "Example: rtbold bridge" in CliRunner().invoke(app, ["--help"]).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no bridge was named"),
        (["--websocket", "99999"], "--websocket is 99999"),
        (["--murfi", "-1"], "--murfi is -1"),
        (["--osc", "9000"], "--osc is '9000'"),
        (["--udp", "224.0.0.1:5"], "many machines"),
        (["--lines", "0", "--bind", "0.0.0.0"], "--bind 0.0.0.0 would show"),
        (["--lines", "0", "--connect", "nonsense"], "'nonsense' is no address"),
        (["--lines", "0", "--encoding", "xml"], "--encoding is 'xml'"),
        (["--murfi", "0", "--name", "cen"], "--name is 'cen'"),
        (["--murfi", "0", "--quantity", "percent"], "--quantity is 'percent'"),
        (["--udp", "127.0.0.1:5", "--neutral", "x"], "--neutral is 'x'"),
        (["--lines", "0", "--server-key", "k"], "belong together"),
        (["--lines", "0", "--server-key", "k", "--keys-secret", "k"], "cannot be used"),
        (["--websocket", "0", "--page", "missing.html"], "--page missing.html"),
    ],
)
def test_wrong_use_is_one_clear_error(arguments, message):
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, ConfigError)
    assert message in str(error)


def read_to_the_end(browser):
    while browser.recv(PATIENCE_S):
        pass


@pytest.mark.integration
def test_fake_opens_a_page_for_the_browser_by_one_command():
    ports = []
    for _ in range(3):  # free a moment ago
        with socket.create_server(("127.0.0.1", 0)) as found:
            ports.append(str(found.getsockname()[1]))
    words = ["--port", ports[0], "--control-port", ports[1], "--websocket", ports[2]]
    command = [sys.executable, "-m", "rtbold", "fake", "--speed", "20", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as fake:
        try:
            address = f"http://127.0.0.1:{ports[2]}/"
            assert any(address in line for line in fake.stderr)
            with connect(f"ws://127.0.0.1:{ports[2]}/feed?topics=show") as browser:
                while json.loads(browser.recv(PATIENCE_S))["show"] != "value":
                    pass
                fake.send_signal(signal.SIGINT)
                with pytest.raises(ConnectionClosed):  # the bridge ends with it
                    read_to_the_end(browser)
        finally:
            fake.kill()


def test_a_scenario_that_there_is_not_is_refused_before_a_client_is_waited_for(capsys):
    assert main(["check-client", "--scenario", "gab", "--wait", "0"]) == 2
    said = capsys.readouterr().err
    assert "--scenario is 'gab'" in said
    assert "start your client" not in said
