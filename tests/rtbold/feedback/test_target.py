import pytest
from hypothesis import given, strategies as st
from volumes import ROIS, card

from rtbold.bundle.card import Contrast
from rtbold.errors import ConfigError
from rtbold.feedback.target import (
    choose_target,
    parse_target,
    shares_rois,
    written,
)

PUTAMEN_LESS_GLOBAL = {
    "Putamen": 0.9, "Caudate": -0.1, "Insula left": -0.1, "Insula right": -0.1,
    "LH_Default_PFC_1": -0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("Putamen", {"Putamen": 1.0}),
        ("Insula left", {"Insula left": 1.0}),  # a whole name needs no quotes
        ("Putamen - 0.5*Global", PUTAMEN_LESS_GLOBAL),
        ("-0.5 * global+Putamen", PUTAMEN_LESS_GLOBAL),
        ('"Insula left" - "Insula right"', {"Insula left": 1.0, "Insula right": -1.0}),
        ("Insula", {"Insula left": 0.5, "Insula right": 0.5}),
        ("2*Putamen-1e-1*'Caudate'", {"Putamen": 2.0, "Caudate": -0.1}),
        ("Putamen + Caudate - Caudate", {"Putamen": 1.0}),
        ("Putamen + Putamen", {"Putamen": 2.0}),
    ],
)
def test_a_contrast_is_read(text, weights):
    assert parse_target(text, ROIS) == pytest.approx(weights)


def test_a_network_is_the_mean_of_its_rois():
    rois = ("7Networks_LH_Default_PFC_1", "7Networks_RH_Default_Par_2", "7Networks_x_y")
    assert parse_target("Default", rois) == {rois[0]: 0.5, rois[1]: 0.5}
    assert parse_target("7Networks", rois) == pytest.approx(dict.fromkeys(rois, 1 / 3))


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("Putmen - Global", 0, r"'Putmen' is no ROI.*Did you mean 'Putamen'"),
        ("Putamen - 0.5*Globl", 14, "Did you mean 'Global'"),
        ("Putamen * 0.5", 8, r"'\*' stands where it has no meaning.*before it"),
        ("Putamen -", 9, "ends where a name should stand"),
        ("", 0, "ends where a name should stand"),
        ("Putamen / Caudate", 8, "'/' stands where"),
        ("(Putamen - Caudate)", 0, "'[(]' stands where"),
        ("Putamen - Insula left", 17, "quotes"),
        ('Putamen - "Insula', 10, "never closes"),
        ("0.5*", 4, "ends where a name"),
        ("Putamen -- Caudate", 9, "'-' stands where"),
        ("1e9*Putamen", 0, "too large"),
        ("Put", 0, "is no ROI"),  # the beginning of a word is no group
        ("LH", 0, "is no ROI"),  # a group of one is meant by its name
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_pointed_at(text, at, said):
    with pytest.raises(ConfigError, match=f"(?s){said}") as refused:
        parse_target(text, ROIS)
    first, shown, mark, *_ = str(refused.value).splitlines()
    assert first.startswith(f"--target is {text!r}, which cannot be read: ")
    assert shown == f"  {text}"
    assert mark == " " * (2 + at) + "^"


def test_a_name_of_several_words_is_told_to_need_quotes():
    rois = ("Parieto-occipital sulcus superior", "Putamen")
    with pytest.raises(ConfigError, match=r'Put .* in quotes: "Parieto-occipital'):
        parse_target("Parieto-occipital sulcus superior - Putamen", rois)


@pytest.mark.parametrize("text", ["Putamen - Putamen", "0*Putamen"])
def test_a_contrast_of_nothing_is_refused(text):
    with pytest.raises(ConfigError, match="add up to 0"):
        parse_target(text, ROIS)


@pytest.mark.parametrize("text", ["Put\namen", "x" * 501, "Putamen\x1b[2J"])
def test_what_no_line_is_refused_unread(text):
    with pytest.raises(ConfigError, match="expected one line"):
        parse_target(text, ROIS)


@given(st.text(max_size=40))
def test_whatever_is_written_it_is_read_or_refused(text):
    try:
        weights = parse_target(text, ROIS)
    except ConfigError:
        return
    assert weights
    assert set(weights) <= set(ROIS)
    assert all(-1e7 < weight < 1e7 for weight in weights.values())


TERMS = st.tuples(
    st.sampled_from([-1, 1]),
    st.sampled_from([0.25, 1.0, 1 / 3, 1e-5, 3e4]),
    st.sampled_from([*ROIS, "Global", "Insula"]),
)


@given(st.lists(TERMS, min_size=1, max_size=5))
def test_what_goes_on_the_wire_reads_as_the_same(terms):
    text = " ".join(
        f'{"-" if sign < 0 else "+"}{weight!r}*"{name}"' for sign, weight, name in terms
    )
    try:
        weights = parse_target(text, ROIS)
    except ConfigError:  # its weights add up to 0
        return
    assert parse_target(written(text), ROIS) == pytest.approx(weights, rel=1e-12)


def test_written_has_blanks_around_signs_and_quotes_where_needed():
    assert written("-Putamen+.5*'Insula left'") == '-Putamen + 0.5*"Insula left"'


# Against a bundle


def test_the_declared_target_comes_first_then_the_first_roi():
    assert choose_target(card()).name == "Putamen"
    assert choose_target(card(target="Caudate")).name == "Caudate"


def test_a_target_that_is_one_roi_is_that_roi():
    of = card()
    assert choose_target(of, '1*"Insula left"').name == "Insula left"
    assert choose_target(of, "Putamen").roi_of(of) == 0
    assert choose_target(of, "Putamen-Caudate").name == "Putamen - Caudate"
    assert choose_target(of, "Putamen-Caudate").roi_of(of) is None


def test_the_cards_contrast_is_known_by_name_and_by_its_weights():
    contrast = Contrast(
        name="mine", weights={"Putamen": 1.0, "Caudate": -0.5}, mean=0.0, sd=1.0
    )
    of = card(contrast=contrast, target="mine")
    for text in (None, "mine", "Putamen - 0.5*Caudate", "-.5*Caudate + Putamen"):
        target = choose_target(of, text)
        assert (target.name, target.is_of_card(of)) == ("mine", True)
    assert not choose_target(of, "Putamen - 0.6*Caudate").is_of_card(of)


def test_unknown_target_says_what_the_bundle_predicts():
    with pytest.raises(ConfigError, match=r"(?s)bundle 'b' predicts Putamen, Caudate"):
        choose_target(card(), "Amygdala")


def test_two_targets_share_a_roi_or_do_not():
    assert shares_rois(card(), "Insula", '"Insula left" - Putamen')
    assert shares_rois(card(), "Putamen", None)
    assert not shares_rois(card(), "Insula", "Putamen")
