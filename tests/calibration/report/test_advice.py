"""What to do next, and the words of a report."""

import re
from dataclasses import replace

import msgspec
import pytest
from report_content import content

from rtbold.bundle.card import Declaration, Learnable
from rtbold.calibration.report.advice import HEADINGS, TERMS, empty_sections, next_steps
from rtbold.calibration.result import learnable_lines, level_lines


@pytest.fixture(scope="module")
def whole():
    return content()


def judged(whole, label, **gate):
    verdict = whole.verdict
    changed = msgspec.structs.replace(
        verdict.gate, passed=label == "specific", label=label, **gate
    )
    rois = tuple(
        msgspec.structs.replace(roi, label=label if k == 0 else "undecided")
        for k, roi in enumerate(verdict.rois)
    )
    verdict = msgspec.structs.replace(verdict, gate=changed, rois=rois)
    return replace(whole, verdict=verdict)


def words(content):
    return " | ".join(
        f"{said} {command}".strip() for said, command in next_steps(content)
    )


def test_a_fit_target_leads_to_the_session(whole):
    said = words(whole)
    assert "rtbold preflight --subject S01 --target Putamen" in said
    assert "rtbold run --subject S01 --target Putamen" in said


def test_too_little_data_says_how_many_minutes_more(whole):
    found = judged(whole, "undecided", r=0.2, n_eff=60.0)
    (minutes,) = re.findall(r"about (\d+) minutes more", words(found))
    # R 0.2 needs 3 + (2.49 / atanh 0.2)^2 = 154 independent volumes, of which folds
    # that are trained on each other leave half
    assert float(minutes) == pytest.approx(10.7 * (305 / 60 - 1), abs=1)
    alone = judged(whole, "undecided", r=0.2, n_eff=60.0, reuse=1.0)
    (minutes,) = re.findall(r"about (\d+) minutes more", words(alone))
    assert float(minutes) == pytest.approx(10.7 * (154 / 60 - 1), abs=1)
    assert "below 0.1" in words(judged(whole, "undecided", r=0.05))
    far = judged(whole, "undecided", r=0.11, n_eff=60.0)
    assert "over 60 minutes" in words(far)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("global or vigilance", "--contrast Putamen=1 --contrast others=-1"),
        ("explained by artefact", "--confounds TABLE.tsv"),
        ("no signal", "choose another target"),
    ],
)
def test_each_verdict_has_its_step(whole, label, said):
    assert said in words(judged(whole, label))
    assert "rtbold run" not in words(judged(whole, label))


def test_the_next_planned_look_is_said(whole):
    plan = Declaration(
        sha256="", declared="2026-11-30", alpha=0.05, looks_min=(10.0, 30.0), look=1
    )
    found = judged(
        whole, "undecided", r=0.3, n_eff=60.0, reuse=1.0, alpha=0.0015, declaration=plan
    )
    assert "about 30 in all" in words(found)
    assert "rtbold declare --looks" in words(found)


def test_a_global_signal_names_what_is_left_without_it(whole):
    less = whole.verdict.less_others
    assert less.target == "Putamen less all others"
    for label, said in (("specific", "is fit in this scan: R 0.41, p 0.01"),
                        ("undecided", "With more minutes it may be fit")):  # fmt: skip
        found = judged(whole, "global or vigilance")
        changed = msgspec.structs.replace(less, r=0.41, p=0.01, label=label)
        verdict = msgspec.structs.replace(found.verdict, less_others=changed)
        assert said in words(replace(found, verdict=verdict))


def test_what_can_be_learned_is_told(whole):
    found = Learnable(
        right_side=0.62, block_r={"20 s": 0.41, "40 s": 0.5}, best_lag_s=2.1,
        best_lag_r=0.44, r_without_global=0.2, r_within={"regulate": 0.3},
    )  # fmt: skip
    verdict = msgspec.structs.replace(whole.verdict, learnable=found)
    said = " | ".join(learnable_lines(verdict))
    assert "62% of volumes on the right side" in said
    assert "block means 0.41 over 20 s, 0.50 over 40 s" in said
    assert "0.20 without the global signal" in said
    assert "with BOLD 2.1 s later: 0.44" in said
    assert "R 0.30 within regulate" in said


def test_the_level_says_what_p_is_over(whole):
    gate = whole.verdict.gate
    assert "nothing was declared" in " ".join(level_lines(gate))
    plan = Declaration(sha256="", declared="d", alpha=0.05, looks_min=(10.0,), look=0)
    said = msgspec.structs.replace(gate, declaration=plan, n_calibrations=3)
    assert "before the first planned look, at 10 min" in " ".join(level_lines(said))
    assert "p is over 3 calibrations of these data" in " ".join(level_lines(said))
    other = msgspec.structs.replace(gate, r_other=0.3, p_other=0.4)
    assert "no more than theirs" in " ".join(level_lines(other))


def test_other_targets_are_named_by_r_if_they_pass_over_all_rois(whole):
    found = judged(whole, "no signal")
    rois = [
        msgspec.structs.replace(roi, label="specific", p_max=p, r=r)
        for roi, p, r in zip(
            found.verdict.rois, (0.001, 0.01, 0.4), (0.5, 0.31, 0.4), strict=True
        )
    ]
    verdict = msgspec.structs.replace(found.verdict, rois=tuple(rois))
    said = words(replace(found, verdict=verdict))
    assert (
        f"{rois[1].roi} (R 0.31)" in said
    )  # the first is the target, the third failed
    assert rois[2].roi not in said
    assert f"--target {rois[1].roi}" in said


def test_lost_eeg_is_a_step(whole):
    windows = replace(whole.windows, n_used=100)
    assert "Only 100 of 307 volumes had usable EEG" in words(
        replace(whole, windows=windows)
    )


def test_what_has_nothing_to_show_is_named(whole):
    assert empty_sections(whole, {"learning": ""}) == set()
    bare = replace(
        whole,
        intervals=None,
        horizons={},
        attributions=(),
        published=None,
        provenance={},
    )
    assert empty_sections(bare, {}) == {
        "uses", "horizons", "intervals", "learning", "published", "provenance",
    }  # fmt: skip


def test_headings_and_terms_are_plain():
    assert next(iter(HEADINGS)) == "verdict"
    assert all(text.endswith(".") for text in TERMS.values())
