"""A session on an upstream that can be made to fail, and who listens to it."""

import pylsl
from bundles import write_tiny
from loop import PATIENCE_S, Listener, free_ports, new_name, session
from upstream import Upstream

WINDOW_S = 16.0
TOPICS = ("hello", "pred.roi", "pred.fb", "hb", "quality")


def usable_after(listener, t_lsl_s):
    """Return the predictions with values of volumes after a moment."""
    return [
        m
        for m in listener.of("pred.roi")
        if m["values"] is not None and m["window"]["t_end"] > t_lsl_s
    ]


def predicts(listener, t_lsl_s=0.0, *, limit_s=PATIENCE_S + 2 * WINDOW_S):
    came = listener.until(lambda heard: usable_after(heard, t_lsl_s), limit_s)
    assert came, [m["reasons"] for m in listener.of("pred.roi")[-12:]]
    return pylsl.local_clock()


def listen_on(listener, seconds):
    listener.until(lambda _: False, seconds)


class Failing:
    """One session on one upstream, and who listens to it.

    Parameters
    ----------
    upstream : keywords for `Upstream`.
    options : of ``rtbold run``.
    """

    def __init__(self, root, *, upstream=None, **options):
        self.name, self.ports = new_name("fault"), free_ports()
        self.bundle = write_tiny(root)
        self.upstream = Upstream(self.name, **(upstream or {}))
        self.listener = Listener(self.ports[0], TOPICS)
        self.running = self.start(**options)

    def start(self, **options):
        return session(self.bundle, self.name, self.ports, **options)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        with self.upstream, self.listener, self.running:
            pass
