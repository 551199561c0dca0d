"""Calibrate on a twin scan and keep its report as docs/img/calibration-report*.png.

    python scripts/pictures/make_report_picture.py [--browser chromium]

Needs the environment of scripts/test.py and a Chromium to take the pictures with.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "img"
SEED = "2003"  # a subject of development
SIZE = "1040,1800"  # px, the top of the page
ROIS = (
    "Heschl's gyrus",
    "Cuneus",
    "Precuneus anterior",
    "Middle frontal gyrus anterior",
    "Thalamus",
    "Putamen",
)
# Chromium has no option for it; 0 is dark.
THEMES = {
    "calibration-report.png": (),
    "calibration-report-dark.png": ("--blink-settings=preferredColorScheme=0",),
}


def calibrated(folder: Path) -> Path:
    """Simulate a scan and calibrate on it; return the report."""
    scan = folder / "scan"
    simulated = ["simulate", "--seed", SEED, "--level", "easy", "--duration", "960"]
    words = ["calibrate", "--subject", "S01", "--cleaning", "none", "--base", "demo"]
    words += ["--eeg", str(scan / "eeg.vhdr"), "--bold", str(scan / "bold.tsv")]
    words += ["--root", str(folder / "subjects")]
    words += ["--target", ROIS[0]]
    for roi in ROIS:
        words += ["--roi", roi]
    for command in ([*simulated, "--save", str(scan)], words):
        subprocess.run([sys.executable, "-m", "rtbold", *command], check=True)
    (report,) = folder.glob("subjects/S01/*.rtbold/report.html")
    return report


def main() -> None:
    """Make the pictures, light and dark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--browser", default="chromium")
    browser = parser.parse_args().browser
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    with tempfile.TemporaryDirectory() as folder:
        report = calibrated(Path(folder))
        for name, theme in THEMES.items():
            shot = [f"--window-size={SIZE}", f"--screenshot={PICTURES / name}"]
            command = [browser, *options, *theme, *shot, report.as_uri()]
            subprocess.run(command, check=True, timeout=120)


if __name__ == "__main__":
    main()
