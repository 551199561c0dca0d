"""``rtbold verify`` on a session of November 2026, which knows less of itself than now.

Published is what a subscriber got of it, and beside it what the LSL mirror left in the
XDF. On the machine that recorded it every bit comes out again; another CPU rounds
otherwise, which is said and never called identical.
"""

import json
import zipfile
from pathlib import Path

import pytest

from rtbold.cli import main

pytestmark = pytest.mark.heavy
KEPT = Path(__file__).parents[2] / "data" / "session_2026-11.zip"


@pytest.fixture
def kept(tmp_path):
    with zipfile.ZipFile(KEPT) as archive:
        archive.extractall(tmp_path / "session")
    return tmp_path / "session"


def verified(capsys, folder, *options):
    code = main(["verify", str(folder), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def change(folder, number, **fields):
    path = folder / "published.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number] = json.dumps({**json.loads(lines[number]), **fields})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_what_a_subscriber_got_comes_out_again(kept, capsys):
    code, found = verified(capsys, kept, "--within-tolerance")
    assert code == 0, found
    assert found["verdict"] in ("identical", "within_tolerance")
    assert found["n_compared"]["pred.roi"] == 28
    if found["verdict"] == "identical":
        assert found["largest"] == 0.0


def test_a_machine_that_rounds_otherwise_is_not_called_identical(kept, capsys):
    """The session did not keep its machine, so rounding may explain a last bit."""
    lines = (kept / "published.jsonl").read_text(encoding="utf-8").splitlines()
    number = max(i for i, line in enumerate(lines) if json.loads(line)["values"])
    values = json.loads(lines[number])["values"]
    change(kept, number, values=[values[0] + 1e-7, *values[1:]])
    code, found = verified(capsys, kept)
    assert (code, found["verdict"]) == (2, "within_tolerance")
    assert "not identical" in found["why"]
    assert "did not keep what machine" in found["why"]
    code, _ = verified(capsys, kept, "--within-tolerance")
    assert code == 0


def test_a_value_that_was_not_published_so_is_shown(kept, capsys):
    lines = (kept / "published.jsonl").read_text(encoding="utf-8").splitlines()
    number = max(i for i, line in enumerate(lines) if json.loads(line)["values"])
    message = json.loads(lines[number])
    values = message["values"]
    change(kept, number, values=[*values[:3], values[3] + 0.5, *values[4:]])
    code, found = verified(capsys, kept)
    assert (code, found["verdict"]) == (1, "different")
    assert "more than rounding" in found["why"]
    assert found["largest"] == pytest.approx(0.5, abs=1e-3)


def test_a_status_that_was_not_published_so_is_shown(kept, capsys):
    change(kept, 20, status="degraded", reasons=["rate"])
    code, found = verified(capsys, kept, "--within-tolerance")
    assert (code, found["verdict"]) == (1, "different")
    assert found["first"]["field"] in ("status", "values")
    assert main(["verify", str(kept)]) == 1
    assert "DIFFERENT" in capsys.readouterr().out


def test_what_the_xdf_kept_of_it_comes_out_again(kept, capsys):
    """As the sessions of early versions left it: no published.jsonl."""
    (kept / "published.jsonl").unlink()
    code, found = verified(capsys, kept, "--within-tolerance")
    assert code == 0, found
    assert found["n_compared"]["pred.fb"] >= 25
    assert "z and intervals are not" in found["notes"][0]


def test_another_model_cannot_verify_it(kept, capsys):
    code, found = verified(capsys, kept, "--model", "demo-ridge")
    assert (code, found["verdict"]) == (2, "not_verifiable")
    assert "the session ran model e30b9b5306" in found["why"]


def test_a_card_that_was_changed_since_cannot_verify_it(kept, capsys):
    card = kept / "card.json"
    card.write_text(card.read_text().replace('"horizon_tr"', ' "horizon_tr"', 1))
    code, found = verified(capsys, kept)
    assert (code, found["verdict"]) == (2, "not_verifiable")
    assert "it was changed since" in found["why"]


def test_the_folder_above_and_a_file_in_it_lead_to_it(kept, capsys):
    (xdf,) = kept.glob("*_eeg.xdf")
    for path in (kept.parent, xdf):
        code, found = verified(capsys, path, "--within-tolerance")
        assert code == 0, found


def test_a_folder_without_a_session(tmp_path, capsys):
    code, found = verified(capsys, tmp_path)
    assert (code, found["verdict"]) == (2, "not_verifiable")
    assert "no recorded session" in found["why"]


def test_samples_that_are_gone_end_what_can_be_verified(kept, capsys):
    (xdf,) = kept.glob("*_eeg.xdf")
    content = xdf.read_bytes()
    xdf.write_bytes(content[: len(content) * 2 // 3])
    code, found = verified(capsys, kept, "--within-tolerance")
    assert (code, found["verdict"]) in ((2, "not_verifiable"), (0, "within_tolerance"))
    assert 10 < found["n_compared"]["pred.roi"] < 28


def test_replay_tells_what_is_missing_and_goes_on(kept, capsys):
    (xdf,) = kept.glob("*_eeg.xdf")
    content, out = xdf.read_bytes(), kept / "bold.tsv"
    xdf.write_bytes(content[: len(content) * 2 // 3])
    assert main(["replay", str(xdf), "--model", "demo", "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "breaks off" in said
    assert "there is none in the recorded XDF" in said
    rows = [line.split("\t") for line in out.read_text("utf-8").splitlines()[1:]]
    assert len(rows) == 28  # the volumes after it are answered, without a value
    assert rows[-1][2] == "invalid"
    assert rows[-1][4] == "n/a"
