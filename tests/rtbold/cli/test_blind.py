"""A blinded study from its keys to its guesses, by the command line alone."""

import json

import pytest

from rtbold import cli
from rtbold.blinding.keys import read_secret
from rtbold.blinding.records import ARM_RECORD, BlindedNote, write_note
from rtbold.blinding.sealed import SEALED_NAME, SealedLog, Sealer
from rtbold.clock import HandCrankedClock


@pytest.fixture
def said(capsys):
    """Run a command; return its exit code and what it said."""

    def run(*words):
        code = cli.main([str(word) for word in words])
        out, err = capsys.readouterr()
        return code, out + err

    return run


@pytest.fixture
def study(tmp_path, said):
    """Keys of both, with the public one of the statistician on the session machine."""
    for folder, owner in (("desk", "statistician"), ("study", "session")):
        code, text = said("blind", "keys", tmp_path / folder, "--of", owner)
        assert code == 0
        assert "has fingerprint" in text
    public = (tmp_path / "desk" / "statistician.key").read_bytes()
    (tmp_path / "study" / "statistician.key").write_bytes(public)
    return tmp_path / "study"


def allocate(said, study, *words, arms="real:1,yoked:1"):
    desk = study.parent / "desk"
    return said(
        "blind", "allocate", study / "allocation.json",
        "--key", desk / "statistician.key_secret",
        "--session-key", study / "session.key", "--study", "nf1", "--arms", arms,
        "--seed", "7", *words,
    )  # fmt: skip


def test_keys_are_made_once_and_for_two_owners(study, said):
    code, text = said("blind", "keys", study, "--of", "session")
    assert (code, "is there already" in text) == (2, True)
    code, text = said("blind", "keys", study / "session.key", "--of", "session")
    assert (code, "cannot write keys into" in text) == (2, True), text
    code, text = said("blind", "keys", study, "--of", "nobody")
    assert (code, "--of is 'nobody', expected one of stat" in text) == (2, True)


def test_files_that_are_not_there_or_are_there_already_are_told(study, said):
    none = study.parent / "none"
    binary = study.parent / "binary.tsv"
    binary.write_bytes(b"\xff\xfe")
    wrong = study.parent / "wrong.toml"
    wrong.write_text("name = 'x'\n")
    (study.parent / "empty.tsv").write_text("")
    for words, told in (
        (("--protocol", none), "cannot read the protocol"),
        (("--protocol", wrong), "required field"),
        (("--subjects", none), "cannot read"),
        (("--subjects", binary), "cannot read"),
        (("--subjects", study.parent / "empty.tsv"), "expected a line with subject"),
    ):
        code, text = allocate(said, study, "--places", "4", *words)
        assert (code, told in text, "unforeseen" in text) == (2, True, False), text
        assert not (study / "allocation.json").exists()
    assert allocate(said, study, "--places", "4")[0] == 0
    code, text = allocate(said, study, "--places", "4")
    assert (code, "never overwritten" in text) == (2, True), text


def test_a_list_is_sealed_shown_to_the_statistician_and_enrolled_blindly(study, said):
    table = study.parent / "known.tsv"
    table.write_text("subject\tstratum\nS01\told\nS02\told\n")
    code, text = allocate(said, study, "--subjects", table, "--places", "young=3")
    assert code == 0, text
    assert "5 places in 2 strata" in text
    assert not any(arm in text for arm in ("real", "yoked"))
    code, text = said("blind", "enrol", study, "S07", "--stratum", "young")
    assert code == 0
    assert not any(arm in text for arm in ("real", "yoked"))
    place = text.split()[-1]
    key = study.parent / "desk" / "statistician.key_secret"
    code, text = said("blind", "list", study / "allocation.json", "--key", key)
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[0] == ["code", "stratum", "subject", "arm"]
    assert [row[2] for row in rows[1:]] == ["S01", "S02", "n/a", "n/a", "n/a"]
    assert {row[3] for row in rows[1:]} <= {"real", "yoked"}
    assert rows[3][0] == place
    code, text = said("blind", "enrol", study, "S01", "--stratum", "young")
    assert (code, "has a place already" in text) == (2, True)


@pytest.mark.parametrize(
    ("words", "arms", "said_"),
    [
        (["--places", "0"], "real:1,yoked:1", "--places is '0', expected a number"),
        (["--places", "x"], "real:1,yoked:1", "--places is 'x'"),
        ([], "real:1,yoked:1", "the list has 0 places"),
        (["--places", "4"], "real:1,placebo:1", "Expected arms of real, yoked"),
        (["--places", "4"], "real:x,yoked", "--arms is 'real:x,yoked'"),
        (["--places", "4"], "real", "at least two"),
        (["--places", "4", "--delay", "30"], "real,delayed", "the delay is 30.0 s"),
        (["--places", "4"], "real,other_roi", "belong together"),
    ],
)
def test_what_cannot_be_allocated_is_refused_and_writes_nothing(
    study, said, words, arms, said_
):
    code, text = allocate(said, study, *words, arms=arms)
    assert code == 2
    assert said_ in text
    assert not (study / "allocation.json").exists()


def test_a_table_of_subjects_without_its_head_is_refused(study, said):
    table = study.parent / "known.tsv"
    table.write_text("S01\told\n")
    code, text = allocate(said, study, "--subjects", table)
    assert (code, "expected a line with subject" in text) == (2, True)


# After the session


@pytest.fixture
def session(study):
    """A blinded session as it is left, of the arm `inverse`."""
    desk = study.parent / "desk"
    keys = read_secret(desk / "statistician.key_secret", "statistician").public
    folder = study.parent / "sub-S01_ses-01_task-nf_run-01"
    folder.mkdir()
    (folder / "events.jsonl").write_text("{}\n")
    note = BlindedNote(study="nf1", code="K7M2P", statistician=keys.fingerprint)
    write_note(folder, note)
    log = SealedLog(folder / SEALED_NAME, HandCrankedClock(0.0), Sealer(keys, "s"))
    log.append(ARM_RECORD, {"arm": "inverse".ljust(16)})
    log.append("pred.roi", {"values": [1.0]})
    log.close()
    return folder


def ask(said, session, *words):
    key = session.parent / "desk" / "statistician.key_secret"
    return said("unblind", session, "--key", key, "--by", "AB", *words)


def test_guesses_come_first_and_unblinding_tells_them_beside_the_arm(session, said):
    code, text = ask(said, session)
    assert (code, "operator and participant did not guess" in text) == (2, True)
    assert not (session / "unblinding.jsonl").exists()
    for who, arm in (("operator", "real"), ("participant", "sham")):
        words = ("--who", who, "--arm", arm, "--confidence", 40)
        assert said("blind", "guess", session, *words)[0] == 0
    code, text = ask(said, session, "--why", "end of the study")
    assert code == 0
    assert "arm: inverse\n" in text
    assert "operator guessed: real (40 % certain)" in text
    assert "1 real predictions" in text
    told = json.loads((session / "unblinding.jsonl").read_text())
    assert (told["who"], told["guessed"]) == ("AB", ["operator", "participant"])
    words = ("--who", "operator", "--arm", "sham", "--confidence", 1)
    code, text = said("blind", "guess", session, *words)
    assert (code, "a guess after it is none" in text) == (2, True)


def test_the_key_of_another_opens_nothing_and_is_written_down(session, said, tmp_path):
    assert said("blind", "keys", tmp_path / "x", "--of", "statistician")[0] == 0
    key = tmp_path / "x" / "statistician.key_secret"
    words = ("--key", key, "--by", "X", "--without-guesses")
    code, text = said("unblind", session, *words)
    assert (code, "was sealed to key" in text) == (1, True)
    assert "inverse" not in text
    assert len((session / "unblinding.jsonl").read_text().splitlines()) == 1


def test_verify_of_a_blinded_session_says_that_it_needs_the_key(session, said):
    settings = {"version": 1, "model_sha256": "ab", "run": {}, "pipeline": {}}
    (session / "settings.json").write_text(json.dumps(settings))
    code, text = said("verify", session)
    assert code == 2
    assert "needs the statistician's key" in text
