"""A blinded session: what is sealed, what is refused; nothing tells the arm."""

import json
import logging

import blinded_runs as runs
import numpy as np
import pytest

from rtbold.blinding.design import ARMS
from rtbold.blinding.donors import DonorRefused
from rtbold.blinding.records import note_of, unblind
from rtbold.blinding.sealed import open_sealed
from rtbold.errors import ConfigError, RtboldError
from rtbold.session.blinded import (
    FEEDBACK_GIVEN,
    NOTHING_GIVEN,
    blinded_again,
    prepare_blinding,
)
from rtbold.session.protocol import choose_run
from rtbold.session.published import read_published, with_sealed

N_DONORS = 5
N_PAIRS = 16
NAMES = ("published.jsonl", "sealed.jsonl", "blinding.json")


@pytest.fixture(autouse=True)
def _no_garbage_collection(monkeypatch):
    monkeypatch.setattr("rtbold.session.session.gc.collect", lambda: 0)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A study folder with a donor for each place."""
    folder = tmp_path_factory.mktemp("study")
    for seed in range(N_DONORS):
        runs.donor(folder / "donors", seed)
    return folder


def one(tmp_path, place, arm, seed=11, **of_study):
    return runs.blinded_run(tmp_path / f"{arm}-{seed}", place, seed, arm, **of_study)


# What is sealed


@pytest.mark.parametrize("arm", ARMS)
def test_real_predictions_are_in_the_sealed_file_alone(tmp_path, place, arm):
    run, secret = one(tmp_path, place, arm)
    assert {m.topic for m in run.messages} == {"pred.fb", "log"}
    assert {len(row) for row in run.rows} == {3}  # target, status, volume
    assert sorted(run.files) == sorted(NAMES)
    opened = unblind(run.folder, secret, who="AB", why="", now_unix_s=1.0)
    assert opened.notes == ()
    real = list(runs.brain(11))
    sealed = opened.of("pred.roi")
    assert [m["volume_index"] for m in sealed] == list(range(len(real)))
    for message, prediction in zip(sealed, real, strict=True):
        assert (message["values"] is None) == (prediction.values is None)
        if prediction.values is not None:
            values = np.array(message["values"], np.float32)
            assert values.tobytes() == prediction.values.tobytes()
    assert opened.of("arm")[0]["arm"].strip() == arm
    own = [m["value"] for m in opened.of("pred.fb")]
    given = [m["value"] for m in run.feedback]
    both = [(a, b) for a, b in zip(own, given, strict=True) if b is not None]
    assert len(both) > 35
    assert all(a == b for a, b in both) is (arm == "real")


def test_the_operator_is_told_when_no_arm_gives_anything(tmp_path, place):
    texts = []
    for arm in ARMS:
        run, _ = one(tmp_path, place, arm)
        said = [m.text for m in run.messages if m.topic == "log"]
        texts.append(tuple(text for text in said if text.startswith("blinded: ")))
    assert texts[0] == (NOTHING_GIVEN, FEEDBACK_GIVEN)
    assert set(texts) == {texts[0]}


def test_the_note_beside_it_names_no_arm(tmp_path, place):
    run, secret = one(tmp_path, place, "yoked")
    note = note_of(run.folder)
    assert (note.study, note.code) == ("nf1", "K7M2P")
    assert note.statistician == secret.public.fingerprint


@pytest.mark.parametrize("arm", ARMS)
def test_what_was_delivered_comes_out_again_from_what_was_sealed(tmp_path, place, arm):
    run, secret = one(tmp_path, place, arm)
    opened = open_sealed(run.folder / "sealed.jsonl", secret)
    again = blinded_again(opened.of("arm")[0], runs.CARD)
    chain = runs.FeedbackChain(runs.FEEDBACK, runs.CARD)
    values = [
        chain.push(again.deliver(prediction, None), None)
        for prediction in runs.brain(11)
    ]
    given = run.feedback
    assert [m["status"] for m in given] == [f.status for f in values]
    for message, feedback in zip(given, values, strict=True):
        if message["value"] is not None:
            assert np.float32(message["value"]) == np.float32(feedback.value)


def test_what_verify_compares_has_real_rois_and_delivered_feedback(tmp_path, place):
    run, secret = one(tmp_path, place, "inverse")
    opened = open_sealed(run.folder / "sealed.jsonl", secret)
    found = with_sealed(read_published(run.folder), opened.records)
    assert len(found.messages["pred.roi"]) == len(found.messages["pred.fb"])
    assert "record" not in found.messages["pred.roi"][0]


# What is refused before the session, and in every arm alike


@pytest.mark.parametrize("arm", ["real", "yoked"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"record_as": "S77"}, "'S77' is not in the allocation"),
        ({"duration_s": 1000.0}, "no donor fits.*is too short"),
        ({"duration_s": None}, "the session has no end"),
        ({"target": "c"}, "had target a, expected c"),
        ({"target": "b"}, "is the target itself|no donor fits"),
    ],
)
def test_a_session_that_lacks_something_is_refused_in_every_arm(
    tmp_path, place, arm, changes, said
):
    runs.study(place, arm)
    with pytest.raises((ConfigError, DonorRefused), match=said):
        prepare_blinding(runs.settings(place, **changes), runs.CARD)


def said_of(place, arm, **changes):
    runs.study(place, arm)
    with pytest.raises(RtboldError) as found:
        prepare_blinding(runs.settings(place, **changes), runs.CARD)
    return str(found.value)


def test_refusals_are_the_same_words_in_every_arm(place):
    said = {said_of(place, arm, duration_s=1000.0) for arm in ARMS}
    assert len(said) == 1
    assert not any(arm in next(iter(said)) for arm in ("inverse", "delayed"))


@pytest.mark.parametrize("precision", ["bf16", "f16", "int8"])
def test_a_coarse_precision_is_refused(place, precision):
    runs.study(place, "real")
    blinding = prepare_blinding(runs.settings(place), runs.CARD)
    blinding.check_precision("f32")
    with pytest.raises(ConfigError, match=f"runs in {precision}"):
        blinding.check_precision(precision)


def test_a_person_is_no_donor_to_themselves_nor_is_a_blinded_session(tmp_path, place):
    runs.study(place, "yoked", subject="D01")
    blinding = prepare_blinding(runs.settings(place, record_as="D01"), runs.CARD)
    assert sorted(donor.name[:7] for donor in blinding.donors) == [
        "sub-D00", "sub-D02", "sub-D03", "sub-D04"
    ]  # fmt: skip
    assert any("is the participant" in str(why) for why in blinding.refused)
    lone = tmp_path / "lone"
    runs.donor(lone / "donors", 7)
    (folder,) = (lone / "donors").iterdir()
    run, _ = one(tmp_path, place, "real")
    note = (run.folder / "blinding.json").read_bytes()
    (folder / "blinding.json").write_bytes(note)
    runs.study(lone, "real")
    with pytest.raises(DonorRefused, match="is of a blinded session"):
        prepare_blinding(runs.settings(lone), runs.CARD)


@pytest.mark.parametrize("file", ["card.json", "published.jsonl"])
def test_a_donor_that_is_damaged_is_refused_with_its_name(tmp_path, file):
    runs.donor(tmp_path / "donors", 7)
    (folder,) = (tmp_path / "donors").iterdir()
    (folder / file).write_text("[" * 5000)
    runs.study(tmp_path, "real")
    with pytest.raises(DonorRefused, match="donor sub-D07"):
        prepare_blinding(runs.settings(tmp_path), runs.CARD)


PROTOCOL = """
format = 1
name = "p"
tr_s = 2.1
seed = 1
[blocks.rest]
task = "rest"
volumes = 15
[blocks.up]
task = "regulate"
direction = "up"
volumes = 20
[[runs]]
name = "training"
kind = "training"
blocks = ["rest", "up"]
cycles = 2
"""


def chosen_run(place, text, attempt=1):
    path = place / "p.toml"
    path.write_text(text)
    given = runs.settings(place, protocol=path, attempt=attempt, run=1)
    return choose_run(given, subject="S01", now_unix_s=1.0)


def prepared(place, text, arm="yoked", attempt=1, **of_study):
    chosen = chosen_run(place, text, attempt)
    runs.study(place, arm, protocol_sha256=chosen.asked.sha256, **of_study)
    return prepare_blinding(chosen.settings, runs.CARD, chosen)


@pytest.fixture
def followed(tmp_path):
    """A study whose donor has followed the protocol."""
    runs.donor(tmp_path / "donors", 7)
    (folder,) = (tmp_path / "donors").iterdir()
    runs.with_protocol(folder, PROTOCOL)
    return tmp_path


def test_a_donor_is_matched_with_the_blocks_of_the_protocol(followed):
    blinding = prepared(followed, PROTOCOL)
    (donor,) = blinding.donors
    assert {key: len(z) for key, z in donor.z.items()} == {
        (1, 1): 15, (1, 2): 20, (1, 3): 15, (1, 4): 20
    }  # fmt: skip
    assert blinding.attempt == 1


def test_a_donor_whose_attempts_cannot_be_told_apart_is_refused(followed):
    (folder,) = (followed / "donors").iterdir()
    runs.with_protocol(folder, PROTOCOL, attempt=2)
    with pytest.raises(DonorRefused, match="2 attempts and 1 trains of volumes"):
        prepared(followed, PROTOCOL)


def test_a_protocol_says_where_a_volume_lies_and_outside_nothing_is_given(followed):
    blinding = prepared(followed, PROTOCOL, arms=("real", "yoked"))
    arms = blinding._arms(blinding._donor(1))
    real = list(runs.brain(11))
    inside = arms.deliver(real[40], blinding.plan.at(40))
    z = (float(inside.values[0]) - 0.3) / 0.8
    assert z == pytest.approx(blinding.donors[0].z[1, 3][5], abs=1e-5)
    assert arms.deliver(real[75], blinding.plan.at(75)).status == "warmup"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("volumes = 20", "volumes = 25"), "has 20 volumes, expected 25"),
        (('direction = "up"', 'direction = "down"'), "direction up, expected direc"),
        (("cycles = 2", "cycles = 3"), "block 5 has no such block"),
    ],
)
def test_a_donor_of_another_protocol_is_refused(followed, change, said):
    with pytest.raises(DonorRefused, match=said):
        prepared(followed, PROTOCOL.replace(*change))


def test_an_allocation_for_another_protocol_is_refused(followed):
    chosen = chosen_run(followed, PROTOCOL)
    runs.study(followed, "real", protocol_sha256="ab" * 32)
    with pytest.raises(ConfigError, match=r"for protocol abababababab\.\.\."):
        prepare_blinding(chosen.settings, runs.CARD, chosen)
    runs.study(followed, "real")
    with pytest.raises(ConfigError, match="for protocol none, this session has"):
        prepare_blinding(chosen.settings, runs.CARD, chosen)


def test_two_places_have_two_donors(tmp_path, place):
    given = set()
    for draw in range(5):
        run, _ = one(tmp_path, place, "yoked", seed=draw, draw=draw)
        given.add(tuple(m["value"] for m in run.feedback)[-20:])
    assert len(given) == 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"record": None}, "nobody could ever unblind it"),
        ({"record_as": None}, "there is no default arm"),
        ({"truth": "tcp:a:1"}, "--blind and --truth were both given"),
    ],
)
def test_settings_that_would_tell_or_lose_the_arm_are_refused(place, changes, said):
    with pytest.raises(ConfigError, match=said):
        runs.settings(place, **changes)


# The test that tries: from all that anybody can see, which arm was it?


def digits(value):
    return len(json.dumps(value).strip("-").replace(".", ""))


def features(run):
    """Return numbers from everything that is public: messages, rows, files, times."""
    found = {}
    messages = run.feedback
    numbers = {}
    for message in messages:
        for key, value in message.items():
            if isinstance(value, float):
                numbers.setdefault(key, []).append(value)
        for key in ("value", "z", "shown", "low", "high"):
            known = message.get(key) is not None
            numbers.setdefault(f"has {key}", []).append(float(known))
            if known:
                numbers.setdefault(f"digits {key}", []).append(digits(message[key]))
    for key, values in numbers.items():
        row = np.array(values)
        found[f"mean {key}"], found[f"sd {key}"] = row.mean(), row.std()
        steps = np.abs(np.diff(row))
        found[f"step {key}"] = steps.mean() if len(steps) else 0.0
        found[f"still {key}"] = (steps == 0).mean() if len(steps) else 0.0
    sizes = np.array([len(json.dumps(message)) for message in messages])
    found["mean size"], found["sd size"] = sizes.mean(), sizes.std()
    for name, size in run.files.items():
        found[f"bytes {name}"] = size
    found["log"] = sum(m.topic == "log" for m in run.messages)
    took_s = np.array(run.took_s)
    found["median took"] = np.median(took_s)
    found["high took"] = np.percentile(took_s, 90)
    return found


def accuracy(one, other):
    """Return how often a nearest centroid knows the arm of a pair it has not seen.

    Nor has it seen the neighbours, which show the same series under the other arm.
    """
    both = [features(run) for run in (*one, *other)]
    assert len({frozenset(row) for row in both}) == 1  # the same features at all
    names = sorted(both[0])
    x = np.array([[row[name] for name in names] for row in both])
    y = np.repeat([0, 1], len(one))
    pairs = np.tile(np.arange(len(one)), 2)
    hits = []
    for pair in range(len(one)):
        away = np.abs(pairs - pair)
        known = np.minimum(away, len(one) - away) > 1
        mean, sd = x[known].mean(axis=0), x[known].std(axis=0)
        z = (x - mean) / np.where(sd > 0, sd, 1)
        centres = np.stack([z[known & (y == arm)].mean(axis=0) for arm in (0, 1)])
        asked = pairs == pair
        to = np.linalg.norm(z[asked][:, None] - centres, axis=2)
        hits += list(to.argmin(axis=1) == y[asked])
    return np.mean(hits)


# Of 32 guesses at chance, more than 25 are right once in 4000 times.
MOST_BY_CHANCE = 25 / (2 * N_PAIRS)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Runs of the same persons in both arms, in turns.

    Each is yoked to the next person, so that both arms show the same set of series: by
    what is shown alone, nobody can do better than guess.
    """
    root = tmp_path_factory.mktemp("pairs")
    arms = ("real", "yoked")
    found = {arm: [] for arm in arms}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rtbold.session.session.gc.collect", lambda: 0)
        for seed in range(N_PAIRS):
            runs.donor(root / "donors", seed)
        for seed in range(N_PAIRS):
            for arm in arms if seed % 2 else arms[::-1]:
                folder = root / f"{arm}-{seed}"
                donor = (seed + 1) % N_PAIRS
                run, _ = runs.blinded_run(
                    folder, root, seed, arm, arms=arms, draw=donor
                )
                found[arm].append(run)
    return found


@pytest.mark.long
@pytest.mark.heavy
def test_a_classifier_of_all_that_is_public_stays_at_chance(pairs):
    assert accuracy(pairs["real"], pairs["yoked"]) <= MOST_BY_CHANCE


@pytest.mark.long
@pytest.mark.heavy
def test_the_classifier_finds_a_leak_where_there_is_one(pairs):
    class Leaky(runs.Run):
        @property
        def feedback(self):
            return [
                {**m, "z": None if m["z"] is None else round(m["z"], 4)}
                for m in super().feedback
            ]

    leaky = [
        Leaky(run.folder, run.messages, run.rows, run.took_s) for run in pairs["yoked"]
    ]
    assert accuracy(pairs["real"], leaky) > 0.85


def test_all_but_the_numbers_is_the_same_in_every_arm(tmp_path, place):
    """Fields and their order, status, reasons, logs, files; sizes but for digits."""
    seen = set()
    for arm in ARMS:
        run, _ = one(tmp_path, place, arm)
        seen.add((
            tuple(
                (tuple(m), m["status"], tuple(m["reasons"]),
                 tuple(k for k, v in m.items() if v is None))
                for m in run.feedback
            ),
            tuple(m.text for m in run.messages if m.topic == "log"),
            tuple(run.files),
            run.files["blinding.json"],
            tuple((tuple(row[1:]), row[0] == row[0]) for row in run.rows),
            len((run.folder / "sealed.jsonl").read_bytes().splitlines()),
        ))  # fmt: skip
    assert len(seen) == 1


def test_sealed_files_of_one_person_have_one_size_in_every_arm(tmp_path, place):
    sizes = {one(tmp_path, place, arm)[0].files["sealed.jsonl"] for arm in ARMS}
    assert len(sizes) == 1


@pytest.mark.parametrize("arm", ARMS)
def test_nothing_that_is_logged_or_raised_names_the_arm(tmp_path, place, arm, caplog):
    with caplog.at_level(logging.DEBUG):
        run, _ = one(tmp_path, place, arm)
    runs.study(place, arm)
    blinding = prepare_blinding(runs.settings(place), runs.CARD)
    public = " ".join([
        caplog.text, repr(blinding),
        *(f.read_text() for f in run.folder.iterdir()),
    ])  # fmt: skip
    words = [w for w in ("yoked", "inverse", "delayed") if w in public]
    found = repr(blinding)
    assert words == [w for w in words if w in found]  # the design, in clear, names all
    assert f"arm='{arm}'" not in found
