"""Make gui/assets/*.csv: what the dashboard draws heads and brains from.

    python scripts/make_gui_assets.py

The dashboard knows a session by its feed alone and reads no file of other packages, so
it has copies of its own:

- electrodes.csv: `rtbold/electrodes.csv` seen from above, with the old 10-20 names.
- brain_outline.csv: `calibration/report/brain_outline.csv`, three outlines made from
  the ICBM152 2009a template (Fonov et al. 2011, NeuroImage 54:313;
  scripts/make_brain_outline.py). Copyright of the template: (C) 1993-2004 Louis
  Collins, McConnell Brain Imaging Centre, Montreal Neurological Institute, McGill
  University; its licence permits to use, copy, modify and distribute it for any purpose
  without fee, with this notice.
- roi_centres.csv: DiFuMo's 64 regions (Dadi et al. 2020, NeuroImage 221:117126), one
  row for each hemisphere; left-right places are approximate (8 mm):
  docs/explanation/twin.md.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

from rtbold.electrodes import positions
from rtbold.gui.views.widgets.head_geometry import on_disc
from rtbold.sim.atlas import read_rois

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "gui" / "assets"
OLD_NAMES = ("T3", "T4", "T5", "T6")


def electrodes() -> Iterable[tuple[str, ...]]:
    """Yield label, x and y of each electrode."""
    lines = (ROOT / "rtbold" / "electrodes.csv").read_text(encoding="utf-8").split("\n")
    labels = sorted([line.split(",")[0] for line in lines[1:] if line] + [*OLD_NAMES])
    for label, (x, y) in zip(labels, on_disc(positions(labels)), strict=True):
        yield label, f"{x:.4f}", f"{y:.4f}"


def roi_centres() -> Iterable[tuple[str, ...]]:
    """Yield name and MNI coordinates of each dot."""
    for roi in read_rois():
        for place_mm in roi.sources_mni_mm or (roi.centre_mni_mm,):
            yield roi.name, *(f"{mm:.1f}" for mm in place_mm)


def write(name: str, columns: str, rows: Iterable[tuple[str, ...]]) -> None:
    """Write one table."""
    with (ASSETS / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns.split(","))
        writer.writerows(rows)


def main() -> None:
    """Write the three tables."""
    ASSETS.mkdir(exist_ok=True)
    write("electrodes.csv", "label,x,y", electrodes())
    write("roi_centres.csv", "name,x_mm,y_mm,z_mm", roi_centres())
    outline = ROOT / "calibration" / "report" / "brain_outline.csv"
    (ASSETS / "brain_outline.csv").write_bytes(outline.read_bytes())


if __name__ == "__main__":
    main()
