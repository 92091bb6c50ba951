"""Cityscapes' scores equal those of the official scorer, on random sets and on a real frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.pipeline.scoring.conventions import convention_of
from foveate.pipeline.scoring.counting import count_frames
from foveate.pipeline.scoring.figures import official_figures
from foveate.pipeline.scoring.frames import cityscapes_labels, pair_cityscapes
from foveate.pipeline.scoring.official import score_officially
from foveate.tests.pipeline.scoring.official import differences, made_set, official_scores, write

SETS = 240


def our_scores(predictions: Path, labels: list[Path], workers: int = 1) -> dict[str, Any]:
    convention = convention_of("cityscapes", "regular", None)
    counts = count_frames(pair_cityscapes(labels, predictions), convention, workers=workers)
    return official_figures(score_officially(counts), counts, convention)


@pytest.mark.parametrize("block", range(8))
def test_random_sets_have_the_official_scores(tmp_path: Path, block: int) -> None:
    for seed in range(block * SETS // 8, (block + 1) * SETS // 8):
        predictions, gt = made_set(tmp_path / str(seed), seed)
        labels = cityscapes_labels(gt, "val")
        found = our_scores(predictions, labels)
        assert "iiou" in found
        assert differences(found, official_scores(labels, predictions, instances=True)) == [], seed


def test_the_sets_hold_what_is_easily_scored_wrong(tmp_path: Path) -> None:
    made = [made_set(tmp_path / str(seed), seed) for seed in range(60)]
    sets = [our_scores(predictions, cityscapes_labels(gt, "val")) for predictions, gt in made]
    assert any(0.0 in found["iou"].values() for found in sets)  # predicted, never labelled
    assert any(found["miou"] is None for found in sets)  # nothing but void
    assert any(None in found["iou"].values() and found["miou"] for found in sets)  # absent classes
    assert any(found["mean_iiou"] is None and found["miou"] for found in sets)
    assert sum(np.array(found["confusion"])[:7].any() for found in sets) > 10  # void labels
    assert sum(np.array(found["confusion"])[:, :7].any() for found in sets) > 10  # void predictions


def test_a_difference_would_be_noticed(tmp_path: Path) -> None:
    predictions, gt = made_set(tmp_path, 3)
    labels = cityscapes_labels(gt, "val")
    found = our_scores(predictions, labels)
    name = next(name for name, value in found["iou"].items() if value is not None)
    found["iou"][name] += 2e-9
    assert len(differences(found, official_scores(labels, predictions, instances=True))) == 1


def test_without_instances_the_other_scores_are_the_official_ones(tmp_path: Path) -> None:
    predictions, gt = made_set(tmp_path, 5)
    labels = cityscapes_labels(gt, "val")
    labels[0].with_name(labels[0].name.replace("labelIds", "instanceIds")).unlink()
    found = our_scores(predictions, labels)
    assert "iiou" not in found
    assert differences(found, official_scores(labels, predictions, instances=False)) == []


def test_several_workers_count_the_same(tmp_path: Path) -> None:
    made = [made_set(tmp_path / str(seed), seed) for seed in range(20)]
    predictions, labels = max(
        ((made, cityscapes_labels(gt, "val")) for made, gt in made), key=lambda pair: len(pair[1])
    )
    assert len(labels) == 5
    assert our_scores(predictions, labels) == our_scores(predictions, labels, workers=3)


def test_a_real_frame_has_the_official_scores(shared: Path, tmp_path: Path) -> None:
    labels = cityscapes_labels(shared / "data" / "cityscapes-sample", "val")
    truth = np.array(Image.open(labels[0]))
    write(tmp_path / "frankfurt_000000_000294_x.png", np.roll(truth, (9, -14), (0, 1)))
    found = our_scores(tmp_path, labels)
    assert found["mean_iiou"] > 0.1
    assert differences(found, official_scores(labels, tmp_path, instances=True)) == []
