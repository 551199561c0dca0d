"""The packages of scripts/ (bench, evaluate, pages), for the tests of their pieces."""

import importlib
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@contextmanager
def scripts(*names):
    """Give modules by their last word; none is left imported.

    Two packages have a module of a name: ask for those of one package at a time.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield SimpleNamespace(
            **{name.split(".")[-1]: importlib.import_module(name) for name in names}
        )
    finally:
        sys.path.remove(str(SCRIPTS))
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and SCRIPTS in Path(file).parents:
                del sys.modules[name]
