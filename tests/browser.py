"""Headless Chromium, told over a pipe what to open; it tells what a page logged and asked for."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio"),
)
TROUBLE = ("error", "warning", "assert")


@dataclass
class Browser:
    """A page in a browser.

    Attributes:
        troubles: Errors and warnings of its console, and exceptions that nobody caught.
        exceptions: The latter alone.
        requests: Addresses that it asked for.
    """

    send_to: int
    read_from: int
    session: str | None = None
    troubles: list[str] = field(default_factory=list)
    exceptions: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    _number: int = 0
    _rest: bytes = b""

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol, and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.send_to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self._note(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, page: Path | str, *, width: int = 1400, dark: bool = False, height: int = 1000) -> None:
        """Open a file or an address at a width, and wait until it is loaded."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri() if isinstance(page, Path) else page)
        while "Page.loadEventFired" not in self.events:
            self._note(self._read())

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        told = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"!!({expression})"):
            assert time.monotonic() < end, f"never true: {expression}; {self.run('document.body.innerText')[:1000]}"
            time.sleep(0.1)

    def click(self, selector: str) -> None:
        """Click an element."""
        self.run(f"document.querySelector({selector!r}).click()")

    def drop(self, file: Path, selector: str) -> None:
        """Drag a file onto an element and let it go."""
        self.run(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        box = self.run(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
        middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, data=data, **middle)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """Write a PNG of the page."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self.read_from, 1 << 16)
            assert piece, "the browser ended"
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        told: dict[str, Any] = json.loads(message)
        return told

    def _note(self, event: dict[str, Any]) -> None:
        method, told = event.get("method", ""), event.get("params", {})
        self.events.append(method)
        if method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.exceptions.append(str(told["exceptionDetails"]))
            self.troubles.append(self.exceptions[-1])
        elif method == "Runtime.consoleAPICalled" and told["type"] in TROUBLE:
            self.troubles.append(str(told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in TROUBLE:
            self.troubles.append(told["entry"]["text"])


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with one empty page, ended after use.

    Args:
        folder: For the browser's own files.
    """
    assert CHROMIUM is not None
    its_input, ours = os.pipe()
    answers, its_output = os.pipe()
    shell = f'exec 3<&{its_input} 4>&{its_output}; exec "$0" "$@"'  # Chromium reads from 3 and writes to 4
    words = ["bash", "-c", shell, CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'chromium'}", "about:blank"]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(words, pass_fds=[its_input, its_output], stdout=quiet, stderr=quiet)
    os.close(its_input)
    os.close(its_output)
    try:
        page = Browser(ours, answers)
        [target] = [t for t in page.call("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        attached = page.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        yield page
    finally:
        process.terminate()
        process.wait(30)
        os.close(ours)
        os.close(answers)
