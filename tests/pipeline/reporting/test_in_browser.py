"""A report in a browser: it logs no error, asks for nothing, and fits a screen and a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.cli import main
from foveate.tests.browser import browser, needs_chromium
from foveate.tests.conftest import write_cityscapes

pytestmark = [pytest.mark.slow, needs_chromium]
STEPS = ["--trainer.max_steps=2", "--trainer.max_epochs=-1", "--data.num_workers=0", "--trainer.accelerator=cpu"]
CLASSIFICATION = ["--config", "digits_mobilenet_v2", "--data.batch_size=16"]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Reports of a segmentation, of a classification, and of two checkpoints."""
    folder = tmp_path_factory.mktemp("reports")
    crops = ["--data.root", str(write_cityscapes(folder / "data")), "--data.crop=[32,32]", "--data.batch_size=2"]
    segmentation = ["--config", "synthetic_segnext_t", *crops, "--trainer.val_check_interval=1"]
    segmentation += ["--trainer.check_val_every_n_epoch=null"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FOVEATE_RUN_DIR", "")
        for words in (segmentation, CLASSIFICATION):
            assert main(["fit", *words, *STEPS, "--model.metrics", "[all]"]) == 0
            patch.setenv("FOVEATE_RUN_DIR", "")
        runs = [Path("runs") / name / "0001" for name in ("synthetic_segnext_t", "digits_mobilenet_v2")]
        assert main(["report", *(str(runs[0] / f"checkpoints/{name}.ckpt") for name in ("best", "last"))]) == 0
    return [*(folder / run / "report.html" for run in runs), folder / "report.html"]


def test_reports_log_nothing_ask_for_nothing_and_fit_every_width(reports: list[Path], tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        for report in reports:
            assert report.stat().st_size < 8e6
            for width in (1280, 390):
                for dark in (False, True):
                    page.open(report, width=width, dark=dark)
                    assert page.run("document.documentElement.scrollWidth") <= width
                    back = page.run("getComputedStyle(document.body).backgroundColor")
                    assert (sum(int(part) for part in back[4:-1].split(",")) < 384) is dark
        outside = [address for address in page.requests if not address.startswith(("data:", "file:"))]
        assert page.troubles == []
        assert outside == []


def test_the_slider_works_by_keyboard(reports: list[Path], tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        page.open(reports[0], width=1280, dark=False)
        page.run("document.querySelector('.compare input[type=range]').focus()")
        before = page.run("document.activeElement.value")
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="ArrowLeft", code="ArrowLeft", windowsVirtualKeyCode=37)
        assert float(page.run("document.activeElement.value")) < float(before)


def test_the_browser_tells_of_errors_and_requests(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text("<script>console.error('said'); undefined.x</script><img src='http://localhost:9/a.png'>")
    with browser(tmp_path) as page:
        page.open(bad, width=800, dark=False)
        assert len(page.troubles) == 3
        assert any("said" in trouble for trouble in page.troubles)
        assert page.requests[-1] == "http://localhost:9/a.png"
