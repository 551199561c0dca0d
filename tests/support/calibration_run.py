"""`rtbold calibrate` in this process, with its result kept. Needs torch."""

import contextlib
import io
import json

import pytest

from rtbold import calibration
from rtbold.bundle import store as bundle
from rtbold.cli import main


class Ran:
    """One calibration through the command line, and what it left."""

    def __init__(self, root, *words):
        self.root, self.results = root, []
        whole = calibration.calibrate

        def kept(*arguments):
            self.results.append(whole(*arguments))
            return self.results[-1]

        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr(calibration, "calibrate", kept)
            self.code = main(["calibrate", "--root", str(root), *map(str, words)])
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def found(self):
        return json.loads(self.out)

    @property
    def result(self):
        return self.results[0]

    @property
    def bundle(self):
        return bundle.load(self.found["bundle"])
