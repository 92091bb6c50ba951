"""The report of runs, from the files of a run directory."""

from __future__ import annotations

import base64
import json
import re
from html import unescape
from pathlib import Path

import pytest
import torch
import yaml

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.metrics.classification import score_classes
from foveate.pipeline.metrics.confusion import score
from foveate.pipeline.metrics.report import (
    Report,
    add_intervals,
    extend_report,
    report_classification,
    report_segmentation,
)
from foveate.pipeline.metrics.tables import FigureTable
from foveate.pipeline.reporting.collect import collect
from foveate.pipeline.reporting.page import render_report
from foveate.pipeline.runs.scores import Evaluation, write_scores

NAMES = ("road", "a <b> & c", "never")
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def segmentation() -> Report:
    report = report_segmentation(score(torch.tensor([[8, 2, 0], [1, 9, 0], [0, 0, 0]])), NAMES, {})
    intervals = {"interval": {"level": 0.95, "of": "images", "count": 9, "draws": 2000}, "miou_interval": [0.7, 0.8]}
    bins = [("0 to 0.5", [0.4, 0.3, 12]), ("0.5 to 1", [0.8, 0.9, 8])]
    tables = [
        FigureTable("reliability", "confidence", ("confidence", "accuracy", "count"), bins, "bin"),
        FigureTable("by_row", "rows", ("accuracy", "pixels"), [("0 to 50 %", [0.25, 12]), ("50 to 100 %", [1.0, 8])]),
    ]
    return add_intervals(extend_report(report, {"calibration": 0.1}, tables), intervals)


def make_run(folder: Path, report: Report | None, *, pictures: bool = True) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    recipe = {"model": {"class_path": "SegmentationTask"}, "data": {"class_path": "X"}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (folder / "metrics.csv").write_text("step,train/loss,train/lr,val/miou\n1,2.5,0.1,\n2,1.25,0.1,0.5\n")
    (folder / "summary.md").write_text("# x\n\n- network: segnext_t\n- time: `none`\n")
    if report is not None:
        place = f"{folder.parent.name}/{folder.name}/checkpoints/best.ckpt"
        settings = {"engine": "torch", "precision": "32-true"}
        evaluation = Evaluation(place, 2, "val", "val", {"class": "X"}, 9, 9, 20, settings)
        write_scores(folder, evaluation, report, keep=False)
    if pictures and report is not None:
        one = {"name": "val/<a>.png", "score": 0.25, "note": "", "image": PIXEL, "label": PIXEL, "prediction": PIXEL}
        colours = [[name, [9, 8, 7]] for name in NAMES]
        content = {"worst": [one], "best": [], "colours": colours}
        (folder / "pictures").mkdir()
        (folder / "pictures" / "val-best.json").write_text(json.dumps(content))
    return folder


def data_of(page: str, name: str) -> list[list[str]]:
    found = re.search(rf'download="{name}\.tsv" href="data:text/tab-separated-values;base64,([^"]+)"', page)
    assert found is not None
    return [line.split("\t") for line in base64.b64decode(found[1]).decode().splitlines()]


def test_a_page_has_a_section_for_all_that_is_known_and_its_figures(tmp_path: Path) -> None:
    page = render_report([collect(make_run(tmp_path / "mine" / "0001", segmentation()))])
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    wanted = ["Scores", "What was trained", "Curves", "Classes", "Confusion", "Calibration", "Errors by image row"]
    assert headings == [*wanted, "Images"]
    figures = segmentation().figures
    assert f"{100 * figures['miou']:.1f} [70.0, 80.0]" in page
    rows = data_of(page, "classes")
    assert rows[1][:3] == ["mine 0001", "road", f"{round(100 * figures['iou']['road'], 4)}"]
    assert rows[3][1:3] == ["never", ""]
    assert data_of(page, "confusion")[1] == ["road", "a <b> & c", "2", "20.0"]
    assert data_of(page, "curves")[1:] == [
        ["mine 0001", "1", "2.5", "", "0.1"],
        ["mine 0001", "2", "1.25", "0.5", "0.1"],
    ]
    assert data_of(page, "by_row")[1] == ["mine 0001", "0 to 50 %", "25.0", "12"]
    assert "In brackets: 95 % interval, over 9 images" in page


def test_a_page_needs_no_network_and_names_are_text(tmp_path: Path) -> None:
    page = render_report([collect(make_run(tmp_path / "mine" / "0001", segmentation()))])
    outside = {address for address in re.findall(r"(?:https?:)?//[^\s\"'<)]+", page) if "w3.org" not in address}
    assert not {address for address in outside if address.startswith("http")}
    assert "<b> & c" not in re.sub(r"base64,[^\"]*", "", page)
    assert "a <b> & c" in unescape(page)
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page


def test_several_runs_stand_side_by_side_with_differences(tmp_path: Path) -> None:
    better = report_segmentation(score(torch.tensor([[10, 0, 0], [0, 10, 0], [0, 0, 0]])), NAMES, {})
    runs = [make_run(tmp_path / "a" / "1", segmentation()), make_run(tmp_path / "b" / "2", better, pictures=False)]
    page = render_report([collect(run) for run in runs])
    assert f"100.0 ({100 * (1 - segmentation().figures['miou']):+.1f})" in page
    assert [row[0] for row in data_of(page, "classes")[1:]] == ["a 1"] * 3 + ["b 2"] * 3
    assert re.findall(r"<h2>(Confusion.*?|Images.*?)</h2>", page) == ["Confusion: a 1", "Confusion: b 2", "Images: a 1"]


def test_a_classifier_has_a_report(tmp_path: Path) -> None:
    images, right = torch.tensor([4, 2, 0]), torch.tensor([3, 2, 0])
    confusion = torch.tensor([[3, 1, 0], [0, 2, 0], [0, 0, 0]])
    report = report_classification(
        score_classes(images, right, right, calibration_error=0.1, confusion=confusion), NAMES
    )
    page = render_report([collect(make_run(tmp_path / "mine" / "1", report, pictures=False))])
    assert "83.3" in page
    assert data_of(page, "classes")[1][1:3] == ["road", "75.0"]
    assert data_of(page, "confusion")[0][2] == "images"


def test_what_is_missing_is_left_out(tmp_path: Path) -> None:
    page = render_report([collect(make_run(tmp_path / "mine" / "1", None))])
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["What was trained", "Curves"]
    with pytest.raises(CheckpointError, match="no run directory, and no checkpoint in one"):
        collect(tmp_path)


def test_of_very_many_classes_the_worst_are_drawn_and_all_are_listed(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(150)]
    confusion = torch.diag(torch.arange(1, 151)) + torch.ones(150, 150, dtype=torch.long)
    page = render_report([collect(make_run(tmp_path / "m" / "1", report_segmentation(score(confusion), names, {})))])
    assert "The 60 worst of 150 classes are drawn." in page
    assert len(data_of(page, "classes")) == 151
    assert 'class="wide heat"' not in page
    assert len(page) < 8_000_000
