"""What `data stats` measures, against NumPy and SciPy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.counting.channels import channel_moments, count_levels
from foveate.datasets.counting.objects import object_sides, object_sizes
from foveate.datasets.digits import DigitsDataModule
from foveate.datasets.split_survey import survey_data


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_mean_and_standard_deviation_are_numpys(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 11, channels), dtype=np.uint8)
    mean, std = channel_moments(sum(map(count_levels, images)))  # type: ignore[arg-type]
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)) / 255)
    np.testing.assert_allclose(std, images.std((0, 1, 2)) / 255)


def test_objects_are_scipys() -> None:
    mask = np.random.default_rng(0).integers(0, 3, (30, 40), dtype=np.uint8).repeat(2, 0)
    labelled, count = ndimage.label(mask == 1, structure=np.ones((3, 3)))
    areas = np.bincount(labelled.ravel())[1:]
    sides = object_sides(mask, 1)
    assert len(sides) == count
    assert sorted(sides) == sorted(np.sqrt(areas).round())
    assert len(object_sides(mask, 7)) == 0


def test_sizes_are_those_that_a_share_of_the_objects_does_not_exceed() -> None:
    sides = np.random.default_rng(0).integers(1, 90, 517)
    found = object_sizes(Counter(sides.tolist()))
    expected = [np.quantile(sides, share, method="inverted_cdf") for share in (0.05, 0.5, 0.95)]
    assert [found.small, found.median, found.large] == expected
    assert object_sizes({}).median is None


def test_a_survey_reads_all_or_a_spread_sample(cityscapes_root: Path) -> None:
    data = CityscapesDataModule(str(cityscapes_root))
    paths = [pair.image for pair in data.find_pairs("train")]
    every = survey_data(data, lambda *_: None)
    few = survey_data(data, lambda *_: None, 3)
    for survey, chosen in ((every, paths), (few, [paths[0], paths[2], paths[5]])):
        pixels = np.stack([np.asarray(Image.open(path)) for path in chosen])
        np.testing.assert_allclose(survey.mean, pixels.mean((0, 1, 2)) / 255)
        assert (survey.total, survey.measured, survey.sizes) == (6, len(chosen), {(64, 128): len(chosen)})
    counted = data.class_statistics()
    assert np.array_equal(every.classes.pixels, counted.pixels)
    assert np.array_equal(every.classes.image_pixels, counted.image_pixels)
    assert every.ignored == pytest.approx(1 - counted.pixels.sum() / (6 * 64 * 128))
    assert every.objects is not None
    assert every.objects[0].count == counted.images[0]  # one stripe an image


def test_a_classification_has_images_and_classes(cityscapes_root: Path) -> None:
    survey = survey_data(DigitsDataModule(), lambda *_: None, 100)
    assert (survey.total, survey.measured, survey.objects) == (1293, 100, None)
    assert survey.classes.pixels.sum() == 1293
    assert survey.mean == pytest.approx([0.306] * 3, abs=0.02)
