"""The documentation site builds without a warning, covers what there is, and the tutorial's commands run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foveate.cli import COMMANDS
from foveate.docs.site import build
from foveate.pipeline.runs.recipes import list_recipes
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block
from foveate.tests.browser import Browser, browser, needs_chromium

pytestmark = pytest.mark.slow
TUTORIAL = (build.ROOT / "docs" / "tutorial.md").read_text()
LINES = [line.strip() for line in TUTORIAL.splitlines() if re.match(r" {4}(foveate|mkdir|cp|python) ", line)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert build.build(folder) == 0
    return folder / "html"


def test_every_block_command_and_recipe_has_its_place(site: Path) -> None:
    blocks = [offer.record.name for offer in installed_plugins().of_kind(Block)]
    pages = [f"blocks/{name}" for name in blocks] + [f"commands/{name}" for name in COMMANDS]
    assert not [page for page in pages if not (site / f"reference/{page}.html").is_file()]
    recipes = (site / "reference/recipes.html").read_text()
    assert not [name for name in list_recipes() if name not in recipes]
    for name in blocks:
        assert "influence on one output position" in (site / f"reference/blocks/{name}.html").read_text().lower()


def test_no_row_lies_outside_of_its_table(site: Path) -> None:
    assert not [page.name for page in site.rglob("*.html") if re.search(r"<p>\s*\|", page.read_text())]


def test_a_page_with_a_wrong_link_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out = build.lay_out

    def with_a_fault(source: Path) -> None:
        lay_out(source)
        shutil.rmtree(source / "reference" / "api")
        (source / "docs" / "hub.md").write_text("# Hub\n\n[nowhere](missing.md)\n")

    monkeypatch.setattr(build, "lay_out", with_a_fault)
    assert build.build(tmp_path) != 0


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@needs_chromium
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("name", ["index", "docs/evaluation", "reference/blocks/msca", "reference/commands/fit"])
def test_pages_fit_a_phone_and_ask_for_nothing(name: str, width: int, site: Path, page: Browser) -> None:
    page.troubles.clear()
    page.requests.clear()
    page.open(site / f"{name}.html", width=width)
    assert not page.troubles
    assert not [address for address in page.requests if not address.startswith(("file:", "data:"))]
    assert page.run("document.documentElement.scrollWidth") <= width


@needs_chromium
def test_search_works_without_a_server(site: Path, page: Browser) -> None:
    page.open(f"file://{site}/search.html?q=hamburger")
    page.wait("document.querySelectorAll('#search-results li').length > 0")


def test_the_tutorial_runs_from_a_folder_to_a_checked_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOVEATE_RUN_DIR", "")
    assert len(LINES) == 11
    for line in LINES:
        words = shlex.split(line.replace("--train 64 --val 16", "--train 4 --val 2"))
        small = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2"] if "fit" in words else []
        start = {"foveate": [sys.executable, "-m", "foveate.cli"], "python": [sys.executable]}.get(words[0], words[:1])
        subprocess.run([*start, *words[1:], *small], check=True)
    (code,) = re.findall(r"```python\n(.*?)```", TUTORIAL, flags=re.DOTALL)
    exec(code)
