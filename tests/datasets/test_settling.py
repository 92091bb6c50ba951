"""Channels, depth, range and normalisation follow from the images of a data set."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.packed.file import read_header
from foveate.datasets.settling import channel_statistics
from foveate.tests.datasets.banded import HIGH, LOW, write_image, write_set


def module(root: Path, **options: Any) -> CamVidDataModule:
    settings: dict[str, Any] = {"crop": (32, 32), "batch_size": 2, "num_workers": 0, "seed": 0, **options}
    return CamVidDataModule(str(root), **settings)


def fitted(root: Path, **options: Any) -> CamVidDataModule:
    data = module(root, **options)
    data.setup("fit")
    return data


@pytest.mark.parametrize(("bands", "channels"), [(1, 3), (2, 2), (3, 3), (5, 5)])
def test_the_number_of_channels_follows_from_the_images(tmp_path: Path, bands: int, channels: int) -> None:
    data = fitted(write_set(tmp_path, bands, ending="npy"))
    assert data.in_channels == channels
    assert next(iter(data.train_dataloader()))["image"].shape == (2, channels, 32, 32)
    assert next(iter(data.val_dataloader()))["image"].shape == (1, channels, 48, 64)


def test_the_range_is_taken_from_training_images_said_and_kept(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    data = fitted(write_set(tmp_path, 4, ending="npy"))
    line = f"16-bit images: values {LOW} to {HIGH} of training images: {LOW} to {HIGH} is mapped to 0-255"
    assert said.text.count(line) == 1
    assert data.settled() == {"range": [LOW, HIGH]}
    image, _ = data._datasets["val"].read(0)
    stored = np.load(tmp_path / "val/0.npy").astype(float)
    assert np.array_equal(image, np.rint((stored - LOW) * 255 / (HIGH - LOW)))


def test_floats_in_0_to_1_take_all_of_it(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    data = fitted(write_set(tmp_path, 4, ending="npy", dtype="float32"))
    assert data.settled() == {"range": [0, 1]}
    assert "32-bit float images: values" in said.text


def test_a_range_that_is_given_needs_no_word(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    data = fitted(write_set(tmp_path, 4, ending="npy"), range=(0, 4095))
    assert data.settled() == {}
    assert "mapped to 0-255" not in said.text


def test_nan_in_floats_is_said(tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    write_set(tmp_path, 3, ending="npy", dtype="float32")
    values = np.load(tmp_path / "train/0.npy")
    values[:24] = np.nan
    np.save(tmp_path / "train/0.npy", values)
    image, _ = fitted(tmp_path)._datasets["train"].read(0)
    assert "NaN and no data (12.5 %) to 0" in said.text
    assert not image[:24].any()


def test_without_training_images_a_range_has_to_be_given(tmp_path: Path) -> None:
    shutil.rmtree(write_set(tmp_path, 4, ending="npy") / "train")
    with pytest.raises(DataConfigError, match=r"16-bit images: give --data.range \[LOW, HIGH\]"):
        module(tmp_path).setup("validate")
    module(tmp_path, range=(0, 4095)).setup("validate")


def test_a_split_of_another_kind_stops_the_training(tmp_path: Path) -> None:
    write_set(tmp_path, 4, ending="npy")
    write_image(tmp_path / "val/0.npy", np.zeros((48, 64, 3), np.uint16))
    with pytest.raises(DataError, match=r"4 channels in .*train.0\.npy, 3 channels in .*val.0\.npy"):
        module(tmp_path).setup("fit")


def test_grey_of_8_bits_stays_as_it_was(camvid_root: Path, said: pytest.LogCaptureFixture) -> None:
    for path in [*camvid_root.glob("train/*"), *camvid_root.glob("val/*")]:
        Image.open(path).convert("L").save(path)
    data = fitted(camvid_root)
    assert (data.in_channels, data.settled(), data.image_statistics()) == (3, {}, None)
    assert said.text == ""


def test_statistics_are_those_of_the_bytes(tmp_path: Path) -> None:
    data = fitted(write_set(tmp_path, 4, ending="npy"))
    images = np.stack([data._datasets["train"].read(index)[0] for index in range(4)]).reshape(-1, 4)
    means, stds = data.image_statistics() or ([], [])
    np.testing.assert_allclose(means, images.mean(axis=0))
    np.testing.assert_allclose(stds, images.std(axis=0))


def test_large_images_are_thinned_out_evenly() -> None:
    slope = np.linspace(0, 255, 1500).astype(np.uint8)[None, :, None].repeat(1500, 0)
    means, stds = channel_statistics(iter([slope]))
    assert abs(means[0] - slope.mean()) < 0.5
    assert abs(stds[0] - slope.std()) < 0.5


@pytest.mark.parametrize("bands", [1, 2, 6])
def test_packed_images_are_those_of_the_files(tmp_path: Path, bands: int) -> None:
    plain, packed = (fitted(write_set(tmp_path, bands, ending="npy"), cache=cache) for cache in ("none", "packed"))
    for one, two in zip(plain.train_dataloader(), packed.train_dataloader(), strict=True):
        assert np.array_equal(one["image"], two["image"])
        assert np.array_equal(one["mask"], two["mask"])
    headers = [read_header(path) for path in tmp_path.glob(".foveate/packed-train-*/*.rgbm")]
    assert {header.channels for header in headers if header} == {plain.in_channels}


def test_another_range_packs_anew(tmp_path: Path) -> None:
    write_set(tmp_path, 4, ending="npy")
    one, two = (fitted(tmp_path, cache="packed", range=(0, high)) for high in (4000, 8000))
    assert not np.array_equal(one._datasets["val"].read(0)[0], two._datasets["val"].read(0)[0])
    assert len([*tmp_path.glob(".foveate/packed-val-*")]) == 2


def test_crops_are_padded_with_a_byte_for_each_channel(tmp_path: Path) -> None:
    write_set(tmp_path, 4, ending="npy")
    data = fitted(tmp_path, crop=(80, 80), scale=(1, 1), pad_value=(1, 2, 3, 4))
    batch = next(iter(data.train_dataloader()))
    assert batch["image"][0, :, -1, -1].tolist() == [1, 2, 3, 4]
    with pytest.raises(DataConfigError, match="pad_value has a byte for each channel, 4 here, not 3"):
        fitted(tmp_path, pad_value=(1, 2, 3))
