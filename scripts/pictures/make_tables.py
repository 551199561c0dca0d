"""Make the tables of electrodes, regions and outlines that the product ships.

    python scripts/pictures/make_tables.py electrodes leadfield outline assets

Run a part when its sources change; it needs the extras `files` and `calibration`.

- electrodes: rtbold/electrodes.csv, unit-sphere positions of the 10-05 system. MNE's
  ``colin27_1005`` in head coordinates (x right, y nose, z up), a sphere fitted to all
  electrodes by least squares, each projected on it from the sphere's centre. T3 T4 T5
  T6 are left out: `rtbold.electrodes.canonical` knows them as old names.
- leadfield: rtbold/sim/leadfield.npz, from MNE's four-shell sphere model.
- outline: calibration/report/brain_outline.csv, a silhouette from three sides. The
  template is ICBM152 2009a nonlinear symmetric (Fonov et al. 2011, NeuroImage 54:313),
  as nilearn ships it; the file holds points of the outlines only. Copyright of the
  template: (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal
  Neurological Institute, McGill University; its licence permits to use, copy, modify
  and distribute it for any purpose without fee, with this notice.
- assets: gui/assets/*.csv. The dashboard knows a session by its feed alone and reads no
  file of other packages, so it has copies: the electrodes seen from above, the same
  outlines (same notice), and DiFuMo's 64 regions (Dadi et al. 2020, NeuroImage
  221:117126), one row for each hemisphere; left-right places are approximate (8 mm),
  see docs/twin.md.
"""

import csv
import shutil
import sys
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import mne
import numpy as np

from rtbold.electrodes import canonical, positions
from rtbold.sim.atlas import read_rois

ROOT = Path(__file__).resolve().parents[2]
ELECTRODES = ROOT / "rtbold" / "electrodes.csv"
LEADFIELD = ROOT / "rtbold" / "sim" / "leadfield.npz"
OUTLINE = ROOT / "calibration" / "report" / "brain_outline.csv"
ASSETS = ROOT / "gui" / "assets"
OLD_NAMES = ("T3", "T4", "T5", "T6")
CAP = (
    "Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F9 F7 F5 F3 F1 Fz F2 F4 F6 F8 F10 "
    "FT9 FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 FT10 T7 C5 C3 C1 Cz C2 C4 C6 T8 "
    "TP9 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 TP10 P9 P7 P5 P3 P1 Pz P2 P4 P6 P8 P10 "
    "PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz A1 A2 M1 M2"
).split()
INNERMOST = 0.97  # sources are pulled in to this share of the brain's radius
SIDES = {"right": 0, "back": 1, "top": 2}  # seen from; the axis that is looked along
SMOOTH_MM = 1.5
STEP_MM = 3.0  # between points of an outline


def write(path: Path, columns: str, rows: Iterable[Iterable[str]]) -> None:
    """Write one table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split(","))
        writer.writerows(rows)


def electrodes() -> None:
    """Write the electrodes, sorted by name."""
    montage = mne.channels.make_standard_montage("colin27_1005")
    to_head = mne.channels.compute_native_head_t(montage)["trans"]
    places = montage.get_positions()["ch_pos"].items()
    found = {
        canonical(name): to_head[:3, :3] @ xyz + to_head[:3, 3]
        for name, xyz in places
        if name not in OLD_NAMES
    }
    assert len(found) == len(places) - len(OLD_NAMES), "two share a canonical name"
    xyz = np.array(list(found.values()))
    # The least-squares centre: |x|^2 = 2 c.x + (r^2 - |c|^2) is linear.
    design = np.column_stack([2 * xyz, np.ones(len(xyz))])
    xyz -= np.linalg.lstsq(design, (xyz**2).sum(axis=1), rcond=None)[0][:3]
    xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
    rows = sorted(zip(found, xyz, strict=True), key=lambda row: row[0])
    write(ELECTRODES, "name,x,y,z", ((n, *(f"{v:.6f}" for v in p)) for n, p in rows))


def head_points_m(mni_mm: np.ndarray) -> np.ndarray:
    """Return MNI points in head coordinates, by the transform that MNE ships."""
    trans_file = files("mne") / "data" / "fsaverage" / "fsaverage-trans.fif"
    trans = mne.read_trans(str(trans_file))
    mri_to_head = mne.transforms.invert_transform(trans)
    if trans["from"] == mne.io.constants.FIFF.FIFFV_COORD_MRI:
        mri_to_head = trans
    return mne.transforms.apply_trans(mri_to_head, mni_mm / 1000.0)


def pulled_inside(points_m: np.ndarray, sphere: mne.bem.ConductorModel) -> np.ndarray:
    """Move points beyond the brain's sphere radially inwards."""
    centre = sphere["r0"]
    limit = sphere["layers"][0]["rad"] * INNERMOST
    away = points_m - centre
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    return centre + away * np.minimum(1.0, limit / distance)


def gain(info: mne.Info, points_m: np.ndarray) -> np.ndarray:
    """Return (electrodes, sources, 3), V/(A m), reference at infinity."""
    sphere = mne.make_sphere_model("auto", "auto", info, verbose="ERROR")
    inside = pulled_inside(points_m, sphere)
    n_moved = int((np.abs(inside - points_m).max(axis=1) > 0).sum())
    print(f"sources: {len(inside)}, pulled into the sphere: {n_moved}")
    normals = np.tile([0.0, 0.0, 1.0], (len(inside), 1))
    space = mne.setup_volume_source_space(
        pos={"rr": inside, "nn": normals}, sphere=sphere, verbose="ERROR"
    )
    forward = mne.make_forward_solution(
        info, trans=None, src=space, bem=sphere, meg=False, mindist=0, verbose="ERROR"
    )
    if forward["nsource"] != len(inside):
        raise SystemExit(f"MNE kept {forward['nsource']} of {len(inside)} sources")
    return forward["sol"]["data"].reshape(len(info["ch_names"]), len(inside), 3)


def leadfield() -> None:
    """Compute and write the lead field."""
    info = mne.create_info(list(CAP), 200.0, "eeg")
    names = mne.channels.get_builtin_montages()
    # The same montage; MNE 1.13 renamed it.
    name = "colin27_1020" if "colin27_1020" in names else "standard_1020"
    info.set_montage(mne.channels.make_standard_montage(name))
    rois = read_rois()
    mni_mm = np.array([p for roi in rois for p in roi.sources_mni_mm])
    roi_of_source = [i for i, roi in enumerate(rois) for _ in roi.sources_mni_mm]
    positions_m = np.array([channel["loc"][:3] for channel in info["chs"]])
    np.savez_compressed(
        LEADFIELD,
        labels=np.array(CAP),
        positions_m=positions_m.astype(np.float32),
        roi_of_source=np.array(roi_of_source, dtype=np.int16),
        gain_v_per_am=gain(info, head_points_m(mni_mm)).astype(np.float32),
        made_with=np.array(f"mne {mne.__version__}, sphere model, standard_1020"),
    )


def contour_mm(mask: np.ndarray, affine: np.ndarray, axis: int) -> np.ndarray:
    """Return (points, 2) mm of the largest closed contour of the mask's shadow."""
    from contourpy import contour_generator
    from scipy import ndimage

    size_mm = float(abs(affine[0, 0]))
    shadow = np.pad(mask.any(axis=axis).astype(float), 5)
    smooth = ndimage.gaussian_filter(shadow, SMOOTH_MM / size_mm)
    line = max(contour_generator(z=smooth.T).lines(0.5), key=len) - 5
    kept = [i for i in range(3) if i != axis]
    mm = line * affine[kept, kept] + affine[kept, 3]
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(mm, axis=0).T))])
    at = np.linspace(0, along[-1], max(int(along[-1] / STEP_MM), 8))
    return np.stack([np.interp(at, along, column) for column in mm.T], axis=1)


def outline() -> None:
    """Write the outlines."""
    from nilearn.datasets import load_mni152_brain_mask

    image = load_mni152_brain_mask(resolution=2)
    mask = np.asarray(image.dataobj) > 0
    rows = [
        (side, f"{a:.1f}", f"{b:.1f}")
        for side, axis in SIDES.items()
        for a, b in contour_mm(mask, image.affine, axis)
    ]
    write(OUTLINE, "seen_from,a_mm,b_mm", rows)


def assets() -> None:
    """Write what the dashboard draws heads and brains from."""
    from rtbold.gui.views.widgets.head_geometry import on_disc

    lines = ELECTRODES.read_text(encoding="utf-8").split("\n")
    labels = sorted([line.split(",")[0] for line in lines[1:] if line] + [*OLD_NAMES])
    seen = zip(labels, on_disc(positions(labels)), strict=True)
    heads = ((label, f"{x:.4f}", f"{y:.4f}") for label, (x, y) in seen)
    centres = (
        (roi.name, *(f"{mm:.1f}" for mm in place_mm))
        for roi in read_rois()
        for place_mm in roi.sources_mni_mm or (roi.centre_mni_mm,)
    )
    write(ASSETS / "electrodes.csv", "label,x,y", heads)
    write(ASSETS / "roi_centres.csv", "name,x_mm,y_mm,z_mm", centres)
    shutil.copyfile(OUTLINE, ASSETS / OUTLINE.name)


if __name__ == "__main__":
    parts = {part.__name__: part for part in (electrodes, leadfield, outline, assets)}
    for wanted in sys.argv[1:]:
        parts[wanted]()
