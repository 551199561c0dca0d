"""``rtbold gui`` as it runs, on which somebody has pressed Start: ARGUMENTS of run.

    python tests/support/starting_window.py SETTINGS run --model ...

Says the process id of the session that it started, then runs until it is ended.
"""

import sys

from PyQt6.QtCore import QTimer

from rtbold.gui.views import app as dashboard


def main(settings_file, *arguments):
    build = dashboard.build

    def build_and_start(app, options, **edges):
        window = build(app, options, **edges)
        QTimer.singleShot(0, lambda: start(window))
        return window

    def start(window):
        window.start_session(arguments)
        sys.stdout.write(f"{window.controller.child.pid}\n")
        sys.stdout.flush()

    dashboard.build = build_and_start
    options = dashboard.AppOptions(
        settings_file=settings_file, offer=False, close_quietly=True
    )
    return dashboard.run(options)


sys.exit(main(*sys.argv[1:]))
