"""No array is begun that its file does not hold."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, strategies as st

from rtbold.arrays import read_npy, read_npz

MOST = 1_000_000


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


def header(text: str, version=(1, 0), length=None) -> bytes:
    data = text.encode("latin1")
    size = (len(data) if length is None else length).to_bytes(
        2 if version == (1, 0) else 4, "little"
    )
    return b"\x93NUMPY" + bytes(version) + size + data


def read(data):
    return read_npy(io.BytesIO(data), n_bytes=len(data))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        np.array(["Heschl's gyrus", "Cuneus"]),
        np.zeros((0, 5)),
        np.array(3.5),
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_comes_back_as_it_was(array, version):
    found = read(npy(array, version=version))
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype


FLOAT = "{'descr': '<f4', 'fortran_order': False, 'shape': %s}"


@pytest.mark.parametrize(
    "data",
    [
        header(FLOAT % "(1000000000000,)"),
        header(FLOAT % "(1000000000, 1000000000, 1000000000)"),
        header(FLOAT % "(4611686018427387905, 4)"),  # its bytes overflow 64 bits to 16
        header(FLOAT % "(-1,)"),
        header(FLOAT % "(2, 3)"),  # nothing behind it
        header("(" * 5000 + ")" * 5000),
        header("-" * 9000 + "1"),
        header("[" * 9000),
        header(FLOAT % "(1,)", version=(2, 0), length=4_000_000_000),
        header(FLOAT % "(1,)" + " " * 20_000),
        header(FLOAT % "(1,)", version=(3, 0)),
        header(FLOAT % "(1,)", version=(9, 9)),
        header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}") + b"\x80N.",
        header("{'descr': '<f999999999', 'fortran_order': False, 'shape': (1,)}"),
        header("__import__('os').getcwd()"),
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04",
        npy(np.arange(100.0))[:-1],
    ],
)
def test_what_is_none_is_refused_without_its_memory(data):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r".+"):
            read(data)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@given(at=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_flipped_bit_is_read_or_refused(at, bit):
    data = bytearray(npy(np.arange(20.0)))
    data[at] ^= 1 << bit
    try:
        read(bytes(data))
    except ValueError:
        pass


def archive(members, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return file.getvalue()


def test_named_arrays_of_an_archive():
    data = archive({"a.npy": npy(np.arange(3)), "b.npy": npy(np.ones(2))})
    found = read_npz(io.BytesIO(data), ("a", "c"), at_most_bytes=MOST)
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], [0, 1, 2])


def test_a_bomb_is_refused_by_what_it_says_and_by_what_it_holds():
    zeros = archive({"a.npy": npy(np.zeros(2_000_000))})
    assert len(zeros) < 50_000
    with pytest.raises(ValueError, match="unpacked, at most"):
        read_npz(io.BytesIO(zeros), ("a",), at_most_bytes=MOST)
    lies = bytearray(zeros)
    place = lies.index(b"PK\x01\x02") + 24  # of the unpacked size in the directory
    lies[place : place + 4] = (1000).to_bytes(4, "little")
    with pytest.raises(ValueError, match=r"CRC|more than the file holds"):
        read_npz(io.BytesIO(bytes(lies)), ("a",), at_most_bytes=MOST)


@given(st.data())
def test_a_damaged_archive_is_read_or_refused(data):
    whole = bytearray(archive({"a.npy": npy(np.arange(50))}))
    for _ in range(data.draw(st.integers(1, 4))):
        bit = data.draw(st.integers(0, 8 * len(whole) - 1))
        whole[bit // 8] ^= 1 << bit % 8
    try:
        read_npz(io.BytesIO(bytes(whole)), ("a",), at_most_bytes=MOST)
    except ValueError:
        pass


@pytest.mark.parametrize("data", [b"", b"PK", npy(np.arange(3)), b"x" * 1000])
def test_what_is_no_archive(data):
    with pytest.raises(ValueError, match=r".+"):
        read_npz(io.BytesIO(data), ("a",), at_most_bytes=MOST)
