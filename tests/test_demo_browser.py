"""`foveate demo` in a real browser: files are dropped, and what is shown is what the predictor says."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.pipeline.predictor import Predictor
from foveate.tests.browser import Browser, browser, needs_chromium
from foveate.tests.faults.conftest import environment
from foveate.tests.pipeline.predictor.models import photo, segmenter

pytestmark = [pytest.mark.slow, needs_chromium]

# gradio wants an older Pillow than the project has: `make dev` puts it and what it needs into a folder of its own
GRADIO = Path(os.environ.get("FOVEATE_DEMO_LIBRARIES", Path(sys.prefix) / "demo"))
ADDRESS = re.compile(r"^demo of .* on (http://127\.0\.0\.1:\d+); Ctrl-C ends$")


@dataclass
class Demo:
    """A page that is shown in a browser.

    Attributes:
        url: Its address.
        browser: Shows it.
        first: One of its models.
        folder: Of files.
    """

    url: str
    browser: Browser
    first: Predictor
    folder: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    if not (GRADIO / "gradio").is_dir():
        pytest.skip(f"no gradio in {GRADIO}: make dev")
    folder = tmp_path_factory.mktemp("demo")
    first, second = segmenter(folder / "a/best.ckpt"), segmenter(folder / "b/best.ckpt", attention={"stage": "se"})
    words = ["demo", str(first), str(second), "--port", "0", "--engine", "torch"]
    libraries = os.pathsep.join([str(GRADIO), *filter(None, [os.environ.get("PYTHONPATH")])])
    log = folder / "log.txt"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "foveate.cli", *words],
            env={**environment(), "PYTHONPATH": libraries, "TMPDIR": str(folder)},
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            start_new_session=True,
        )
    assert process.stdout is not None
    try:
        found = ADDRESS.match(process.stdout.readline().strip())
        assert found, log.read_text()
        with browser(folder) as page:
            page.open(found[1], height=1600)
            page.wait("document.querySelector('#image input[type=file]')")
            yield Demo(found[1], page, Predictor.load(first, engine="torch"), folder)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
        assert not [
            path for path in folder.iterdir() if path.name.startswith("foveate-demo-")
        ]  # dropped files are gone
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
        process.stdout.close()


def shown(demo: Demo, element: str) -> np.ndarray:
    """The picture that an element shows."""
    address = demo.browser.run(f"document.querySelector('{element} img').src")
    with urllib.request.urlopen(address, timeout=10) as reply:
        return np.asarray(Image.open(io.BytesIO(reply.read())).convert("RGB"))


def test_an_image_is_dropped(demo: Demo) -> None:
    page, file = demo.browser, demo.folder / "photo.png"
    Image.fromarray(photo((96, 160))).save(file)
    page.drop(file, "#image")
    page.wait("document.querySelector('#difference img') && document.querySelector('#classes-1 table')")
    result = demo.first(file)
    assert np.array_equal(shown(demo, "#overlay-0"), np.asarray(result.overlay()))
    rows = page.run("document.querySelector('#classes-0').innerText")
    name, share = max(result.shares().items(), key=lambda item: item[1])
    assert name in rows
    assert f"{share:.1%}" in rows
    assert shown(demo, "#overlay-1").shape == shown(demo, "#confidence-0").shape == (96, 160, 3)
    assert "different classes in" in page.run("document.querySelector('#difference-told').innerText")
    page.screenshot(demo.folder / "image.png")


def test_the_slider_changes_the_opacity(demo: Demo) -> None:
    page = demo.browser
    before = page.run("document.querySelector('#overlay-0 img').src")
    page.run(
        "(field => { field.value = 0; field.dispatchEvent(new Event('input', {bubbles: true}));"
        " field.dispatchEvent(new Event('change', {bubbles: true})) })"
        "(document.querySelector('#opacity input[type=range]'))"
    )
    page.wait(f"document.querySelector('#overlay-0 img').src != {before!r}")
    assert np.array_equal(shown(demo, "#overlay-0"), photo((96, 160)))


def test_a_damaged_image_is_told_in_one_line(demo: Demo) -> None:
    whole = demo.folder / "whole.png"
    Image.fromarray(photo((96, 160), seed=4)).save(whole)
    cut = demo.folder / "cut.png"
    cut.write_bytes(whole.read_bytes()[:3000])
    demo.browser.click("#image button[aria-label='Remove Image']")
    demo.browser.wait("!document.querySelector('#image img')")
    demo.browser.drop(cut, "#image")
    demo.browser.wait("document.body.innerText.includes('cannot be read as an image')")
    assert "Traceback" not in demo.browser.run("document.body.innerText")


def test_a_video_is_dropped(demo: Demo) -> None:
    pytest.importorskip("av", reason="the extra video is not installed")
    from foveate.tests.pipeline.video.clips import make_clip

    page, clip = demo.browser, make_clip(demo.folder / "clip.mp4", frames=8)
    page.run("[...document.querySelectorAll('button[role=tab]')].find(tab => tab.innerText == 'Video').click()")
    page.wait("document.querySelector('#video input[type=file]')")
    page.drop(clip, "#video")
    page.wait("document.querySelector('#video video')")
    page.click("#label")
    page.wait("document.querySelector('#labelled video')")
    assert "8 frames" in page.run("document.querySelector('#labelled-told').innerText")
    page.wait("document.querySelector('#labelled video').duration > 0.2")
    page.screenshot(demo.folder / "video.png")


def test_nothing_is_asked_of_a_network(demo: Demo) -> None:
    asked = [address for address in demo.browser.requests if not address.startswith((demo.url, "data:", "blob:"))]
    assert demo.browser.requests
    assert asked == []
    assert demo.browser.exceptions == []
