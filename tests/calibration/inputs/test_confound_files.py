import numpy as np
import pytest

from rtbold.calibration.inputs.confound_files import read_given
from rtbold.calibration.inputs.confound_kinds import kind_of
from rtbold.calibration.inputs.physio_files import Volumes
from rtbold.errors import ConfigError, DataFileError

N = 60
VOLUMES = Volumes(N, 2.0)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def write(path, columns):
    rows = zip(*columns.values(), strict=True)
    lines = ["\t".join(columns), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def fmriprep(rng):
    """As fMRIPrep writes it: many columns, n/a in the first row of derivatives."""
    table = {}
    for kind in ("trans", "rot"):
        for axis in "xyz":
            series = rng.standard_normal(N).cumsum()
            table[f"{kind}_{axis}"] = series
            change = ["n/a", *np.diff(series)]
            table[f"{kind}_{axis}_derivative1"] = change
    for name in ("framewise_displacement", "std_dvars"):
        table[name] = ["n/a", *rng.random(N - 1)]
    for name in ("csf", "white_matter", "global_signal", "global_signal_power2",
                 "a_comp_cor_00", "cosine00"):  # fmt: skip
        table[name] = rng.standard_normal(N)
    table["motion_outlier00"] = [0] * 30 + [1] + [0] * (N - 31)
    return table


def test_of_fmriprep_the_usual_ones_are_taken_and_the_global_signal_stays_apart(
    tmp_path, rng
):
    path = write(tmp_path / "x_desc-confounds_timeseries.tsv", fmriprep(rng))
    given = read_given([path], VOLUMES)
    kinds = {kind_of(name) for name in given.regressed}
    assert kinds == {"motion", "displacement", "tissue"}
    assert set(given.confounds) - set(given.regressed) == {"global_signal"}
    assert "a_comp_cor_00" not in given.confounds
    assert np.isfinite(np.array(list(given.confounds.values()))).all()
    assert any("fMRIPrep" in note for note in given.notes)


def test_others_of_its_columns_are_taken_by_name(tmp_path, rng):
    path = write(tmp_path / "c.tsv", fmriprep(rng))
    given = read_given([path], VOLUMES, chosen=("a_comp_cor_*", "global_signal"))
    assert set(given.regressed) == {"a_comp_cor_00", "global_signal"}
    with pytest.raises(ConfigError, match=r"'trnas_x'.*Did you mean"):
        read_given([path], VOLUMES, chosen=("trnas_x",))


def test_the_kind_of_a_column_can_be_said(tmp_path, rng):
    path = write(tmp_path / "c.tsv", {"puls": rng.random(N), "tube": rng.random(N)})
    given = read_given([path], VOLUMES, chosen=("puls=heart rate", "tube"))
    assert [kind_of(name) for name in given.regressed] == ["heart rate", "other"]
    assert "confounds, heart rate: heart rate: puls" in given.notes
    with pytest.raises(ConfigError, match="said to be 'hart', expected one of"):
        read_given([path], VOLUMES, chosen=("puls=hart",))


def test_regressors_of_physio_act_as_they_are(tmp_path, rng):
    table = rng.standard_normal((N, 8))
    bare = tmp_path / "multiple_regressors.txt"
    np.savetxt(bare, table)
    given = read_given([bare], VOLUMES)
    assert {kind_of(name) for name in given.regressed} == {"regressor"}
    assert len(given.regressed) == 8
    np.testing.assert_allclose(given.confounds["regressor_3"], table[:, 2])


def test_a_mat_of_physio(tmp_path, rng):
    scipy_io = pytest.importorskip("scipy.io")
    table = rng.standard_normal((N, 3))
    path = tmp_path / "multiple_regressors.mat"
    scipy_io.savemat(path, {"R": table, "other": rng.standard_normal((4, 4))})
    given = read_given([path], VOLUMES)
    np.testing.assert_allclose(given.confounds["regressor_2"], table[:, 1])


@pytest.mark.parametrize("name", ["rp_aS01.txt", "prefiltered_mcf.par", "motion.1D"])
def test_files_of_motion_without_names(tmp_path, rng, name):
    np.savetxt(tmp_path / name, rng.standard_normal((N, 6)).cumsum(axis=0))
    given = read_given([tmp_path / name], VOLUMES)
    assert {kind_of(column) for column in given.regressed} == {"motion"}
    np.savetxt(tmp_path / name, rng.standard_normal((N, 5)))
    with pytest.raises(DataFileError, match="has 5 columns, expected 6 of motion"):
        read_given([tmp_path / name], VOLUMES)


def test_several_files_stand_together(tmp_path, rng):
    one = write(tmp_path / "a.tsv", {"fd": rng.random(N)})
    two = write(tmp_path / "b.tsv", {"heart_rate": rng.random(N)})
    assert read_given([one, two], VOLUMES).regressed == ("fd", "heart_rate")
    with pytest.raises(DataFileError, match=r"fd.*, which another file"):
        read_given([one, one], VOLUMES)


def test_bad_columns_are_told(tmp_path, rng):
    short = write(tmp_path / "s.tsv", {"fd": rng.random(N - 3)} | {})
    with pytest.raises(DataFileError, match="has 57 rows and the BOLD 60"):
        read_given([short], VOLUMES)
    holed = rng.random(N).tolist()
    holed[7] = "n/a"
    with pytest.raises(DataFileError, match=r"'fd' at 1 volumes .*is volume 7"):
        read_given([write(tmp_path / "h.tsv", {"fd": holed})], VOLUMES)
    flat = write(tmp_path / "f.tsv", {"fd": [1.0] * N})
    with pytest.raises(DataFileError, match="no confound that varies"):
        read_given([flat], VOLUMES)
    np.savetxt(tmp_path / "r.txt", rng.random((N - 1, 2)))
    with pytest.raises(DataFileError, match="has 59 rows and the BOLD 60"):
        read_given([tmp_path / "r.txt"], VOLUMES)
    table = rng.random((N, 2))
    table[4, 1] = np.nan
    np.savetxt(tmp_path / "r.txt", table)
    with pytest.raises(DataFileError, match=r"at 1 places .*row 5, column 2"):
        read_given([tmp_path / "r.txt"], VOLUMES)
    with pytest.raises(DataFileError, match=r"no file .*nowhere\.tsv"):
        read_given([tmp_path / "nowhere.tsv"], VOLUMES)
