"""Print what an app would show, each time that it changes.

    python show.py [tcp://127.0.0.1:5580] [--acknowledge 5582]

Needs pyzmq and rtbold's client.py, which may be copied beside this file. With
--acknowledge it tells `rtbold check-client` what it shows.
"""

import argparse
import json
import socket
import time

from rtbold.client import Subscriber

FRAME_S = 0.02


def main() -> None:
    """Show until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("feed", nargs="?", default="tcp://127.0.0.1:5580")
    parser.add_argument("--acknowledge", type=int, metavar="PORT")
    given = parser.parse_args()
    judge = None
    if given.acknowledge:
        judge = socket.create_connection(("127.0.0.1", given.acknowledge))
    last = ""
    with Subscriber(given.feed) as feed:
        while True:
            feed.poll()  # never waits
            shown = feed.feedback()
            line = json.dumps({"show": shown.show, "value": shown.value, "z": shown.z})
            if line != last:
                print(line, flush=True)
                if judge:
                    judge.sendall(line.encode() + b"\n")
            last = line
            time.sleep(FRAME_S)


if __name__ == "__main__":
    main()
