"""Scores of one recipe told apart from those of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foveate.pipeline.runs.recipes import Recipe
from foveate.pipeline.training.summary import tell_apart


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
