"""The leaderboard's page in a browser: it sorts by keyboard, asks for nothing, and fits a screen and a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foveate.pipeline.leaderboard.page import render_leaderboard
from foveate.pipeline.leaderboard.standings import make_tables
from foveate.tests.browser import Browser, browser, needs_chromium
from foveate.tests.pipeline.leaderboard.made import protocol, record

pytestmark = [pytest.mark.slow, needs_chromium]
FIRST_COLUMN = "[...document.querySelectorAll('table')[0].tBodies[0].rows].map(row => row.cells[0].textContent).join()"
SORTED = "[...document.querySelectorAll('th[aria-sort]')].map(one => one.textContent + one.ariaSort).join()"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = [record(block, 0, right) for block, right in (("none", 0.3), ("se", 0.9), ("cbam", 0.6))]
    path = tmp_path_factory.mktemp("page") / "leaderboard.html"
    path.write_text(render_leaderboard(protocol(), make_tables(protocol(), records)))
    return path


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path) as opened:
        yield opened


def press_enter(page: Browser) -> None:
    for kind, text in (("keyDown", "\r"), ("keyUp", "")):
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text=text)


def test_a_column_is_sorted_down_and_up_by_keyboard(page: Browser, page_file: Path) -> None:
    page.open(page_file, width=1280)
    assert page.run(FIRST_COLUMN) == "se,cbam,none"
    page.run("document.querySelectorAll('th button')[7].focus()")  # parameters: 1004, 1002 and 1004
    press_enter(page)
    assert page.run(FIRST_COLUMN) in ("cbam,none,se", "none,cbam,se")
    assert page.run(SORTED) == "parametersdescending"
    press_enter(page)
    assert page.run(FIRST_COLUMN).startswith("se,")
    assert page.run(SORTED) == "parametersascending"


def test_it_asks_for_nothing_and_fits_every_width(page: Browser, page_file: Path) -> None:
    for width in (1280, 390):
        for dark in (False, True):
            page.open(page_file, width=width, dark=dark)
            assert page.run("document.documentElement.scrollWidth") <= width
    assert [address for address in page.requests if not address.startswith(("data:", "file:"))] == []
    assert page.troubles == []
