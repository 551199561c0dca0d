import socket

import pytest
import typer
from typer.testing import CliRunner

from rtbold.cli.fake import fake
from rtbold.cli.monitor import monitor
from rtbold.errors import ConfigError, DataFileError, PortInUse, RtboldError

app = typer.Typer()
app.command()(fake)
app.command()(monitor)


def failure(*arguments):
    return CliRunner().invoke(app, list(arguments)).exception


@pytest.mark.parametrize("command", ["fake", "monitor"])
def test_help_has_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert f"Example: rtbold {command}" in result.output


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["fake", "--speed", "-1"], ConfigError, "--speed is -1.0"),
        (["fake", "--duration", "-5"], ConfigError, "--duration is -5.0"),
        (["fake", "--port", "99999"], ConfigError, "--port is 99999"),
        (["fake", "--scene", "asleep"], ConfigError, "--scene is 'asleep'"),
        (["fake", "--scenario", "nap"], ConfigError, "--scenario is 'nap'"),
        (
            ["fake", "--scenario", "gap", "--scene", "ok"],
            ConfigError,
            "came with a --script or a --scene",
        ),
        (
            ["fake", "--websocket", "0", "--port", "0"],
            ConfigError,
            "--websocket came with --port 0",
        ),
        (["fake", "--scene-after", "3"], ConfigError, "without a --scene"),
        (
            ["fake", "--scene", "ok", "--script", "x.csv"],
            ConfigError,
            "--script and --scene ok were both given",
        ),
        (["fake", "--channels", "20"], ConfigError, "--channels is 20"),
        (["fake", "--rois", "65"], ConfigError, "--rois is 65"),
        (["fake", "--seed", "-1"], ConfigError, "--seed is -1"),
        (["fake", "--encoding", "xml"], ConfigError, "--encoding is 'xml'"),
        (
            ["fake", "--rois", "1", "--target", "Nose"],
            ConfigError,
            "--target is 'Nose'",
        ),
        (["fake", "--script", "missing.csv"], DataFileError, "cannot read the script"),
        (
            ["fake", "--bind", "0.0.0.0", "--port", "0"],
            ConfigError,
            "without protection",
        ),
        (["monitor", "--connect", "nonsense"], ConfigError, "'nonsense' is no address"),
        (["monitor", "--timeout", "-1"], ConfigError, "--timeout is -1.0"),
    ],
)
def test_wrong_use_is_one_clear_error(arguments, kind, message):
    error = failure(*arguments)
    assert isinstance(error, kind)
    assert message in str(error)


@pytest.mark.integration
def test_silence_is_an_error_that_says_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        error = failure("monitor", "--connect", address, "--timeout", "0.3")
    assert isinstance(error, RtboldError)
    assert error.exit_code == 1
    assert "nothing came from" in str(error)
    assert "rtbold fake" in str(error)


@pytest.mark.integration
def test_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        error = failure("fake", "--port", str(port), "--control-port", "0")
    assert isinstance(error, PortInUse)
    assert f"port {port} is in use" in str(error)


@pytest.mark.integration
def test_a_script_is_played_to_its_end(tmp_path):
    path = tmp_path / "script.csv"
    path.write_text("t_s,value,status\n0,0.1,ok\n0.1,,invalid\n0.2,0.3,ok\n")
    arguments = ["fake", "--script", str(path), "--port", "0", "--control-port", "0"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "published 3 predictions" in result.output
    looped = CliRunner().invoke(app, [*arguments, "--loop", "--duration", "0.55"])
    assert "published 6 predictions" in looped.output
