"""Build the documentation site: lay out the pages, generate the reference, run Sphinx with warnings as errors.

`make docs`, or: python -m foveate.docs.site.build FOLDER
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from foveate.docs.site import api, blocks, commands, lists

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "docs" / "site"
PAGES = ("docs/*.md", "CHANGELOG.md", "benchmarks/RESULTS.md")
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def lay_out(source: Path) -> None:
    """Write the sources of the site: the repository's pages at their paths, and the generated reference.

    Args:
        source: The folder, which is replaced.
    """
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    for pattern in PAGES:
        for page in sorted(ROOT.glob(pattern)):
            _copy_page(page, source)
    shutil.copy(SITE / "conf.py", source)
    (source / "_static").mkdir()
    shutil.copy(SITE / "foveate.css", source / "_static")
    text = _with_links(SITE / "index.md", source).replace("](../quickstart.png", "](docs/quickstart.png")
    (source / "index.md").write_text(text, encoding="utf-8")
    for write in (blocks.write, commands.write, lists.write, api.write):
        write(source / "reference")


def _copy_page(page: Path, source: Path) -> None:
    target = source / page.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(_with_links(page, source), encoding="utf-8")


def _with_links(page: Path, source: Path) -> str:
    """The text of a page, with the files it links to laid beside it. A folder is named, since a site has no folders."""

    def settle(found: re.Match[str]) -> str:
        mark, text, path, anchor = found.groups(default="")
        linked = (page.parent / path).resolve()
        if "://" in path or not linked.exists():
            return found[0]  # what does not exist is reported by Sphinx
        if linked.is_dir():
            return f"{text} (`{linked.relative_to(ROOT)}` in the repository)"
        if linked.suffix != ".md":
            copy = source / linked.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(linked, copy)
        return f"{mark}[{text}]({path}{anchor})"

    return LINK.sub(settle, page.read_text(encoding="utf-8"))


def build(out: Path, builder: str = "html") -> int:
    """Build the site.

    Args:
        out: Its folder; the sources are laid out in `source` below it, the pages in one named after the builder.
        builder: What Sphinx makes: `html`, or `linkcheck`, which opens every link to other sites.

    Returns:
        Sphinx's exit code; a warning makes it fail.
    """
    lay_out(out / "source")
    words = ["-m", "sphinx", "-b", builder, "-W", "--keep-going", "-q", "-d", str(out / "doctrees")]
    return subprocess.run([sys.executable, *words, str(out / "source"), str(out / builder)], check=False).returncode


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1]), *sys.argv[2:3]))
