import pytest

from rtbold.acquire.tbv import pack, unpack
from rtbold.errors import DataFileError


def test_a_request_in_bytes():
    assert pack("tGetMeanOfROI", 2) == (
        b"\0\0\0\0\0\0\0\x16" + b"\0\0\0\x0e" + b"tGetMeanOfROI\0" + b"\0\0\0\x02"
    )


def test_an_answer_comes_apart_again():
    body = pack("tGetMeanOfROIAtTimePoint", 1, 7)[8:] + b"abcd"
    name, fields = unpack(body)
    assert name == "tGetMeanOfROIAtTimePoint"
    assert fields == b"\0\0\0\x01\0\0\0\x07abcd"


@pytest.mark.parametrize(
    "body", [b"", b"\0\0", b"\0\0\0\xffabc", b"\xff\xff\xff\xffab"]
)
def test_what_is_no_answer_is_refused(body):
    with pytest.raises(DataFileError, match="Turbo-BrainVoyager"):
        unpack(body)
