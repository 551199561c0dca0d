import pytest

from rtbold.gui.views.widgets.scope_traces import SCALES_UV, ScopeSettings


def test_scales_go_up_and_down_and_end():
    settings = ScopeSettings(uv=100)

    assert settings.larger().uv == 70
    assert settings.smaller().uv == 150
    assert ScopeSettings(uv=SCALES_UV[0]).larger().uv == SCALES_UV[0]
    assert ScopeSettings(uv=SCALES_UV[-1]).smaller().uv == SCALES_UV[-1]


def test_a_scale_between_two_steps_finds_back_to_them():
    assert ScopeSettings(uv=80).larger().uv == 70
    assert ScopeSettings(uv=80).smaller().uv == 100


@pytest.mark.parametrize(
    ("chosen", "said"),
    [("as sent", "as sent"), ("1-40 Hz", "1 to 40 Hz in this view only")],
)
def test_the_caption_says_scale_length_and_filter(chosen, said):
    caption = ScopeSettings(uv=70, seconds=5, filter=chosen).caption()

    assert caption == f"70 µV per row, 5 s across, {said}"
