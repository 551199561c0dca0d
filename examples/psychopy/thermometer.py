"""A thermometer in PsychoPy: one call a frame, which never waits for the network.

    python thermometer.py [tcp://127.0.0.1:5580]

A test runs this loop with a stub in place of PsychoPy's window; PsychoPy itself was not
run here. Escape ends it.
"""

import sys

from psychopy import event, visual

from rtbold.client import Subscriber

RANGE = 2.0  # the z at the upper end
HEIGHT = 0.8  # of half the thermometer, in the window's units


def main(address: str = "tcp://127.0.0.1:5580") -> None:
    """Draw until Escape."""
    window = visual.Window(fullscr=True, color="black", units="norm")
    frame = visual.Rect(window, width=0.2, height=2 * HEIGHT, lineColor="gray")
    bar = visual.Rect(window, width=0.2, height=0.0, fillColor="white")
    cross = visual.TextStim(window, "+", color="gray")
    with Subscriber(address) as feed:
        while not event.getKeys(["escape"]):
            feed.poll()
            shown = feed.feedback()
            if shown.show == "neutral" or shown.z is None:
                cross.draw()
            else:  # "value", or "hold": the last one for at most one TR
                level = max(-1.0, min(1.0, shown.z / RANGE))
                bar.height = abs(level) * HEIGHT
                bar.pos = (0.0, level * HEIGHT / 2)
                frame.draw()
                bar.draw()
            window.flip()
    window.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
