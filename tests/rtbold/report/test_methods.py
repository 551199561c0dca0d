"""Methods and checklists: what is known is filled, what is not is the author's."""

import json

import pytest
from bundles import write_tiny

from rtbold.cli import main
from rtbold.errors import ConfigError
from rtbold.report.checklists import LISTS, all_numbers, checklist, filled
from rtbold.report.facts import model_facts
from rtbold.report.site import EXAMPLE, Site, read_site
from rtbold.report.words import methods_text

CARD = {
    "architecture": "bandpower_ridge", "rois": ["A", "B"], "atlas": "two",
    "window_s": 16.0, "reference": "average", "horizon_tr": 0,
    "origin": {"kind": "subject"}, "conditioning": {"highpass_hz": 0.5},
    "normalisation": {"method": "zscore", "lowpass_hz": 0.15,
                      "confounds": {"trans_x": [0.1], "csf": [0.2]}},
    "fitting": {"strategy": "head", "base": "demo", "n_volumes": 400, "n_folds": 5,
                "seed": 3},
    "verdict": {"n_volumes": 400, "n_surrogates": 999, "gate": {
        "target": "A", "r": 0.41, "r_low": 0.2, "r_high": 0.58, "p": 0.001,
        "label": "specific"}},
    "alignment": {"marker": "R128", "n_volumes": 410, "n_found": 409,
                  "jitter_sd_ms": 0.1, "lag_peak_s": 5.0},
    "cleaning": {"mode": "online", "software": "RecView"},
    "software": {"rtbold": "0.1"},
}  # fmt: skip


def answers(name, facts, **given):
    return {item.number: item for item in filled(name, facts, given)}


def test_the_lists_are_whole_and_no_number_is_used_twice():
    numbers = all_numbers()
    assert len(numbers) == len(set(numbers)) == 23 + 18 + 14
    assert all(checklist(name).source for name in LISTS)


def test_every_fact_that_a_list_asks_for_can_be_told():
    told = {*model_facts(CARD), *Site().facts()}
    for part in ("lab", "eeg", "scanner", "display"):
        told |= set(getattr(Site(), part).__struct_fields__)
    told |= {"equipment", "control", "blinding", "guesses", "instructions", "quality",
             "feature", "schedule", "displayed", "success", "plots",
             "blocks"}  # fmt: skip
    asked = {i.fact for name in LISTS for i in checklist(name).items if i.fact}
    assert asked <= told


def test_a_card_answers_what_it_knows():
    meeg = answers("cobidas-meeg", model_facts(CARD))
    assert "R 0.41 (95 % 0.20 to 0.58)" in meeg["E17"].answer
    assert "999" in meeg["E17"].answer
    assert meeg["E9"].answer == "online: RecView"
    assert meeg["E2"].state == "yours"
    assert meeg["E15"].state == "not_applicable"
    mri = answers("cobidas-mri", model_facts(CARD))
    assert "csf, trans_x" in mri["M9"].answer
    assert "R128" in mri["M11"].answer


def test_an_empty_card_tells_nothing_of_its_own_making():
    facts = model_facts({})
    assert "verdict" not in facts
    assert "windows" not in facts
    assert facts["training"] == "not recorded, of unknown origin."


def test_simulated_data_are_said_to_be():
    said = model_facts({**CARD, "origin": {"kind": "simulated"}})["training"]
    assert "SIMULATED" in said


def test_the_author_goes_first():
    found = answers("cred-nf", {"control": "codes"}, **{"2a": "a waiting list"})
    assert found["2a"].answer == "a waiting list"


def test_what_must_be_told_is_marked_where_it_is_missing():
    text = methods_text({"windows": "W"})
    assert "[scanner: yours to fill]." in text
    assert " W." in text


def test_the_site_that_is_written_can_be_read_and_is_empty(tmp_path):
    path = tmp_path / "site.toml"
    assert main(["methods", "--new-site", str(path)]) == 0
    assert path.read_text("utf-8") == EXAMPLE
    assert read_site(path).facts() == {}
    whole = EXAMPLE.replace("\n# ", "\n").replace("Fill in", "# Fill in")
    path.write_text(whole)
    facts = read_site(path).facts()
    assert "Prisma" in facts["equipment"]
    assert "BrainAmp" in facts["equipment"]


def test_nothing_is_overwritten(tmp_path, capsys):
    path = tmp_path / "site.toml"
    path.write_text("mine")
    assert main(["methods", "--new-site", str(path)]) == 2
    assert path.read_text() == "mine"
    assert "nothing is overwritten" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[eeg]\namplifer = 'x'", "amplifer"), ("[eeg", "TOML"),
        ("[eeg]\namplifier = 3", "amplifier"), ("[eeg]\ncap = 3", "cap"),
    ],
)  # fmt: skip
def test_a_wrong_site_is_refused_by_its_key(tmp_path, text, said):
    path = tmp_path / "site.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_site(path)
    with pytest.raises(ConfigError, match="no "):
        read_site(tmp_path / "other.toml")


def test_a_bundle_and_a_recording_are_told_by_the_command(tmp_path, capsys, record):
    bundle = write_tiny(tmp_path / "tiny.rtbold")
    assert (
        main(["methods", str(getattr(bundle, "path", tmp_path / "tiny.rtbold"))]) == 0
    )
    told = capsys.readouterr().out
    assert "COBIDAS-MRI" in told
    assert "yours to fill" in told
    assert main(["methods", str(record(1)), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["checklists"]) == set(LISTS)
    filled_in = {i["item"]: i["answer"] for i in found["checklists"]["cred-nf"]}
    assert "Regulation against rest" in filled_in["5a"]


def test_nothing_named_is_refused(capsys):
    assert main(["methods"]) == 2
    assert "rtbold methods S01" in capsys.readouterr().err
