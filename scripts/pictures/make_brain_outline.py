"""Make calibration/report/brain_outline.csv: a silhouette from three sides.

    python scripts/pictures/make_brain_outline.py

The template is ICBM152 2009a nonlinear symmetric (Fonov et al. 2011, NeuroImage
54:313), as nilearn ships it, with its brain mask. The file holds points of the outlines
only. Copyright of the template: (C) 1993-2004 Louis Collins, McConnell Brain Imaging
Centre, Montreal Neurological Institute, McGill University; its licence permits to use,
copy, modify and distribute it for any purpose without fee, with this notice.
"""

import csv
from pathlib import Path

import numpy as np
from contourpy import contour_generator
from nilearn.datasets import load_mni152_brain_mask
from scipy import ndimage

FILE = Path(__file__).resolve().parents[2] / "calibration/report/brain_outline.csv"
SIDES = {"right": 0, "back": 1, "top": 2}  # seen from; the axis that is looked along
SMOOTH_MM = 1.5
STEP_MM = 3.0  # between points


def outline(mask: np.ndarray, affine: np.ndarray, axis: int) -> np.ndarray:
    """Return (points, 2) mm of the largest closed contour of the mask's shadow."""
    size_mm = float(abs(affine[0, 0]))
    shadow = np.pad(mask.any(axis=axis).astype(float), 5)
    smooth = ndimage.gaussian_filter(shadow, SMOOTH_MM / size_mm)
    line = max(contour_generator(z=smooth.T).lines(0.5), key=len) - 5
    kept = [i for i in range(3) if i != axis]
    scale = np.array([affine[i, i] for i in kept])
    mm = line * scale + np.array([affine[i, 3] for i in kept])
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(mm, axis=0).T))])
    at = np.linspace(0, along[-1], max(int(along[-1] / STEP_MM), 8))
    return np.stack([np.interp(at, along, column) for column in mm.T], axis=1)


def main() -> None:
    """Write the outlines."""
    image = load_mni152_brain_mask(resolution=2)
    mask = np.asarray(image.dataobj) > 0
    with FILE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["seen_from", "a_mm", "b_mm"])
        for side, axis in SIDES.items():
            for a, b in outline(mask, image.affine, axis):
                writer.writerow([side, f"{a:.1f}", f"{b:.1f}"])


if __name__ == "__main__":
    main()
