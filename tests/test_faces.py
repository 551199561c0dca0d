"""The rooms of the tree: faces are the only way in, they are light, and all resolve."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = ("rtbold", "models", "calibration", "gui")
HEAVY = ("pylsl", "openvino", "torch", "PyQt6", "matplotlib", "mne", "scipy", "zmq")


def rooms():
    """Return the packages right below rtbold, with their folder."""
    found = {
        f"rtbold.{init.parent.name}": init.parent
        for init in sorted((ROOT / "rtbold").glob("*/__init__.py"))
    }
    return found | {f"rtbold.{top}": ROOT / top for top in TOPS[1:]}


ROOMS = rooms()
FACES = [name for name, folder in ROOMS.items() if (folder / "__init__.pyi").exists()]


def sources():
    for top in TOPS:
        for path in sorted((ROOT / top).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            below = parts if top == "rtbold" else ("rtbold", *parts)
            yield path, ".".join(below[:2])


def past_a_face(path, room):
    """Yield each import, inside functions too, that reaches past a face."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            named = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        else:
            continue
        for name in named:
            other = ".".join(name.split(".")[:2])
            module = getattr(node, "module", None) or name
            deep = module.count(".") > 1 or is_module(name)
            if other in ROOMS and other != room and deep:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {name}"


def is_module(name):
    first, *rest = [*name.split(".")[1:], ""]
    folder = ROOMS.get(f"rtbold.{first}")
    if not name.startswith("rtbold.") or folder is None or not rest[0]:
        return False
    rest = rest[:-1]
    place = folder.joinpath(*rest)
    face = folder / "__init__.pyi"
    exported = face.exists() and f" {rest[0]} as {rest[0]}" in face.read_text()
    return (place.with_suffix(".py").exists() or place.is_dir()) and not exported


def test_nothing_reaches_past_a_face():
    found = [line for path, room in sources() for line in past_a_face(path, room)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", FACES)
def test_every_name_of_a_face_resolves(name):
    face = importlib.import_module(name)
    stub = ast.parse((ROOMS[name] / "__init__.pyi").read_text(encoding="utf-8"))
    named = [alias.name for node in stub.body for alias in node.names]
    assert sorted(named) == sorted(face.__all__)
    for each in named:
        assert getattr(face, each) is not None or each.isupper()


def test_faces_are_light():
    """Importing every face loads none of the heavy libraries, in a fresh process."""
    code = (
        "import importlib, json, sys\n"
        f"for name in {sorted(ROOMS)!r}: importlib.import_module(name)\n"
        f"print(json.dumps([h for h in {HEAVY!r} if h in sys.modules]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(out) == []


def test_every_room_says_what_it_is_for():
    for name, folder in ROOMS.items():
        text = (folder / "__init__.py").read_text(encoding="utf-8")
        sentence = ast.get_docstring(ast.parse(text))
        assert sentence, name
        assert "TODO" not in sentence, name
