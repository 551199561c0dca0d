import numpy as np
import pyqtgraph as pg
import pytest
from feed_messages import Played, received
from session_scene import ROIS, Scene

from rtbold.gui.state.dashboard import DashboardState
from rtbold.gui.state.preferences import DARK, LIGHT
from rtbold.gui.views.session.roi_plot import RoiPlot, band_path, lonely, outline


@pytest.fixture
def plot(qtbot):
    made = RoiPlot(DARK, unix_s=lambda: 1.79e9)
    qtbot.addWidget(made)
    made.resize(620, 380)
    made.show()
    return made


@pytest.fixture
def scene():
    return Scene().volumes(30)


def refresh(plot, scene, later_s=0.2):
    plot.refresh(scene.state, scene.now_s + later_s)


def drawn(lane):
    x, y = lane._value.getData()
    return np.asarray(x), np.asarray(y)


def test_the_target_alone_at_first(plot, scene):
    refresh(plot, scene)
    (lane,) = plot.lanes
    assert lane.title == "Putamen (target)"
    x, y = drawn(lane)
    assert len(x) == 30
    assert x[0] == 0, "time is counted from the first volume"
    assert y[-1] == pytest.approx(scene.state.fb.value)
    assert plot.head.rois.text() == "ROIs (1 of 64)"


def test_chosen_rois_come_below_the_target_with_one_time_axis(plot, scene):
    refresh(plot, scene)
    plot.choose(["Cuneus", "ROI 20", "Putamen"])
    refresh(plot, scene)
    assert [lane.name for lane in plot.lanes] == ["Putamen", "Cuneus", "ROI 20"]
    ranges = [lane.plot.viewRange()[0] for lane in plot.lanes]
    assert ranges[1] == pytest.approx(ranges[0])
    assert ranges[2] == pytest.approx(ranges[0])
    plot.lanes[2].plot.setXRange(5, 25, padding=0)
    assert plot.lanes[0].plot.viewRange()[0] == pytest.approx([5, 25])
    _, y = drawn(plot.lanes[1])
    assert y[-1] == pytest.approx(scene.state.prediction.values[1], abs=1e-5)


def test_a_choice_from_another_day_waits_for_a_session(plot, scene):
    plot.take_choices({"rois": ["Cuneus", 7, "gone"], "span": 0, "axis": 99})
    assert plot.chosen == ("Cuneus", "gone")
    refresh(plot, scene)
    assert [lane.name for lane in plot.lanes] == ["Putamen", "Cuneus"]
    assert plot.head.span.currentText() == "2 min"
    assert plot.choices() == {"rois": ["Cuneus"], "span": 0, "axis": 0}


def test_invalid_volumes_are_holes_and_degraded_ones_open_circles(plot, scene):
    scene.volumes(2, status="invalid", reasons=("gap",))
    scene.volumes(1).volumes(2, status="degraded", reasons=("interpolated",))
    refresh(plot, scene)
    lane = plot.lanes[0]
    _, y = drawn(lane)
    assert np.isnan(y).tolist() == [False] * 30 + [True] * 2 + [False] * 3
    assert lane._value.opts["connect"] == "finite"
    assert len(lane._open.data) == 2
    assert len(lane._dots.data) == 31
    assert len(lane._bands[0].path().toSubpathPolygons()) == 2, "one on each side"


def test_many_volumes_lose_their_dots_but_lone_ones_stay(plot):
    scene = Scene().volumes(100).volumes(1, status="invalid", reasons=("gap",))
    scene.volumes(1).volumes(1, status="invalid", reasons=("gap",)).volumes(30)
    refresh(plot, scene)
    assert len(plot.lanes[0]._dots.data) == 1


def test_a_value_whose_moment_is_not_known_is_no_dot(plot):
    scene = Scene()  # joined late: the last value is sent again, its ROIs are not
    scene.send("pred.fb", volume=0, value=0.3, target=ROIS[0], status="ok", reasons=())
    scene.volumes(2, status="invalid", reasons=("gap",))
    refresh(plot, scene)
    assert not plot.grab().isNull()
    assert len(plot.lanes[0]._dots.data) == 0


def test_it_is_drawn_once_per_volume_and_not_per_frame(plot, scene, monkeypatch):
    refresh(plot, scene)
    calls = []
    lane = plot.lanes[0]
    show = lane.show
    monkeypatch.setattr(lane, "show", lambda *a, **k: (calls.append(1), show(*a, **k)))
    for frame in range(10):
        refresh(plot, scene, later_s=0.2 + frame / 30)
    assert calls == []
    scene.volumes(1)
    refresh(plot, scene)
    refresh(plot, scene)
    assert len(calls) == 1


def test_nine_lanes_share_the_work_over_frames_the_target_first(plot, scene):
    refresh(plot, scene)
    plot.choose(ROIS[1:9])
    refresh(plot, scene)
    scene.volumes(1)
    counts = []
    for _ in range(10):
        refresh(plot, scene)
        counts.append(sum(len(drawn(lane)[0]) == 31 for lane in plot.lanes))
        assert len(drawn(plot.lanes[0])[0]) == 31
    assert counts == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]
    ends = [lane.plot.viewRange()[0] for lane in plot.lanes]
    assert ends == [ends[0]] * 9


def test_volumes_that_come_at_every_frame_leave_no_lane_out(plot, scene):
    refresh(plot, scene)
    plot.choose(ROIS[1:9])
    refresh(plot, scene)
    for _ in range(18):
        scene.volumes(1)
        refresh(plot, scene)
    assert all(len(drawn(lane)[0]) >= 35 for lane in plot.lanes)


def test_what_the_operator_does_is_drawn_at_once(plot, scene):
    scene.volumes(70)
    refresh(plot, scene)
    plot.choose(ROIS[1:9])
    refresh(plot, scene)
    plot.head.span.setCurrentIndex(0)
    refresh(plot, scene)
    assert all(len(drawn(lane)[0]) < 65 for lane in plot.lanes)


def test_a_volume_is_painted_once(plot, scene, qapp, monkeypatch):
    refresh(plot, scene)
    for _ in range(3):
        qapp.processEvents()
    painted, paint = [], plot.graphics.paintEvent
    monkeypatch.setattr(
        plot.graphics, "paintEvent", lambda event: (painted.append(1), paint(event))[1]
    )
    scene.volumes(1)
    refresh(plot, scene)
    for _ in range(3):
        qapp.processEvents()
    assert len(painted) == 1


def test_it_follows_the_newest_until_the_operator_looks_back(plot, scene):
    plot.head.span.setCurrentIndex(0)
    scene.volumes(60)
    refresh(plot, scene)
    view = plot.lanes[0].plot.getViewBox()
    first, last = view.viewRange()[0]
    assert last - first == pytest.approx(120)
    assert last >= drawn(plot.lanes[0])[0][-1]
    assert len(drawn(plot.lanes[0])[0]) < 65, "only what is seen is drawn"
    view.setXRange(0, 60, padding=0)
    view.sigRangeChangedManually.emit([True, False])
    scene.volumes(1)
    refresh(plot, scene)
    assert not plot.head.follow.isChecked()
    assert view.viewRange()[0] == pytest.approx([0, 60])
    assert drawn(plot.lanes[0])[0][0] == 0
    plot.head.follow.click()
    refresh(plot, scene)
    assert view.viewRange()[0][1] > 150


def test_heights_grow_stay_and_fit_again(plot, scene):
    refresh(plot, scene)
    lane = plot.lanes[0]
    usual = lane.y_range
    scene._slow[0] = 9.0
    scene.volumes(1)
    refresh(plot, scene)
    assert lane.y_range[1] >= 9
    scene._slow[0] = 0.0
    scene.volumes(200)
    refresh(plot, scene)
    assert lane.y_range[1] >= 9
    plot.head.span.setCurrentIndex(0)
    plot.head.fit.click()
    refresh(plot, scene)
    assert lane.y_range[1] <= usual[1] + 3


def test_measured_bold_and_r(plot, scene):
    scene.volumes(40, measured=True)
    refresh(plot, scene)
    lane = plot.lanes[0]
    _, y = lane._measured.getData()
    assert np.isfinite(y).sum() == 40
    assert abs(np.nanmean(y)) < 3, "in model units, not the scanner's"
    assert "R +0.47 (+0.19 to +0.68)" in lane.title
    scene.truth(n_eff=11.6)
    refresh(plot, scene)
    assert lane.title.endswith("R: not enough: 12 of 20 independent volumes")


def test_a_contrast_as_the_target_is_plotted_too(plot):
    session = Played(DashboardState())
    session.hello(target="left minus right")
    for _ in range(3):
        session.tick()
        session.send("pred.fb", volume=session.volume, target="left minus right")
    plot.refresh(session.state, session.now_s)
    assert plot.lanes[0].title == "left minus right (target)"


def test_the_time_of_day(plot, scene):
    refresh(plot, scene)
    axis = plot.lanes[0].plot.getAxis("bottom")
    assert axis.tickStrings([0, 60], 1, 60) == ["0:00", "1:00"]
    plot.head.axis.setCurrentIndex(1)
    refresh(plot, scene)
    first, later = axis.tickStrings([0, 60], 1, 60)
    assert first.count(":") == 2
    assert first != later
    (step, _), *_ = axis.tickSpacing(0, 600, 500)
    assert step == 120


def test_another_session_begins_anew(plot, scene):
    refresh(plot, scene)
    plot.choose(["Cuneus"])
    refresh(plot, scene)
    other = "another-session"
    scene.state.take(scene_hello(other), scene.now_s)
    refresh(plot, scene)
    assert [lane.name for lane in plot.lanes] == ["dmn"]
    assert plot.head.rois.text() == "ROIs (1 of 3)"


def scene_hello(session):
    from feed_messages import received

    return received("hello", session=session)


def test_nothing_at_all_and_both_themes(plot, scene):
    plot.refresh(DashboardState(), 1.0)
    assert plot.lanes == ()
    refresh(plot, scene)
    dark = plot.grab().toImage()
    plot.set_colours(LIGHT)
    refresh(plot, scene)
    assert len(plot.lanes) == 1
    assert plot.grab().toImage() != dark


def test_all_64_are_offered_and_nine_lanes_fit(plot, scene):
    refresh(plot, scene)
    assert plot.choice.list.count() == len(ROIS)
    plot.choose(ROIS[1:9])
    refresh(plot, scene)
    assert len(plot.lanes) == 9
    plot.head.rois.click()
    assert plot.choice.isVisible()


def test_a_lone_interval_is_seen():
    x, low = np.arange(3.0), np.array([np.nan, -1.0, np.nan])
    box = band_path(x, low, -low, end_s=0.4).boundingRect()
    assert (box.left(), box.right()) == pytest.approx((0.6, 1.4))
    assert lonely(np.array([True, False, True, True])).tolist() == [
        True, False, False, False,
    ]  # fmt: skip


def test_a_long_interval_has_fewer_corners_and_leaves_nothing_out():
    rng = np.random.default_rng(1)
    x = np.arange(1715.0)
    low = rng.normal(size=len(x))
    around = outline(x, low, low + 2, most=400)
    assert [len(part) for part in around] == [400] * 3
    assert (around[0][0], around[0][-1]) == (0, 1714)
    starts = np.arange(400) * 1715 // 400
    place = np.searchsorted(starts, np.arange(1715), side="right") - 1
    assert (around[1][place] <= low).all()
    assert (around[2][place] >= low + 2).all()
    assert outline(x[:9], low[:9], low[:9], most=9)[1].tolist() == low[:9].tolist()


def test_marks_are_lines_and_blocks_are_bands_in_every_lane(plot, scene):
    begun_s = scene.state.fb.t_lsl
    block = received("phase", name="up", t_on=begun_s - 4, t_off_planned=begun_s + 20)
    mark = received("log", text="operator: mark eyes shut", t_lsl=begun_s)
    for got in (block, mark):
        scene.state.take(got, scene.now_s)
    refresh(plot, scene)
    [lane] = plot.lanes
    lines = [i for i in lane.plot.items if isinstance(i, pg.InfiniteLine)]
    marked = [line for line in lines if "mark: eyes shut" in line.toolTip()]
    bands = [i for i in lane.plot.items if isinstance(i, pg.LinearRegionItem)]
    assert len(marked) == len(bands) == 1
    begin, end = bands[0].getRegion()
    assert end - begin == pytest.approx(24)
    assert begin + 4 == pytest.approx(marked[0].value())
    assert "up (train)" in bands[0].toolTip()
    scene.volumes(1)
    refresh(plot, scene)
    assert sum(isinstance(i, pg.LinearRegionItem) for i in lane.plot.items) == 1
