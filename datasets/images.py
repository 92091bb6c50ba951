"""Images without labels, for prediction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as L
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from foveate.datasets.augment.classification import ClassifierEvalTransform, Interpolation, Views
from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.files.decoding import MAX_PIXELS
from foveate.datasets.files.image_reader import RGB, ImageReader, Pixels
from foveate.datasets.files.image_sources import STANDARD_INPUT, find_images
from foveate.datasets.files.reading import read_image
from foveate.datasets.files.turning import Exif
from foveate.datasets.files.windowed import WindowedImage, open_windowed
from foveate.datasets.labelled_pairs import collate
from foveate.datasets.loading.data_module import at_least_one
from foveate.datasets.loading.options import WORKER_TIMEOUT
from foveate.datasets.loading.samplers import EvalSampler
from foveate.datasets.loading.workers import WatchedLoader
from foveate.datasets.text import Side, to_side

SIDE, GREY = 32, 128  # of the image in place of one that cannot be read


class ImageDataset(Dataset[dict[str, object]]):
    """Images as bytes. An image that cannot be read is replaced by a grey one, and `fault` says why.

    Args:
        paths: The image files.
        transform: Resizes each image for a classifier; None leaves images at their own size.
        reader: Reads images for a segmenter.
    """

    def __init__(
        self,
        paths: list[Path],
        transform: ClassifierEvalTransform | None = None,
        reader: ImageReader = ImageReader(),  # noqa: B008  frozen
    ) -> None:
        self.paths = paths
        self.transform = transform
        self.reader = reader

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        path = self.paths[pick.index if isinstance(pick, Pick) else pick]
        windows: WindowedImage | None = None
        try:
            windows = open_windowed(path, self.reader) if self.transform is None else None
            if windows is not None:
                image, fault = _grey(windows.channels), ""
            elif self.transform is None:
                image, fault = self.reader.read(path), ""
            else:
                image, fault = read_image(path), ""
        except DataError as error:
            image, fault = _grey(self.reader.channels or RGB), str(error)
        planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
        if self.transform is not None:
            planes = self.transform(planes, seed=0)
        sample = {"image": planes, "path": str(path), "fault": fault}
        return sample if windows is None else {**sample, "windows": windows}


def _grey(channels: int) -> Pixels:
    """An image in place of one that is not read as a whole."""
    return np.full((SIDE, SIDE, channels), GREY, dtype=np.uint8)


class ImagesDataModule(L.LightningDataModule):
    """Every image below a folder, or those that are named otherwise.

    Args:
        images: Folder (searched with its sub-folders), image, pattern such as `photos/*.jpg`, `.txt` file with a path
            on each line, or `-` for such lines on standard input.
        image_size: Side of the square images that a classifier gets, in pixels; null leaves images at their own size.
        crop_ratio: Share of the shorter side that a classifier's central crop keeps; null resizes the whole image.
        interpolation: How images are resized for a classifier: bicubic, bilinear, nearest, or lanczos.
        eval_views: What a classifier averages the probabilities of: center, flip, five_crop or ten_crop.
        batch_size: Images per step for classifiers; segmenters get images one at a time, since sizes differ.
        num_workers: Processes that read images.
        bands: Which bands segmenters get, counted from 1; all but alpha if not given. As in the training.
        range: The values that become 0 and 255, for images of more than 8 bits. As in the training.
        exif: Whether an orientation in an image's metadata turns it: `auto` and `apply` do, `ignore` does not.
        max_pixels: Larger images are not read.
        channels: How many channels the segmenter takes.
    """

    def __init__(
        self,
        images: str | None = None,
        *,
        image_size: Side | None = None,
        crop_ratio: float | None = None,
        interpolation: Interpolation = "bicubic",
        eval_views: Views = "center",
        batch_size: int = 32,
        num_workers: int = 1,
        bands: list[int] | None = None,
        range: tuple[float, float] | None = None,
        exif: Exif = "auto",
        max_pixels: int = MAX_PIXELS,
        channels: int = RGB,
    ) -> None:
        super().__init__()
        self.reader = ImageReader(
            bands=None if bands is None else tuple(bands),
            range=range,
            exif=exif,
            max_pixels=max_pixels,
            channels=channels,
        )
        image_size = None if image_size is None else to_side(image_size, "image_size")
        self.batch_size = at_least_one("batch_size", batch_size)
        self.transform = (
            None
            if image_size is None
            else ClassifierEvalTransform(
                image_size, crop_ratio=crop_ratio, interpolation=interpolation, views=eval_views
            )
        )
        self.images = images
        self._found: tuple[list[Path], Path] | None = None
        self.num_workers = num_workers
        self.skip: frozenset[Path] = frozenset()  # images that are left out, such as those that were labelled before

    def setup(self, stage: str) -> None:
        """Find the images.

        Raises:
            DataError: There is no such file or folder, or it holds no image.
            DataConfigError: No images are named.
        """
        if self.images is None:
            raise DataConfigError("which images? give --data.images DIR")
        if self._found is None:  # standard input can be read once
            if self.images == STANDARD_INPUT and self.trainer is not None and self.trainer.world_size > 1:
                raise DataConfigError("--data.images - is for one process; with several give a .txt file of paths")
            self._found = find_images(self.images)
        self.paths = [path for path in self._found[0] if path not in self.skip]

    @property
    def folder(self) -> Path:
        """What the paths of the images are relative to."""
        assert self._found is not None
        return self._found[1]

    def predict_dataloader(self) -> DataLoader[dict[str, object]]:
        """Batches, or one image at a time where sizes differ."""
        trainer = self.trainer
        world_size, rank = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        dataset = ImageDataset(self.paths, self.transform, self.reader)
        sampler = EvalSampler(dataset, world_size=world_size, rank=rank)
        size = 1 if self.transform is None else self.batch_size
        return WatchedLoader(
            dataset,
            patience=WORKER_TIMEOUT,
            batch_size=size,
            sampler=sampler,
            num_workers=self.num_workers,
            collate_fn=_collate,
        )


def _collate(samples: Sequence[dict[str, object]]) -> SegmentationBatch:
    batch: SegmentationBatch = {**collate(samples), "faults": [str(sample["fault"]) for sample in samples]}
    if isinstance(windows := samples[0].get("windows"), WindowedImage):  # images of segmenters come one at a time
        batch["windows"] = windows
    return batch
