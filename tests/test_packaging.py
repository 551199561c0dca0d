import tomllib
from importlib.metadata import EntryPoint
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


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def folder_of(package):
    """Return the folder in the repository; the longest name that fits counts."""
    found = pyproject()["tool"]["setuptools"]["package-dir"]
    for name in sorted(found, key=len, reverse=True):
        if f"{package}.".startswith(f"{name}."):
            return ROOT.joinpath(found[name], *package.removeprefix(name).split("."))
    return ROOT.joinpath(*package.split("."))


def test_every_package_is_listed_for_the_wheel():
    listed = pyproject()["tool"]["setuptools"]["packages"]
    assert sorted(listed) == sorted(import_names())


def test_every_command_of_the_wheel_can_be_called():
    scripts = pyproject()["project"]["scripts"]
    assert scripts
    for name, value in scripts.items():
        assert callable(EntryPoint(name, value, "console_scripts").load())


def test_all_files_that_the_wheel_carries_are_there():
    setuptools = pyproject()["tool"]["setuptools"]
    for package, patterns in setuptools["package-data"].items():
        if package == "*":  # the faces
            assert patterns == ["*.pyi"]
            continue
        assert package in setuptools["packages"]
        folder = folder_of(package)
        for pattern in patterns:
            assert any(folder.glob(pattern)), f"{pattern} of {package}"
