"""Pictures: title, captions and legend, never too large, as JPEG where they are large."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.labels import CITYSCAPES
from foveate.pipeline.callbacks.class_sheets import Sample, draw_sheet
from foveate.pipeline.callbacks.drawing import draw_comparison, draw_errors, legend_of, save_picture
from foveate.pipeline.callbacks.sample_drawer import PictureOptions
from foveate.pipeline.errors import ConfigError


def maps(height: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    truth = np.zeros((height, width), dtype=np.uint8)
    truth[:, : width // 2] = 13
    truth[0] = 255
    return np.full((height, width, 3), 99, dtype=np.uint8), truth, np.zeros_like(truth)


@pytest.mark.parametrize("size", [(1024, 2048), (3000, 400), (64, 128), (1, 1), (7, 3000)])
@pytest.mark.parametrize("side", [1600, 500])
def test_a_picture_has_at_most_the_side_asked_for(size: tuple[int, int], side: int) -> None:
    picture = draw_comparison(*maps(*size), CITYSCAPES, title="a long title " * 30, side=side)
    assert max(picture.size) <= side


def test_the_legend_holds_the_classes_present_only() -> None:
    _, truth, prediction = maps(8, 8)
    assert legend_of(CITYSCAPES, truth, prediction) == [("road", (128, 64, 128)), ("car", (0, 0, 142))]


def test_errors_are_red_and_ignored_pixels_black() -> None:
    errors = draw_errors(*maps(4, 4))
    assert (errors[0] == 0).all()
    assert (errors[1:, :2] == (255, 0, 0)).all()
    assert (errors[1:, 2:] == 59).all()


@pytest.mark.parametrize(("size", "name"), [((1000, 1000), "a.b.jpg"), ((100, 100), "a.b.png")])
def test_a_large_picture_is_a_jpeg(size: tuple[int, int], name: str, tmp_path: Path) -> None:
    assert save_picture(Image.new("RGB", size), tmp_path / "new" / "a.b").name == name
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


@pytest.mark.parametrize("count", [1, 16, 100])
def test_a_sheet_holds_any_number_of_images(count: int) -> None:
    sample = Sample(np.zeros((9, 5, 3), dtype=np.uint8), "a name that is far too long", "cat", 0.5)
    sheet = draw_sheet([sample] * count, "step 5", 1600)
    assert max(sheet.size) <= 1600


@pytest.mark.parametrize("options", [{"count": -1}, {"every": 0}, {"side": 10}])
def test_impossible_pictures_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="pictures"):
        PictureOptions(**options)
