import re
from dataclasses import replace
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest
from report_content import ROIS, content, lag_scan

from rtbold.calibration.inputs.eeg import ChannelFacts
from rtbold.calibration.report.derived import target_series
from rtbold.calibration.report.page import filled_in, report_html
from rtbold.calibration.report.pictures import pictures_of

pytestmark = pytest.mark.heavy
SECTIONS = (
    "verdict", "next", "traces", "rois", "chance", "specificity", "uses", "horizons",
    "intervals", "alignment", "eeg", "learning", "published", "provenance",
    "all-traces", "glossary",
)  # fmt: skip
VOID = {"meta", "br"}
HOSTILE = '</title><script>alert(1)</script> & "$x_1$" \u8133 \x00'


class Page(HTMLParser):
    """What a browser would make of it; refuses tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.links = [], [], [], []
        self.pieces = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [v for k, v in attributes if k in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] not in (["style"], ["script"]):
            self.pieces.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.pieces).split())


@pytest.fixture(scope="module")
def whole():
    return content()


@pytest.fixture(scope="module")
def pictures(whole):
    return pictures_of(whole, target_series(whole))


@pytest.fixture(scope="module")
def told(pictures):
    """Return the words of another content, between the same pictures."""
    return lambda content: (
        Page(filled_in(content, target_series(content), pictures)).text
    )


@pytest.fixture(scope="module")
def text(whole, pictures):
    return filled_in(whole, target_series(whole), pictures)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_every_section_is_there_once(page):
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)


def test_the_contents_lead_to_each_section(page):
    listed = [link[1:] for link in page.links if link.startswith("#")]
    assert [name for name in listed if name in SECTIONS] == list(SECTIONS)
    assert page.tags.index("nav") < page.tags.index("section")


def test_what_to_do_next_follows_the_verdict(page):
    told = page.text
    said = "feeds back Putamen on simulated EEG. rtbold run --subject S01"
    assert said in told
    assert told.index(said) < told.index("scored. Each part between dashed")


def test_terms_are_explained_on_hover_and_in_a_glossary(page, text):
    assert text.count("<abbr title=") >= 8
    assert '<abbr title="Independent volumes:' in text
    assert "Independent volumes: successive volumes are alike" in page.text


def test_a_section_with_nothing_to_show_is_folded(whole, pictures):
    bare = replace(whole, horizons={}, published=None)
    text = filled_in(bare, target_series(bare), pictures)
    folded = re.findall(r'<section id="([a-z-]+)"><details>', text)
    assert folded == ["horizons", "published"]
    assert "<details open" not in text


def test_no_id_is_used_twice(page):
    assert len(page.ids) == len(set(page.ids))


def test_a_reference_inside_of_a_picture_leads_somewhere(page, text):
    named = re.findall(r"url\(#([^)]*)\)", text)
    named += [link[1:] for link in page.links if link.startswith("#")]
    assert named
    assert set(named) <= set(page.ids)


def test_nothing_is_fetched_from_anywhere(page, text):
    assert "http" not in text
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "@import" not in text
    assert all(link.startswith(("#", "data:image/png")) for link in page.links)


def test_the_verdict_is_the_first_thing_that_is_said(page, whole):
    gate = whole.verdict.gate
    told = page.text
    assert f"Putamen is predicted with R {gate.r:.2f}" in told
    assert f"(95 % {gate.r_low:.2f} to {gate.r_high:.2f}" in told
    assert gate.label == "specific"
    assert "may be used for feedback on Putamen" in told
    assert told.index("Verdict") < told.index("Alignment of EEG")


def test_a_target_that_is_not_specific_is_not_fit(whole, told):
    gate = msgspec.structs.replace(
        whole.verdict.gate, passed=False, label="undecided", reason="too little data"
    )
    verdict = msgspec.structs.replace(whole.verdict, gate=gate)
    said = told(replace(whole, verdict=verdict))
    assert "not fit for feedback on Putamen" in said
    assert "--allow-unvalidated" in said
    assert "this is not a finding of absence" in said
    assert "Why: Too little data." in said
    assert "may be used for feedback" not in said


def test_simulated_is_said_in_title_and_at_the_top(page, text):
    assert "(simulated)</title>" in text
    assert page.text.count("Simulated data. Every figure") == 1
    assert page.text.index("Simulated data") < page.text.index("Verdict")


def test_a_real_scan_is_not_called_simulated(whole, told):
    assert "imulat" not in told(replace(whole, simulated=False))
    for said in (
        "putamen: in the simulation, fit for feedback",
        "on simulated eeg, the model may be used",
        "this is a simulation; no lab has measured it",
    ):
        assert said in told(whole).casefold()


def test_simulated_weights_on_a_real_scan_are_said(whole, told):
    said = told(replace(whole, simulated=False, simulated_lineage=True))
    assert "The weights go back to simulated data" in said
    assert "Every figure on this page is of a simulation" not in said


def test_numbers_of_every_roi_are_those_of_the_verdict(page, whole):
    for roi in whole.verdict.rois:
        beside = next(r for r in whole.beside.rois if r.roi == roi.roi)
        row = page.text[page.text.index(f"{roi.roi} ", page.text.index("label")) :]
        numbers = f"{roi.r:.2f} {roi.r_low:.2f} to {roi.r_high:.2f}"
        assert numbers in row[:120]
        assert f"{roi.n_eff:.0f} {roi.r_with_drift:.2f} {beside.r:.2f}" in row[:120]


def test_alignment_volumes_and_channels_are_told(page):
    for told in (
        "Triggers found 299",
        "Missed, filled in 1",
        "Doubled, ignored 2",
        "0.41 ms (sd), at most 1.93 ms",
        "14 ppm",
        "best at 6 s (95 % 5 to 7 s), R 0.30",
        "300 of 307 volumes",
        "warming up 7",
        "Not recorded, interpolated throughout: C3",
        "Fp1 4.8 % amplitude 31 s",
    ):
        assert told in page.text


def test_specificity_horizons_and_the_published_split_are_told(page, whole):
    found = whole.verdict.specificity
    assert f"artefacts {found.partial_r['artefacts']:.2f}" in page.text
    assert "Not known, so not taken out: respiration" in page.text
    assert "1 (chosen) 2.1 0.52 0.36 to 0.65" in page.text
    assert "for comparison only" in page.text
    assert "One fit on the first 240 volumes, scored on the last 22" in page.text
    assert "ab" * 32 in page.text


def test_a_better_ridge_is_offered(whole, told):
    better = told(replace(whole, verdict=whole.beside, beside=whole.verdict))
    assert "The simpler model does better on this subject" in better
    assert "--strategy ridge" in better
    assert "The simpler model does better" not in told(whole)


def test_the_choice_between_the_two_is_explained(whole, told):
    said = told(replace(whole, reasons=("it is better", "it is fast")))
    assert "Kept because: it is better; it is fast." in said


def test_names_from_outside_never_become_tags(whole):
    rois = (HOSTILE, *ROIS[1:])
    made = content(
        rois,
        subject=HOSTILE,
        bundle=HOSTILE,
        created=HOSTILE,
        reasons=(HOSTILE,),
        warnings=(HOSTILE,),
        provenance={HOSTILE: {HOSTILE: HOSTILE}},
        attributions=(replace(whole.attributions[0], roi=HOSTILE),),
        alignment=replace(whole.alignment, notes=(HOSTILE,), tr_from=HOSTILE),
        lag=lag_scan(warning=HOSTILE),
        channels=(ChannelFacts(label=HOSTILE, judged_s=9, bad_s={HOSTILE: 9}),),
        windows=replace(whole.windows, why_left_out={HOSTILE: 7}),
    )
    text = report_html(made)
    page = Page(text)
    assert "script" not in page.tags
    assert "\x00" not in text
    assert page.text.count('</title><script>alert(1)</script> & "$x_1$" \u8133 ?') > 25
    assert page.tags.count("title") == 1


@pytest.mark.parametrize("n_rois", [1, 64])
def test_one_roi_and_many(n_rois):
    rois = tuple(f"ROI {i}" for i in range(n_rois))
    page = Page(report_html(content(rois, attributions=(), lag=None, learning=())))
    assert len(page.ids) == len(set(page.ids))
    assert "No centre is known" in page.text
    one = "There is one ROI, so there is no other to compare it with." in page.text
    assert one == (n_rois == 1)
    assert page.tags.count("circle") == 2 * n_rois  # the marks of the table


def test_what_is_missing_is_said_and_leaves_no_empty_figure(whole):
    bare = replace(
        whole,
        chance=None,
        lag=None,
        channels=(),
        beside=None,
        intervals=None,
        horizons={},
        learning=(),
        attributions=(),
        not_explained="Its predictions do not vary.",
        published=None,
        centres={},
        provenance={},
    )
    page = Page(report_html(bare))
    assert [name for name in page.ids if name in SECTIONS] == list(SECTIONS)
    assert page.tags.count("figure") == 2  # the target's series, and all ROIs'
    for told in (
        "No lag scan was made.",
        "The channels' quality was not judged.",
        "Nothing was run beside it",
        "No intervals were made.",
        "others were not tried",
        "there is no learning curve",
        "Its predictions do not vary.",
        "Not computed: the scan is too short for it.",
        "No centre is known",
    ):
        assert told in page.text


def test_a_scan_too_short_for_a_lag_scan_says_so(whole, told):
    nan = float("nan")
    short = lag_scan(
        peak_s=nan,
        peak_r=nan,
        interval_s=(nan, nan),
        r=np.full(31, nan),
        warning="40 windows over 84 s are too few for a lag scan",
    )
    said = told(replace(whole, lag=short))
    assert "Lag scan: 40 windows over 84 s are too few" in said
    assert "BOLD follows EEG power best" not in said
    assert not re.search(r"\bnan\b", said)


def test_a_contrast_has_its_own_series_and_intervals(whole, told):
    gate = msgspec.structs.replace(
        whole.verdict.gate, target="up", weights={"Putamen": 1.0, "Caudate": -1.0}
    )
    verdict = msgspec.structs.replace(whole.verdict, gate=gate)
    up = replace(whole, verdict=verdict)
    assert "up, 300 volumes scored." in told(up)
    assert "up (Putamen +1, Caudate -1) is predicted with R" in told(up)
    series = target_series(up)
    assert series.traces.rois == ("target",)
    assert list(series.half_widths) == [0.8, 0.95]
    assert series.half_widths != target_series(whole).half_widths


def test_levels_without_an_interval_are_said(whole, told):
    made = whole.intervals
    row = (made.half_width[0][0], None)
    few = replace(whole, intervals=type(made)(half_width=[row] * 3, n_eff=made.n_eff))
    assert "Too few independent volumes for intervals of 95 %." in told(few)
    assert "not finite: too few independent volumes" in told(few)


def test_the_same_content_gives_the_same_page(whole, text):
    assert report_html(whole) == text
