"""Tables of scores: classes in the data set's order, with their shares, in any width."""

from __future__ import annotations

import json
import math

import pytest
import torch

from foveate.pipeline.metrics.classification import score_classes
from foveate.pipeline.metrics.confusion import score
from foveate.pipeline.metrics.report import (
    Report,
    add_intervals,
    extend_report,
    print_report,
    report_as_markdown,
    report_classification,
    report_figures,
    report_segmentation,
)
from foveate.pipeline.metrics.tables import FigureTable

NAMES = ["road", "car", "bus"]


def segmentation() -> Report:
    return report_segmentation(score(torch.tensor([[1, 2, 0], [0, 9, 0], [0, 0, 0]])), NAMES)


def test_classes_keep_the_order_of_the_data_set_and_have_a_share(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(segmentation(), "val, step 5, best.ckpt")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[2:5] == [["road", "33.3", "33.3", "25.0"], ["car", "81.8", "100.0", "75.0"], ["bus", "-", "-", "0.0"]]
    assert [row[0] for row in segmentation().rows] == NAMES


def test_levels_have_rows_and_means_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    fine, coarse = score(torch.tensor([[1, 2], [0, 9]])), score(torch.tensor([[12]]))
    report = report_segmentation(fine, ["car", "bus"], {"categories": (["vehicle"], coarse)})
    assert report_figures(report.figures) == report
    assert report.figures["levels"]["categories"]["miou"] == 1.0
    print_report(report, "val")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[lines.index("categories:") + 1 :][:3] == ["vehicle 100.0 100.0 100.0", "", "mean of 1 100.0 100.0"]
    assert "| categories | IoU % |" in report_as_markdown(report)


def test_classes_of_one_name_keep_a_row_each() -> None:
    report = report_segmentation(score(torch.eye(3, dtype=torch.long)), ["other", "car", "other"])
    assert [name for name, _ in report.rows] == ["other", "car", "other (2)"]


def test_a_classifiers_table_has_the_share_of_images() -> None:
    counts = torch.tensor([4, 1, 0]), torch.tensor([2, 1, 0]), torch.tensor([4, 1, 0])
    page = report_as_markdown(report_classification(score_classes(*counts, calibration_error=0.1), NAMES))
    assert "| road | 50.0 | 80.0 |" in page
    assert "| **all images** | **60.0** |  |" in page


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_table_fits_its_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    print_report(segmentation(), "val")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= columns


def test_of_many_classes_the_best_and_the_worst_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    right = torch.arange(100)
    counts = torch.full((100,), 100), right, right
    print_report(
        report_classification(score_classes(*counts, calibration_error=0.0), list(map(str, range(100)))), "val"
    )
    first = [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:43]]
    assert first == [*map(str, range(80, 100)), "(60", *map(str, range(20))]


def test_intervals_stand_beside_their_figures(capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "interval": {"level": 0.95, "of": "groups", "count": 1200, "draws": 2000},
        "miou_interval": [0.41, 0.63],
        "macc_interval": [0.5, 0.75],
        "aacc_interval": None,
        "iou_interval": {"road": [0.25, 0.4], "car": None, "bus": None},
    }
    report = add_intervals(segmentation(), given)
    keys = list(report.figures)
    assert keys[keys.index("miou") + 1] == "miou_interval"
    assert report_figures(report.figures) == report
    print_report(report, "val")
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "road 33.3 [25.0, 40.0] 33.3 25.0" in lines
    assert "car 81.8 100.0 75.0" in lines
    assert "mean of 2 57.6 [41.0, 63.0] 66.7 [50.0, 75.0]" in lines
    assert lines[-1] == "in brackets: 95 % interval, over 1,200 groups"
    page = report_as_markdown(report)
    assert "| **mean of 2** | **57.6 [41.0, 63.0]** | **66.7 [50.0, 75.0]** |" in page
    assert page.endswith("In brackets: 95 % interval, over 1,200 groups.")


def test_without_intervals_the_reason_stands_below(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(add_intervals(segmentation(), {"interval": {"missing": "3 images"}}), "val")
    assert capsys.readouterr().out.splitlines()[-1] == "no 95 % intervals: 3 images"


BANDS: list[tuple[str, list[float | int]]] = [("0 to 50 %", [0.25, 1200]), ("50 to 100 %", [math.nan, 0])]


def extended() -> Report:
    classes = [(f"class {number}", [number / 30, 0.5]) for number in range(30)]
    tables = [
        FigureTable("boundary", "IoU near boundaries", ("3 px", "5 px"), classes, means=[("mean", [0.5, math.nan])]),
        FigureTable("by_row", "by height", ("accuracy", "pixels"), BANDS, label="band"),
    ]
    return extend_report(segmentation(), {"boundary": 0.5, "dice": math.nan}, tables)


def test_further_tables_are_in_the_file_and_come_back(capsys: pytest.CaptureFixture[str]) -> None:
    figures = json.loads(json.dumps(extended().figures))
    assert figures["metrics"] == {"boundary": 0.5, "dice": None}
    assert figures["tables"]["boundary"]["means"] == {"mean": [0.5, None]}
    assert figures["tables"]["by_row"]["rows"] == dict([BANDS[0], ("50 to 100 %", [None, 0])])
    print_report(extended(), "val")
    print_report(report_figures(figures), "val")
    printed = capsys.readouterr().out
    half = len(printed) // 2
    assert printed[:half] == printed[half:]


def test_of_the_classes_of_further_tables_the_worst_are_shown_and_all_are_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_report(extended(), "val")
    shown = capsys.readouterr().out
    assert "boundary 0.5000, dice -" in shown
    assert [f"class {number}" in shown for number in (0, 1, 2, 3)] == [True, True, True, False]
    assert "(27 more in the file)" in shown
    assert "1,200" in shown
    assert "50 to 100 %" not in shown  # nothing there
    page = report_as_markdown(extended())
    assert all(f"| class {number} |" in page for number in range(30))
    assert "| **mean** | **50.0** | **-** |" in page


def test_a_report_without_further_metrics_has_no_further_parts() -> None:
    assert extend_report(segmentation(), {}, []).figures == segmentation().figures
    assert "tables" not in segmentation().figures


def test_dice_and_precision_are_always_in_the_file() -> None:
    figures = segmentation().figures
    confusion = torch.tensor(figures["confusion"]).double()
    dice = 2 * confusion.diagonal() / (confusion.sum(0) + confusion.sum(1))
    assert [figures["dice"][name] for name in NAMES[:2]] == pytest.approx(dice[:2].tolist(), abs=1e-6)
    assert figures["mdice"] == pytest.approx(dice.nanmean().item(), abs=1e-6)
