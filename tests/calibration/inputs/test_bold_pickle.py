import base64
import copyreg
import functools
import io
import json
import operator
import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from rtbold.calibration.inputs.bold import read_bold
from rtbold.errors import DataFileError

PICKLES = json.loads(
    Path(__file__).with_name("data").joinpath("pandas_pickles.json").read_text()
)["pickles"]
# What every pickle of the data file holds: drawn there by this generator
VALUES = np.round(np.random.default_rng(0).normal(size=(5, 4)), 3)


def test_a_counter_is_no_roi(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.random.default_rng(3).standard_normal((30, 2)))
    frame.columns = pandas.Index(["A", "B"])
    for head in ("scan", "bild"):
        counted = frame.assign(**{head: np.arange(1, 31)})
        counted.to_pickle(tmp_path / "b.pkl")
        series = read_bold(tmp_path / "b.pkl")
        assert series.rois == ("A", "B")
        np.testing.assert_array_equal(series.volume_index, np.arange(1, 31))


@pytest.mark.parametrize("made_by", sorted(PICKLES))
def test_tables_of_every_pandas_and_protocol(tmp_path, made_by):
    path = tmp_path / "sub-scan_difumo_roi.pkl"
    path.write_bytes(base64.b64decode(PICKLES[made_by]))
    series = read_bold(path)
    mixed = made_by.endswith("mixed")  # with a column n that counts
    assert series.rois == ("Heschl's gyrus", "Cuneus")
    if mixed:
        np.testing.assert_array_equal(series.volume_index, np.arange(5))
    atol = 1e-7 if mixed else 0  # its ROIs are float32
    np.testing.assert_allclose(series.values[:, :2], VALUES[:, :2], rtol=0, atol=atol)
    np.testing.assert_array_equal(series.confounds["global_signal"], VALUES[:, 2])
    np.testing.assert_array_equal(series.confounds["global_signal_raw"], VALUES[:, 3])


def test_the_published_layout_as_this_pandas_writes_it(tmp_path):
    pandas = pytest.importorskip("pandas")
    names = [f"region {k}" for k in range(63)] + ["Heschl\u2019s gyrus"]
    names += ["global signal clean", "global signal raw"]
    values = np.random.default_rng(3).standard_normal((70, 66))
    frame = pandas.DataFrame(values, columns=names)
    frame.iloc[2:].to_pickle(tmp_path / "sub01-scan01_difumo64_roi.pkl")
    series = read_bold(tmp_path / "sub01-scan01_difumo64_roi.pkl")
    assert len(series.rois) == 64
    assert series.rois[-1] == "Heschl's gyrus"
    np.testing.assert_array_equal(series.values, values[2:, :64])
    assert set(series.confounds) == {"global_signal", "global_signal_raw"}


class _Old(pickle.Pickler):
    """Writes a DataFrame as pandas 1.2 did: the blocks in the manager's state."""

    def reducer_override(self, obj):
        import pandas

        manager_type = type(pandas.DataFrame()._mgr)
        if isinstance(obj, pandas.DataFrame):
            state = {
                "_data": obj._mgr,
                "_typ": "dataframe",
                "_metadata": [],
                "attrs": {},
            }
            return copyreg.__newobj__, (pandas.DataFrame,), state
        if isinstance(obj, manager_type):
            axes = [pandas.Index(a, dtype=object) for a in obj.axes]
            blocks = [
                {"values": np.asarray(b.values), "mgr_locs": b.mgr_locs.indexer}
                for b in obj.blocks
            ]
            state = (axes, [], [], {"0.14.1": {"axes": axes, "blocks": blocks}})
            return copyreg.__newobj__, (manager_type,), state
        return NotImplemented


def test_the_layout_of_pandas_before_1_3(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(VALUES, columns=["a", "b", "c", "d"])
    stream = io.BytesIO()
    _Old(stream, protocol=4).dump(frame)
    (tmp_path / "old.pkl").write_bytes(stream.getvalue())
    series = read_bold(tmp_path / "old.pkl")
    assert series.rois == ("a", "b", "c", "d")
    np.testing.assert_array_equal(series.values, VALUES)


class Call:
    """Pickles as a call of anything with anything."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def hostile(target):
    touch = f"open({str(target)!r}, 'w').close()"
    yield "os.system", Call(os.system, f"echo x > {target}")
    yield "builtins.eval", Call(eval, touch)
    yield "builtins.exec", Call(exec, touch)
    yield "builtins.getattr", Call(getattr, Call(__import__, "os"), "system")
    yield "builtins.open", Call(open, str(target), "w")
    yield "functools.partial", Call(functools.partial, Call(eval, touch))
    yield "numpy.load", Call(np.load, str(target), None, True)
    yield "operator.attrgetter", Call(operator.attrgetter, "system")
    yield "builtins.__import__", Call(__import__, "os")


def hostile_pandas():
    pandas = pytest.importorskip("pandas")
    common = pytest.importorskip("pandas.io.common")
    yield "pandas.eval", Call(pandas.eval, "1+1")
    yield "pandas.read_pickle", Call(pandas.read_pickle, "x.pkl")
    yield "pandas.io.common", Call(common.get_handle, "x", "w")


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_hostile_pickles_run_nothing(tmp_path, protocol):
    target = tmp_path / "touched"
    for name, item in [*hostile(target), *hostile_pandas()]:
        for content in (item, {"_mgr": [item]}, (1, [item])):
            path = tmp_path / "evil.pkl"
            path.write_bytes(pickle.dumps(content, protocol=protocol))
            with pytest.raises(DataFileError, match=r"is refused: it names .*nothing"):
                read_bold(path)
            assert not target.exists(), name


def test_admitted_names_of_pandas_and_numpy_are_never_called(tmp_path, monkeypatch):
    """Even what is admitted stands for a record: pandas need not be there at all."""
    for module in [m for m in sys.modules if m.split(".")[0] == "pandas"]:
        monkeypatch.setitem(sys.modules, module, None)
    path = tmp_path / "a.pkl"
    path.write_bytes(base64.b64decode(PICKLES["3.1.1-5"]))
    assert len(read_bold(path)) == 5


def stated(*, dtype=b"cnumpy\ndtype\n(S'O8'\nI00\nI01\ntR"):
    """An array whose type claims to hold no objects, over bytes that are pointers."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I1\nI5\nt" + dtype + b"(I3\nS'|'\nNNNI8\nI8\nI0\ntbI00\n"
        b"S'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'\ntb"
    )


def framed(values):
    """A DataFrame of one column "a" around pickled values (protocol 0)."""
    block = b"cpandas._libs.internals\n_unpickle_block\n(" + values
    block += b"cbuiltins\nslice\n(I0\nI1\nI1\ntRI2\ntR"
    names = b"cpandas.core.indexes.base\n_new_Index\n(cpandas\nIndex\n(dS'data'\n"
    names += b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    names += b"(I1\n(I1\ntcnumpy\ndtype\n(S'O8'\nI00\nI01\ntRI00\n(lS'a'\natbstR"
    manager = b"cpandas.core.internals.managers\nBlockManager\n((" + block
    manager += b"t(l" + names + b"atR"
    return b"cpandas\nDataFrame\n(tR(dS'_mgr'\n" + manager + b"sb."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps([1.0, 2.0]), "it holds no DataFrame"),
        (pickle.dumps(VALUES), "it holds no DataFrame"),
        (b"cpandas\nDataFrame\n(tR(dS'_mgr'\nI1\nsb.", "no blocks of values"),
        (framed(stated()), "values of type 'O8', expected numbers"),
        (framed(b"I7\n"), "its values are no numpy array"),
        (b"I1\nr\xff\xff\xff\x7f.", "a memo larger than itself"),
        (b"\x82\x01.", "by a number of a registry"),
        (b"Psomewhere\n.", "objects outside of itself"),
        (b"not a pickle", "is damaged or no pickle"),
        (base64.b64decode(PICKLES["2.2.3-5"])[:-200], "is damaged or no pickle"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, said):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataFileError, match=said):
        read_bold(tmp_path / "a.pkl")


def test_text_columns_are_refused(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": list("xyz")})
    frame.to_pickle(tmp_path / "a.pkl")
    with pytest.raises(DataFileError, match="is refused"):
        read_bold(tmp_path / "a.pkl")
    numbered = pandas.DataFrame(VALUES)
    numbered.to_pickle(tmp_path / "n.pkl")
    with pytest.raises(DataFileError, match="numbered, expected names"):
        read_bold(tmp_path / "n.pkl")
