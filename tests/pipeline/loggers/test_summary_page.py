"""The summary of a run as a page: what summary.md says, in one file."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from foveate.pipeline.loggers.summary_page import page_of

SUMMARY = """# camvid 0001

ended at step 4: <done>

- best.ckpt (step 4)

![curves](curves.png)

![secret](../outside.png)

## val

| class | IoU % |
| --- | --: |
| a\\|b | 97.1 |
| **mean** | **97.1** |
"""


def test_headings_lists_tables_and_pictures_are_kept_and_text_is_escaped(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for path in (run / "curves.png", tmp_path / "outside.png"):
        Image.new("RGB", (2, 2)).save(path)
    page = page_of(SUMMARY, run)
    assert "<h1>camvid 0001</h1>" in page
    assert "&lt;done&gt;" in page
    assert "<li>best.ckpt (step 4)</li>" in page
    assert "<h2>val</h2>" in page
    assert "<td>a|b</td><td>97.1</td>" in page
    assert "<td>mean</td>" in page
    assert page.count("data:image/png;base64,") == 1  # no file from outside the run
