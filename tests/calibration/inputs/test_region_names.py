"""Names of an atlas's regions, whatever program wrote the table beside it."""

import pytest
from hypothesis import given, strategies as st

from rtbold.calibration.inputs.region_names import names_beside, region_names
from rtbold.errors import DataFileError

RIGHT = ("Putamen", "Heschl's gyrus", "Cuneus")
LABELS = (1, 2, 3)


def table(folder, text, name="a.tsv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows(*lines, by="\t"):
    return "".join(f"{by.join(map(str, line))}\n" for line in lines)


BIDS = [("index", "name"), (1, RIGHT[0]), (2, RIGHT[1]), (3, RIGHT[2])]
LAYOUTS = {
    "BIDS": rows(*BIDS),
    "commas": rows(*BIDS, by=","),
    "semicolons": rows(*BIDS, by=";"),
    "BIDS with more columns": rows(
        ("index", "name", "abbreviation", "color", "mapping"),
        (1, "Putamen", "Put", "#ff0000", 12), (2, "Heschl's gyrus", "HG", "#00ff00", 9),
        (3, "Cuneus", "Cun", "#0000ff", 1),
    ),
    "the name first, sorted by name": rows(
        ("name", "index"), ("Cuneus", 3), ("Heschl's gyrus", 2), ("Putamen", 1)
    ),
    "the number between": rows(
        ("hemi", "index", "name"), ("L", 2, "Heschl's gyrus"), ("L", 1, "Putamen"),
        ("R", 3, "Cuneus"),
    ),
    "a background row": rows(("label", "name"), (0, "Background"), *BIDS[1:]),
    "roi_id and roi_name": rows(("roi_id", "roi_name"), *BIDS[1:]),
    "words in the header": rows(("ROI Label", "ROI Name"), *BIDS[1:]),
    "unknown words in the header": rows(("nummer", "gebiet"), *BIDS[1:]),
    "an unnamed column of pandas": rows(
        ("", "index", "name"), (0, 3, "Cuneus"), (1, 1, "Putamen"),
        (2, 2, "Heschl's gyrus"), by=",",
    ),
    "the row number beside the number": rows(
        ("name", "id", "voxels"), ("Cuneus", 3, 812), ("Putamen", 1, 700),
        ("Heschl's gyrus", 2, 99),
    ),
    "numbers as floats": rows(
        ("index", "name"), ("1.0", "Putamen"), ("2.0", "Heschl's gyrus"),
        ("3.0", "Cuneus"),
    ),
    "more numbers than the atlas has": rows(*BIDS, (4, "Insula"), (1007, "Pons")),
    "no header": rows(*BIDS[1:]),
    "no header, names first": rows(*[line[::-1] for line in BIDS[:0:-1]]),
    "AAL: short, long, number": rows(
        ("PUT", "Putamen", 1), ("HES", "Heschl's gyrus", 2), ("Q", "Cuneus", 3)
    ),
    "AAL3: number, name, number":
        "3 Cuneus 3\n1 Putamen 1\n2 Heschl's gyrus 2\n",
    "FreeSurfer": "#No. Label Name: R G B A\n0 Unknown 0 0 0 0\n"
    "1 Putamen 0 118 14 0\n2   Heschl's gyrus  122 186 220 0\n3 Cuneus 236 13 176 0\n",
    "Schaefer": "1\tPutamen\t120\t18\t131\t0\n2\tHeschl's gyrus\t1\t2\t3\t0\n"
    "3\tCuneus\t120\t18\t133\t0\n",
    "FSLeyes": "1 0.1 0.2 0.3 Putamen\n2 0.1 0.2 0.4 Heschl's gyrus\n"
    "3 1.0 0.0 0.5 Cuneus\n",
    "ITK-SNAP": '# IDX -R- -G- -B- -A- VIS MSH LABEL\n    0 0 0 0 0 0 0 "Clear Label"\n'
    '    1 255 0 0 1 1 1 "Putamen"\n    2 0 255 0 1 1 1 "Heschl\'s gyrus"\n'
    '    3 0 0 255 1 1 1 "Cuneus"\n',
    "blanks, the number behind": "name index\nCuneus 3\nPutamen 1\nHeschl's gyrus 2\n",
    "a plain list": "\n".join(RIGHT),
    "a plain list with a background": "\n".join(("Background", *RIGHT)),
    "a plain list with a header": "\n".join(("name", *RIGHT)),
    "all names in one line": ",".join(RIGHT),
    "lines that end in tabs": "index\tname\t\n1\tPutamen\t\n2\tHeschl's gyrus\t\n"
    "3\tCuneus\t\n",
    "carriage returns and a byte order mark": "\ufeff" + rows(*BIDS).replace(
        "\n", "\r\n"
    ),
    "a colon behind the number": "3: Cuneus\n1: Putamen\n2: Heschl's gyrus\n",
    "a dot behind the number": "3. Cuneus\n1. Putamen\n2. Heschl's gyrus\n",
    "an equals sign": "3=Cuneus\n1=Putamen\n2=Heschl's gyrus\n",
    "a dash": "3 - Cuneus\n1 - Putamen\n2 - Heschl's gyrus\n",
    "JSON": '{"3": "Cuneus",\n"1": "Putamen", \n"2": "Heschl\'s gyrus"}\n',
    "JSON in one line, names first":
        '{"Cuneus": 3, "Putamen": 1, "Heschl\'s gyrus": "2"}\n',
    "quotes": 'index,name\n1,"Putamen"\n2,"Heschl\'s gyrus"\n3,"Cuneus"\n',
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_region_is_found_by_its_number_in_every_layout(tmp_path, layout):
    assert region_names(table(tmp_path, LAYOUTS[layout]), LABELS) == RIGHT


def test_numbers_need_not_be_consecutive(tmp_path):
    lut = table(tmp_path, "17 Left-Hippocampus 220 216 20 0\n1035 ctx-insula 1 2 3 0\n")
    assert region_names(lut, (17, 1035)) == ("Left-Hippocampus", "ctx-insula")


def test_names_with_commas_stay_whole(tmp_path):
    names = ("Sulcus, left, medial", "Gyrus, anterior", "Planum, whole")
    for text in (
        rows(*zip((1, 2, 3), names, strict=True)),
        "\n".join(names),
        "index,name\n" + "".join(f'{k},"{n}"\n' for k, n in enumerate(names, 1)),
        "".join(f"{k} {n}\n" for k, n in enumerate(names, 1)),
    ):
        assert region_names(table(tmp_path, text), LABELS) == names
    pairs = "Putamen, left\nPutamen, right\nCuneus, left\n"
    assert region_names(table(tmp_path, pairs), LABELS)[1] == "Putamen, right"


def test_names_that_end_in_numbers_are_no_table(tmp_path):
    path = table(tmp_path, "Area 3\nArea 1\nArea 2\n")
    assert region_names(path, LABELS) == ("Area 3", "Area 1", "Area 2")


def test_areas_that_are_called_by_numbers(tmp_path):
    path = table(tmp_path, rows(("index", "name"), (1, 17), (2, 4), (3, 6)))
    assert region_names(path, LABELS) == ("17", "4", "6")


FSL = """<?xml version="1.0" encoding="ISO-8859-1"?>
<atlas version="1.0"><header><name>X</name><type>{type}</type></header><data>
{labels}</data></atlas>"""


@pytest.mark.parametrize(("kind", "first"), [("Probabilistic", 0), ("Label", 1)])
def test_fsl_counts_from_zero_and_its_images_of_labels_from_one(tmp_path, kind, first):
    labels = "".join(
        f'<label index="{k + first}" x="1" y="2" z="3">{name}</label>\n'
        for k, name in enumerate(RIGHT)
    )
    if kind == "Label":
        labels = f'<label index="0">Unclassified</label>\n{labels}'
    path = table(tmp_path, FSL.format(type=kind, labels=labels), "a.xml")
    assert region_names(path, LABELS) == RIGHT
    if kind == "Probabilistic":
        assert region_names(path, LABELS, maps=True) == RIGHT


def test_maps_may_be_counted_from_zero(tmp_path):
    zero = table(
        tmp_path, rows(("index", "name"), *((k, n) for k, n in enumerate(RIGHT)))
    )
    assert region_names(zero, LABELS, maps=True) == RIGHT
    with pytest.raises(DataFileError, match=r"no name for the regions \[3\]"):
        region_names(zero, LABELS)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rows(*BIDS[:3]), r"no name for the regions \[3\]"),
        (rows(*BIDS, (2, "Insula")), r"region 2 both .*gyrus.* and 'Insula'"),
        ("\n".join(RIGHT[:2]), r"2 names without numbers.*regions 1, 2, 3"),
        ("\n".join((*RIGHT, "Insula")), r"4 names without numbers"),
        ("\n".join(("Background", *RIGHT[:2])), r"2 names without numbers"),
        (rows(("name", "x"), ("A", 5), ("B", 9), ("C", 7)), r"no column that could be"),
        (
            rows(("id", "name", "intensity"), (1, "A", 3), (2, "B", 1), (3, "C", 2)),
            r"2 columns that could be the numbers",
        ),
        (rows(("index", "value"), (1, 4), (2, 5), (3, 6)), r"2 columns|no names"),
        (rows(*BIDS[:3], (3, "")), r"no name for the regions \[3\]"),
        ("", r"it is empty"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path, text, said):
    with pytest.raises(DataFileError, match=said):
        region_names(table(tmp_path, text), LABELS)


@pytest.mark.parametrize("number", ["n/a", "1a", "", "1.5", "-"])
@pytest.mark.parametrize("head", ["index\tname\n", "nummer\tgebiet\n", ""])
def test_numbers_with_a_hole_are_not_read_as_a_list(tmp_path, number, head):
    text = f"{head}3\tCuneus\n{number}\tPutamen\n2\tHeschl\n"
    with pytest.raises(DataFileError, match="expected"):
        region_names(table(tmp_path, text), LABELS)


@pytest.mark.parametrize(
    "text", ["{1: 'A', 2: 'B', 3: 'C'}", '{"1": "A", "01": "B"}', "2=A, 1=B, 3=C",
             "2 A 0 1 2\nB\n1 C 0 1 2", '{"a": ["b"]}'],
)  # fmt: skip
def test_numbers_that_stand_within_names_are_not_read_as_a_list(tmp_path, text):
    with pytest.raises(DataFileError, match="expected"):
        region_names(table(tmp_path, text, "a.txt"), LABELS)


@pytest.mark.parametrize("head", ["", "index,name\n"])
def test_commas_in_names_without_quotes(tmp_path, head):
    text = f"{head}3,Cuneus, left\n1,Putamen\n2,Heschl\n"
    found = region_names(table(tmp_path, text, "a.csv"), LABELS)
    assert found == ("Putamen", "Heschl", "Cuneus, left")


def test_the_row_numbers_of_pandas_are_no_labels(tmp_path):
    path = table(tmp_path, ",name\n0,A\n1,B\n2,C\n3,D\n", "a.csv")
    with pytest.raises(DataFileError, match="no column that could be the numbers"):
        region_names(path, LABELS)
    path = table(tmp_path, ",name\n0,Background\n1,B\n2,C\n3,D\n", "a.csv")
    assert region_names(path, LABELS) == ("B", "C", "D")
    path = table(tmp_path, ",name\n0,A\n1,B\n2,C\n", "a.csv")
    assert region_names(path, LABELS, maps=True) == ("A", "B", "C")


def test_the_xml_of_spm_and_aal(tmp_path):
    labels = "".join(
        f"<label><index>{k}</index><name>{name}</name></label>"
        for k, name in ((3, RIGHT[2]), (1, RIGHT[0]), (2, RIGHT[1]))
    )
    path = table(tmp_path, f"<atlas><data>{labels}</data></atlas>", "a.xml")
    assert region_names(path, LABELS) == RIGHT


def test_a_plain_list_for_numbers_with_holes_is_refused(tmp_path):
    with pytest.raises(
        DataFileError, match=r"regions 1, 3, 7, expected.*index and name"
    ):
        region_names(table(tmp_path, "\n".join(RIGHT)), (1, 3, 7))


def test_another_encoding_is_told(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("index\tname\n1\tGyrus pr\u00e4frontal\n".encode("latin-1"))
    with pytest.raises(DataFileError, match="Save it as UTF-8"):
        region_names(path, (1,))


def test_an_xml_that_is_none(tmp_path):
    for text in ("<atlas>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"):
        with pytest.raises(DataFileError, match="cannot be read as names of regions"):
            region_names(table(tmp_path, text, "a.xml"), LABELS)


def test_the_table_beside_an_atlas_is_found(tmp_path):
    atlas = tmp_path / "tpl-X_res-02_atlas-Y_dseg.nii.gz"
    assert names_beside(atlas, (1, 9)) == (
        ("roi-1", "roi-9"),
        f"no table of names beside {atlas.name}: regions are called by their numbers",
    )
    table(tmp_path, rows(*BIDS), "tpl-X_atlas-Y_dseg.tsv")
    assert (
        names_beside(atlas, LABELS)[0] == RIGHT
    )  # one for all resolutions, as in BIDS
    table(tmp_path, rows(*BIDS[:3], (3, "V1")), "tpl-X_res-02_atlas-Y_dseg.txt")
    names, told = names_beside(atlas, LABELS)
    assert names[2] == "V1"
    assert told == "region names from tpl-X_res-02_atlas-Y_dseg.txt"


CELL = st.one_of(
    st.integers(-2, 9).map(str), st.sampled_from(["index", "name", "A", "B, left", ""])
)
SHAPE = st.sampled_from(["\t", ",", ";", " ", "  "])


@given(st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=6), SHAPE)
def test_any_table_gives_each_number_one_name_or_is_refused(
    tmp_path_factory, cells, by
):
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    path.write_text(rows(*cells, by=by), encoding="utf-8")
    try:
        names = region_names(path, (1, 2))
    except DataFileError:
        return
    assert len(names) == 2
    assert all(names)
