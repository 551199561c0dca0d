"""The file that only the statistician opens: every loss and change is told."""

import json
import time

import pytest

from rtbold.blinding.keys import NotOpened, SecretKeys
from rtbold.blinding.records import (
    ARM_RECORD,
    BlindedNote,
    Guess,
    guess,
    guesses,
    note_of,
    opened_records,
    unblind,
    write_note,
)
from rtbold.blinding.sealed import SEALED_NAME, SealedLog, Sealer, open_sealed
from rtbold.clock import HandCrankedClock
from rtbold.errors import ConfigError, DataFileError

KEYS = SecretKeys("statistician", bytes(range(32)))
OTHER = SecretKeys("statistician", bytes(32))


def written(path, n=4, *, end=True, session="s1", keys=KEYS):
    sealer = Sealer(keys.public, session)
    lines = [json.dumps(sealer.header)]
    lines += [
        sealer.line(json.dumps({"record": "pred.roi", "k": k}).encode())
        for k in range(n)
    ]
    if end:
        lines.append(sealer.line(b"{}", last=True))
    path.write_text("\n".join([*lines, ""]))
    return lines


def opened(path, lines, cut=0):
    text = "\n".join([*lines, ""])
    path.write_text(text[: len(text) - cut])
    found = open_sealed(path, KEYS)
    return [record["k"] for record in found.records], found.notes


def test_what_went_in_comes_out_in_order(tmp_path):
    path = tmp_path / SEALED_NAME
    lines = written(path)
    assert opened(path, lines) == ([0, 1, 2, 3], ())
    assert "pred.roi" not in path.read_text()


def test_only_the_key_that_it_was_sealed_to_opens_it(tmp_path):
    path = tmp_path / SEALED_NAME
    written(path)
    with pytest.raises(NotOpened, match="was sealed to key"):
        open_sealed(path, OTHER)


def test_a_crash_loses_what_was_not_written_and_nothing_before(tmp_path):
    path = tmp_path / SEALED_NAME
    lines = written(path, end=False)
    found, notes = opened(path, lines, cut=20)  # in the middle of a line
    assert found == [0, 1, 2]
    assert notes == ("it has no last record: the session crashed, or it was cut off",)


def touched(line):
    fields = json.loads(line)
    box = fields["box"]
    fields["box"] = box[:50] + ("A" if box[50] != "A" else "B") + box[51:]
    return json.dumps(fields)


@pytest.mark.parametrize(
    ("change", "found", "said"),
    [
        (lambda x: x[:2] + x[3:], [0, 2, 3], "has record 2, expected 1"),
        (lambda x: [*x[:2], x[3], x[2], *x[4:]], [0, 2, 1, 3], "expected 1"),
        (lambda x: x[:-1], [0, 1, 2, 3], "no last record"),
        (lambda x: [*x, x[1]], [0, 1, 2, 3], "stands after the end"),
        (lambda x: [*x[:2], touched(x[2]), *x[3:]], [0, 2, 3], "line 3 was altered"),
        (lambda x: [*x[:2], "nonsense", *x[2:]], [0, 1, 2, 3], "is damaged"),
        (lambda x: [*x[:3], '{"type":"lost","n":2}', *x[3:]], None, "were lost"),
    ],
)
def test_what_was_cut_out_exchanged_or_put_in_is_told(tmp_path, change, found, said):
    path = tmp_path / SEALED_NAME
    got, notes = opened(path, change(written(path)))
    if found is not None:
        assert got == found
    assert any(said in note for note in notes)


def test_a_record_of_another_session_is_none(tmp_path):
    path = tmp_path / SEALED_NAME
    mine, theirs = written(path), written(path, session="s2")
    got, notes = opened(path, [*mine[:2], theirs[2], *mine[3:]])
    assert got == [0, 2, 3]
    assert "line 3 was altered, or is of another session" in notes


@pytest.mark.parametrize("text", ["", "{}", "[" * 10_000, '{"format":"x"}\n'])
def test_what_is_no_sealed_file_is_refused(tmp_path, text):
    path = tmp_path / SEALED_NAME
    path.write_text(text)
    with pytest.raises(DataFileError, match="first line"):
        open_sealed(path, KEYS)


def test_records_of_like_size_have_one_length(tmp_path):
    sealer = Sealer(KEYS.public, "s")
    lines = {len(sealer.line(b'{"record":"arm"}' + b"x" * k)) for k in range(9)}
    assert len(lines) == 1


def test_the_log_is_written_from_a_thread_and_says_that_it_ended(tmp_path):
    path = tmp_path / SEALED_NAME
    log = SealedLog(path, HandCrankedClock(0.0), Sealer(KEYS.public, "s1"))
    for k in range(3):
        log.append("pred.roi", {"k": k})
    assert log.close().n_lost == log.close().n_lost == 0
    found = open_sealed(path, KEYS)
    assert [record["k"] for record in found.of("pred.roi")] == [0, 1, 2]
    assert found.notes == ()


def test_what_was_written_is_there_before_the_session_ends(tmp_path):
    path = tmp_path / SEALED_NAME
    log = SealedLog(path, HandCrankedClock(0.0), Sealer(KEYS.public, "s1"))
    for k in range(3):
        log.append("pred.roi", {"k": k})
    end_s = time.monotonic() + 30
    while log.state.n_written < 3:
        assert time.monotonic() < end_s
    found = open_sealed(path, KEYS)
    log.close()
    assert [record["k"] for record in found.records] == [0, 1, 2]
    assert found.notes == (
        "it has no last record: the session crashed, or it was cut off",
    )


# Guesses and unblinding


def blinded(folder, arm="yoked"):
    note = BlindedNote(study="nf1", code="K7M2P", statistician=KEYS.public.fingerprint)
    write_note(folder, note)
    log = SealedLog(
        folder / SEALED_NAME, HandCrankedClock(0.0), Sealer(KEYS.public, "s1")
    )
    log.append(ARM_RECORD, {"arm": arm})
    log.append("pred.roi", {"k": 1})
    log.close()
    return folder


def a_guess(**changes):
    fields = {"who": "operator", "guess": "real", "confidence": 60, "t_unix_s": 1.0}
    return Guess(**{**fields, **changes})


def test_unblinding_opens_and_says_who_asked_and_who_had_guessed(tmp_path):
    folder = blinded(tmp_path)
    guess(folder, a_guess())
    found = unblind(folder, KEYS, who="statistician AB", why="end", now_unix_s=9.0)
    assert found.of(ARM_RECORD)[0]["arm"] == "yoked"
    (line,) = (folder / "unblinding.jsonl").read_text().splitlines()
    told = json.loads(line)
    assert (told["who"], told["why"], told["t_unix_s"]) == ("statistician AB", "end", 9)
    assert told["guessed"] == ["operator"]
    assert [r["record"] for r in opened_records(folder)] == ["arm", "pred.roi"]


def test_an_attempt_with_another_key_is_written_down_and_opens_nothing(tmp_path):
    folder = blinded(tmp_path)
    with pytest.raises(NotOpened):
        unblind(folder, OTHER, who="X", why="", now_unix_s=9.0)
    told = json.loads((folder / "unblinding.jsonl").read_text())
    assert told["key"] == OTHER.public.fingerprint
    assert opened_records(folder) is None


def test_nobody_guesses_after_somebody_has_asked(tmp_path):
    folder = blinded(tmp_path)
    with pytest.raises(NotOpened):
        unblind(folder, OTHER, who="X", why="", now_unix_s=9.0)
    with pytest.raises(ConfigError, match="a guess after it is none"):
        guess(folder, a_guess())
    assert guesses(folder) == ()


def test_the_first_guess_counts(tmp_path):
    folder = blinded(tmp_path)
    guess(folder, a_guess())
    guess(folder, a_guess(who="participant", guess="sham", confidence=0))
    with pytest.raises(ConfigError, match="operator has guessed already"):
        guess(folder, a_guess(guess="sham"))
    assert [each.guess for each in guesses(folder)] == ["real", "sham"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"guess": "placebo"}, "'placebo', expected one of real"),
        ({"confidence": 101}, "confidence is 101"),
        ({"confidence": -1}, "confidence is -1"),
    ],
)
def test_what_is_no_guess_is_refused(tmp_path, changes, said):
    with pytest.raises(ConfigError, match=said):
        guess(blinded(tmp_path), a_guess(**changes))


def test_a_session_that_is_not_blinded_has_neither_guess_nor_key(tmp_path):
    assert note_of(tmp_path) is None
    with pytest.raises(ConfigError, match="is no blinded session"):
        guess(tmp_path, a_guess())
    with pytest.raises(ConfigError, match="is no blinded session"):
        unblind(tmp_path, KEYS, who="X", why="", now_unix_s=1.0)


def test_nobody_asks_without_a_name_and_damage_is_told(tmp_path):
    folder = blinded(tmp_path)
    with pytest.raises(ConfigError, match="nobody is named"):
        unblind(folder, KEYS, who=" ", why="", now_unix_s=1.0)
    (folder / "blinding.json").write_text("{")
    with pytest.raises(DataFileError, match="cannot be read"):
        note_of(folder)
    (folder / "blinding.json").unlink()
    with pytest.raises(DataFileError, match="expected both"):
        note_of(folder)
    write_note(folder, BlindedNote(study="a", code="b", statistician="c"))
    (folder / SEALED_NAME).unlink()
    with pytest.raises(DataFileError, match="cannot read"):
        unblind(folder, KEYS, who="X", why="", now_unix_s=1.0)
