"""Make rtbold/sim/leadfield.npz with MNE's sphere model (offline; extra `files`).

Run once when the sources or the electrodes change:
    python scripts/pictures/make_leadfield.py
"""

from importlib.resources import files
from pathlib import Path

import mne
import numpy as np

from rtbold.sim.atlas import read_rois

OUT = Path(__file__).resolve().parents[2] / "rtbold" / "sim" / "leadfield.npz"
CAP = (
    "Fp1 Fpz Fp2 AF7 AF3 AFz AF4 AF8 F9 F7 F5 F3 F1 Fz F2 F4 F6 F8 F10 "
    "FT9 FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 FT10 T7 C5 C3 C1 Cz C2 C4 C6 T8 "
    "TP9 TP7 CP5 CP3 CP1 CPz CP2 CP4 CP6 TP8 TP10 P9 P7 P5 P3 P1 Pz P2 P4 P6 P8 P10 "
    "PO7 PO3 POz PO4 PO8 O1 Oz O2 Iz A1 A2 M1 M2"
).split()
INNERMOST = 0.97  # sources are pulled in to this share of the brain's radius


def head_points_m(mni_mm: np.ndarray) -> np.ndarray:
    """Return MNI points in head coordinates, by the transform that MNE ships."""
    trans_file = files("mne") / "data" / "fsaverage" / "fsaverage-trans.fif"
    trans = mne.read_trans(str(trans_file))
    mri_to_head = mne.transforms.invert_transform(trans)
    if trans["from"] == mne.io.constants.FIFF.FIFFV_COORD_MRI:
        mri_to_head = trans
    return mne.transforms.apply_trans(mri_to_head, mni_mm / 1000.0)


def sphere_for(info: mne.Info) -> mne.bem.ConductorModel:
    """Return the four-shell sphere that fits the cap."""
    return mne.make_sphere_model("auto", "auto", info, verbose="ERROR")


def pulled_inside(points_m: np.ndarray, sphere: mne.bem.ConductorModel) -> np.ndarray:
    """Move points beyond the brain's sphere radially inwards."""
    centre = sphere["r0"]
    limit = sphere["layers"][0]["rad"] * INNERMOST
    away = points_m - centre
    distance = np.linalg.norm(away, axis=1, keepdims=True)
    return centre + away * np.minimum(1.0, limit / distance)


def leadfield(info: mne.Info, points_m: np.ndarray) -> np.ndarray:
    """Return (electrodes, sources, 3), V/(A m), reference at infinity."""
    sphere = sphere_for(info)
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


def main() -> None:
    """Compute and write the lead field."""
    info = mne.create_info(list(CAP), 200.0, "eeg")
    names = mne.channels.get_builtin_montages()
    # The same montage; MNE 1.13 renamed it.
    name = "colin27_1020" if "colin27_1020" in names else "standard_1020"
    info.set_montage(mne.channels.make_standard_montage(name))
    rois = read_rois()
    mni_mm = np.array([p for roi in rois for p in roi.sources_mni_mm])
    roi_of_source = [i for i, roi in enumerate(rois) for _ in roi.sources_mni_mm]
    points_m = head_points_m(mni_mm)
    positions_m = np.array([channel["loc"][:3] for channel in info["chs"]])
    np.savez_compressed(
        OUT,
        labels=np.array(CAP),
        positions_m=positions_m.astype(np.float32),
        roi_of_source=np.array(roi_of_source, dtype=np.int16),
        gain_v_per_am=leadfield(info, points_m).astype(np.float32),
        made_with=np.array(f"mne {mne.__version__}, sphere model, standard_1020"),
    )
    print(f"wrote {OUT} ({OUT.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
