import itertools

import pytest

from rtbold.errors import DataFileError
from rtbold.sim.fake_script import USUAL, ScriptRow, read_script, repeated, script_tr_s


def script(tmp_path, text):
    path = tmp_path / "script.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_script_is_read(tmp_path):
    path = script(tmp_path, "t_s, value, status\n0,0.5,ok\n\n2.1,,invalid\n")
    assert read_script(path) == (
        ScriptRow(0.0, 0.5, "ok"), ScriptRow(2.1, None, "invalid", USUAL["invalid"]),
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


def test_tr_is_the_scripts_step():
    rows = tuple(ScriptRow(1.5 * k, 0.0, "ok") for k in range(5))
    assert script_tr_s(rows) == 1.5
    assert script_tr_s(rows[:1]) == 2.1


def test_a_script_that_repeats_keeps_its_tr():
    rows = tuple(ScriptRow(2.0 * k, 0.1 * k, "ok") for k in range(3))
    twice = list(itertools.islice(repeated(rows, 2.0), 7))
    assert [row.t_s for row in twice] == [0, 2, 4, 6, 8, 10, 12]
    assert [row.value for row in twice] == [0, 0.1, 0.2, 0, 0.1, 0.2, 0]
