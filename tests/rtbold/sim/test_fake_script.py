import itertools

import numpy as np
import pytest

from rtbold.errors import ConfigError, DataFileError
from rtbold.sim.fake_script import (
    LOOP_VOLUMES,
    R_RANGE,
    SCENES,
    USUAL,
    FakeBold,
    ScriptRow,
    as_scene,
    default_script,
    read_script,
    repeated,
    scene_script,
    script_tr_s,
    target_wave,
)


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


def both(seed=0, n=LOOP_VOLUMES):
    bold = FakeBold(5, 2, seed=seed)
    predicted = np.array([bold.predicted(k, None) for k in range(n)])
    measured = np.array([bold.measured(k, None) for k in range(n)])
    return predicted, measured


def test_the_target_is_what_the_script_says():
    bold = FakeBold(5, 2, seed=0)
    assert bold.predicted(7, 0.25)[2] == 0.25
    assert bold.predicted(7, None)[2] == pytest.approx(target_wave(0)[7])
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(
        bold.predicted(7, 0.25)[others], bold.predicted(7, None)[others]
    )


def test_measured_bold_follows_the_prediction_as_far_as_it_is_said_to():
    predicted, measured = both()
    r = [np.corrcoef(predicted[:, k], measured[:, k])[0, 1] for k in range(5)]
    assert r[2] == pytest.approx(R_RANGE[1], abs=0.08)
    assert R_RANGE[0] - 0.08 < min(r) <= max(r) < R_RANGE[1] + 0.08


def test_it_is_the_same_for_the_same_seed_only():
    for once, again in zip(both(n=20), both(n=20), strict=True):
        np.testing.assert_array_equal(once, again)
    assert not np.allclose(both(seed=1, n=20)[0], both(n=20)[0])


TR_S = 2.1


def first(rows, n):
    return list(itertools.islice(rows, n))


def test_default_script_shows_every_kind_of_trouble():
    rows = first(default_script(), 100)
    assert {row.status for row in rows} == {"ok", "degraded", "invalid", "warmup"}
    assert all((row.value is None) == (row.status in ("invalid", "warmup"))
               for row in rows)  # fmt: skip
    around = [row.around for row in rows]
    assert {a.trigger for a in around} == {"volume", "missed", "double"}
    assert {a.stream for a in around} == {"running", "stalled"}
    assert {state for a in around for _, state in a.bad} == {"flat", "line_noise"}
    assert sum(a.n_lost > 0 for a in around) == 3  # once for each gap


def test_ood_score_passes_its_limit_at_one_place_of_each_round():
    rows = first(default_script(), 80)
    unlike = [k for k, row in enumerate(rows) if row.around.unlikeness > 1]
    assert unlike == [57, 58]
    assert all("unlike_calibration" in rows[k].around.reasons for k in unlike)


def test_same_seed_same_rows():
    assert first(default_script(), 90) == first(default_script(seed=0), 90)
    other = [row.value for row in first(default_script(seed=1), 20)]
    assert other != [row.value for row in first(default_script(), 20)]


def test_values_stay_between_minus_one_and_one():
    values = [row.value for row in first(default_script(), 3000)]
    known = [value for value in values if value is not None]
    assert 0.5 < max(known) <= 1
    assert -1 <= min(known) < -0.5


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_is_well_before_it_and_holds_from_then_on(scene):
    rows = first(scene_script(scene, after_s=10 * TR_S), 60)
    assert {row.status for row in rows[:10]} == {"ok"}
    assert all(row.around.silent == "no" for row in rows[:10])
    held = {(row.status, row.around.reasons, row.around.silent) for row in rows[10:]}
    assert len(held) == 1
    status, _, silent = held.pop()
    expected = {"waiting": "paused", "stalled": "ok", "silent": "ok", "drowsy": "ok"}
    assert status == expected.get(scene, scene)
    assert silent == {"stalled": "predictions", "silent": "all"}.get(scene, "no")


def test_most_scenes_begin_at_once():
    assert next(scene_script("invalid")).status == "invalid"
    assert first(scene_script("stalled"), 10)[-1].around.silent == "no"
    assert first(scene_script("stalled"), 11)[-1].around.silent == "predictions"


def test_drowsiness_comes_within_a_minute():
    rows = first(scene_script("drowsy", after_s=0), 60)
    alertness = [row.around.alertness for row in rows]
    assert alertness[0] > 0.5
    assert max(alertness[30:]) == 0


def test_another_word_is_no_scene():
    assert as_scene("drowsy") == "drowsy"
    with pytest.raises(ConfigError, match=r"--scene is 'asleep', expected one of ok,"):
        as_scene("asleep")


def test_scenarios_are_short_sessions_in_which_one_thing_happens():
    from rtbold.sim.fake_script import SCENARIO_VOLUMES, SCENARIOS, scenario_sessions

    played = {name: scenario_sessions(name) for name in SCENARIOS}
    assert {name: len(each) for name, each in played.items()} == {
        "normal": 1, "gap": 1, "restart": 2, "scanner-stop": 1, "sham": 1,
    }  # fmt: skip
    for sessions in played.values():
        assert sum(map(len, sessions)) == SCENARIO_VOLUMES
        for rows in sessions:
            assert rows[0].t_s == 0
    (gap,) = played["gap"]
    assert sum(row.status == "invalid" for row in gap) == 4
    assert gap[-1].status == "ok"
    (stop,) = played["scanner-stop"]
    assert stop[-1].around.reasons == ("triggers_lost",)
    assert {row.around.silent for row in played["restart"][0]} == {"no", "all"}


def test_a_sham_differs_in_its_values_alone():
    from dataclasses import replace

    from rtbold.sim.fake_script import scenario_sessions

    (normal,), (sham,) = scenario_sessions("normal"), scenario_sessions("sham")
    assert [replace(row, value=None) for row in normal] == [
        replace(row, value=None) for row in sham
    ]
    assert [row.value for row in normal] != [row.value for row in sham]
