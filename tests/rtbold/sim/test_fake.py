import itertools
import json
from pathlib import Path

import jsonschema
import pytest

from rtbold.clock import HandCrankedClock
from rtbold.codec import encode
from rtbold.errors import DataFileError, RtboldError
from rtbold.io.control import ControlCommand
from rtbold.sim.fake import FakeSession, fake_card, fake_hello
from rtbold.sim.fake_script import (
    ScriptRow,
    default_script,
    read_script,
    script_tr_s,
)
from rtbold.wire import Ports

SCHEMAS = Path(__file__).resolve().parents[3] / "rtbold" / "schemas"


def script(tmp_path, text):
    path = tmp_path / "script.csv"
    path.write_text(text, encoding="utf-8")
    return path


def played(rows, clock=None, **options):
    clock = clock or HandCrankedClock(100.0)
    sent = []
    session = FakeSession(fake_card(2.1), clock=clock, publish=sent.append, **options)
    n_played = session.play(rows)
    return sent, n_played


def test_script_is_read(tmp_path):
    path = script(tmp_path, "t_s, value, status\n0,0.5,ok\n\n2.1,,invalid\n")
    assert read_script(path) == (
        ScriptRow(0.0, 0.5, "ok"), ScriptRow(2.1, None, "invalid"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: header is 'an empty file', expected t_s,value,status"),
        ("t,v\n", r"line 1: header is 't,v'"),
        ("t_s,value,status\n", r"a header and no rows"),
        ("t_s,value,status\n0,1,ok\n2,x,ok\n", r"line 3, column value: 'x', expected"),
        ("t_s,value,status\n0,nan,ok\n", r"line 2, column value: 'nan'"),
        ("t_s,value,status\n0,,ok\n", r"line 2, column value: ''"),
        (
            "t_s,value,status\n0,1,fine\n",
            r"line 2, column status: 'fine', expected one",
        ),
        ("t_s,value,status\n0,1,invalid\n", r"line 2, column value: '1', but"),
        ("t_s,value,status\n1,1,ok\n1,1,ok\n", r"line 3, column t_s: 1 does not come"),
        ("t_s,value,status\n-1,1,ok\n", r"line 2, column t_s: -1"),
        ("t_s,value,status\n1,1\n", r"line 2: 2 cells, expected t_s,value,status"),
    ],
)
def test_errors_name_line_and_column(tmp_path, text, message):
    with pytest.raises(DataFileError, match=message):
        read_script(script(tmp_path, text))


def test_files_that_are_no_text(tmp_path):
    with pytest.raises(DataFileError, match=r"cannot read the script"):
        read_script(tmp_path / "missing.csv")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataFileError, match=r"cannot read the script"):
        read_script(tmp_path / "x.csv")


def test_default_script_shows_every_kind_of_trouble():
    rows = list(itertools.islice(default_script(), 60))
    assert {row.status for row in rows} == {"ok", "degraded", "invalid", "warmup"}
    assert all((row.value is None) == (row.status in ("invalid", "warmup"))
               for row in rows)  # fmt: skip


def test_tr_is_the_scripts_step():
    rows = tuple(ScriptRow(1.5 * k, 0.0, "ok") for k in range(5))
    assert script_tr_s(rows) == 1.5
    assert script_tr_s(rows[:1]) == 2.1


def test_each_row_goes_out_when_due_as_valid_messages():
    clock = HandCrankedClock(100.0)
    rows = [ScriptRow(0.0, 0.5, "ok"), ScriptRow(4.2, None, "invalid")]
    sent, n_played = played(rows, clock, speed=2.0)
    assert n_played == 2
    assert clock.now_s() == pytest.approx(102.1)
    for message in [*sent, fake_hello(fake_card(2.1), Ports(feed=1))]:
        schema = json.loads((SCHEMAS / f"{message.topic}.1.json").read_text())
        jsonschema.validate(json.loads(encode(message)), schema)
    feedback = [m for m in sent if m.topic == "pred.fb"]
    assert [(m.value, m.status) for m in feedback] == [(0.5, "ok"), (None, "invalid")]
    assert [m.volume_index for m in sent if m.topic == "pred.roi"] == [0, 1]


def test_stop_ends_it_and_other_commands_are_refused():
    sent = []
    clock = HandCrankedClock(0.0)
    session = FakeSession(fake_card(2.1), clock=clock, publish=sent.append)
    with pytest.raises(RtboldError, match=r"cannot pause"):
        session.on_command(ControlCommand("pause"))
    session.on_command(ControlCommand("stop"))
    assert session.play(default_script()) == 0


def test_duration_bounds_an_endless_script():
    sent = []
    clock = HandCrankedClock(0.0)
    session = FakeSession(fake_card(2.1), clock=clock, publish=sent.append)
    assert session.play(default_script(), duration_s=6.3) == 3
