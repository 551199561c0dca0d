"""Which scan is for training, validation and test, as sheets say it."""

import openpyxl
import pytest

from rtbold.calibration.datasets.sheet import read_sheet
from rtbold.errors import DataFileError

HEADER = ("scan_name", "train", "val", "test")
ROWS = (
    ("sub01-scan01", 1, 0, 0),
    ("sub01-scan02", 1, None, None),
    ("sub02-scan01", 0, 1.0, 0),
    ("sub03-scan01", None, None, 1),
)
EXPECTED = {
    "sub01-scan01": "train",
    "sub01-scan02": "train",
    "sub02-scan01": "validation",
    "sub03-scan01": "test",
}


def write_xlsx(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def test_the_published_sheet_has_a_fold_a_sheet(tmp_path):
    other = [HEADER, ("sub01-scan01", 0, 0, 1), ("sub02-scan01", 1, 0, 0)]
    path = write_xlsx(
        tmp_path / "scan_split_example.xlsx", fold1=[HEADER, *ROWS], fold2=other,
        notes=[],
    )  # fmt: skip
    found = read_sheet(path)
    assert list(found) == ["fold1", "fold2"]
    assert found["fold1"] == EXPECTED
    assert found["fold2"] == {"sub01-scan01": "test", "sub02-scan01": "train"}


@pytest.mark.parametrize(("name", "mark"), [("s.csv", ","), ("s.tsv", "\t"),
                                            ("s.csv", ";")])  # fmt: skip
def test_tables_of_text_are_read(tmp_path, name, mark):
    rows = [mark.join("" if v is None else str(v) for v in row)
            for row in (HEADER, *ROWS)]  # fmt: skip
    (tmp_path / name).write_text("\n".join(rows) + "\n\n", encoding="utf-8-sig")
    assert read_sheet(tmp_path / name) == {"s": EXPECTED}


def test_a_column_of_folds_makes_sheets(tmp_path):
    path = tmp_path / "s.tsv"
    path.write_text(
        "fold\tscan_name\ttrain\tval\ttest\n1\ta\t1\t\t\n1\tb\t\t\tx\n2\ta\t\t\t1\n"
    )
    assert read_sheet(path) == {
        "fold1": {"a": "train", "b": "test"}, "fold2": {"a": "test"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("name", "train")], r"has the columns \['name', 'train'\], expected"),
        ([HEADER, ("a", 1, 0, 1)], r"train '1', validation '0', test '1' for 'a'"),
        ([HEADER, ("a", 0, 0, 0)], r"exactly one of train, val and test"),
        ([HEADER, ("a", 2, 0, 0)], r"train '2'"),
        ([HEADER, ("a", 1, 0, 0), ("a", 0, 0, 1)], r"names 'a' twice"),
    ],
)
def test_a_sheet_that_is_not_clear_is_refused(tmp_path, rows, said):
    path = write_xlsx(tmp_path / "s.xlsx", fold1=rows)
    with pytest.raises(DataFileError, match=rf"sheet 'fold1' of s\.xlsx .*{said}"):
        read_sheet(path)


def test_what_is_no_sheet_is_refused(tmp_path):
    with pytest.raises(DataFileError, match=r"there is no file"):
        read_sheet(tmp_path / "s.xlsx")
    (tmp_path / "s.xls").write_bytes(b"x")
    with pytest.raises(DataFileError, match=r"ends in '\.xls', expected \.xlsx"):
        read_sheet(tmp_path / "s.xls")
    (tmp_path / "s.xlsx").write_bytes(b"no archive")
    with pytest.raises(DataFileError, match=r"s\.xlsx cannot be read"):
        read_sheet(tmp_path / "s.xlsx")
    (tmp_path / "e.csv").write_text("")
    with pytest.raises(DataFileError, match=r"e\.csv holds no rows"):
        read_sheet(tmp_path / "e.csv")
