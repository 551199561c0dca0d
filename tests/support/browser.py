"""A real headless browser: Chromium, driven by its own protocol over a WebSocket."""

import json
import os
import shutil
import subprocess
import time
from contextlib import ExitStack

import pytest
from websockets.sync.client import connect

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
PATIENCE_S = 20.0
WORDS = (
    "--headless=new", "--remote-debugging-port=0", "--disable-gpu", "--no-first-run",
    "--no-default-browser-check", "--disable-extensions", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--disable-dev-shm-usage", "--window-size=1000,600", "--mute-audio",
)  # fmt: skip


class Page:
    """One page: `ask` gives the value of an expression in it."""

    def __init__(self, folder):
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            pytest.skip(
                f"no browser named {', '.join(NAMES)}: the page is not run in one "
                "(Debian, Ubuntu: apt-get install chromium)"
            )
        # as root, as in containers, Chromium runs without its sandbox or not at all
        self._stack = ExitStack()
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        words = [*WORDS, *(["--no-sandbox"] if root else [])]
        self._process = subprocess.Popen(
            [program, *words, f"--user-data-dir={folder}", "about:blank"],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        try:
            self._connect(folder / "DevToolsActivePort")
        except BaseException:
            self.close()
            raise

    def _connect(self, told):
        end_s = time.monotonic() + PATIENCE_S
        while not told.exists() or len(told.read_text().split()) < 2:
            assert self._process.poll() is None, "the browser ended at once"
            assert time.monotonic() < end_s, "the browser does not come up"
            time.sleep(0.05)
        port, path = told.read_text().split()
        asked = connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
        self._socket = self._stack.enter_context(asked)
        self._n, self._session, self.said = 0, None, []
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        attach = {"targetId": page, "flatten": True}
        self._session = self.call("Target.attachToTarget", **attach)["sessionId"]
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method, **given):
        self._n += 1
        message = {"id": self._n, "method": method, "params": given}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(PATIENCE_S))
            if answer.get("method") in (
                "Runtime.exceptionThrown",
                "Runtime.consoleAPICalled",
            ):
                self.said.append(answer["params"])
            if answer.get("id") == self._n:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address):
        self.call("Page.navigate", url=address)

    def ask(self, expression):
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True,
            awaitPromise=True,
        )  # fmt: skip
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression):
        end_s = time.monotonic() + PATIENCE_S
        while not (found := self.ask(expression)):
            state = self.ask("JSON.stringify(document.body?.dataset ?? null)")
            assert time.monotonic() < end_s, (expression, state, self.said)
            time.sleep(0.02)
        return found

    def close(self):
        self._stack.close()
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
