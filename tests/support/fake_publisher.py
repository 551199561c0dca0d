"""`rtbold fake` at 20 times its rate, in a child process, on free ports."""

import re
import subprocess
import sys

from rtbold import clock
from rtbold.sim import fake as fake_run

PATIENCE_S = 15.0
FAKE = f"""
import sys, time
from {clock.__name__} import MonotonicClock
from {fake_run.__name__} import FakeSettings, run_fake
settings = FakeSettings(
    port=int(sys.argv[1]), control_port=int(sys.argv[2]), speed=20
)
run_fake(
    settings, MonotonicClock(), now_unix_s=time.time,
    say=lambda text: print(text, flush=True),
)
"""


class FakePublisher:
    """One publisher; a port of 0 is any that is free."""

    def __init__(self, port=0, control_port=0):
        command = [sys.executable, "-c", FAKE, str(port), str(control_port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        said = self.process.stdout.readline()
        ports = map(int, re.findall(r"(\d+)(?=,|$)", said.strip()))
        self.port, self.control_port = ports
        self.address = f"tcp://127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()
