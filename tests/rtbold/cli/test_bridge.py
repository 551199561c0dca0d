import pytest
import typer
from typer.testing import CliRunner

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
