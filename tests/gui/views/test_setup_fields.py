"""Fields of the form: what they hold, and what they say of what is gone."""

from dataclasses import replace

import pytest

from rtbold.gui.state.found import Bundles, BundleSeen, Streams, StreamSeen
from rtbold.gui.state.preferences import DARK
from rtbold.gui.state.setup import SetupChoice
from rtbold.gui.views.forms import ListField, NumberField, TickField, WholeField
from rtbold.gui.views.setup import streams as bundle_field
from rtbold.gui.views.setup.form import SetupForm
from rtbold.gui.views.setup.streams import BundleField, StreamTable, entries

CAP = StreamSeen("cap", "EEG", "amp", 32, 500.0)
TWIN = StreamSeen("twin", "EEG", "lab", 27, 200.0, simulated=True)
MARKS = StreamSeen("marks", "Markers", "amp", 1, 0.0)
ALL = Streams((CAP, TWIN, MARKS), searched_s=1.0)
BOLD = StreamSeen("scan-bold", "BOLD", "lab", 65, 0.0, "float32")
EVENTS = StreamSeen("rtbold-events", "Markers", "here", 1, 0.0, "string")
PREDICTED = StreamSeen("rtbold-pred", "Prediction", "here", 67, 0.476, "float32")
OWN = BundleSeen(
    "2026", code="S01", origin="subject", targets=("Putamen", "Cuneus"),
    target="Putamen", unfit={"Putamen": "weak"},
)  # fmt: skip
DEMO = BundleSeen("demo", origin="simulated", simulated=True, targets=("Cuneus",),
                  target="Cuneus")  # fmt: skip


@pytest.fixture
def form(qtbot):
    form = SetupForm(DARK)
    qtbot.addWidget(form)
    return form


def choose(field, value):
    """Choose as a person does."""
    index = field.findData(value)
    assert index >= 0, [field.itemText(i) for i in range(field.count())]
    field.activated.emit(index)


def test_a_choice_that_vanishes_stays_and_is_marked(qtbot):
    field = ListField("x", "", nothing="choose…")
    qtbot.addWidget(field)
    field.offer([("a", "A"), ("b", "B")])
    choose(field, "a")
    field.offer([("b", "B")])
    assert field.value() == "a"
    assert field.gone
    assert field.currentText() == "✕ a (gone)"
    field.offer([("a", "A")])
    assert not field.gone
    assert field.currentText() == "A"


def test_numbers_out_of_range_count_as_wrong_and_not_as_nothing(qtbot):
    field = NumberField("tr", "TR", within=(0.1, 10))
    qtbot.addWidget(field)
    field.setText("2.1")
    assert field.value() == 2.1
    assert not field.wrong
    field.setText("21")
    assert field.value() is None
    assert field.wrong
    assert field.font().strikeOut()
    field.set_value(None)
    assert not field.wrong


def test_setting_a_value_is_no_edit(qtbot):
    whole = WholeField("p", "", within=(1, 9))
    tick = TickField("x", "t", "")
    for field, value in ((whole, 5), (tick, True)):
        qtbot.addWidget(field)
        with qtbot.assertNotEmitted(field.edited):
            field.set_value(value)
        assert field.value() == value
    with qtbot.waitSignal(whole.edited):
        whole.setValue(6)
    with qtbot.waitSignal(tick.edited):
        tick.click()


def test_streams_become_a_choice(form):
    form.show_streams(ALL)
    choose(form.stream, "cap")
    choose(form.triggers.stream, "marks")
    assert (form.choice.stream, form.choice.trigger_stream) == ("cap", "marks")
    assert form.choice.host == ""
    assert form.gone.isHidden()


def test_a_stream_that_vanishes_while_it_is_chosen_is_said_in_words(form):
    form.show_streams(ALL)
    choose(form.stream, "cap")
    form.show_streams(Streams((TWIN, MARKS), searched_s=2.0))
    assert form.choice.stream == "cap"
    assert form.stream.currentText() == "✕ cap (gone)"
    assert "Not on the network now: cap" in form.gone.text()
    form.show_streams(ALL)
    assert form.gone.isHidden()


def test_streams_that_are_on_their_way_are_not_called_gone(form):
    form.show_streams(Streams((), searched_s=1.0))
    form.set_choice(SetupChoice(stream="twin-eeg", trigger_stream="twin-markers"))
    assert "twin-eeg, twin-markers" in form.gone.text()
    form.await_streams("twin")
    assert form.gone.isHidden()
    assert form.stream.currentText() == "… twin-eeg (coming)"


def test_a_name_that_two_computers_send_needs_its_computer(form):
    other = StreamSeen("cap", "EEG", "spare", 32, 500.0)
    form.show_streams(Streams((CAP, other), searched_s=1.0))
    assert entries((CAP, other)) == [
        ("cap\tamp", "cap: 32 ch., 500 Hz, amp"),
        ("cap\tspare", "cap: 32 ch., 500 Hz, spare"),
    ]
    choose(form.stream, "cap\tspare")
    assert (form.choice.stream, form.choice.host) == ("cap", "spare")


def test_markers_that_two_computers_send_need_their_computer(form):
    here, there = (StreamSeen("marks", "Markers", h, 1, 0.0) for h in ("pc1", "pc2"))
    form.show_streams(Streams((CAP, here, there), searched_s=1.0))
    choose(form.triggers.stream, "marks\tpc2")
    assert (form.choice.trigger_stream, form.choice.trigger_host) == ("marks", "pc2")
    assert form.choice.host == ""
    form.table.table.itemActivated.emit(form.table.table.item(1, 0))
    assert form.choice.trigger_host == "pc1"
    form.show_streams(Streams((CAP, here), searched_s=2.0))  # the other one ended
    assert form.gone.isHidden()
    assert form.triggers.stream.currentText() == "marks, pc1"
    form.show_streams(Streams((CAP, there), searched_s=3.0))
    assert "Not on the network now: marks" in form.gone.text()


def test_eeg_and_markers_of_one_name_need_no_computer(form):
    marks = StreamSeen("cap", "Markers", "amp", 1, 0.0)
    form.show_streams(Streams((CAP, marks), searched_s=1.0))
    for row in (0, 1):
        form.table.table.itemActivated.emit(form.table.table.item(row, 0))
    assert (form.choice.stream, form.choice.host) == ("cap", "")
    assert (form.choice.trigger_stream, form.choice.trigger_host) == ("cap", "")


def test_enter_in_the_table_chooses_a_stream_for_what_it_is(form):
    form.show_streams(ALL)
    for row in (0, 2):
        form.table.table.itemActivated.emit(form.table.table.item(row, 0))
    assert (form.choice.stream, form.choice.trigger_stream) == ("cap", "marks")


def test_the_table_says_what_is_simulated_and_why_it_is_empty(qtbot):
    table = StreamTable()
    qtbot.addWidget(table)
    table.show_streams(Streams())
    assert "Looking" in table.words.text()
    table.show_streams(ALL)
    assert table.table.item(1, 1).text() == "EEG, SIMULATED"
    table.show_streams(Streams((), searched_s=1.0))
    assert "sender running" in table.words.text()
    table.show_streams(Streams(problem="ended after 20 s"))
    assert "ended after 20 s" in table.words.text()


def test_only_the_fields_of_the_trigger_source_are_there(form):
    triggers = form.triggers
    choose(triggers.source, "fixed")
    assert triggers.stream.isHidden()
    assert triggers.label.isHidden()
    choose(triggers.source, "channel")
    triggers.channel.setText("TRIG")
    triggers.channel.textEdited.emit("TRIG")
    assert not triggers.channel.isHidden()
    assert form.choice.trigger_source == "channel"
    assert form.choice.trigger_channel == "TRIG"


def test_a_wrong_number_is_a_problem_of_the_form(form):
    form.triggers.repetition.setText("99")
    assert any("'99', expected 0.1 to 10" in words for words in form.problems)
    form.triggers.repetition.setText("")
    assert not form.problems


def test_a_bundle_that_fails_its_gate_says_why_and_what_to_do(qtbot):
    field = BundleField(DARK)
    qtbot.addWidget(field)
    field.show_bundles(Bundles((OWN,), (DEMO,), searched=True))
    choose(field.bundle, "subject:S01")
    assert field.subject == "S01"
    assert "Putamen is not fit for feedback: weak" in field.refusal.text()
    assert field.target.itemText(2) == "✕ Putamen (not fit)"
    choose(field.target, "Cuneus")
    assert field.refusal.isHidden()
    choose(field.bundle, "model:demo")
    assert (field.subject, field.model) == ("", "demo")
    assert field.target.value() == ""  # the last bundle's target is not this one's
    assert "SIMULATED" in field.facts.text()


def test_without_bundles_there_are_words(qtbot):
    field = BundleField(DARK)
    qtbot.addWidget(field)
    assert "Looking" in field.facts.text()
    field.show_bundles(Bundles(searched=True))
    assert "No subject is calibrated" in field.facts.text()
    field.choose(subject="S09", model="", target="")
    assert "S09 has no model here" in field.facts.text()
    field.choose(subject="", model="/data/x.rtbold", target="")
    assert "the check will read it" in field.facts.text()
    field.show_bundles(Bundles(searched=True, problem="no permission"))
    assert "no permission" in field.facts.text()


def test_every_entry_of_a_choice_is_shown_and_read_again(form):
    choice = SetupChoice(
        stream="cap", host="amp", model="demo", target="Cuneus",
        trigger_source="channel", trigger_stream="marks", trigger_host="pc2",
        trigger="S1", trigger_channel="TRIG", trigger_every=2, tr_s=2.0, record="/data",
        cleaning="none", scanner="outside", truth="lsl:b", truth_rois="A,B",
        truth_first=1, truth_by_onset=True, unit="uV", reference="FCz",
        interpolate=True, upstream_delay_ms=12.5, engine="torch", precision="f32",
        port=6000, control_port=6001, root="/subjects",
    )  # fmt: skip
    form.set_choice(choice)
    form.stream.edited.emit()
    assert form.choice == choice
    assert "(13 not usual)" in form.advanced.fold.text()
    assert form.advanced.inside.isHidden()
    form.advanced.fold.click()
    assert not form.advanced.inside.isHidden()


def test_a_comma_is_no_number_wherever_the_computer_stands(qtbot):
    field = NumberField("delay", "delay", within=(0, 60_000))
    qtbot.addWidget(field)
    for typed in ("1,000", "2,5", "1 000"):
        field.setText(typed)
        assert field.wrong
        assert field.value() is None
    field.set_value(12345.678)
    assert field.value() == 12345.678


def test_a_remembered_number_beyond_its_range_is_used_as_it_is_shown(form):
    form.set_choice(replace(form.choice, port=99999, trigger_every=0))
    assert (form.choice.port, form.choice.trigger_every) == (65535, 1)


def test_the_table_chooses_the_computer_where_two_send_one_name(form):
    twins = tuple(
        StreamSeen("cap", "EEG", host, n_channels=32, rate_hz=500.0)
        for host in ("amp1", "amp2")
    )
    form.show_streams(Streams(twins, searched_s=1.0))
    form.table.taken.emit(twins[1])
    assert (form.choice.stream, form.choice.host) == ("cap", "amp2")
    assert not form.stream.gone


def test_a_bundle_is_looked_for_where_an_account_has_no_home(qtbot, monkeypatch):
    def no_account(_):
        raise KeyError("uid not found")

    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("USERPROFILE", raising=False)
    pwd = pytest.importorskip("pwd")  # not on Windows
    monkeypatch.setattr(pwd, "getpwuid", no_account)
    asked = []

    def dialog(_parent, _title, folder):
        asked.append(folder)
        return "/data/x.rtbold"

    monkeypatch.setattr(bundle_field.QFileDialog, "getExistingDirectory", dialog)
    field = BundleField(DARK)
    qtbot.addWidget(field)
    field.browse.click()
    assert asked == ["~"]
    assert field.model == "/data/x.rtbold"


def double_click(form, name):
    """Activate the row of a stream, as a double click does."""
    table = form.table.table
    row = next(r for r in range(table.rowCount()) if table.item(r, 0).text() == name)
    table.itemActivated.emit(table.item(row, 0))


def test_a_double_click_puts_each_stream_where_its_type_belongs(form):
    form.show_streams(Streams((CAP, MARKS, BOLD, EVENTS, PREDICTED), searched_s=1.0))
    for name in ("cap", "marks", "scan-bold"):
        double_click(form, name)
    chosen = (form.choice.stream, form.choice.trigger_stream, form.choice.truth)
    assert chosen == ("cap", "marks", "lsl:scan-bold")
    for name in ("rtbold-events", "rtbold-pred"):
        double_click(form, name)
        assert f"{name} is what rtbold itself sends" in form.table.words.text()
    assert form.choice.trigger_stream == "marks"
    assert form.choice.stream == "cap"


def test_only_marker_streams_are_offered_for_the_triggers(form):
    form.show_streams(Streams((CAP, MARKS, BOLD, EVENTS, PREDICTED), searched_s=1.0))
    field = form.triggers.stream
    assert [field.itemData(i) for i in range(field.count())] == ["", "marks"]


@pytest.mark.parametrize(
    ("wrong", "is_"),
    [
        (BOLD, "measured BOLD"),
        (EVENTS, "what rtbold itself sends"),
        (CAP, "EEG"),
        (PREDICTED, "what rtbold itself sends"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_trigger_stream_that_cannot_give_the_tr_is_red(form, wrong, is_):
    form.set_choice(SetupChoice(stream="cap", trigger_stream=wrong.name))
    form.show_streams(Streams((CAP, MARKS, BOLD, EVENTS, PREDICTED), searched_s=1.0))
    said = f"✕ {wrong.name} is {is_}, not markers. Choose another stream."
    assert form.problems == (said,)
    assert form.gone.text() == said
    assert DARK.invalid in form.gone.styleSheet() or form.set_colours(DARK) is None
    assert form.triggers.stream.property("wrong") is True
    assert form.triggers.stream.currentText() == f"✕ {wrong.name} ({is_})"
    choose(form.triggers.stream, "marks")
    assert form.problems == ()
    assert form.triggers.stream.property("wrong") is False


def test_measured_bold_is_chosen_from_the_list_without_words_of_a_command(form):
    form.show_streams(Streams((CAP, MARKS, BOLD), searched_s=1.0))
    truth = form.truth
    choose(truth.source, "lsl")
    choose(truth.stream, "scan-bold")
    assert form.choice.truth == "lsl:scan-bold"
    choose(truth.source, "tbv")
    truth.where.setText("scanner-pc")
    truth.where.textEdited.emit("scanner-pc")
    assert form.choice.truth == "tbv:scanner-pc"
    assert truth.stream.isHidden()
    choose(truth.source, "")
    assert form.choice.truth == ""


def test_a_table_with_measured_bold_is_browsed_for(form, monkeypatch):
    from rtbold.gui.views.setup import truth as truth_module

    monkeypatch.setattr(
        truth_module.QFileDialog, "getOpenFileName", lambda *_: ("/d/b.tsv", "")
    )
    choose(form.truth.source, "file")
    form.truth.browse.click()
    assert form.choice.truth == "file:/d/b.tsv"


def test_new_streams_come_last_and_no_row_moves(qtbot):
    table = StreamTable()
    qtbot.addWidget(table)

    def names():
        cells = table.table
        return [cells.item(row, 0).text() for row in range(cells.rowCount())]

    table.show_streams(Streams((CAP, MARKS), searched_s=1.0))
    table.show_streams(Streams((BOLD, CAP, TWIN, MARKS), searched_s=2.0))
    assert names() == ["cap", "marks", "scan-bold", "twin"]
    table.show_streams(Streams((TWIN, MARKS), searched_s=3.0))
    assert names() == ["✕ cap (gone)", "marks", "✕ scan-bold (gone)", "twin"]
    taken = []
    table.taken.connect(taken.append)
    table.table.itemActivated.emit(table.table.item(0, 0))
    assert taken == []
    table.button.click()
    table.show_streams(Streams((TWIN, MARKS), searched_s=4.0))
    assert names() == ["twin", "marks"]


MANY = BundleSeen(
    "2027", code="S02", origin="subject", target="V1",
    targets=("V1", "Putamen", "Cuneus", "Precuneus", "Insula"),
    unfit={"V1": "weak", "Insula": "weak"},
    r_of={"V1": 0.31, "Putamen": 0.12, "Cuneus": 0.28, "Insula": 0.02},
)  # fmt: skip


def test_targets_that_are_fit_come_first_with_their_r(qtbot):
    field = BundleField(DARK)
    qtbot.addWidget(field)
    field.show_bundles(Bundles((MANY,), (), searched=True))
    choose(field.bundle, "subject:S02")
    shown = [field.target.itemText(i) for i in range(field.target.count())]
    assert shown == [
        "✕ V1, R 0.31 (not fit) (the model's own)",
        "Cuneus, R 0.28",
        "Putamen, R 0.12",
        "Precuneus",
        "✕ V1, R 0.31 (not fit)",
        "✕ Insula, R 0.02 (not fit)",
    ]


def test_a_target_is_found_by_a_part_of_its_name(qtbot):
    field = BundleField(DARK)
    qtbot.addWidget(field)
    field.show_bundles(Bundles((MANY,), (), searched=True))
    choose(field.bundle, "subject:S02")
    told = []
    field.edited.connect(lambda: told.append(field.target.value()))
    line = field.target.lineEdit()
    line.setText("putam")
    line.editingFinished.emit()
    assert field.target.value() == "Putamen"
    assert told == ["Putamen"]
    assert field.target.currentText() == "Putamen, R 0.12"
    line.setText("cuneus")  # two hold it, none is it alone
    line.editingFinished.emit()
    assert field.target.value() == "Putamen"
    assert field.target.currentText() == "Putamen, R 0.12"


def test_a_contrast_is_written_and_stays_whatever_is_offered(qtbot):
    field = BundleField(DARK)
    qtbot.addWidget(field)
    field.show_bundles(Bundles((MANY,), (), searched=True))
    choose(field.bundle, "subject:S02")
    told = []
    field.edited.connect(lambda: told.append(field.target.value()))
    line = field.target.lineEdit()
    line.setText("Putamen - 0.5*Global")
    line.editingFinished.emit()
    assert told == ["Putamen - 0.5*Global"]
    assert field.target.currentText() == "Putamen - 0.5*Global"
    line.setText("Put-amen")  # a hyphen alone makes no contrast
    line.editingFinished.emit()
    assert field.target.value() == "Putamen - 0.5*Global"
