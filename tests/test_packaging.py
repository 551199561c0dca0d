import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "rtbold": "rtbold",
    "models": "rtbold.models",
    "calibration": "rtbold.calibration",
    "gui": "rtbold.gui",
}


def import_names():
    for folder, name in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            yield ".".join([name, *inner])


def test_every_package_is_listed_for_the_wheel():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = pyproject["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(import_names())
