"""Curves: drawn from what can be read."""

from __future__ import annotations

from pathlib import Path

from foveate.pipeline.reporting.curves import draw_curves, smooth


def test_curves_are_drawn_from_what_can_be_read(tmp_path: Path) -> None:
    rows = [{"step": "1", "train/loss": "2.0", "val/miou": ""}, {"step": "x"}, {"step": "2", "train/loss": "nan"}]
    assert draw_curves(rows, tmp_path / "curves.png", monitor="val/miou", figure="mIoU")
    assert draw_curves([{"step": "2", "val/miou": "0.5"}], tmp_path / "curves.png", monitor="val/miou", figure="mIoU")
    assert not draw_curves([{"step": "1"}], tmp_path / "none.png", monitor="val/miou", figure="mIoU")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_smoothing_keeps_steps_and_a_constant() -> None:
    points = [(step, 3.0) for step in range(500)]
    assert smooth(points) == points
