"""What a card cannot say is refused, with a seal or without one."""

import json

import msgspec
import pytest
from bundles import ROIS, tiny_card, write_tiny
from hypothesis import given, strategies as st
from msgspec.structs import replace
from verdicts import make_verdict

from rtbold.bundle.card import (
    Baseline,
    Cleaning,
    Conditioning,
    Contrast,
    FileHash,
    Intervals,
    KnownLine,
    KnownLines,
    LikenessReference,
    MuscleReference,
    Normalisation,
    RoiScore,
    Scores,
    Spread,
)
from rtbold.bundle.card_sense import check_sense
from rtbold.bundle.card_text import parse_card
from rtbold.bundle.store import load, shipped_root, verified
from rtbold.errors import BundleError

CARD = tiny_card()
CHANNELS = CARD.channels


def score(roi):
    return RoiScore(roi=roi, r=0.1, r_low=0.0, r_high=0.2, p=0.1)


def scored(*rois):
    return Scores(per_roi=tuple(map(score, rois)))


def contrast(**changes):
    fields = {"name": "a-b", "weights": {ROIS[0]: 1.0}, "mean": 0.0, "sd": 1.0}
    return Contrast(**{**fields, **changes})


def lines(**changes):
    fields = {"low_hz": 49.5, "high_hz": 50.5, "mean_uv2": 1.0, "channel_uv2": 2.0}
    known = KnownLines(lines=(KnownLine(**{**fields, **changes}),))
    return LikenessReference(lines=known)


def muscle(**changes):
    fields = {
        "channels": CHANNELS[:1], "level": (0.0,), "below": (0.0,), "limit": 1.0,
        "n_windows": 9,
    }  # fmt: skip
    return MuscleReference(**{**fields, **changes})


ONES = (1.0, 1.0, 1.0)
CASES = [
    ({"rate_hz": -200.0}, "rate_hz is -200, expected 200"),
    ({"rate_hz": 250.0}, "rate_hz is 250"),
    ({"window_s": 8.0}, "window_s is 8, expected 16"),
    ({"tr_s": 0.0}, "tr_s is 0, expected seconds up to 10"),
    ({"tr_s": -2.1}, "tr_s is -2.1"),
    ({"tr_s": 2100.0}, "tr_s is 2100"),
    ({"slice_reference": 1.5}, "slice_reference is 1.5"),
    ({"horizon_tr": -1}, "horizon_tr is -1"),
    ({"channels": ("FP1",) * 19}, "channel 'FP1' stands there twice"),
    ({"channels": ("T3", *CHANNELS[:7], "T7")}, "channel 'T7' stands there twice"),
    ({"channels": ("F33", *CHANNELS[1:])}, "channel 'F33' is no electrode"),
    ({"channels": ()}, "has no channels"),
    ({"reference": "averag"}, "reference is 'averag'"),
    ({"rois": (ROIS[0],) * 3}, 'ROI "Heschl\'s gyrus" stands there twice'),
    ({"rois": ()}, "has no ROIs"),
    ({"rois": ("a", " ", "c")}, "without a name"),
    ({"rois": ("one",)}, "3 entries, expected one per ROI: 1"),
    ({"baseline": Baseline(mean=ONES, sd=(1.0, 0.0, 1.0))}, "baseline.sd is 0"),
    ({"baseline": Baseline(mean=ONES, sd=(1.0, -1.0, 1.0))}, "baseline.sd is -1"),
    ({"baseline": Baseline(mean=ONES, sd=(1.0, 1e-300, 1.0))}, "baseline.sd is 1e-300"),
    ({"baseline": Baseline(mean=ONES)}, "means without sd"),
    ({"baseline": Baseline(n=-1)}, "counts -1 predictions"),
    ({"baseline": Baseline(mean=(float("inf"), 0.0, 0.0), sd=ONES)}, "is inf"),
    ({"normalisation": Normalisation(scale=(1.0, 0.0, 1.0))}, "scale is 0"),
    ({"normalisation": Normalisation(drift=((0.0, 0.0),))}, "2 entries"),
    ({"normalisation": Normalisation(confounds={"wm": (0.0,)})}, "confounds.wm"),
    ({"normalisation": Normalisation(drift_s=(1.0, 1.0))}, "expected a time span"),
    ({"normalisation": Normalisation(lowpass_hz=0.0)}, "lowpass_hz is 0"),
    ({"conditioning": Conditioning(highpass_hz=0.0)}, "highpass_hz is 0"),
    ({"conditioning": Conditioning(highpass_hz=90.0)}, "highpass_hz is 90"),
    ({"conditioning": Conditioning(highpass_order=0)}, "highpass_order is 0"),
    ({"conditioning": Conditioning(fir_stopband_hz=110.0)}, "80 to 110 Hz"),
    ({"conditioning": Conditioning(fir_attenuation_db=-60.0)}, "attenuation_db is -60"),
    ({"cleaning": Cleaning(lowpass_hz=-1.0)}, "cleaning.lowpass_hz is -1"),
    ({"intervals": Intervals(levels=(0.95, 0.8))}, "expected rising shares"),
    ({"intervals": Intervals(half_width=((0.5, 1.0),))}, "half_width has 1 entries"),
    ({"intervals": Intervals(half_width=((0.5,),) * 3)}, "one per level: 2"),
    ({"intervals": Intervals(half_width=((1.0, 0.5),) * 3)}, "expected rising widths"),
    ({"intervals": Intervals(half_width=((-1.0, None),) * 3)}, "expected rising wid"),
    ({"intervals": Intervals(n_eff=(-1.0, 1.0, 1.0))}, "n_eff is -1"),
    ({"intervals": Intervals(quantiles=((0.0, 1.0),) * 3)}, "one per level: 201"),
    ({"likeness": LikenessReference(slope=ONES)}, "likeness.slope has 3 entries"),
    ({"likeness": LikenessReference(slope_sd=(0.0,) * 19)}, "sd of likeness is 0"),
    ({"likeness": LikenessReference(covariance=((1.0,),) * 19)}, "covariance has 1"),
    ({"likeness": LikenessReference(limit=0.0)}, "likeness.limit is 0"),
    ({"muscle": muscle(level=(0.0, 1.0))}, "muscle.level has 2 entries"),
    ({"muscle": muscle(below=(0.0, 1.0))}, "muscle.below has 2 entries"),
    ({"muscle": muscle(channels=("XX",))}, "muscle.channels are"),
    ({"muscle": muscle(limit=0.0)}, "muscle.limit is 0, expected above 0"),
    ({"likeness": lines(low_hz=51.0)}, "lies from 51 to 50.5 Hz"),
    ({"likeness": lines(low_hz=-1.0)}, "lies from -1 to"),
    ({"likeness": lines(mean_uv2=-1.0)}, "power of a line of likeness is below 0"),
    (
        {
            "likeness": LikenessReference(
                spreads={"level": Spread(middle=2.0, high=1.0)}
            )
        },
        "spreads.level does not rise",
    ),
    ({"tolerance": 0.0}, "tolerance is 0"),
    ({"tolerance": 1e4}, "tolerance is 10000"),
    ({"reduced_tolerance": -0.1}, "reduced_tolerance is -0.1"),
    ({"target": "Putamem"}, "target is 'Putamem'"),
    ({"contrast": contrast(sd=0.0)}, "contrast.sd is 0"),
    ({"contrast": contrast(weights={"Insula": 1.0})}, "made of 'Insula'"),
    ({"contrast": contrast(name=ROIS[1])}, "the name of a ROI"),
    ({"contrast": contrast(half_width=(1.0,))}, "contrast.half_width has 1"),
    ({"scores": scored("Insula")}, "scores.per_roi names 'Insula'"),
    ({"scores": scored(ROIS[1], ROIS[0], ROIS[2])}, "names were exchanged"),
    (
        {"verdict": make_verdict(ROIS[1], rois=dict.fromkeys(ROIS[::2], "specific"))},
        "verdict.rois has",
    ),
    ({"name": "tiny\x1b[2J"}, "without control characters"),
    ({"note": "all is well\x07"}, "without control characters"),
    ({"software": {"torch\r": "2"}}, "without control characters"),
    ({"files": (FileHash(path="a", sha256="0" * 63),)}, "no SHA-256"),
    ({"files": (FileHash(path="a", sha256="0" * 64),) * 2}, "'a' stands there twice"),
]


@pytest.mark.parametrize(("changes", "words"), CASES)
def test_what_cannot_be_is_refused(changes, words):
    with pytest.raises(BundleError) as caught:
        check_sense(replace(CARD, **changes), where="card.json")
    told = str(caught.value)
    assert words in told
    assert "Do not use this bundle" in told


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"baseline": Baseline(), "normalisation": Normalisation()},
        {"target": ROIS[2]},
        {"target": "a-b", "contrast": contrast(half_width=(1.0, None))},
        {"scores": scored(*ROIS)},
        {"scores": scored(ROIS[2])},
        {"reference": "FCz"},
        {"reference": "M1"},
        {"channels": ("CB1", *CHANNELS[1:])},
        {"intervals": Intervals(half_width=((0.5, None),) * 3, n_eff=ONES)},
        {"slice_reference": 0.5, "horizon_tr": 3},
        {"note": "two\nlines\tand a tab; ä, 脳"},
    ],
)
def test_what_can_be_passes(changes):
    check_sense(replace(CARD, **changes), where="card.json")


def test_what_rtbold_ships_can_be():
    for name in ("demo", "demo-ridge"):
        verified(shipped_root() / f"{name}.rtbold")


def test_many_problems_are_counted_and_not_all_told():
    card = replace(CARD, rate_hz=0.0, window_s=0.0, tr_s=0.0, tolerance=0.0)
    with pytest.raises(BundleError, match="; 1 more"):
        check_sense(card, where="card.json")


def test_a_card_of_many_thousand_names_is_judged_at_once():
    names = tuple(f"roi {i}" for i in range(50_000))
    card = replace(CARD, rois=names, baseline=Baseline(), normalisation=Normalisation())
    check_sense(card, where="card.json")


def test_nothing_that_cannot_be_is_ever_written(tmp_path):
    with pytest.raises(BundleError, match=r"the card of .*tr_s is 0"):
        write_tiny(tmp_path, tr_s=0.0)
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_without_a_seal_is_judged_too(tiny_bundle):
    path = tiny_bundle.path
    (path / "card.json.sha256").unlink()
    fields = msgspec.to_builtins(replace(tiny_bundle.card, sealed=False))
    scores = {"per_roi": [msgspec.to_builtins(score(roi)) for roi in ROIS]}
    exchanged = {**fields, "rois": [ROIS[1], ROIS[0], ROIS[2]], "scores": scores}
    (path / "card.json").write_bytes(msgspec.json.encode(exchanged))
    with pytest.raises(BundleError, match="names were exchanged"):
        load(path)


ODD = (
    *(0, -1, 1, 2**53 + 1, 10**30, 10**400, 0.0, -0.5, 1e-320, 1e308, -1e308),
    *("", " ", "x" * 300, "\x1b[2J", "\ud800", "FP1", "average"),
    *(None, True, False, [], [[]], {}, {"": 0}, [None], [0.0, 1.0], ["a", "a"]),
)
FULL = msgspec.to_builtins(
    replace(
        CARD,
        target="a-b",
        contrast=contrast(half_width=(1.0, None)),
        scores=scored(*ROIS),
        verdict=make_verdict(ROIS[1]),
        intervals=Intervals(half_width=((0.5, None),) * 3, n_eff=ONES),
        likeness=LikenessReference(
            slope=(1.0,) * 19, spreads={"level": Spread(middle=1.0, high=2.0)}
        ),
    )
)


def places(value, here=()):
    yield here
    pairs = value.items() if isinstance(value, dict) else ()
    pairs = enumerate(value) if isinstance(value, list | tuple) else pairs
    for key, inner in pairs:
        yield from places(inner, (*here, key))


@given(
    swaps=st.lists(
        st.tuples(st.sampled_from(list(places(FULL))[1:]), st.sampled_from(ODD)),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_stands_in_a_card_it_is_judged_or_refused_in_words(swaps):
    fields = json.loads(json.dumps(FULL))
    for (*way, last), odd in swaps:
        inner = fields
        try:
            for step in way:
                inner = inner[step]
            inner[last] = odd
        except (LookupError, TypeError):  # another swap was there before
            continue
    told = ""
    try:
        card = parse_card(json.dumps(fields).encode())
        check_sense(card, where="card.json")
    except BundleError as error:
        told = str(error)
    assert told.isprintable()
