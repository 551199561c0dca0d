import pytest
from PyQt6.QtCore import Qt

from rtbold.gui.views.session.roi_choice import MOST_ROIS, RoiChoice

ROIS = (*(f"ROI {k:02}" for k in range(62)), "Putamen", "Caudate nucleus")


@pytest.fixture
def choice(qtbot):
    made = RoiChoice()
    qtbot.addWidget(made)
    made.set_rois(ROIS)
    return made


def item(choice, name):
    return choice.list.findItems(name, Qt.MatchFlag.MatchExactly)[0]


def tick(choice, name, on=True):
    state = Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
    item(choice, name).setCheckState(state)


def visible(choice):
    items = [choice.list.item(row) for row in range(choice.list.count())]
    return [found.text() for found in items if not found.isHidden()]


def test_ticks_show_at_once_in_the_order_of_ticking(choice, qtbot):
    with qtbot.waitSignal(choice.changed) as caught:
        tick(choice, "Putamen")
    assert caught.args == [("Putamen",)]
    tick(choice, "ROI 03")
    tick(choice, "Putamen", on=False)
    tick(choice, "Putamen")
    assert choice.chosen == ("ROI 03", "Putamen")


def test_searching_hides_the_rest_and_unticks_nothing(choice, qtbot):
    tick(choice, "ROI 03")
    qtbot.keyClicks(choice.search, "nuc cau")
    assert visible(choice) == ["Caudate nucleus"]
    assert choice.chosen == ("ROI 03",)
    choice.search.clear()
    assert len(visible(choice)) == 64


def test_eight_are_the_most_and_it_says_so(choice):
    for name in ROIS[:MOST_ROIS]:
        tick(choice, name)
    tick(choice, "Putamen")
    assert choice.chosen == ROIS[:MOST_ROIS]
    assert item(choice, "Putamen").checkState() == Qt.CheckState.Unchecked
    assert "untick one first" in choice.count.text()


def test_choosing_by_name_leaves_out_what_is_not_there(choice):
    choice.choose(["Putamen", "nowhere", *ROIS[:20]])
    assert choice.chosen[0] == "Putamen"
    assert len(choice.chosen) == MOST_ROIS
    assert "nowhere" not in choice.chosen


def test_other_rois_keep_the_ticks_that_still_have_a_name(choice, qtbot):
    choice.choose(["Putamen", "ROI 03"])
    with qtbot.waitSignal(choice.changed) as caught:
        choice.set_rois(("Putamen", "Insula"))
    assert caught.args == [("Putamen",)]
    assert item(choice, "Putamen").checkState() == Qt.CheckState.Checked


def test_down_goes_from_the_search_to_the_list(choice, qtbot):
    choice.show()
    choice.activateWindow()
    choice.search.setFocus()
    qtbot.waitUntil(choice.search.hasFocus)
    qtbot.keyClicks(choice.search, "put")
    qtbot.keyClick(choice.search, Qt.Key.Key_Down)
    assert choice.list.currentItem().text() == "Putamen"
    qtbot.keyClick(choice.list, Qt.Key.Key_Space)
    assert choice.chosen == ("Putamen",)
