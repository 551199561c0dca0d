"""Make rtbold/electrodes.csv: unit-sphere positions of the 10-05 system, from MNE.

MNE's ``colin27_1005`` montage (older MNE: ``standard_1005``) is turned into
head coordinates (x right, y nose, z up), a sphere is fitted to all electrodes by least
squares, and each electrode is projected on it from the sphere's centre. T3 T4 T5 T6 are
left out: they are old names of T7 T8 P7 P8 (``rtbold.electrodes.canonical`` knows it).

    python scripts/pictures/make_electrodes.py        (needs mne, see the extra "files")
"""

from pathlib import Path

import mne
import numpy as np
from numpy.typing import NDArray

from rtbold.electrodes import canonical

TARGET = Path(__file__).resolve().parents[2] / "rtbold" / "electrodes.csv"
OLD_NAMES = ("T3", "T4", "T5", "T6")


def head_positions() -> dict[str, NDArray[np.float64]]:
    """Return electrode positions in MNE's head frame, metre."""
    montage = mne.channels.make_standard_montage("colin27_1005")
    to_head = mne.channels.compute_native_head_t(montage)["trans"]
    found = montage.get_positions()["ch_pos"]
    return {
        name: to_head[:3, :3] @ xyz + to_head[:3, 3]
        for name, xyz in found.items()
        if name not in OLD_NAMES
    }


def sphere_centre(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least-squares centre: |x|^2 = 2 c.x + (r^2 - |c|^2) is linear."""
    design = np.column_stack([2 * xyz, np.ones(len(xyz))])
    solution = np.linalg.lstsq(design, (xyz**2).sum(axis=1), rcond=None)[0]
    return np.asarray(solution[:3])


def main() -> None:
    """Write the table, sorted by name."""
    found = head_positions()
    xyz = np.array(list(found.values()))
    xyz = xyz - sphere_centre(xyz)
    xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
    rows = {canonical(name): point for name, point in zip(found, xyz, strict=True)}
    assert len(rows) == len(found), "two electrodes share a canonical name"
    lines = [f"{n},{x:.6f},{y:.6f},{z:.6f}" for n, (x, y, z) in sorted(rows.items())]
    TARGET.write_text("name,x,y,z\n" + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TARGET}: {len(rows)} electrodes")


if __name__ == "__main__":
    main()
