import itertools

from rtbold.sim.fake import timeline
from rtbold.sim.fake_messages import delays
from rtbold.sim.fake_script import ScriptRow


def until_end(rows):
    found = itertools.takewhile(lambda due: due.what != "end", timeline(rows))
    return list(found)


def test_rows_predictions_eeg_and_views_fall_due_in_order():
    rows = [ScriptRow(2.0 * k, 0.0, "ok") for k in range(3)]
    all_due = until_end(rows)
    times_s = [due.t_s for due in all_due]
    assert times_s == sorted(times_s)
    assert [due.t_s for due in all_due if due.what == "row"] == [0, 2, 4]
    assert sum(due.what == "eeg" for due in all_due) == 41
    assert sum(due.what == "views" for due in all_due) == 5
    predicted = [(due.index, due.t_s) for due in all_due if due.what == "prediction"]
    assert predicted == [(k, 2.0 * k + delays(k).total_s) for k in range(3)]


def test_rows_closer_than_a_prediction_takes_stay_in_order():
    rows = [ScriptRow(0.001 * k, 0.0, "ok") for k in range(4)]
    kinds = [(d.what, d.index) for d in until_end(rows) if d.what != "eeg"]
    assert [k for k in kinds if k[0] != "views"] == [
        (what, k) for k in range(4) for what in ("row", "prediction")
    ]


def test_an_endless_script_costs_nothing_ahead():
    endless = (ScriptRow(float(k), 0.0, "ok") for k in itertools.count())
    assert len(list(itertools.islice(timeline(endless), 1000))) == 1000


def test_delays_vary_and_now_and_then_the_model_is_slow():
    all_ms = [1000 * delays(k).total_s for k in range(200)]
    assert 35 < min(all_ms) < 50 < max(all_ms) < 120
    assert all_ms == [1000 * delays(k).total_s for k in range(200)]
