import itertools

import pytest

from rtbold.errors import ConfigError
from rtbold.sim.fake_script import SCENES, as_scene, default_script, scene_script

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


def test_likeness_falls_at_one_place_of_each_round():
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
