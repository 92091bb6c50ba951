"""Chromium without a window, driven through its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions", "--mute-audio")
QUIET = ("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-pings")


class Browser:
    """One page of a browser.

    Attributes:
        asked: The address of every request that the page made.
        said: What its scripts complained about.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, loop: asyncio.AbstractEventLoop) -> None:
        self._socket, self._loop, self._number = socket, loop, 0
        self.asked: list[str] = []
        self.said: list[str] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        return self._loop.run_until_complete(self._call(method, parameters))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            told = json.loads((await self._socket.receive(timeout=30)).data)
            if told.get("id") == self._number:
                assert "error" not in told, told
                return told["result"]
            self._note(told)

    def _note(self, event: dict[str, Any]) -> None:
        if event["method"] == "Network.requestWillBeSent":
            self.asked.append(event["params"]["request"]["url"])
        elif event["method"] == "Runtime.exceptionThrown":
            self.said.append(json.dumps(event["params"])[:500])

    def open(self, url: str) -> None:
        """Open a page."""
        for domain in ("Page", "Network", "Runtime"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.run(f"!!({script})"):
            assert time.monotonic() < end, f"never true: {script}; {self.run('document.body.innerText')[:1000]}"
            time.sleep(0.1)

    def drop(self, file: Path, selector: str) -> None:
        """Drag a file onto an element and let it go."""
        self.run(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        box = self.run(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, data=data, **place)

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({selector!r}).click()")

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page."""
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def browsing(folder: Path, size: tuple[int, int] = (1400, 1600)) -> Iterator[Browser]:
    """A browser whose files lie in a folder, ended with all its processes."""
    profile = Path(tempfile.mkdtemp(dir=folder))
    words = [
        str(CHROMIUM),
        *FLAGS,
        *QUIET,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        f"--window-size={size[0]},{size[1]}",
    ]
    environment = {**os.environ, "HOME": str(folder)}
    log = (folder / "chromium.log").open("wb")
    process = subprocess.Popen([*words, "about:blank"], stdout=log, stderr=log, env=environment, start_new_session=True)
    loop = asyncio.new_event_loop()
    session: aiohttp.ClientSession | None = None
    try:
        port = _port_of(profile / "DevToolsActivePort", process)
        session, socket = loop.run_until_complete(_connected(port))
        yield Browser(socket, loop)
    finally:
        if session is not None:
            loop.run_until_complete(session.close())
        loop.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        log.close()


def _port_of(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + 30
    while not (file.is_file() and file.read_text().count("\n")):
        assert process.poll() is None, "the browser ended"
        assert time.monotonic() < end, "the browser did not start"
        time.sleep(0.05)
    return int(file.read_text().splitlines()[0])


async def _connected(port: int) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as reply:
        pages = [page for page in await reply.json() if page["type"] == "page"]
    return session, await session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0)
