"""Write docs/img/browser-page.png: the page of a running `rtbold fake --websocket`.

    python scripts/pictures/make_page_picture.py

Needs Chromium or Chrome.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from websockets.sync.client import connect

PICTURE = Path(__file__).resolve().parents[2] / "docs/img/browser-page.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPEN_S = 22.0  # until the trace has some volumes


def main() -> None:
    """Start the feed, open the page, take its picture."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit(f"no browser: install one of {', '.join(BROWSERS)}")
    feed, control, web = _free_ports(3)
    words = ["--scene", "ok", "--speed", "5", "--port", feed, "--control-port", control]
    command = [sys.executable, "-m", "rtbold", "fake", *words, "--websocket", web]
    with (
        tempfile.TemporaryDirectory() as profile,
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as fake,
    ):
        try:
            assert fake.stderr is not None
            assert any("http://" in line for line in fake.stderr)
            _take(program, f"http://127.0.0.1:{web}/", profile)
        finally:
            fake.terminate()


def _take(program: str, address: str, profile: str) -> None:
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    words = [
        "--headless=new", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
        "--window-size=1000,560", f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
    ]  # fmt: skip
    words += ["--no-sandbox"] if root else []
    with subprocess.Popen(
        [program, *words, address], stderr=subprocess.PIPE
    ) as browser:
        try:
            assert browser.stderr is not None
            said = (line.decode() for line in browser.stderr)
            port = next(re.search(r"DevTools.*:(\d+)/", line) for line in said
                        if "DevTools listening" in line)  # fmt: skip
            assert port is not None
            time.sleep(OPEN_S)
            PICTURE.write_bytes(_screenshot(port[1]))
        finally:
            browser.kill()


def _screenshot(port: str) -> bytes:
    """Return the page as PNG, by the browser's own protocol."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json") as listed:
        pages = [x for x in json.load(listed) if x["type"] == "page"]
    with connect(pages[0]["webSocketDebuggerUrl"], max_size=None) as browser:
        browser.send(json.dumps({"id": 1, "method": "Page.captureScreenshot"}))
        return base64.b64decode(json.loads(browser.recv())["result"]["data"])


def _free_ports(n: int) -> list[str]:
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [str(each.getsockname()[1]) for each in found]
    for each in found:
        each.close()
    return ports


if __name__ == "__main__":
    main()
