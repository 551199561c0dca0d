import io

import numpy as np
import pytest
from rich.console import Console

from rtbold.cli.demo import bars, final_table, line, live, so_far
from rtbold.client import Message
from rtbold.sim.demo import DemoData


def message(topic, **body):
    return Message(topic, body, 0.0)


def measured(index, values, rois, r=0.25):
    scores = [{"r": r}] * len(rois)
    fields = {"volume_index": index, "rois": list(rois), "values": list(values)}
    return message("truth", **fields, scores=scores)


def demo_data(n_volumes, *, n_rois=3, gap=0.5):
    data = DemoData()
    data.take(message("hello", rois=["A", "B", "C"][:n_rois], tr_s=2.1))
    rng = np.random.default_rng(0)
    truth = np.cumsum(rng.standard_normal((n_volumes, n_rois)), axis=0)
    for index in range(n_volumes):
        values = truth[index] + gap * rng.standard_normal(n_rois)
        data.take(message("pred.roi", volume_index=index, values=list(values)))
        data.take(measured(index, truth[index], "ABC"[:n_rois]))
        data.take(
            message(
                "pred.fb",
                volume_index=index,
                status="ok",
                reasons=[],
                target="A",
                value=float(values[0]),
                age_ms=101.0,
            )
        )
    return data


def shown(thing):
    console = Console(file=io.StringIO(), width=130)
    console.print(thing)
    return console.file.getvalue()


def test_the_live_view_says_that_it_is_simulated_and_names_the_rois():
    text = shown(live(demo_data(30)))
    assert "SIMULATED" in text
    assert "OK" in text
    assert all(f"│ {name} " in text for name in "ABC")


def test_before_the_first_prediction_it_says_that_it_starts():
    assert "starting" in shown(live(DemoData()))


def test_a_line_shows_prediction_and_measurement():
    assert "A: predicted" in line(demo_data(5))
    assert "measured (volume 4)" in line(demo_data(5))


def test_a_null_value_is_shown_as_null():
    data = demo_data(1)
    body = dict(data.newest, value=None, status="warmup", reasons=["warmup"])
    data.take(message("pred.fb", **body))
    assert "predicted null" in line(data)


def test_correlation_needs_sixty_volumes_and_is_of_each_roi():
    assert demo_data(40).correlations() is None
    data = demo_data(90)
    r = data.correlations()
    assert r.shape == (3,)
    assert (r > 0.5).all()
    text = shown(final_table(data, r))
    assert "SIMULATED" in text
    assert f"{r.max():+.2f}" in text


@pytest.mark.parametrize("width", [40, 80, 130])
def test_every_roi_has_its_r_however_narrow_the_terminal(width):
    data = demo_data(70)
    r = np.array([0.31, -0.22, 0.13])
    console = Console(file=io.StringIO(), width=width)
    console.print(final_table(data, r, width))
    text = console.file.getvalue()
    assert all(value in text for value in ("+0.31", "-0.22", "+0.13"))


def test_volumes_are_paired_by_index_and_nothing_else():
    data = demo_data(70)
    data.take(measured(500, np.zeros(3), "ABC"))
    assert [len(series) for series in data.paired] == [70, 70]


def test_the_sessions_rolling_r_is_shown_or_that_there_are_too_few_volumes():
    data = demo_data(3)
    assert so_far(data, "A") == "+0.25"
    assert shown(live(data)).count("+0.25") == 3
    data.take(measured(3, [0.0], "B", r=None))
    assert (so_far(data, "A"), so_far(data, "B")) == ("", "n < 20")
    assert np.isnan(data.measured[3]).tolist() == [True, False, True]


def test_bars_scale_to_their_own_range():
    assert bars([1.0]) == ""
    assert bars([0.0, 1.0, 2.0]) == "▁▅█"
    assert len(bars(list(range(100)))) == 32
    assert bars([1.0, float("nan")]) == ""
