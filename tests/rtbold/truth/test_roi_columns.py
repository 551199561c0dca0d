from rtbold.messages import MeasuredVolume
from rtbold.truth.pairing import RoiColumns, plain


def test_the_order_is_the_models_whatever_the_sources():
    columns = RoiColumns(("Heschl\u2019s gyrus", "Putamen", "Cuneus"))
    assert columns.names == ()
    names = ("Cuneus", "Elsewhere", "Heschl's gyrus")
    volume = MeasuredVolume(0, names, (1.0, 2.0, None), 0.0)
    columns.take(volume)
    assert columns.of_model == [0, 2]
    assert columns.names == ("Heschl\u2019s gyrus", "Cuneus")
    assert str(columns.values(volume)) == "[nan  1.]"


def test_plain_apostrophes():
    assert plain(" Heschl\u2019s gyrus ") == "Heschl's gyrus"
