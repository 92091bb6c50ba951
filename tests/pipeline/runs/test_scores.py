"""Score files: what they are called, what they say, and that none replaces another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from foveate.pipeline.metrics.confusion import score
from foveate.pipeline.metrics.report import report_segmentation
from foveate.pipeline.runs.recipes import Recipe
from foveate.pipeline.runs.scores import Evaluation, read_scores, tell_apart, write_scores


def recipe(data: str = "CamVidDataModule", inference: str = "whole", **arguments: Any) -> Recipe:
    return {
        "model": {"class_path": "SegmentationTask", "init_args": {"inference": {"mode": inference}}},
        "data": {"class_path": data, "init_args": {"root": "/d/camvid", "scale": [0.5, 2.0], **arguments}},
    }


@pytest.mark.parametrize(
    "same", [recipe(), recipe("foveate.datasets.camvid.CamVidDataModule"), recipe(batch_size=3, num_workers=2)]
)
def test_the_same_data_has_no_name_of_its_own(same: Recipe) -> None:
    assert tell_apart(same, recipe()) == []


@pytest.mark.parametrize(
    ("other", "place"),
    [
        (recipe(root="/d/heavy rain"), "heavy_rain"),
        (recipe("CityscapesDataModule"), "camvid"),
        (recipe(inference="slide"), "camvid"),
    ],
)
def test_other_data_is_named_by_its_folder(other: Recipe, place: str) -> None:
    name, digest = tell_apart(other, recipe())
    assert name == place
    assert len(digest) == 6


def test_a_relative_root_is_the_folder_it_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert tell_apart(recipe(root="here"), recipe(root=str(tmp_path / "here"))) == []


def evaluation(step: int = 5, **changes: Any) -> Evaluation:
    fields: dict[str, Any] = {
        "checkpoint": "camvid/0001/checkpoints/best.ckpt",
        "step": step,
        "split": "val",
        "scored_split": "val",
        "data": {"class": "CamVidDataModule", "root": "/d/camvid"},
        "images": 2,
        "of_images": 2,
        "pixels": 9,
        "settings": {"engine": "torch", "precision": "32-true"},
    }
    return Evaluation(**{**fields, **changes})


REPORT = report_segmentation(score(torch.tensor([[3, 1, 0], [0, 5, 0], [0, 0, 0]])), ["road", "car", "bus"])


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = write_scores(tmp_path, evaluation(), REPORT)
    assert path.name == "val-best.json"
    found = read_scores(path)
    assert found is not None
    assert found[0] == evaluation()
    assert [name for name, _ in found[1].rows] == ["road", "car", "bus"]
    assert found[1].figures == REPORT.figures


def test_scores_of_another_step_are_kept(tmp_path: Path) -> None:
    for step in (5, 6, 6):
        write_scores(tmp_path, evaluation(step), REPORT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["val-best-step-000005.json", "val-best.json"]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"miou": 0.5}', '{"evaluation": {"step": 1}}'])
def test_a_file_that_says_nothing_of_itself_is_no_score(tmp_path: Path, content: str) -> None:
    (tmp_path / "val-best.json").write_text(content)
    assert read_scores(tmp_path / "val-best.json") is None
    assert read_scores(tmp_path / "none.json") is None


def test_a_limit_and_an_engine_are_in_the_name() -> None:
    limited = {**recipe(), "trainer": {"limit_val_batches": 2}}
    assert tell_apart(limited, limited)[:2] == ["camvid", "partial"]
    assert tell_apart(limited, limited, split="test") == []
    assert tell_apart(recipe(), limited) == []
    assert tell_apart(recipe(), recipe(), engine="folded")[:2] == ["camvid", "folded"]


def test_a_partial_evaluation_says_so() -> None:
    partial = evaluation(
        images=1, settings={"engine": "torch", "precision": "32-true", "limits": {"limit_val_batches": 1}}
    )
    assert partial.as_json()["partial"]
    assert "part of it" in partial.title
    assert "1 of 2 images" in partial.note
