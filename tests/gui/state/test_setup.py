"""From choices to a command line, and to texts that are remembered."""

from dataclasses import replace

import pytest
import typer
from hypothesis import given, strategies as st

from rtbold.cli.app import load
from rtbold.config import RunSettings
from rtbold.gui.state.setup import (
    Run,
    SetupChoice,
    as_choices,
    from_choices,
    lacking,
    numbers_taken,
    preflight_arguments,
    rehearse_arguments,
    run_arguments,
)
from rtbold.run_names import RunGroup

LOCKED = SetupChoice(
    stream="BrainVision",
    host="amp",
    subject="S01",
    model="demo",
    target="Putamen",
    trigger_stream="Markers",
    trigger_host="stim-pc",
    record="/data/today/",
    cleaning="online:RecView",
    truth="tbv:10.0.0.2:55555",
    truth_rois="Putamen, Heschl's gyrus,",
    interpolate=True,
    upstream_delay_ms=42.5,
    flags=("--allow-unvalidated",),
)
FREE = SetupChoice(stream="X", model="demo", trigger_source="fixed", tr_s=2.1)
RUN = Run(2, "training", dummy_volumes=4, duration_s=480)


def options(words):
    """Pair options with their values; a flag has none."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            name = word
            found.setdefault(name, [])
        else:
            found[name].append(word)
    return found


def test_a_run_gets_all_that_was_chosen():
    words = run_arguments(LOCKED, RUN)
    assert words[0] == "run"
    assert options(words[1:]) == {
        "--stream": ["BrainVision"],
        "--host": ["amp"],
        "--subject": ["S01"],
        "--target": ["Putamen"],
        "--trigger-stream": ["Markers"],
        "--trigger-host": ["stim-pc"],
        "--trigger": ["R128"],
        "--kind": ["training"],
        "--run": ["2"],
        "--dummy-volumes": ["4"],
        "--cleaning": ["online:RecView"],
        "--interpolate": [],
        "--upstream-delay-ms": ["42.5"],
        "--port": ["5580"],
        "--control-port": ["5581"],
        "--record": ["/data/today/"],
        "--truth": ["tbv:10.0.0.2:55555"],
        "--truth-roi": ["Putamen", "Heschl's gyrus"],
        "--allow-unvalidated": [],
    }


def test_a_planned_duration_ends_nothing():
    assert "--duration" not in run_arguments(LOCKED, RUN)


def test_a_free_run_asks_for_no_triggers():
    given = options(run_arguments(FREE, Run(1))[1:])
    assert given["--tr"] == ["2.1"]
    assert not {"--trigger", "--trigger-stream", "--trigger-channel"} & set(given)


def test_triggers_in_the_eeg_stream():
    choice = replace(
        LOCKED, trigger_source="channel", trigger_channel="TRIG", trigger=""
    )
    given = options(run_arguments(choice, RUN)[1:])
    assert given["--trigger-channel"] == ["TRIG"]
    assert "--trigger-stream" not in given
    assert "--trigger" not in given


def test_subject_session_and_task_name_the_recording():
    choice = replace(LOCKED, record_as="S07", session="02", task="nfb")
    given = options(run_arguments(choice, RUN)[1:])
    asked = [given[name] for name in ("--record-as", "--session", "--task", "--run")]
    assert asked == [["S07"], ["02"], ["nfb"], ["2"]]
    nameless = options(run_arguments(replace(FREE, record="/data"), RUN)[1:])
    assert nameless["--record-as"] == ["anon"]


def test_names_of_a_recording_are_none_where_nothing_is_recorded():
    choice = replace(LOCKED, record="", record_as="S07", session="02", task="nfb")
    given = options(run_arguments(choice, RUN)[1:])
    assert not {"--record-as", "--session", "--task"} & set(given)


def test_a_run_that_is_not_recorded_can_be_started():
    """Its number goes out as `phase` all the same."""
    words = run_arguments(replace(LOCKED, record=""), Run(2, "transfer"))
    assert words[words.index("--run") + 1] == "2"
    assert RunSettings(run=2, kind="transfer").run == 2


def test_numbers_of_recordings_are_seen_in_both_folders(tmp_path):
    for place, number in (("first", 2), ("copy", 5)):
        group = RunGroup(subject="S01", session="02")
        group.run(number).folder(tmp_path / place).mkdir(parents=True)
    choice = replace(
        LOCKED, session="02", record=str(tmp_path / "first"),
        record_copy=str(tmp_path / "copy"),
    )  # fmt: skip
    assert numbers_taken(choice) == {2, 5}
    assert numbers_taken(replace(choice, record_as="S07")) == set()
    assert numbers_taken(replace(choice, session="no code")) == set()
    assert numbers_taken(replace(choice, record="")) == set()


def test_a_second_copy_goes_with_a_recording_and_not_with_a_rehearsal():
    choice = replace(LOCKED, record_copy="/mnt/second/")
    words = run_arguments(choice, RUN)
    assert words[words.index("--record-copy") + 1] == "/mnt/second/"
    assert "--record-copy" not in run_arguments(replace(choice, record=""), RUN)
    assert "--record-copy" not in rehearse_arguments(
        choice, RUN, duration_s=60, page=""
    )


def test_a_blinded_study_is_never_dropped_from_a_run():
    """Without a recording the session refuses it; an open session must not start."""
    choice = replace(LOCKED, blind="/studies/nf1")
    for each in (choice, replace(choice, record="")):
        words = run_arguments(each, RUN)
        assert words[words.index("--blind") + 1] == "/studies/nf1"
    rehearsed = rehearse_arguments(choice, RUN, duration_s=60, page="")
    assert "--blind" not in rehearsed


def test_a_rehearsal_records_beside_the_runs_on_the_same_disk():
    words = rehearse_arguments(LOCKED, RUN, duration_s=300, page="/tmp/p.html")
    given = options(words[1:])
    assert words[0] == "rehearse"
    assert given["--record"] == ["/data/today/rehearsal"]
    assert "--run" not in given  # its number is none of the runs'
    assert given["--duration"] == ["300"]
    assert given["--page"] == ["/tmp/p.html"]
    assert given["--json"] == []


def test_every_option_is_one_of_rtbold_run():
    command = typer.main.get_command_from_info(
        typer.models.CommandInfo(name="run", callback=load("run", "run")),
        pretty_exceptions_short=True,
        rich_markup_mode=None,
    )
    known = {name for parameter in command.params for name in parameter.opts}
    everything = replace(
        LOCKED,
        trigger_every=3,
        tr_s=2.1,
        scanner="inside_running",
        unit="uV",
        reference="FCz",
        engine="torch",
        precision="f32",
        truth_first=1,
        root="/data/subjects",
    )
    for choice in (everything, replace(everything, subject="", trigger_source="fixed")):
        assert set(options(run_arguments(choice, RUN)[1:])) <= known
    words = preflight_arguments(everything, RUN)
    assert words[0] == "preflight"
    assert words[-1] == "--json"
    assert words[1:-1] == run_arguments(everything, RUN)[1:]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stream": ""}, "an EEG stream"),
        ({"subject": "", "model": ""}, "a subject or a model"),
        ({"trigger_stream": ""}, "marker stream"),
        ({"trigger_source": "channel"}, "trigger channel"),
        ({"trigger_source": "fixed"}, "a TR in seconds"),
        ({"control_port": 5580}, "two different ports"),
    ],
)
def test_what_lacks_is_said(changes, words):
    assert not lacking(LOCKED)
    assert any(words in said for said in lacking(replace(LOCKED, **changes)))


def test_addresses_are_of_this_machine():
    choice = replace(LOCKED, port=6000, control_port=6001)
    assert choice.feed_address == "tcp://127.0.0.1:6000"
    assert choice.control_address == "tcp://127.0.0.1:6001"


def test_choices_are_remembered_but_overrides_are_not():
    remembered = as_choices(replace(LOCKED, simulated=True))
    assert all(isinstance(text, str) for text in remembered.values())
    assert from_choices(remembered) == replace(LOCKED, flags=(), simulated=False)
    assert as_choices(SetupChoice()) == {}
    assert from_choices({}) == SetupChoice()


def test_what_cannot_be_read_is_the_default():
    bad = {
        "tr_s": "soon", "port": "inf", "trigger_every": "", "unknown": "x",
        "simulated": "True", "flags": "--allow-unvalidated", "stream": "ok",
    }  # fmt: skip
    assert from_choices(bad) == SetupChoice(stream="ok")
    assert from_choices({"trigger_source": "telepathy"}) == SetupChoice()


@given(
    st.dictionaries(
        st.sampled_from([*SetupChoice.__dataclass_fields__, "nonsense"]), st.text()
    )
)
def test_any_texts_give_a_choice(texts):
    choice = from_choices(texts)
    assert from_choices(as_choices(choice)) == choice


def test_numbers_are_given_as_they_were_typed():
    words = run_arguments(
        SetupChoice(tr_s=2.083333, upstream_delay_ms=12345.678), Run(1)
    )
    assert words[words.index("--tr") + 1] == "2.083333"
    assert words[words.index("--upstream-delay-ms") + 1] == "12345.678"


def test_the_home_folder_is_the_operators(monkeypatch):
    monkeypatch.setenv("HOME", "/home/op")
    monkeypatch.setenv("USERPROFILE", "/home/op")
    words = run_arguments(SetupChoice(record="~/my data", root="~/subjects"), Run(1))
    assert words[words.index("--record") + 1] == "/home/op/my data"
    assert words[words.index("--root") + 1] == "/home/op/subjects"
