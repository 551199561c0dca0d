"""A recorded session becomes a BIDS data set: whole, valid, and naming nobody."""

import csv
import json
import re

import numpy as np
import pytest
from recorded_session import (
    CARD,
    CHANNELS,
    HOST,
    NAME,
    RATE_HZ,
    ROIS,
    SERIAL,
    SETTINGS,
    USER,
    chunks,
    describe,
    marker_stream,
    mirror,
    samples,
    write_session,
)

from rtbold.errors import ConfigError, DataFileError
from rtbold.messages import (
    Marker,
    MeasuredVolume,
    OperatorCommand,
    StreamChanged,
    TimePassed,
)
from rtbold.session import ExportOptions, export_session

mne_bids = pytest.importorskip(
    "mne_bids", reason="the extra bids brings what writes BIDS"
)
DATA = samples(2500)
TRIGGERS = [(f"R128 {HOST}" if n == 4 else "R128", 101.0 + 2 * n) for n in range(5)]
NOTE = f"Muster moved\tat {HOST}, 30.11.2026,\nsee /home/{USER}/note.txt"
ROWS = [
    (101.0, None, np.nan, 4, np.nan),
    (103.0, [0.25, -1.5], 0.25, 0, 0),
    (105.0, [0.1, 0.2], np.nan, 2, 1),
]
STATUSES = [
    (f"note: {NOTE}", 104.504),
    ("status paused: waiting_for_scanner", 101.0),
    ("status ok", 103.0),
    ("status invalid: gap, rate", 105.0),
]


def happened():
    yield StreamChanged(describe())
    for event in chunks(DATA):
        yield event
        if isinstance(event, TimePassed):
            since, until = event.now_lsl_s - 0.2, event.now_lsl_s
            yield from (Marker(x, t, t) for x, t in TRIGGERS if since < t <= until)
            if since < 104.5 <= until:
                yield OperatorCommand("note", NOTE)
                yield MeasuredVolume(7, ("Insula",), (800.5,), 104.5)


STREAMS = [
    mirror(ROWS),
    marker_stream(STATUSES, name="rtbold-events"),
    marker_stream([("S  2", 102.502), *TRIGGERS], name="Answers"),
]


@pytest.fixture
def session(tmp_path):
    return write_session(tmp_path, happened(), streams=STREAMS)


@pytest.fixture
def shared(session, tmp_path):
    root = tmp_path / "shared"
    return root, export_session(session, root, ExportOptions(line_hz=50.0))


def table(root, ending):
    (path,) = root.rglob(f"*{ending}")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read_back(root, **entities):
    told = {"subject": "S01", "session": "01", "task": "nf", "run": "01", **entities}
    path = mne_bids.BIDSPath(root=root, datatype="eeg", **told)
    return mne_bids.read_raw_bids(path, verbose="ERROR")


def test_samples_come_back(shared):
    root, _ = shared
    raw = read_back(root)
    factors = np.array([1e6 if c.unit == "uV" else 1.0 for c in CHANNELS])
    np.testing.assert_allclose(raw.get_data() * factors[:, None], DATA, rtol=1e-12)
    assert raw.info["sfreq"] == RATE_HZ
    assert raw.info["line_freq"] == 50.0
    assert raw.info["meas_date"] is None
    assert raw.get_channel_types() == ["eeg", "eeg", "eeg", "ecg", "misc"]


def test_events_lie_at_their_samples(shared):
    root, _ = shared
    told = read_back(root).annotations
    triggers = [a["onset"] for a in told if a["description"].startswith("trigger")]
    np.testing.assert_allclose(triggers, [1.0, 3.0, 5.0, 7.0, 9.0], atol=1e-6)
    rows = table(root, "run-01_events.tsv")
    assert [row["sample"] for row in rows if row["trial_type"] == "trigger"] == [
        "250", "750", "1250", "1750", "2250",
    ]  # fmt: skip
    (marker,) = (row for row in rows if row["trial_type"] == "marker")
    assert (marker["value"], marker["onset"]) == ("S 2", "2.502")


def test_blocks_of_a_protocol_are_events_with_their_duration(session, tmp_path):
    def phase(block, t_on, **more):
        told = {"topic": "phase", "block": block, "name": f"b{block}", "run": 1,
                "attempt": 1, "task": "regulate", "direction": "up", "condition": None,
                "t_on": t_on, "t_off_planned": t_on + 4.0}  # fmt: skip
        return json.dumps(told | more)

    lines = [
        phase(1, 101.0),
        phase(1, 101.0, run_type="train"),  # its last volume shows the value
        phase(2, 105.0, name=f"by {HOST}"),
        phase(0, 107.0, name="end"),  # it was interrupted
        phase(3, float("nan")),
        "damaged",
    ]
    (session / "published.jsonl").write_text("\n".join(lines) + "\n")
    root = tmp_path / "shared"
    export_session(session, root, ExportOptions(line_hz=50.0))
    found = table(root, "run-01_events.tsv")
    rows = [row for row in found if row["trial_type"] == "block"]
    assert [float(row["onset"]) for row in rows] == pytest.approx([1.0, 5.0], abs=0.01)
    assert [float(row["duration"]) for row in rows] == [4.0, 2.0]
    assert rows[0]["value"] == "b1"
    assert HOST not in rows[1]["value"]
    assert rows[0]["text"] == "run=1 attempt=1 block=1 task=regulate direction=up"


def test_a_note_is_when_the_mirror_stamped_it_and_its_words_are_clean(shared):
    root, exported = shared
    (note,) = (r for r in table(root, "run-01_events.tsv") if r["trial_type"] == "note")
    assert note["onset"] == "4.504"
    assert note["text"] == "Muster moved at [removed], [removed], see [removed]"
    assert exported.n_words == 1


def test_words_can_stay_behind(session, tmp_path):
    exported = export_session(session, tmp_path / "b", ExportOptions(words=False))
    (note,) = (
        row
        for row in table(tmp_path / "b", "run-01_events.tsv")
        if row["trial_type"] == "note"
    )
    assert (note["text"], exported.n_words) == ("n/a", 0)


def test_derivatives_are_what_was_published(shared):
    root, _ = shared
    rows = table(root, "desc-predictions_events.tsv")
    assert [row["onset"] for row in rows] == ["1.0", "3.0", "5.0"]
    assert [row["status"] for row in rows] == ["paused", "ok", "invalid"]
    assert [row["reasons"] for row in rows] == [
        "waiting_for_scanner",
        "n/a",
        "gap,rate",
    ]
    assert [row["volume_index"] for row in rows] == ["n/a", "0", "1"]
    told = [[row[roi] for roi in ROIS] for row in rows]
    assert told[0] == ["n/a", "n/a"]
    assert np.array_equal(
        np.array(told[1:], np.float32), np.array([ROWS[1][1], ROWS[2][1]], np.float32)
    )
    feedback = table(root, "desc-feedback_events.tsv")
    assert [row["value"] for row in feedback] == ["n/a", "0.25", "n/a"]


def test_the_log_of_messages_goes_before_the_mirror(session, tmp_path):
    message = {
        "topic": "pred.roi", "volume_index": 0, "window": {"t_end": 103.0},
        "status": "ok", "reasons": ["bridged"], "values": [0.125, 0.5],
        "values_z": [1.0, 2.0], "low": [None, 0.0],
    }  # fmt: skip
    fb = {**message, "topic": "pred.fb", "target": "Insula", "value": 0.125, "z": 1.0}
    lines = [json.dumps(message), "no JSON", json.dumps(fb), '{"topic": "pred.r']
    (session / "published.jsonl").write_text("\n".join(lines))
    root = tmp_path / "b"
    exported = export_session(session, root, ExportOptions())
    rows = table(root, "desc-predictions_events.tsv")
    assert [row["Insula"] for row in rows] == ["n/a", "0.125", "0.1"]
    assert rows[1]["reasons"] == "bridged"
    assert table(root, "desc-zscores_events.tsv")[1]["Insula"] == "1.0"
    assert table(root, "desc-low95_events.tsv")[1]["Insula"] == "n/a"
    assert not list(root.rglob("*desc-high95*"))
    assert table(root, "desc-feedback_events.tsv")[1]["z"] == "1.0"
    assert any("line 2" in note for note in exported.notes)


def test_measured_volumes_come_along(shared):
    root, _ = shared
    (row,) = table(root, "desc-measured_events.tsv")
    assert (row["volume_index"], row["Insula"]) == ("7", "800.5")
    assert (row["onset"], row["onset_is"]) == ("4.5", "arrival")


def test_sidecars_say_how_it_came_about(shared):
    root, _ = shared
    (path,) = root.rglob("*desc-feedback_events.json")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["Target"] == "Insula"
    assert told["Recomputed"] is False
    assert told["Protocol"]["cleaning"] == "online:RecView"
    assert told["Protocol"]["truth"] == "file"
    assert told["Model"]["sha256"] == SETTINGS["model_sha256"]
    assert told["Engine"]["name"] == "openvino"
    assert told["ExportedWith"]["rtbold"]
    (path,) = root.rglob("*_eeg.json")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["EEGReference"] == "FCz"
    assert told["PowerLineFrequency"] == 50.0
    assert told["SoftwareFilters"]["cleaned upstream"]["software"] == "RecView"
    assert told["Manufacturer"] == "n/a"
    assert told["RecordingDuration"] == 10.0


def everything(root):
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield path, str(path.relative_to(root)).encode() + path.read_bytes()


def test_nothing_names_a_person_a_machine_or_a_day(shared):
    root, _ = shared
    forbidden = (HOST, USER, SERIAL, "19030123", "96628c7e", "/home/", "2026-11")
    for path, content in everything(root):
        for word in forbidden:
            assert word.lower().encode() not in content.lower(), (path, word)
        text = b"" if path.suffix == ".eeg" else content
        assert not re.search(rb"\b20\d\d-\d\d-\d\d\b|\b\d{1,2}\.\d\d?\.20\d\d\b", text)


def test_another_code_leaves_nothing_of_the_first(session, tmp_path):
    root = tmp_path / "b"
    given = ExportOptions(subject="X7", session="02", task="rest", run=5)
    exported = export_session(session, root, given)
    assert exported.names == ("sub-X7_ses-02_task-rest_run-05",)
    for path, content in everything(root):
        assert b"S01" not in content, path


def test_power_line_and_reference_that_nobody_knows_are_not_made_up(tmp_path):
    events = [StreamChanged(describe(reference=None)), *chunks(DATA)]
    settings = {"version": 1, "run": {}}
    folder = write_session(tmp_path, events, settings=settings, card={})
    export_session(folder, tmp_path / "b", ExportOptions())
    (path,) = (tmp_path / "b").rglob("*_eeg.json")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert told["PowerLineFrequency"] == told["EEGReference"] == "n/a"
    assert told["SoftwareFilters"] == "n/a"


def test_a_gap_is_told_as_bad(tmp_path):
    events = [
        StreamChanged(describe()),
        *chunks(DATA),
        *chunks(samples(500), t0=112.0, index=2500),
    ]
    root = tmp_path / "b"
    export_session(write_session(tmp_path, events), root, ExportOptions())
    (gap,) = table(root, "run-01_events.tsv")
    assert (gap["trial_type"], gap["onset"], gap["duration"]) == (
        "BAD_gap", "10.0", "2.0",
    )  # fmt: skip
    raw = read_back(root)
    assert raw.n_times == 2500 + 500 + 500
    assert raw.annotations.description[0] == "BAD_gap"


def test_a_session_of_two_streams_becomes_two_files(tmp_path):
    other = describe(channels=CHANNELS[:2])
    events = [
        StreamChanged(describe()),
        *chunks(DATA),
        StreamChanged(other),
        *chunks(samples(1000, n_channels=2), t0=120.0, index=2500),
    ]
    rows = [*ROWS, (122.0, [0.5, 0.75], 0.5, 0, 9)]
    folder = write_session(tmp_path, events, parts=[[mirror(rows)]])
    exported = export_session(folder, tmp_path / "b", ExportOptions())
    assert exported.names == (
        "sub-S01_ses-01_task-nf_acq-part01_run-01",
        "sub-S01_ses-01_task-nf_acq-part02_run-01",
    )
    raw = read_back(tmp_path / "b", acquisition="part02")
    assert raw.get_data().shape == (2, 1000)
    second = table(tmp_path / "b", "part02_run-01_desc-predictions_events.tsv")
    assert [(row["onset"], row["Insula"]) for row in second] == [("2.0", "0.5")]
    first = table(tmp_path / "b", "part01_run-01_desc-predictions_events.tsv")
    assert len(first) == len(ROWS)


def test_a_folder_of_several_runs_is_exported_whole(tmp_path):
    for run in ("01", "02"):
        events = [StreamChanged(describe()), *chunks(DATA)]
        write_session(
            tmp_path / "rec", events, name=f"sub-S01_ses-01_task-nf_run-{run}"
        )
    root = tmp_path / "b"
    exported = export_session(tmp_path / "rec", root, ExportOptions())
    assert len(exported.names) == 2
    assert len(table(root, "participants.tsv")) == 1
    with pytest.raises(ConfigError, match="--run was given for 2 recordings"):
        export_session(tmp_path / "rec", tmp_path / "c", ExportOptions(run=1))
    assert not (tmp_path / "c").exists()


def test_a_data_set_is_added_to_and_nothing_of_it_overwritten(shared, session):
    root, _ = shared
    (root / "README").write_text("ours")
    (root / "participants.tsv").write_text("participant_id\tage\nsub-S01\t30\n")
    before = dict(everything(root))
    with pytest.raises(ConfigError, match="nothing is overwritten"):
        export_session(session, root, ExportOptions())
    assert dict(everything(root)) == before
    export_session(session, root, ExportOptions(subject="S02"))
    after = dict(everything(root))
    people = root / "participants.tsv"
    assert people.read_text() == "participant_id\tage\nsub-S01\t30\nsub-S02\tn/a\n"
    assert {p: c for p, c in before.items() if p != people}.items() <= after.items()


def test_a_folder_that_is_no_data_set_is_left_alone(session, tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    (root / "cat.jpg").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"cat\.jpg.*expected a BIDS data set"):
        export_session(session, root, ExportOptions())
    with pytest.raises(ConfigError, match="is a file"):
        export_session(session, root / "cat.jpg", ExportOptions())
    assert [p.name for p in root.iterdir()] == ["cat.jpg"]


def test_simulated_eeg_says_so_and_does_not_mix_with_real(session, tmp_path):
    events = [StreamChanged(describe(simulated=True)), *chunks(DATA)]
    twin = write_session(tmp_path, events, name="sub-S01_ses-01_task-nf_run-09")
    root = tmp_path / "b"
    export_session(twin, root, ExportOptions())
    assert "SIMULATED" in (root / "README").read_text()
    assert (root / "sub-S01/ses-01/eeg/simulated.json").is_file()
    with pytest.raises(
        ConfigError, match="holds simulated EEG, this recording is real"
    ):
        export_session(session, root, ExportOptions())


def test_what_is_no_session_is_refused(tmp_path, session):
    options = ExportOptions()
    with pytest.raises(DataFileError, match="is no recorded session"):
        export_session(tmp_path / "nowhere", tmp_path / "b", options)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match="is no recorded session"):
        export_session(tmp_path / "empty", tmp_path / "b", options)
    (session / "settings.json").write_text("{")
    with pytest.raises(DataFileError, match=r"settings\.json cannot be read"):
        export_session(session, tmp_path / "b", options)
    (session / "settings.json").write_text('{"version": 9}')
    with pytest.raises(DataFileError, match="is of version 9, expected 1"):
        export_session(session, tmp_path / "b", options)
    assert not (tmp_path / "b").exists()


def test_a_record_that_breaks_off_is_exported_up_to_there_and_says_so(tmp_path):
    events = [StreamChanged(describe()), *chunks(DATA)]
    folder = write_session(tmp_path, events, streams=[mirror(ROWS)], lost_from=2000)
    root = tmp_path / "b"
    exported = export_session(folder, root, ExportOptions())
    assert any("2000" in note or "missing" in note for note in exported.notes), exported
    assert read_back(root).n_times == 2000
    (path,) = root.rglob("*_eeg.json")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert "breaks off" in told["TaskDescription"]
    assert len(table(root, "desc-predictions_events.tsv")) == len(ROWS)
    (folder / "events.jsonl").write_text("no log\n")
    with pytest.raises(DataFileError, match="is damaged"):
        export_session(folder, tmp_path / "c", ExportOptions())


def test_a_host_that_sent_for_a_while_is_known_too(tmp_path):
    events = [
        StreamChanged(describe()),
        *chunks(DATA),
        StreamChanged(describe(host="spare-pc")),
        TimePassed(109.0),
        OperatorCommand("note", "now spare-pc"),
    ]
    export_session(write_session(tmp_path, events), tmp_path / "b", ExportOptions())
    (note,) = table(tmp_path / "b", "run-01_events.tsv")
    assert note["text"] == "now [removed]"


def test_a_session_without_samples_is_refused(tmp_path):
    folder = write_session(tmp_path, [StreamChanged(describe())])
    with pytest.raises(DataFileError, match="holds no sample of EEG"):
        export_session(folder, tmp_path / "b", ExportOptions())


def test_names_that_nobody_gave_are_asked_for(tmp_path):
    events = [StreamChanged(describe()), *chunks(DATA)]
    folder = write_session(tmp_path, events, name="copy")
    with pytest.raises(ConfigError, match="--subject, --session, --task, --run"):
        export_session(folder, tmp_path / "b", ExportOptions())
    given = ExportOptions(subject="S01", session="01", task="nf", run=1)
    assert export_session(folder, tmp_path / "b", given).names == (NAME,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subject": "../x"}, "the subject is '../x'"),
        ({"session": ""}, "the session is ''"),
        ({"task": "a b"}, "the task is 'a b'"),
        ({"run": 0}, "--run is 0"),
        ({"line_hz": 5000.0}, "--line-frequency is 5000"),
        ({"line_hz": float("nan")}, "--line-frequency is nan"),
    ],
)
def test_options_that_mean_nothing_are_refused(options, said):
    with pytest.raises(ConfigError, match=re.escape(said)):
        ExportOptions(**options)


def test_a_session_that_kept_nothing_published_says_so(tmp_path):
    folder = write_session(tmp_path, [StreamChanged(describe()), *chunks(DATA)])
    exported = export_session(folder, tmp_path / "b", ExportOptions())
    assert any("kept nothing of what it published" in note for note in exported.notes)
    assert not list((tmp_path / "b").rglob("*desc-predictions*"))


def test_a_card_of_somebody_else_does_not_break_it(tmp_path):
    events = [StreamChanged(describe()), *chunks(DATA)]
    card = {**CARD, "rois": "nonsense", "origin": 3}
    folder = write_session(tmp_path, events, streams=[mirror(ROWS)], card=card)
    export_session(folder, tmp_path / "b", ExportOptions())
    assert table(tmp_path / "b", "desc-predictions_events.tsv")[1]["Insula"] == "0.25"


def test_a_roi_that_is_called_like_a_column_keeps_its_values(tmp_path):
    stream = mirror(ROWS)
    stream["labels"] = ["onset", "onset", *stream["labels"][2:]]
    events = [StreamChanged(describe()), *chunks(DATA)]
    folder = write_session(tmp_path, events, streams=[stream])
    export_session(folder, tmp_path / "b", ExportOptions())
    row = table(tmp_path / "b", "desc-predictions_events.tsv")[1]
    assert (row["onset"], row["onset-2"], row["onset-3"]) == ("3.0", "0.25", "-1.5")


def test_messages_with_another_number_of_values_are_told(session, tmp_path):
    message = {"topic": "pred.roi", "window": {"t_end": 107.0}, "values": [1.0]}
    (session / "published.jsonl").write_text(json.dumps(message) + "\n")
    exported = export_session(session, tmp_path / "b", ExportOptions())
    assert any("1 predictions do not have 2 values" in n for n in exported.notes)
    assert table(tmp_path / "b", "desc-predictions_events.tsv")[-1]["Insula"] == "n/a"


def test_what_a_damaged_log_holds_cannot_forge_a_cell(session, tmp_path):
    message = {
        "topic": "pred.fb", "window": {"t_end": 103.0}, "volume_index": 0,
        "status": "ok\tforged", "reasons": ["gap\n9.0", "rate"], "value": "1\t2",
        "target": "a\tb", "norm": 3,
    }  # fmt: skip
    odd = ["[]", "3", '{"topic": "pred.roi", "window": 3}', '{"topic": []}', "[" * 9999]
    (session / "published.jsonl").write_text("\n".join([*odd, json.dumps(message), ""]))
    export_session(session, tmp_path / "b", ExportOptions())
    rows = table(tmp_path / "b", "desc-feedback_events.tsv")
    assert len(rows) == 3
    assert (rows[1]["status"], rows[1]["reasons"]) == ("n/a", "rate")
    assert rows[1]["value"] == "n/a"


def test_a_run_that_may_still_go_on_is_told(session, tmp_path):
    (session / "recorder.json").write_text("[]")
    exported = export_session(session, tmp_path / "b", ExportOptions())
    assert any("recorder.json is there" in note for note in exported.notes)
