import pytest

from rtbold.errors import DataFileError
from rtbold.protocol import (
    ATTEMPT_NAME,
    Attempt,
    all_runs,
    attempts_in,
    break_left_s,
    example,
    next_attempt,
    next_run,
    parse_protocol,
    progress,
    read_attempt,
    read_attempts,
    write_attempt,
)
from rtbold.run_names import RunGroup

STUDY = parse_protocol(example(), where="example.toml").study
GROUP = RunGroup(subject="S01")


def attempt(run, number, state="complete", **more):
    return Attempt(
        study="example",
        sha256="0" * 64,
        run=run,
        attempt=number,
        kind="training",
        n_volumes=100,
        state=state,
        begun_unix_s=1000.0 * run + number,
        **more,
    )


def keep(root, recording, what):
    folder = GROUP.run(recording).folder(root)
    folder.mkdir(parents=True)
    if what is not None:
        write_attempt(folder, what)
    return folder


def test_attempts_come_back_from_the_recordings_of_the_session(tmp_path):
    told = [attempt(1, 1), attempt(2, 1, "interrupted", n_done=7), attempt(2, 2)]
    for number, each in enumerate(told, 1):
        keep(tmp_path, number, each)
    keep(tmp_path, 4, None)  # a run without a protocol
    other = RunGroup(subject="S02").run(1).folder(tmp_path)
    other.mkdir(parents=True)
    write_attempt(other, attempt(3, 1))
    assert attempts_in([tmp_path], GROUP, "example") == told
    assert attempts_in([tmp_path], GROUP, "another") == []
    assert attempts_in([tmp_path / "none"], GROUP, "example") == []


def test_an_interrupted_run_counts_as_not_done_and_keeps_its_number():
    told = [attempt(1, 1), attempt(2, 1, "interrupted"), attempt(2, 2, "running")]
    assert next_run(STUDY, told) == 2
    assert next_attempt(told, 2) == 3
    assert next_attempt(told, 3) == 1
    assert next_run(STUDY, [*told, attempt(2, 3)]) == 3
    assert next_run(STUDY, [attempt(n, 1) for n in range(1, 7)]) is None
    rows = list(progress(all_runs(STUDY), told))
    assert [row.done for row in rows] == [True] + [False] * 5
    assert [a.attempt for a in rows[1].attempts] == [1, 2]


def test_a_break_is_counted_from_the_end_of_the_last_run():
    ended = [attempt(1, 1, ended_unix_s=5000.0), attempt(2, 1, "running")]
    assert break_left_s(STUDY, ended, 5030.0) == 90.0
    assert break_left_s(STUDY, ended, 5120.0) == 0.0
    assert break_left_s(STUDY, ended, 4000.0) == 120.0  # the clock was set back
    assert break_left_s(STUDY, [], 0.0) == 0.0


def test_the_last_line_on_an_attempt_holds_and_one_that_was_cut_off_is_none(tmp_path):
    folder = keep(tmp_path, 1, attempt(2, 1, "running"))
    for each in (attempt(2, 1, "interrupted"), attempt(2, 2, "running")):
        write_attempt(folder, each)
    with (folder / ATTEMPT_NAME).open("ab") as file:
        file.write(b'{"study": "exa')
    assert [(a.attempt, a.state) for a in read_attempts(folder)] == [
        (1, "interrupted"), (2, "running"),
    ]  # fmt: skip
    assert read_attempt(folder).attempt == 2
    assert [a.attempt for a in attempts_in([tmp_path], GROUP, "example")] == [1, 2]


@pytest.mark.parametrize("data", [b"", b"{}\n", b"[" * 9999 + b"\n", b'{"run": "x"}\n'])
def test_a_damaged_file_is_an_error_for_its_number_may_be_taken(tmp_path, data):
    folder = keep(tmp_path, 1, None)
    (folder / ATTEMPT_NAME).write_bytes(data)
    with pytest.raises(DataFileError, match=r"cannot be read|is empty"):
        read_attempt(folder)
