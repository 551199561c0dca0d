"""Keys, the drawn list, its sealed file, and what a session machine may learn of it."""

import base64
import json
from collections import Counter

import pytest

from rtbold.blinding.allocation import (
    Allocation,
    AllocationRefused,
    allocate,
    read_allocation,
    seal_allocation,
)
from rtbold.blinding.design import ARMS, Design
from rtbold.blinding.keys import (
    NotOpened,
    SecretKeys,
    create_keys,
    read_public,
    read_secret,
)
from rtbold.blinding.study import enrol, open_study
from rtbold.errors import ConfigError

STATISTICIAN = SecretKeys("statistician", bytes(range(32)))
SESSION = SecretKeys("session", bytes(range(1, 33)))


def design(**changes):
    fields = {"study": "nf1", "arms": ("real", "yoked"), "weights": (1, 1)}
    return Design(**{**fields, **changes})


def sealed(places, of=None):
    return seal_allocation(
        of or design(), places, statistician=STATISTICIAN, session=SESSION.public
    )


def listed(n=8, **changes):
    of = design(**changes)
    return allocate(of, {"": [None] * n}, seed=1, secret=STATISTICIAN)


@pytest.fixture
def folder(tmp_path):
    """A study on the session machine with four open places and one of S99."""
    for keys, name in ((STATISTICIAN, "statistician"), (SESSION, "session")):
        made = create_keys(tmp_path / "made", name)
        assert made.public != keys.public
    made = tmp_path / "made"
    statistician = read_secret(made / "statistician.key_secret", "statistician")
    session = read_secret(made / "session.key_secret", "session")
    places = allocate(
        design(), {"": [None] * 4, "old": ["S99"]}, seed=3, secret=statistician
    )
    file = seal_allocation(
        design(), places, statistician=statistician, session=session.public
    )
    (made / "allocation.json").write_bytes(file)
    return made


def rewrite(folder, change):
    path = folder / "allocation.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


# Keys


def test_keys_are_private_come_back_and_are_never_overwritten(tmp_path):
    made = create_keys(tmp_path, "session")
    assert read_secret(tmp_path / "session.key_secret", "session") == made
    assert read_public(tmp_path / "session.key", "session") == made.public
    assert base64.b64encode(made.seed).decode() not in repr(made)
    with pytest.raises(ConfigError, match="is there already"):
        create_keys(tmp_path, "session")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read the key"),
        ("[" * 100, "cannot read the key"),
        (
            '{"format":"x","owner":"session","secret":"AA=="}',
            "is a key x of the session",
        ),
        (
            '{"format":"rtbold.blinding-key/1","owner":"session","secret":"AAAA"}',
            "has 3 bytes, expected 32",
        ),
        (
            '{"format":"rtbold.blinding-key/1","owner":"statistician"}',
            "of the statistician, expected",
        ),
        (
            '{"format":"rtbold.blinding-key/1","owner":"session"}',
            "a public key, expected the secret one",
        ),
    ],
)
def test_what_is_no_key_is_refused(tmp_path, text, said):
    path = tmp_path / "session.key_secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=said):
        read_secret(path, "session")


def test_a_secret_that_others_can_read_is_refused(tmp_path):
    create_keys(tmp_path, "session")
    path = tmp_path / "session.key_secret"
    path.chmod(0o644)
    if path.stat().st_mode & 0o077 == 0:
        pytest.skip("permissions mean nothing here")
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret(path, "session")


def test_a_box_opens_with_its_own_key_alone():
    box = STATISTICIAN.public.seal(b"arm")
    assert STATISTICIAN.open(box) == b"arm"
    for keys, data in ((SESSION, box), (STATISTICIAN, box[:-1] + b"\0")):
        with pytest.raises(NotOpened, match="another key, or was altered"):
            keys.open(data)


# The design


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms": ("real",), "weights": (1,)}, "at least two"),
        ({"arms": ("real", "real")}, "at least two"),
        ({"weights": (1,)}, "expected one of 1 to 20 for each"),
        ({"weights": (0, 1)}, "expected one of 1 to 20"),
        ({"delay_s": 60.0}, "the delay is 60.0 s"),
        ({"delay_s": float("nan")}, "the delay is nan"),
        ({"other_roi": "Cuneus"}, "belong together"),
        ({"arms": ("real", "other_roi")}, "belong together"),
        ({"study": " "}, "expected a name"),
    ],
)
def test_a_design_that_contradicts_itself_is_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        design(**changes)


@pytest.mark.parametrize(
    ("tr_s", "n"), [(2.0, 33), (2.1, 31), (1.0, 65), (0.5, 129), (64.0, 2)]
)
def test_the_delay_is_always_longer_than_asked(tr_s, n):
    assert design().delay_volumes(tr_s) == n
    assert n * tr_s > 64.0 >= (n - 1) * tr_s


# The list


def test_arms_are_balanced_by_their_weights_within_each_stratum():
    of = design(arms=("real", "yoked", "inverse"), weights=(2, 1, 1))
    places = allocate(
        of, {"a": [None] * 400, "b": [None] * 400}, seed=5, secret=STATISTICIAN
    )
    for stratum in "ab":
        arms = Counter(place.arm for place in places if place.stratum == stratum)
        assert abs(arms["real"] - 200) <= 8  # one block that is cut off
        assert abs(arms["yoked"] - 100) <= 4
    first, second = ([p.arm for p in places if p.stratum == s] for s in "ab")
    assert first != second


def test_the_same_seed_and_key_give_the_same_list_and_another_key_does_not():
    def arms(seed, secret):
        places = allocate(design(), {"": [None] * 40}, seed=seed, secret=secret)
        return [place.arm for place in places]

    assert arms(1, STATISTICIAN) == arms(1, STATISTICIAN)
    assert arms(1, STATISTICIAN) != arms(2, STATISTICIAN)
    assert arms(1, STATISTICIAN) != arms(1, SESSION)  # a guessed seed tells nothing


def test_places_of_an_arm_are_counted_so_that_each_has_a_donor_of_its_own():
    places = allocate(
        design(), {"a": [None] * 9, "b": [None] * 9}, seed=4, secret=STATISTICIAN
    )
    for arm in ("real", "yoked"):
        draws = [place.draw for place in places if place.arm == arm]
        assert draws == list(range(len(draws)))


def test_codes_are_opaque_unlike_and_not_of_the_seed():
    one, two = ([place.code for place in listed(50)] for _ in range(2))
    assert len(set(one)) == 50
    assert one != two


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({}, "0 places"),
        ({"": [None] * 10_001}, "10001 places"),
        ({"a": ["S01"], "b": ["S01"]}, "S01 stand in the list more than once"),
        ({"": ["../x"]}, "expected a code of 1 to 32"),
    ],
)
def test_a_list_that_cannot_be_is_refused(places, said):
    with pytest.raises(ConfigError, match=said):
        allocate(design(), places, seed=1, secret=STATISTICIAN)


def test_a_place_never_shows_its_arm_as_text():
    text = repr(listed(20))
    assert not any(arm in text for arm in ("real", "yoked"))


# The file


def test_file_has_no_arm_and_parts_of_one_size(tmp_path):
    places = listed(60, arms=ARMS, weights=(1,) * 5, other_roi="Cuneus")
    fields = json.loads(
        sealed(places, design(arms=ARMS, weights=(1,) * 5, other_roi="Cuneus"))
    )
    slots = fields["slots"]
    assert {frozenset(slot) for slot in slots} == {
        frozenset(("code", "stratum", "subject", "for_session", "for_statistician"))
    }
    sizes = {len(slot[key]) for slot in slots for key in slot if key.startswith("for")}
    assert len(sizes) == 1
    assert not any(arm in json.dumps(slots) for arm in ARMS)


def test_statistician_and_session_open_the_same(tmp_path):
    places = listed(6)
    path = tmp_path / "a.json"
    path.write_bytes(sealed(places))
    allocation = read_allocation(path, STATISTICIAN.public, session=SESSION.public)
    for keys in (STATISTICIAN, SESSION):
        opened = tuple(allocation.open(slot, keys) for slot in allocation.slots)
        assert opened == places
    with pytest.raises(AllocationRefused, match="does not open"):
        allocation.open(allocation.slots[0], SecretKeys("session", bytes(32)))


def test_a_sealed_part_that_is_put_elsewhere_is_found():
    places = listed(2)
    slots = [json.loads(sealed(places))["slots"][k] for k in (0, 1)]
    slots[0]["for_session"] = slots[1]["for_session"]
    from rtbold.blinding.allocation import Slot

    allocation = Allocation(design(), tuple(Slot(**slot) for slot in slots))
    with pytest.raises(AllocationRefused, match="sealed for another place"):
        allocation.open(allocation.slots[0], SESSION)


def swap(fields):
    fields["slots"][0], fields["slots"][1] = fields["slots"][1], fields["slots"][0]


@pytest.mark.parametrize(
    "change",
    [
        swap,
        lambda fields: fields["slots"].pop(),
        lambda fields: fields["slots"][0].update(subject="S01"),
        lambda fields: fields["design"].update(protocol_sha256="ab" * 32),
        lambda fields: fields.update(signature=""),
    ],
)
def test_an_altered_file_is_refused(folder, change):
    rewrite(folder, change)
    with pytest.raises(AllocationRefused, match="was altered: its signature"):
        open_study(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "cannot read the allocation"),
        (b"\xff\xfe", "cannot read the allocation"),
        (b"[" * 200_000, "cannot read the allocation"),
        (b'{"format": 1}', "cannot read the allocation"),
    ],
)
def test_what_is_no_allocation_is_refused(folder, text, said):
    (folder / "allocation.json").write_bytes(text)
    with pytest.raises(AllocationRefused, match=said):
        open_study(folder)


def test_the_file_of_another_statistician_or_machine_is_refused(folder, tmp_path):
    create_keys(tmp_path / "other", "statistician")
    create_keys(tmp_path / "other", "session")
    for name in ("statistician.key", "session.key_secret"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes((tmp_path / "other" / name).read_bytes())
        with pytest.raises(AllocationRefused, match="whose key lies beside it"):
            open_study(folder)
        (folder / name).write_bytes(whole)
    open_study(folder)


# Who gets which place


def test_a_subject_in_the_list_is_known_and_any_other_is_refused(folder):
    study = open_study(folder)
    assert study.place_of("S99", protocol_sha256=None).arm in ("real", "yoked")
    with pytest.raises(AllocationRefused, match="'S01' is not in the allocation"):
        study.place_of("S01", protocol_sha256=None)


def test_another_protocol_is_refused(folder):
    study = open_study(folder)
    with pytest.raises(
        AllocationRefused, match=r"protocol none.*protocol cdcdcdcdcdcd"
    ):
        study.place_of("S99", protocol_sha256="cd" * 32)


def test_places_are_given_one_after_the_other_until_they_are_exhausted(folder):
    study = open_study(folder)
    codes = [enrol(study, f"S{k:02d}", "", now_unix_s=float(k)) for k in range(1, 5)]
    free = [slot.code for slot in study.allocation.slots if slot.subject is None]
    assert codes == free
    for k, code in enumerate(codes, 1):
        assert study.place_of(f"S{k:02d}", protocol_sha256=None).code == code
    with pytest.raises(AllocationRefused, match="are exhausted: all 4"):
        enrol(study, "S05", "", now_unix_s=5.0)
    for known in ("S01", "S99"):
        with pytest.raises(AllocationRefused, match="has a place already"):
            enrol(study, known, "", now_unix_s=6.0)
    with pytest.raises(AllocationRefused, match="no open places of stratum 'old'"):
        enrol(study, "S06", "old", now_unix_s=7.0)
    with pytest.raises(ConfigError, match="expected a code of 1 to 32"):
        enrol(study, "a b", "", now_unix_s=8.0)


def test_an_enrolment_that_was_altered_is_refused(folder):
    study = open_study(folder)
    for k in (1, 2):
        enrol(study, f"S0{k}", "", now_unix_s=float(k))
    path = folder / "enrolment.jsonl"
    first, second = path.read_text().splitlines(keepends=True)
    for lines in (second, second + first, first + first, first + second + second):
        path.write_text(lines)
        with pytest.raises(AllocationRefused, match="was altered"):
            study.place_of("S01", protocol_sha256=None)
    path.write_text(first + "{")
    with pytest.raises(AllocationRefused, match="is damaged"):
        study.place_of("S01", protocol_sha256=None)


def test_a_folder_that_is_no_study_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="is no folder of a study"):
        open_study(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="cannot read the key"):
        open_study(tmp_path)
