from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("captum")
pytest.importorskip("matplotlib")
pytest.importorskip("mne")

from rtbold.calibration.explain.attribution import BANDS, LAGS_S, Attribution, Shares
from rtbold.calibration.explain.figure import MOST_ROIS, draw, save_figure, scalp
from rtbold.errors import ConfigError, RtboldError

CHANNELS = ("FP1", "FP2", "T7", "CZ", "T8", "O1", "O2")


def shares(n):
    share = np.random.default_rng(n).standard_normal(n)
    return Shares(share, share - 0.1, share + 0.1)


def made(channels=CHANNELS, roi="Cuneus"):
    n_bands = len(BANDS)
    return Attribution(
        roi=roi,
        method="integrated-gradients",
        channels=channels,
        bands=tuple(BANDS),
        lags_s=np.array(LAGS_S),
        channel=shares(len(channels)),
        time=shares(16),
        band=shares(n_bands),
        doubled=np.zeros((len(channels), n_bands)),
        prediction_sd=0.4,
        rms_error=0.01,
        n_windows=8,
        n_pairs=16,
    )


def words(figure):
    import matplotlib.text

    return " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_figure_says_what_it_is():
    told = words(draw([made(), made(roi="Putamen")], title="a title (SIMULATED)"))
    for part in ("SIMULATED", "Cuneus", "Putamen", "8 windows", "O1", "alpha 8-13"):
        assert part in told
    assert "not where brain activity is" in told


@pytest.mark.parametrize("channels", [("CZ",), ("CZ", "O1"), CHANNELS[:4]])
def test_few_channels_have_a_figure_too(channels, tmp_path):
    save_figure(draw([made(channels)], title="few"), tmp_path / "few.png")
    assert (tmp_path / "few.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".PDF", b"%PDF")]
)
def test_format_follows_the_name(suffix, magic, tmp_path):
    path = tmp_path / f"figure{suffix}"
    save_figure(draw([made()], title="any"), path)
    assert path.read_bytes().startswith(magic)


def test_electrodes_lie_within_the_head_where_they_belong():
    names = ("CZ", "T7", "T8", "O1", "FPZ")
    place = dict(zip(names, scalp(names), strict=True))
    assert np.hypot(*place["CZ"]) < 0.01
    assert place["T7"][0] < -0.08 < 0.08 < place["T8"][0]
    assert place["O1"][1] < -0.06
    assert place["FPZ"][1] > 0.06
    assert max(np.hypot(*xy) for xy in place.values()) < 0.095


def test_refusals(tmp_path):
    with pytest.raises(ConfigError, match="expected 1 to 8"):
        draw([made()] * (MOST_ROIS + 1), title="many")
    with pytest.raises(ConfigError, match=r"expected one of \.png"):
        save_figure(draw([made()], title="any"), tmp_path / "figure.bmp")
    with pytest.raises(RtboldError, match="cannot write"):
        save_figure(draw([made()], title="any"), Path("/nowhere/figure.png"))
