import pytest
from msgspec.structs import replace
from pipeline_rig import card, stream
from verdicts import make_verdict

from rtbold.bundle.card import Cleaning, Gate, Origin, RoiVerdict, Verdict
from rtbold.bundle.gates import (
    SessionDomain,
    check_domain,
    check_verdict,
    domain_reasons,
    parse_cleaning,
    unfit_because,
)
from rtbold.config import RunSettings
from rtbold.errors import ConfigError, DomainRefused

SUBJECT = card(
    origin=Origin(kind="subject", simulated_lineage=False, verdict_on_real_data=True),
    cleaning=Cleaning(mode="online", software="RecView"),
    scanner="inside_running",
)
UNSAID = SessionDomain()
REAL = stream(500.0, simulated=False)


def reasons(said=UNSAID, *, on=REAL, model=SUBJECT, triggers=True, ok=False):
    return domain_reasons(model, on, said, triggers=triggers, allowed=ok)


def test_same_chain_in_the_running_scanner_needs_nothing_more():
    assert reasons(SessionDomain(cleaning="online:recview")) == ()
    assert reasons(on=stream(500.0, simulated=False, cleaning="online:RecView")) == ()


@pytest.mark.parametrize("other", ["offline:RecView", "online:FASTER", "none"])
def test_another_chain_is_refused_and_degrades_where_it_is_allowed(other):
    said = SessionDomain(cleaning=other)
    with pytest.raises(DomainRefused, match=r"RecView \(online\).*allow-domain-shift"):
        reasons(said)
    assert reasons(said, ok=True) == ("domain_shift",)


def test_a_real_stream_that_says_nothing_is_asked_about():
    with pytest.raises(DomainRefused, match="--cleaning online:RecView"):
        reasons()
    assert reasons(ok=True) == ("domain_shift",)


def test_a_chain_without_a_name_as_published_weights_have_it():
    model = replace(SUBJECT, cleaning=Cleaning(mode="offline"))
    with pytest.raises(DomainRefused) as caught:
        reasons(model=model)
    told = str(caught.value)
    assert "cleaned by something without a name (offline)" in told
    assert "give --cleaning what it is (online:NAME" in told
    with pytest.raises(DomainRefused, match="something without a name"):
        reasons(SessionDomain(cleaning="offline:EEGLAB"), model=model)


UNCLEANED = replace(SUBJECT, cleaning=Cleaning(mode="none"))


@pytest.mark.parametrize(
    ("model", "said", "told"),
    [
        (SUBJECT, "none", "was cleaned by RecView (online), this EEG was not cleaned"),
        (SUBJECT, "offline:FASTER",
         "was cleaned by RecView (online), this EEG was cleaned by FASTER (offline)"),
        (UNCLEANED, "online:RecView",
         "EEG that was not cleaned, this EEG was cleaned by RecView (online)"),
        (UNCLEANED, None,
         "EEG that was not cleaned, and nothing says what this stream comes through: "
         "give --cleaning none if it was not cleaned either, or what it is"),
        (SUBJECT, None, "give --cleaning online:RecView if it is the same, or what it"),
    ],
)  # fmt: skip
def test_each_case_is_said_as_it_is(model, said, told):
    with pytest.raises(DomainRefused) as caught:
        reasons(SessionDomain(cleaning=said), model=model)
    assert told in str(caught.value)
    assert "by nothing" not in str(caught.value)


def test_eeg_that_nobody_cleaned_fits_a_model_of_such_eeg():
    assert reasons(SessionDomain(cleaning="none"), model=UNCLEANED) == ()


def test_a_stream_that_says_nonsense_is_not_believed():
    with pytest.raises(DomainRefused, match="'RecView', expected online:NAME"):
        reasons(on=stream(500.0, simulated=False, cleaning="RecView"))


def test_option_goes_over_what_the_stream_declares():
    on = stream(500.0, simulated=False, cleaning="offline:FASTER")
    assert reasons(SessionDomain(cleaning="online:RecView"), on=on) == ()


@pytest.mark.parametrize(("where", "told"), [("outside", "outside the scanner"),
                                             ("inside_idle", "at rest")])  # fmt: skip
def test_elsewhere_than_in_the_running_scanner_is_refused(where, told):
    said = SessionDomain(cleaning="online:RecView", scanner=where)
    with pytest.raises(DomainRefused, match=told):
        reasons(said)
    assert reasons(said, ok=True) == ("domain_shift",)


def test_a_free_run_must_say_where_it_is():
    said = SessionDomain(cleaning="online:RecView")
    with pytest.raises(DomainRefused, match="--scanner"):
        reasons(said, triggers=False)
    inside = SessionDomain(cleaning="online:RecView", scanner="inside_running")
    assert reasons(inside, triggers=False) == ()


def test_the_twin_runs_what_was_calibrated_on_it_unless_told_otherwise():
    twin = stream(500.0)
    assert reasons(on=twin, triggers=False) == ()
    with pytest.raises(DomainRefused):
        reasons(SessionDomain(cleaning="none"), on=twin)


def test_a_model_of_an_unknown_chain_is_compared_with_nothing():
    model = card(cleaning=Cleaning(), scanner="unknown")
    assert reasons(model=model) == ()


@pytest.mark.parametrize("text", ["RecView", "online:", "offline", "both:x", ""])
def test_what_names_no_chain_is_refused(text):
    with pytest.raises(ConfigError, match="online:NAME"):
        SessionDomain(cleaning=text)


def test_names_keep_colons_and_case():
    assert parse_cleaning(" Online: Net Station: v5 ") == Cleaning(
        mode="online", software="Net Station: v5"
    )
    assert parse_cleaning("NONE") == Cleaning(mode="none")


def test_scanner_is_one_of_three():
    with pytest.raises(ConfigError, match=r"--scanner is 'upstairs'.*outside"):
        RunSettings.build({"scanner": "upstairs"})


@pytest.mark.parametrize(
    ("kind", "simulated", "told"),
    [
        ("subject", False, ()),
        ("subject", True, ()),
        ("group", False, ("unvalidated",)),
        ("group", True, ("unvalidated",)),
        ("published", False, ("unvalidated",)),
        ("simulated", False, ("unvalidated",)),  # seen real data, not this subject's
        ("simulated", True, ()),  # the twin is what it was made from
    ],
)
def test_a_model_without_a_reference_of_this_subject_is_unvalidated(
    kind, simulated, told
):
    model = card(
        origin=Origin(kind=kind, simulated_lineage=False, verdict_on_real_data=True)
    )
    assert check_domain(model, stream(500.0, simulated=simulated)) == told


def test_one_that_is_named_as_simulated_is_not_named_twice():
    model = card(origin=Origin(kind="simulated", simulated_lineage=True))
    reasons = check_domain(
        model, stream(500.0, simulated=False), allow_simulated_model=True
    )
    assert reasons == ("simulated_model",)


# A contrast needs a verdict of its own


def test_a_contrast_that_nothing_has_judged_is_unvalidated():
    model = card(
        rois=("a", "b"), origin=Origin(kind="subject", simulated_lineage=False)
    )
    asked = {"target": "a - b", "parts": ("a", "b")}
    assert check_domain(model, stream(500.0), **asked) == ("unvalidated",)
    assert check_domain(model, stream(500.0), target="a", parts=("a",)) == ()


def test_verdicts_of_its_parts_are_none_of_a_contrast():
    verdict = make_verdict("a", "specific", {"b": "specific"})
    model = card(rois=("a", "b"), target="a", verdict=verdict)
    assert unfit_because(model, "a", parts=("a",)) == ""
    why = unfit_because(model, "a - b", parts=("a", "b"))
    assert "a verdict of its own" in why
    assert "(its parts: a 'specific', b 'specific')" in why
    with pytest.raises(DomainRefused, match=r"--allow-unvalidated.*--approval ID"):
        check_verdict(model, "a - b", parts=("a", "b"), allowed=False)


def test_a_contrast_with_its_own_verdict_is_as_fit_as_that_says():
    weights = {"a": 1.0, "b": -1.0}
    verdict = make_verdict("a - b", "specific", {"a": "undecided"}, weights=weights)
    model = card(rois=("a", "b"), verdict=verdict)
    assert unfit_because(model, "a - b", parts=("a", "b")) == ""


# A refusal says what is fit


def verdict(labels, *, passed=False):
    """Of a target `a`, with other ROIs by name, R and label."""
    gate = Gate(
        target="a", weights={"a": 1.0}, r=0.5, r_with_drift=0.5, r_low=0.2, r_high=0.7,
        p=0.01, p_phase=0.01, p_other=None, r_other=None, n_eff=60.0, alpha=0.05,
        passed=passed, label="specific" if passed else "global or vigilance",
        reason="R falls",
    )  # fmt: skip
    rois = tuple(
        RoiVerdict(
            roi=roi,
            r=r,
            r_with_drift=r,
            r_low=0.1,
            r_high=0.6,
            p=0.001,
            p_max=0.01,
            n_eff=60.0,
            label=label,
        )
        for roi, r, label in labels
    )
    return Verdict(gate=gate, rois=rois, n_volumes=300, n_surrogates=999, block_n=4.0)


def test_a_refusal_names_the_targets_that_are_fit_best_first():
    rois = [("b", 0.3, "specific"), ("c", 0.4, "specific"), ("d", 0.6, "undecided")]
    model = replace(SUBJECT, target="a", verdict=verdict(rois))
    fit = r"Fit is 'c' \(R 0.40\), 'b' \(R 0.30\): give one of these as --target"
    with pytest.raises(DomainRefused, match=fit):
        check_verdict(model, None, allowed=False)
    assert check_verdict(model, None, allowed=True)
    assert not check_verdict(model, "c", allowed=False)
    declared = replace(model, verdict=verdict(rois, passed=True))
    with pytest.raises(DomainRefused, match=r"Fit is 'a' \(R 0.50\), 'c'"):
        check_verdict(declared, "d", allowed=False)
    nothing = replace(model, verdict=verdict([("d", 0.6, "undecided")]))
    with pytest.raises(DomainRefused, match="No target of this calibration is fit"):
        check_verdict(nothing, None, allowed=False)
    many = [(f"r{k}", 0.3, "specific") for k in range(9)]
    with pytest.raises(DomainRefused, match=r"'r4' \(R 0.30\) and 4 more"):
        check_verdict(replace(model, verdict=verdict(many)), None, allowed=False)
