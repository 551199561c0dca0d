import inspect
from dataclasses import fields
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from rtbold.cli.options import RequestedRun, RunOptions, takes_run_options
from rtbold.config import FeedbackSettings, RunSettings
from rtbold.errors import ConfigError

EVERYTHING = RunSettings(
    model="demo", stream="Brain Vision", host="eeg-pc", type="Signal", wait_s=7.5,
    unit="uV", reference="FCz", interpolate=True, trigger_stream="M",
    trigger_host="stim-pc", trigger="R128",
    trigger_every=36, dummy_volumes=4, upstream_delay_ms=37.0,
    cleaning="online:RecView", scanner="inside_running", tr_s=2.5, target="Putamen",
    feedback=FeedbackSettings(smooth="mean", smooth_n=4, low=-2.0, high=2.5),
    approval="EC-2026-114",
    engine="openvino", precision="int8", bind="127.0.0.2", port=5590,
    control_port=5591, curve_keys=Path("keys"), encoding="msgpack",
    record=Path("a folder"), record_copy=Path("another"), record_as="S07",
    session="02", task="nfb", run=3, protocol=Path("study 1.toml"), attempt=2,
    condition="K7", confirmed_by="P02", kind="transfer", truth="tcp:h:1",
    truth_roi=("A", "B"), truth_first=3,
    duration_s=12.0, allow_unvalidated=True, allow_simulated_model=True,
    allow_domain_shift=True,
)  # fmt: skip


def asked_for(arguments):
    """Return what a command gets from a command line."""
    got = []

    def keep(asked: RequestedRun, more: int = 7) -> None:
        got.append((asked, more))

    app = typer.Typer()
    app.command()(takes_run_options(keep))
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return got[0] if got else result


def test_every_setting_has_an_option():
    # which contradict others in EVERYTHING
    left_out = {"trigger_channel", "subject", "truth_by_onset", "blind"}
    for field in fields(RunSettings):
        if field.name not in left_out:
            assert getattr(EVERYTHING, field.name) != field.default, field.name
    assert len(RunOptions.__annotations__) == len(fields(RunSettings)) + 2


@pytest.mark.parametrize(
    "settings",
    [
        EVERYTHING,
        RunSettings(),
        RunSettings(subject="S01", trigger_channel="MkIdx"),
        RunSettings(record=Path("a folder"), record_as="S07", blind=Path("study")),
        RunSettings(port=0, upstream_delay_ms=0.0),
        RunSettings(truth="lsl:b", truth_by_onset=True),
    ],
)
def test_arguments_ask_for_the_same_session(settings):
    asked = RequestedRun(settings, Path("subjects of all"))
    again, more = asked_for(asked.arguments())
    assert again == asked
    assert more == 7


def test_nothing_given_is_nothing_said():
    assert RequestedRun(RunSettings()).arguments() == []


def test_a_file_stands_under_the_options(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('model = "demo"\ntr_s = 2.0\ntruth = "lsl:b"\ntruth_roi = ["A"]\n')
    asked, _ = asked_for(["--config", str(file), "--tr", "2.1"])
    assert asked.settings == RunSettings(
        model="demo", tr_s=2.1, truth="lsl:b", truth_roi=("A",)
    )


def test_a_wrong_value_is_said_before_the_command_begins():
    with pytest.raises(ConfigError, match="give seconds, 2"):
        asked_for(["--tr", "2100"])


def test_own_options_go_over_those_of_a_session():
    def keep(asked: RequestedRun, duration: float = 300.0) -> None:
        """Say it."""

    command = takes_run_options(keep)
    parameters = inspect.signature(command).parameters
    assert parameters["duration"].default == 300.0
    assert list(parameters)[:3] == ["duration", "model", "subject"]
    assert (command.__doc__, command.__name__) == ("Say it.", "keep")
