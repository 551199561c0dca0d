"""A report of recordings, from their folders to its files."""

import csv
import json

import pytest

from rtbold.cli import main
from rtbold.errors import DataFileError
from rtbold.report import build_report, write_report
from rtbold.report.material import feedback_rows, read_material
from rtbold.report.summary import missed_of


@pytest.fixture
def report(tmp_path):
    def built(path, **given):
        found = build_report(path, given)
        files = write_report(found, tmp_path / "out")
        return found, {file.name: file.read_text("utf-8") for file in files}

    return built


def test_a_learner_is_found_and_a_non_learner_is_not(record):
    for run in (1, 2, 3):
        record(run, gain=1.0)
    learner = record(4, gain=1.0).parents[2]
    (session,) = build_report(learner).sessions
    assert session.summary.effect.found
    assert session.summary.effect.mean == pytest.approx(1.0, abs=0.15)
    assert session.summary.effect.n == 9
    assert session.summary.transfer.mean == pytest.approx(1.0, abs=0.2)
    assert [run.title for run in session.summary.runs] == [
        "run 1 (training)", "run 2 (training)", "run 3 (training)", "run 4 (transfer)",
    ]  # fmt: skip


def test_who_does_not_regulate_is_not_found(record):
    folder = record(1, gain=0.0).parent
    record(2, gain=0.0)
    (session,) = build_report(folder).sessions
    assert not session.summary.effect.found
    assert session.summary.effect.low < 0 < session.summary.effect.high


def test_sessions_are_reported_one_after_the_other(record):
    for k, gain in enumerate((0.0, 0.5, 1.0)):
        folder = record(1, gain, session=f"0{k + 1}")
    found = build_report(folder.parents[2])
    assert [s.summary.title[-2:] for s in found.sessions] == ["01", "01", "01"]
    assert len(found.sessions) == 3
    assert found.over_sessions.mean == pytest.approx(0.5, abs=0.15)


def test_people_are_no_sessions_that_follow_one_another(record):
    """A study's report had a change 'from session to session' over its subjects."""
    for k, gain in enumerate((0.0, 0.5, 1.0)):
        folder = record(1, gain, subject=f"S0{k + 1}")
    found = build_report(folder.parents[3])
    assert len(found.sessions) == 3
    assert found.over_sessions is None


def test_the_checklist_of_many_sessions_tells_each_not_the_last(record):
    for k, gain in enumerate((0.0, 1.0)):
        folder = record(1, gain, subject=f"S0{k + 1}")
    found = build_report(folder.parents[3])
    answers = {item.number: item.answer for item in found.checklist}
    for number in ("5a", "3e"):
        assert "sub-S01_ses-01_task-nf_run-01: " in answers[number]
        assert "sub-S02_ses-01_task-nf_run-01: " in answers[number]


def test_every_file_tells_the_same(record, report):
    folder = record(1, gain=1.0)
    found, files = report(folder)
    figures = json.loads(files["report.json"])
    mean = found.sessions[0].summary.effect.mean
    assert figures["sessions"][0]["regulation"]["mean"] == mean
    assert f"{mean:+.2f} z" in files["report.html"]
    rows = list(csv.DictReader(files["blocks.tsv"].splitlines(), delimiter="\t"))
    assert [row["name"] for row in rows] == [
        "rest", "up", "rest", "down", "rest", "up", "rest",
    ]  # fmt: skip
    assert rows[1]["direction"] == "up"
    assert rows[0]["direction"] == "n/a"
    assert float(rows[1]["mean"]) == pytest.approx(1.0, abs=0.3)


def test_the_page_fetches_nothing_and_escapes_names(record, report):
    def named(messages):
        return [{**each, "target": "<script>alert(1)</script>"} for each in messages]

    folder = record(1, change=named)
    _, files = report(folder)
    page = files["report.html"]
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "not a medical device" in page


def test_invalid_volumes_are_counted_and_never_averaged(record):
    def spoiled(messages):
        for each in messages[:20]:
            each.update(status="invalid", value=None, z=None, reasons=["gap"])
        return messages[:50] + messages[55:]

    (session,) = build_report(record(1, change=spoiled)).sessions
    quality = session.summary.quality
    assert quality.missed_n == 5
    assert quality.n == 100
    assert quality.usable_share == pytest.approx(0.8)
    assert quality.reasons[0] == ("gap", 20)
    assert session.summary.runs[0].blocks[0].mean is None


def test_conditions_are_shown_by_their_codes(record, report):
    _, files = report(record(1, condition="K7"))
    assert "condition K7" in files["report.html"]
    (control,) = [
        item for item in json.loads(files["cred-nf.json"]) if item["item"] == "2a"
    ]
    assert "K7" in control["answer"]


def test_own_answers_go_into_the_checklist(record, report):
    found, _ = report(record(1), **{"1a": "osf.io/abc"})
    by_number = {item.number: item for item in found.checklist}
    assert len(by_number) == 23
    assert by_number["1a"].answer == "osf.io/abc"
    assert by_number["1b"].state == "yours"
    assert "let it rise" in by_number["3b"].answer


def test_methods_say_what_is_not_known(record):
    text = build_report(record(1), site={"scanner": "a Prisma, 3 T"}).methods
    assert "BOLD was measured with a Prisma, 3 T." in text
    assert "online:RecView" in text
    assert "[amplifier: yours to fill]" in text
    assert "up and down" in text


def test_what_cannot_be_read_is_left_out_and_named(record):
    folder = record(1)
    bad = record(2)
    (bad / "published.jsonl").unlink()
    found = build_report(folder.parent)
    assert [name for name, _ in found.left_out] == [bad.name]
    assert "published.jsonl" in found.left_out[0][1]
    with pytest.raises(DataFileError, match="no recording at"):
        build_report(bad)


def test_a_session_without_a_value_is_refused(record):
    folder = record(1, change=lambda messages: [])
    with pytest.raises(DataFileError, match="no value that was fed back"):
        read_material(folder)


def test_a_message_sent_twice_counts_once(record):
    material = read_material(record(1, change=lambda made: made + made))
    assert len(material.rows) == 105


@pytest.mark.parametrize(
    "odd",
    [
        {}, {"topic": "pred.fb"}, {"topic": "pred.fb", "window": 3},
        {"topic": "pred.fb", "window": {"t_end": "x"}},
        {"topic": "pred.fb", "window": {"t_end": True}},
    ],
)  # fmt: skip
def test_odd_messages_are_no_volumes(odd):
    assert feedback_rows([odd]) == ()


def test_odd_fields_are_no_numbers():
    (row,) = feedback_rows([{
        "topic": "pred.fb", "window": {"t_end": 1}, "value": "0.5", "z": float("nan"),
        "status": "superb", "reasons": "gap", "latency_ms": [1],
    }])  # fmt: skip
    assert (row.value, row.z, row.status, row.reasons) == (None, None, None, ())
    assert not row.usable


def test_numbers_that_begin_again_are_another_run_of_the_scanner():
    def volumes(*indices):
        return feedback_rows(
            {"topic": "pred.fb", "window": {"t_end": k}, "volume_index": i}
            for k, i in enumerate(indices)
        )

    assert missed_of(volumes(0, 1, 4, 0, 1)) == 2
    assert missed_of(volumes(None, 3)) == 0


def test_the_command_prints_the_effect_and_where_the_page_is(record, capsys, tmp_path):
    folder = record(1)
    assert main(["report", str(folder), "--out", str(tmp_path / "page")]) == 0
    told = capsys.readouterr().out
    assert "regulation +" in told
    assert str(tmp_path / "page" / "report.html") in told
    assert oct((tmp_path / "page" / "report.html").stat().st_mode)[-3:] == "600"


@pytest.mark.parametrize(
    ("text", "said"),
    [("1z = 'x'", "1z"), ("1a = 3", "1a"), ("1a =", "TOML"), (None, "cannot read")],
)
def test_answers_that_fit_no_item_are_refused(record, capsys, tmp_path, text, said):
    path = tmp_path / "answers.toml"
    if text:
        path.write_text(text)
    code = main(["report", str(record(1)), "--answers", str(path)])
    assert code == 2
    assert said in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_told(record, capsys):
    folder = record(1)
    assert main(["report", str(folder), "--out", str(folder / "card.json")]) == 2
    assert "cannot write the report into" in capsys.readouterr().err


def blind(folder):
    note = {
        "format": "rtbold.blinded/1", "study": "nf", "code": "AB2CD",
        "statistician": "0" * 16, "protocol_sha256": None,
    }  # fmt: skip
    (folder / "blinding.json").write_text(json.dumps(note))


def test_of_a_blinded_session_no_effect_is_told(record, report, capsys):
    """What went out may be another person's; it says nothing about this one."""
    folder = record(1, gain=1.0)
    blind(folder)
    found, files = report(folder)
    assert found.sessions[0].summary.effect is None
    assert json.loads(files["report.json"])["sessions"][0]["regulation"] is None
    assert "not to be said while the session is blinded" in files["report.html"]
    assert files["blocks.tsv"].count("\n") == 1
    (item,) = [each for each in found.checklist if each.number == "5a"]
    assert item.state == "yours"


def test_an_unblinded_session_is_reported_by_the_participants_own(record, report):
    """A control's number is the donor's regulation, or the mirror of one's own."""
    folder = record(1, gain=1.0)
    blind(folder)
    published = folder / "published.jsonl"
    own = [json.loads(line) for line in published.read_text().splitlines()]
    mirrored = [{**each, "z": -each["z"]} for each in own]
    published.write_text("".join(json.dumps(each) + "\n" for each in mirrored))
    opened = [{"record": "arm", "arm": "inverse   "}]
    opened += [{"record": "pred.fb", **each} for each in own]
    lines = "".join(json.dumps(each) + "\n" for each in opened)
    (folder / "unblinded.jsonl").write_text(lines)
    found, files = report(folder)
    (session,) = found.sessions
    assert session.summary.effect.mean == pytest.approx(1.0, abs=0.15)
    assert "arm inverse" in files["report.html"]
