"""Tables of measured BOLD as other programs write them."""

import re

import numpy as np
import pytest

from rtbold.calibration.inputs.bold import read_bold, read_confounds
from rtbold.errors import DataFileError

RNG = np.random.default_rng(8)
N = 30
ROIS = ("Putamen", "Heschl's gyrus", "Cuneus")
VALUES = np.round(100 + RNG.standard_normal((N, 3)), 4)


def written(folder, names, columns, *, by="\t", end="", name="b.tsv", encoding="utf-8"):
    lines = [
        by.join(map(str, line)) + end for line in (names, *zip(*columns, strict=True))
    ]
    path = folder / name
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def with_first(folder, head, column):
    return written(folder, (head, *ROIS), (column, *VALUES.T))


@pytest.mark.parametrize(
    "head",
    ["TR", "scan", "Frame", "dyn", "timepoint", "time point", "vol_idx", "n_vol",
     "Volume Number", "volume", "", "Unnamed: 0", "repetition", "whatever"],
)  # fmt: skip
@pytest.mark.parametrize("first", [0, 1, 5])
def test_a_counter_is_no_roi_under_any_name(tmp_path, head, first):
    series = read_bold(with_first(tmp_path, head, range(first, first + N)))
    assert series.rois == ROIS
    np.testing.assert_array_equal(series.volume_index, np.arange(first, first + N))
    assert series.tr_s is None


def test_a_counter_is_no_roi_in_any_place(tmp_path):
    for k in range(4):
        names, columns = [*ROIS], [*VALUES.T]
        names.insert(k, "bild")
        columns.insert(k, np.arange(N))
        series = read_bold(written(tmp_path, names, columns))
        assert series.rois == ROIS
        assert any("'bild' rises by 1 from row to row" in note for note in series.notes)


def test_the_gaps_of_a_counter_are_volumes_without_a_row(tmp_path):
    counted = np.delete(np.arange(1, N + 3), [7, 20])
    series = read_bold(with_first(tmp_path, "nr", counted))
    assert series.rois == ROIS
    np.testing.assert_array_equal(series.volume_index, counted)


@pytest.mark.parametrize("column", [
    2.1 * np.arange(N), np.round(0.72 * np.arange(N), 1), 100 - np.arange(N) * 0.5,
    np.floor(1.5 * np.arange(N)), 2.1 * np.arange(N) + RNG.uniform(-0.2, 0.2, N),
    np.tile(np.arange(10), 3),
])  # fmt: skip
def test_a_column_along_a_line_is_no_roi(tmp_path, column):
    series = read_bold(with_first(tmp_path, "zahl", column))
    assert series.rois == ROIS
    assert series.volume_index is None
    assert any("'zahl' rises by" in note for note in series.notes)


CENSORED = np.sort(np.random.default_rng(1).choice(np.arange(1, 61), N, replace=False))


@pytest.mark.parametrize("head", ["scan", "TR", "bild"])
def test_a_counter_of_which_every_other_row_was_cut_counts_still(tmp_path, head):
    series = read_bold(with_first(tmp_path, head, CENSORED))
    assert series.rois == ROIS
    np.testing.assert_array_equal(series.volume_index, CENSORED)


def test_a_time_of_which_rows_were_cut_shows_the_volumes_that_lack_one(tmp_path):
    for numbers in (CENSORED, np.delete(np.arange(N + 3), [5, 11, 12])):
        times = np.round(2.1 * numbers, 4)
        series = read_bold(with_first(tmp_path, "time", times))
        assert series.tr_s == pytest.approx(2.1)
        np.testing.assert_array_equal(series.volume_index, numbers - numbers[0])
        assert any("volumes without a row" in note for note in series.notes)
    for tr_s in (1.2, 1.5, 2.1, 2.5):  # whole seconds are no gaps
        times = np.floor(tr_s * np.arange(N))
        assert read_bold(with_first(tmp_path, "time", times)).volume_index is None


@pytest.mark.parametrize("head", ["scan", "run", "Session", "echo"])
@pytest.mark.parametrize("by", [2, 15])
def test_a_number_that_stands_for_several_rows_is_no_roi(tmp_path, head, by):
    series = read_bold(with_first(tmp_path, head, np.repeat(np.arange(N // by), by)))
    assert series.rois == ROIS
    assert any(f"'{head}'" in note for note in series.notes)


def test_a_run_number_is_left_out(tmp_path):
    assert read_bold(with_first(tmp_path, "run", [1] * N)).rois == ROIS


def test_a_signal_that_drifts_stays_a_roi(tmp_path):
    drift = VALUES[:, 0] + 0.8 * np.arange(N)
    assert read_bold(with_first(tmp_path, "Insula", drift)).rois == ("Insula", *ROIS)


def test_a_counter_that_was_asked_for_is_given(tmp_path):
    path = with_first(tmp_path, "scan", np.arange(N))
    assert read_bold(path, columns=["scan", "Cuneus"]).rois == ("scan", "Cuneus")


def test_a_table_that_rises_everywhere_loses_only_what_counts(tmp_path):
    rising = 100.0 + np.arange(N)
    path = written(tmp_path, ("x", *ROIS), (range(N), rising, rising + 1, rising + 2))
    assert read_bold(path).rois == ROIS
    assert (
        read_bold(written(tmp_path, ROIS, (rising, rising + 1, rising + 2))).rois
        == ROIS
    )


def test_a_run_number_and_a_constant_tr_are_left_out(tmp_path):
    series = read_bold(
        written(tmp_path, ("scan", "TR", *ROIS), ([2] * N, [2.1] * N, *VALUES.T))
    )
    assert series.rois == ROIS
    assert (series.tr_s, series.volume_index) == (None, None)
    assert sum("same in each row" in note for note in series.notes) == 2


@pytest.mark.parametrize(
    ("head", "step", "told"),
    [
        ("time", 2.1, ""), ("Time (s)", 2.1, ""), ("t [sec]", 2.1, ""),
        ("onset", 2.1, ""), ("acquisition time", 2.1, ""), ("seconds", 2.1, ""),
        ("time_ms", 2100, ""), ("Time [ms]", 2100, ""), ("t_min", 0.035, ""),
        ("minutes", 0.035, ""), ("time", 2100, "milliseconds"),
        ("time", 0.035, "minutes"), ("Time (s)", 2100, "milliseconds"),
        ("time_ms", 2.1, ""),
    ],
)  # fmt: skip
def test_the_unit_of_a_time_is_found(tmp_path, head, step, told):
    series = read_bold(with_first(tmp_path, head, np.round(step * np.arange(N), 4)))
    assert series.rois == ROIS
    assert series.tr_s == pytest.approx(2.1)
    assert ("looks like" in "".join(series.notes)) == bool(told)
    assert told in "".join(series.notes)


@pytest.mark.parametrize("head", ["S", "MS", "Min", "Acq time", "EPI", "Row"])
def test_a_signal_may_be_called_as_a_time_or_a_counter(tmp_path, head):
    series = read_bold(with_first(tmp_path, head, VALUES[::-1, 0]))
    assert series.rois == (head, *ROIS)
    np.testing.assert_array_equal(series.values[:, 0], VALUES[::-1, 0])


def test_times_in_whole_seconds_give_the_mean_step(tmp_path):
    series = read_bold(with_first(tmp_path, "time", np.floor(2.1 * np.arange(N))))
    assert series.tr_s == pytest.approx(2.1, rel=0.02)


def test_a_time_that_is_no_tr_says_so(tmp_path):
    series = read_bold(with_first(tmp_path, "time", 50 * np.arange(N)))
    assert series.tr_s is None
    assert any("no TR in any unit" in note for note in series.notes)


def test_an_array_may_count_in_its_first_column(tmp_path):
    np.save(tmp_path / "b.npy", np.column_stack([np.arange(N), VALUES]))
    series = read_bold(tmp_path / "b.npy")
    assert series.rois == ("roi-2", "roi-3", "roi-4")
    np.testing.assert_array_equal(series.values, VALUES)


# Separators.


@pytest.mark.parametrize("by", ["\t", ",", ";"])
@pytest.mark.parametrize("end", [0, 1, 3])
def test_lines_may_end_in_separators(tmp_path, by, end):
    series = read_bold(written(tmp_path, ROIS, VALUES.T, by=by, end=end * by))
    assert series.rois == ROIS
    np.testing.assert_array_equal(series.values, VALUES)


def test_only_rows_or_only_the_header_may_end_in_a_separator(tmp_path):
    lines = ["\t".join(ROIS), *("\t".join(map(str, row)) + "\t" for row in VALUES)]
    for head in ("", "\t"):
        path = tmp_path / "b.tsv"
        path.write_text("\n".join([lines[0] + head, *lines[1:]]), encoding="utf-8")
        np.testing.assert_array_equal(read_bold(path).values, VALUES)
    rows = [line.rstrip("\t") for line in lines[1:]]
    path.write_text("\n".join([lines[0] + "\t", *rows]), encoding="utf-8")
    np.testing.assert_array_equal(read_bold(path).values, VALUES)


def test_empty_columns_and_rows_of_a_spreadsheet_are_left_out(tmp_path):
    lines = ["," + ",".join(ROIS) + ",,"]
    lines += ["," + ",".join(map(str, row)) + ",," for row in VALUES]
    path = tmp_path / "b.csv"
    path.write_text("\n".join([*lines, ",,,,,", ",,,,,"]), encoding="utf-8")
    series = read_bold(path)
    assert series.rois == ROIS
    np.testing.assert_array_equal(series.values, VALUES)


@pytest.mark.parametrize(
    "head", ["Sulcus, left", "A,B,C,D"]
)  # one ROI of two words; four ROIs
def test_decimal_commas_between_commas_are_no_columns(tmp_path, head):
    cells = [f"{value:.3f}".replace(".", ",") for value in VALUES[:, 0]]
    if head.count(",") > 1:
        cells = [f"{cell},{cell}" for cell in cells]
    path = tmp_path / "b.csv"
    path.write_text("\n".join([head, *cells]), encoding="utf-8")
    with pytest.raises(DataFileError, match=r"decimal commas.*decimal points"):
        read_bold(path)


def test_whole_numbers_between_commas_are_read(tmp_path):
    whole = np.round(100 * VALUES)
    cells = [[f"{value:.0f}" for value in column] for column in whole.T]
    path = written(tmp_path, ROIS, cells, by=",")
    np.testing.assert_array_equal(read_bold(path).values, whole)


def test_a_header_with_blanks_behind_all_its_commas_is_read(tmp_path):
    whole = np.round(100 * VALUES[:, [0, 1, 2, 0]])
    names = ("A", " B", " C", " D")
    path = written(tmp_path, names, whole.astype(int).T, by=",")
    assert read_bold(path).rois == ("A", "B", "C", "D")


def test_the_line_of_a_spreadsheet_program_that_names_the_separator(tmp_path):
    path = written(tmp_path, ROIS, VALUES.T, by=";")
    path.write_text("sep=;\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    np.testing.assert_array_equal(read_bold(path).values, VALUES)


@pytest.mark.parametrize("mark", [-9999, -999, -99, -1, 9999, 1e20])
def test_a_mark_for_what_is_missing_is_no_value(tmp_path, mark):
    values = VALUES.copy()
    values[[4, 9], 1] = mark
    with pytest.raises(DataFileError, match=re.escape(f"is {mark:g} at 2 volumes")):
        read_bold(written(tmp_path, ROIS, values.T))
    around = VALUES - 100
    around[4, 1] = -1  # as good a value as any
    assert read_bold(written(tmp_path, ROIS, around.T)).rois == ROIS


def test_digits_in_groups_are_no_number(tmp_path):
    for cell in ("1_100", "1,100", "1 100"):
        with pytest.raises(DataFileError, match=f"'{cell}', expected a number"):
            read_bold(with_first(tmp_path, "x", [cell] * N))


def test_an_abbreviation_is_no_missing_number(tmp_path):
    names = ("NA", *ROIS[1:])  # Nucleus accumbens
    assert read_bold(written(tmp_path, names, VALUES.T)).rois == names


def test_names_with_commas_between_tabs_or_in_quotes(tmp_path):
    names = ("Sulcus, left, medial", "Gyrus, anterior", "Planum, whole")
    assert read_bold(written(tmp_path, names, VALUES.T)).rois == names
    quoted = [f'"{name}"' for name in names]
    assert read_bold(written(tmp_path, quoted, VALUES.T, by=",")).rois == names


def test_comments_before_the_header(tmp_path):
    path = written(tmp_path, ROIS, VALUES.T)
    text = path.read_text(encoding="utf-8")
    path.write_text(f"# made by fslmeants\n{text}", encoding="utf-8")
    assert read_bold(path).rois == ROIS
    path.write_text(f"# {text}", encoding="utf-8")  # as numpy.savetxt writes it
    assert read_bold(path).rois == ROIS


# What cannot be read, in one sentence each.


@pytest.mark.parametrize("head", [None, ("Putamen", "Heschl", "Cuneus")])
def test_blanks_between_columns(tmp_path, head):
    lines = ["  ".join(f"{value:.6f}" for value in row) + "  " for row in VALUES]
    if head:
        lines.insert(0, " ".join(head))
    (tmp_path / "b.txt").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(
        DataFileError, match=r"separated by blanks, expected tabs"
    ) as told:
        read_bold(tmp_path / "b.txt")
    assert "Remove that column" not in str(told.value)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "cp1252"])
def test_another_encoding(tmp_path, encoding):
    path = written(tmp_path, ("Gyrus pr\u00e4", *ROIS[1:]), VALUES.T, encoding=encoding)
    with pytest.raises(
        DataFileError, match=r"b.tsv is no text in UTF-8 .*Save it as UTF-8"
    ):
        read_bold(path)


def test_a_byte_order_mark_is_no_name(tmp_path):
    path = written(tmp_path, ROIS, VALUES.T, encoding="utf-8-sig")
    assert read_bold(path).rois == ROIS


VOLUMES = [f"vol{k}" for k in range(N)]


@pytest.mark.parametrize(
    ("head", "names"),
    [
        (("roi", *VOLUMES), ROIS),
        (("", *range(N)), ROIS),
        (None, ROIS),
        (("roi", *VOLUMES), (1, 2, 3)),
    ],
)
def test_rois_in_rows(tmp_path, head, names):
    rows = [(name, *column) for name, column in zip(names, VALUES.T, strict=True)]
    if head is not None:
        rows.insert(0, head)
    path = written(tmp_path, rows[0], list(zip(*rows[1:], strict=True)))
    with pytest.raises(DataFileError, match="lies on its side: transpose it"):
        read_bold(path)


def test_more_rois_in_rows_than_volumes_in_columns(tmp_path):
    values = RNG.standard_normal((N, 64))
    names = ("roi", *(f"TR_{k + 1}" for k in range(N)))
    regions = [f"region {k}" for k in range(64)]
    with pytest.raises(DataFileError, match="lies on its side: transpose it"):
        read_bold(written(tmp_path, names, [regions, *values]))


def test_numbers_alone_lie_on_their_side_or_lack_a_header(tmp_path):
    path = written(tmp_path, VALUES[:, 0], list(VALUES[:, 1:]))
    with pytest.raises(DataFileError, match=r"Add a header.*lie on its side"):
        read_bold(path)
    path = written(tmp_path, VALUES[0], VALUES[1:].T)
    with pytest.raises(DataFileError, match=r"names of the columns. Add a header\.$"):
        read_bold(path)


def test_a_column_of_words_is_named(tmp_path):
    path = written(tmp_path, ("task", *ROIS), (["rest", "go"] * 15, *VALUES.T))
    with pytest.raises(
        DataFileError, match=r"gives 'task' as 'rest'.*Remove that column"
    ):
        read_bold(path)


def test_zeros_among_far_larger_values_are_missing_ones(tmp_path):
    values = VALUES.copy()
    values[[4, 9], 1] = 0
    with pytest.raises(DataFileError, match=r"gyrus.*is 0 at 2 volumes and near "):
        read_bold(written(tmp_path, ROIS, values.T))
    around = VALUES - 100
    around[4, 1] = 0  # as good a value as any
    assert read_bold(written(tmp_path, ROIS, around.T)).rois == ROIS


# Confounds.


@pytest.mark.parametrize(
    "name", ["WM", "GlobalSignal", "motion_x", "rp_1", "Tx", "pitch", "aCompCor1"]
)
def test_a_confound_by_a_name_of_another_program_is_no_roi(tmp_path, name):
    series = read_bold(with_first(tmp_path, name, VALUES[::-1, 0]))
    assert series.rois == ROIS
    assert len(series.confounds) == 1
    assert name in read_bold(tmp_path / "b.tsv", columns=[name, "Cuneus"]).rois


def test_confounds_keep_what_rises_and_lose_what_is_constant(tmp_path):
    drift, motion = np.arange(N) / N, VALUES[:, 0]
    path = written(tmp_path, ("drift", "trans_x", "csf"), (drift, motion, [3] * N))
    found = read_confounds(path, N)
    assert set(found) == {"drift", "trans_x"}
    np.testing.assert_allclose(found["drift"], drift)


def test_confounds_with_missing_values_say_what_to_do(tmp_path):
    motion = VALUES[:, 0].astype(object)
    motion[0] = "n/a"
    path = written(tmp_path, ("pulse", "trans_x"), (motion, VALUES[:, 1]))
    assert read_confounds(path, N)["pulse"][0] == 0
    motion[3] = "n/a"
    path = written(tmp_path, ("pulse", "trans_x"), (motion, VALUES[:, 1]))
    with pytest.raises(
        DataFileError, match=r"confound 'pulse' at 2 volumes.*Remove that"
    ):
        read_confounds(path, N)
