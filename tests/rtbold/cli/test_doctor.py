import json

import pytest
import typer
from typer.testing import CliRunner

from rtbold.cli.doctor import doctor
from rtbold.errors import ConfigError
from rtbold.messages import Check
from rtbold.preflight.delay import DelayEstimate

OK = Check("python", "ok", "Python 3.11")
WARN = Check("extras", "warn", "gui lacks [x]", 'pip install "rtbold-eeg[gui]"')
FAIL = Check("port 5580", "fail", "taken", "end it")
ESTIMATE = DelayEstimate("cross_correlation", 0.0372, 0.001, 0.002, 14, 15, 0.91)


def invoke(*arguments):
    app = typer.Typer()
    app.command()(doctor)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def found(monkeypatch):
    checks = [OK, WARN]
    monkeypatch.setattr("rtbold.preflight.examine_machine", lambda **_: iter(checks))
    return checks


def test_warnings_do_not_fail(found):
    result = invoke()
    assert result.exit_code == 0
    assert "rtbold-eeg[gui]" in result.output


def test_a_failed_check_is_exit_code_1(found):
    found.append(FAIL)
    result = invoke()
    assert result.exit_code == 1
    assert "end it" in result.output


def test_json_is_one_object_on_standard_output(found):
    found.append(FAIL)
    result = invoke("--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert report["checks"][1] == {
        "name": "extras",
        "state": "warn",
        "found": "gui lacks [x]",
        "advice": 'pip install "rtbold-eeg[gui]"',
    }


def test_a_port_that_is_none_is_wrong_use(found):
    assert invoke("--port", "70000").exit_code == 2


def test_the_delay_is_said_with_its_spread_and_what_to_do(monkeypatch):
    asked = []

    def measure(request, clock, progress):
        asked.append(request)
        progress(1.0)
        return ESTIMATE

    monkeypatch.setattr("rtbold.preflight.measure_delay", measure)
    arguments = ("--measure-delay", "--raw", "A", "--cleaned", "B", "--seconds", "30")
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert "37.2 ms" in result.stdout
    assert "--upstream-delay-ms 37" in result.stdout
    assert (asked[0].raw, asked[0].cleaned, asked[0].seconds) == ("A", "B", 30.0)
    as_json = json.loads(invoke(*arguments, "--json").stdout)
    assert as_json["delay"]["delay_s"] == 0.0372


@pytest.mark.parametrize("wrong", [("--seconds", "-5"), ("--max-lag", "0")])
def test_times_that_make_no_sense_are_refused(wrong):
    result = invoke("--measure-delay", "--raw", "A", "--cleaned", "B", *wrong)
    assert isinstance(result.exception, ConfigError)
