"""What is declared before a scan, and how often the same data were calibrated."""

import datetime
import json
import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from rtbold.bundle.card import (
    Card,
    Fitting,
    Gate,
    Lineage,
    Origin,
    Verdict,
)
from rtbold.calibration.declaration import (
    DeclaredTarget,
    Key,
    count_tries,
    declare,
    earlier_cards,
    earlier_tries,
    is_before,
    level_of,
    newest_declaration,
    on_card,
    parse_looks,
    told_declared,
    told_target,
    with_declaration,
)
from rtbold.calibration.lineage import scan_marks
from rtbold.calibration.settings import (
    CalibrationSettings,
    ScanFiles,
    whole_contrast,
)
from rtbold.cli import main
from rtbold.errors import ConfigError, DataFileError, RtboldError

NOW = datetime.datetime(2026, 11, 30, 14, 5, tzinfo=datetime.UTC)


def draft(**changes):
    found = DeclaredTarget(
        subject="S01", target="Putamen", looks_min=(10.0, 20.0, 30.0),
        declared=NOW.isoformat(),
    )  # fmt: skip
    return msgspec.structs.replace(found, **changes)


def settings(tmp_path, **changes):
    eeg, bold = tmp_path / "S.xdf", tmp_path / "S.tsv"
    after = NOW.timestamp() + 60
    for file in (eeg, bold):
        file.touch()
        os.utime(file, (after, after))
    return CalibrationSettings(
        subject="S01", scan=ScanFiles(eeg=eeg, bold=str(bold)), cleaning=None,
        root=tmp_path, **changes,
    )  # fmt: skip


def test_a_declaration_comes_back_as_it_was_written(tmp_path):
    assert newest_declaration(tmp_path, "S01") is None
    whole, path = declare(tmp_path, draft())
    assert path == tmp_path / "S01" / "declared-20261130-140500.json"
    assert newest_declaration(tmp_path, "S01") == whole
    later = (NOW + datetime.timedelta(days=1)).isoformat()
    second, _ = declare(tmp_path, draft(target="Thalamus", declared=later))
    assert newest_declaration(tmp_path, "S01") == second
    with pytest.raises(RtboldError, match="is there already"):
        declare(tmp_path, draft())


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said | {"target": "Thalamus"},
        lambda said: said | {"alpha": 0.1},
        lambda said: said | {"looks_min": [10.0]},
        lambda said: said | {"declared": "2026-11-29T14:05:00+00:00"},
        lambda said: said | {"sha256": "0" * 64},
        lambda said: said | {"more": 1},
    ],
)
def test_one_that_was_changed_afterwards_is_refused(tmp_path, change):
    _, path = declare(tmp_path, draft())
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DataFileError, match=r"was changed after|is no declaration"):
        newest_declaration(tmp_path, "S01")


def test_one_under_another_date_is_refused(tmp_path):
    _, path = declare(tmp_path, draft())
    path.rename(path.with_name("declared-20261101-140500.json"))
    with pytest.raises(DataFileError, match="its date does not fit"):
        newest_declaration(tmp_path, "S01")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subject": "../S01"}, "the subject is"),
        ({"alpha": 0.9}, "alpha is 0.9, expected a level"),
        ({"looks_min": (20.0, 10.0)}, "looks are 20,10, expected"),
        ({"target": " "}, "the target has no name"),
    ],
)
def test_what_is_no_declaration(tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        declare(tmp_path, draft(**changes))
    assert not list(tmp_path.iterdir())


def test_looks_are_numbers():
    assert parse_looks("10,20,30") == (10.0, 20.0, 30.0)
    assert parse_looks(None) == ()
    with pytest.raises(ConfigError, match="--looks is '10;20', expected minutes"):
        parse_looks("10;20")


def test_the_target_is_taken_from_it(tmp_path):
    given = settings(tmp_path)
    found, _ = declare(tmp_path, draft())
    taken = with_declaration(given, found, recorded=True)
    assert (taken.target, taken.declared) == ("Putamen", found)
    contrast, _ = declare(
        tmp_path,
        draft(target="left", contrast={"a": 1.0, "b": -1.0},
              declared=(NOW + datetime.timedelta(seconds=1)).isoformat()),
    )  # fmt: skip
    assert with_declaration(given, contrast, recorded=True).target_name == "left"
    named = settings(tmp_path, target="Thalamus")
    assert with_declaration(named, found, recorded=True).target == "Thalamus"
    assert with_declaration(given, None, recorded=True) == given


def test_one_after_the_scan_is_none(tmp_path):
    given = settings(tmp_path)
    found, _ = declare(tmp_path, draft())
    before = NOW.timestamp() - 60
    os.utime(given.scan.eeg, (before, before))
    assert not is_before(found, [given.scan.eeg])
    with pytest.raises(ConfigError, match=r"was declared for S01 .* Expected a decl"):
        with_declaration(given, found, recorded=True)
    named = settings(tmp_path, target="Putamen")
    os.utime(named.scan.eeg, (before, before))
    assert with_declaration(named, found, recorded=True).declared is None
    assert with_declaration(given, found, recorded=False).declared == found


def test_the_level_is_that_of_the_look():
    found = draft()
    levels = [level_of(on_card(found, minutes)) for minutes in (5, 10, 21, 40)]
    assert levels == pytest.approx([0, 0.00153, 0.0181, 0.0437], abs=0.0001)
    assert level_of(on_card(draft(looks_min=(), alpha=0.01), 3)) == 0.01


def marks(seed):
    rng = np.random.default_rng(seed)
    return scan_marks(rng.standard_normal((60, 3)), rng.standard_normal((60, 2)))


def card(target="Putamen", seen=None, asked="head", data="d", declaration=None):
    gate = Gate(
        target=target, weights={target: 1.0}, r=0.3, r_with_drift=0.3, r_low=0.1,
        r_high=0.5, p=0.01, p_phase=0.01, p_other=None, r_other=None, n_eff=60.0,
        alpha=0.05, passed=True, declaration=declaration,
    )  # fmt: skip
    return Card(
        name="x", architecture="none", channels=("Cz",), reference="average", tr_s=2.1,
        rois=("Putamen", "Thalamus"), scanner="unknown",
        origin=Origin(kind="subject", simulated_lineage=False),
        verdict=Verdict(gate=gate, rois=(), n_volumes=100, n_surrogates=999, block_n=4),
        lineage=Lineage(scans=(seen.on_card(),)) if seen else None,
        fitting=Fitting(
            strategy="head", base="demo", n_volumes=100, n_folds=5, seed=0, asked=asked
        ),
        training_data_sha256=data,
    )  # fmt: skip


def test_calibrations_of_the_same_data_are_counted():
    own = marks(1)
    cards = {
        "same again": card(seen=own),
        "another target": card("Thalamus", own),
        "another base": card(seen=own, asked="ridge"),
        "another target again": card("Thalamus", own),
        "another scan": card(seen=marks(2)),
        "never calibrated": msgspec.structs.replace(card(), verdict=None),
        "before marks": card(),
    }
    found = earlier_tries(cards, own, None)
    assert set(found) == {
        "same again", "another target", "another base", "another target again",
    }  # fmt: skip
    tries = count_tries(Key("Putamen", "head", "d"), found)
    assert (tries.n, tries.n_models) == (3, 2)
    assert tries.names == ("another target", "another base", "another target again")
    assert count_tries(Key("Putamen", "head", "d"), {}).n == 1


def test_a_planned_look_before_this_one_is_no_other_try():
    own, found = marks(1), draft(sha256="s")
    looks = [on_card(found, minutes) for minutes in (10, 20)]
    cards = {"first": card(seen=own, data="half", declaration=looks[0])}
    assert earlier_tries(cards, own, looks[1]) == {}
    # Not planned, or the same look on other data
    assert set(earlier_tries(cards, own, None)) == {"first"}
    assert set(earlier_tries(cards, marks(2), looks[0])) == {"first"}


def test_targets_are_told_by_their_weights():
    assert told_target("Putamen", {}) == told_target("Putamen", {"Putamen": 1.0})
    one = told_target("left", {"a": 1.0, "b": -1.0})
    assert one == told_target("right", {"b": -1.0, "a": 1.0})
    assert one != told_target("left", {"a": 1.0, "b": -2.0})
    assert whole_contrast({"a": 1.0, "others": -1.0}, ("a", "b", "c")) == {
        "a": 1.0, "b": -0.5, "c": -0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"target": "b"}, "b"),
        ({"target": "1.5*a - 1.5*Global"}, "a=1 b=-0.5 c=-0.5"),
        ({"target": "x", "contrast": {"a": 1, "others": -1}}, "a=1 b=-0.5 c=-0.5"),
        ({"target": "a - gone"}, "a - gone"),  # none of these ROIs: another target
    ],
)
def test_what_was_declared_is_told_as_what_is_calibrated(declared, told):
    assert told_declared(draft(**declared), ("a", "b", "c")) == told


def test_cards_that_cannot_be_read_are_left_out(tmp_path):
    folder = tmp_path / "S01" / "20261130-140500.rtbold"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text("{")
    assert earlier_cards(tmp_path) == {}


def test_the_command_says_what_each_look_needs(tmp_path, capsys):
    words = ["declare", "--root", str(tmp_path), "--subject", "S01"]
    assert main([*words, "--target", "Putamen", "--looks", "10,20,30"]) == 0
    said = capsys.readouterr().out
    assert "declared Putamen for S01, alpha 0.05" in said
    assert "look 1, at 10 min: p has to reach 0.0015" in said
    (path,) = Path(tmp_path, "S01").iterdir()
    assert str(path) in said
    assert main(words) == 2
    assert "nothing was declared, expected --target" in capsys.readouterr().err


def test_it_is_an_object_too(tmp_path, capsys):
    words = ["declare", "--root", str(tmp_path), "--subject", "S02", "--json"]
    assert main([*words, "--contrast", "a=1", "--contrast", "others=-1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["target"], found["contrast"]) == ("contrast", {"a": 1, "others": -1})
    assert Path(found["file"]).is_file()
