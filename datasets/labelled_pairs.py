"""Images with label maps, one at a time and in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from foveate.datasets.augment.draw import Draw, Paste
from foveate.datasets.augment.segmentation import TrainTransform
from foveate.datasets.batch import Pick, SegmentationBatch
from foveate.datasets.copy_paste import CopyPaste
from foveate.datasets.errors import DamagedError, DataConfigError, DataError
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.survey import spread
from foveate.datasets.labels import IGNORE
from foveate.datasets.loading.damage import instead_of
from foveate.datasets.masks.reader import PairReader
from foveate.datasets.packed.folder import PackedFolder
from foveate.datasets.segmentation_options import OnDamaged

Pixels = tuple[np.ndarray, np.ndarray]  # image and train ids
NO_LABELS = np.full((1, 1), IGNORE, dtype=np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """A sample with what it was made of.

    Attributes:
        path: The image's file.
        original: Image (H, W, C) and train ids (H, W) as stored.
        sample: Image (h, w, C) and train ids (h, w) of the sample.
        draw: What was drawn for it; None where nothing is drawn.
    """

    path: str
    original: Pixels
    sample: Pixels
    draw: Draw | None = None


class SegmentationDataset(Dataset[dict[str, object]]):
    """Pairs of image and label map, as bytes.

    Args:
        pairs: The files.
        reader: Reads a pair.
        transform: Augmentation; None gives images and masks at their own size.
        packed: Where the pairs are packed; None decodes the files.
        on_damaged: `skip` lets another sample take the place of one that is damaged; `faults` then says why.

    Attributes:
        copy_paste: Pastes objects into what the transform cuts out; None pastes nothing.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        reader: PairReader,
        transform: TrainTransform | None = None,
        packed: PackedFolder | None = None,
        on_damaged: OnDamaged = "error",
    ) -> None:
        self.pairs = pairs
        self.reader = reader
        self.transform = transform
        self.packed = packed
        self.copy_paste: CopyPaste | None = None
        self.on_damaged = on_damaged

    def __len__(self) -> int:
        return len(self.pairs)

    def where(self, index: int) -> str:
        """Where the image of a sample comes from.

        Args:
            index: Number of the sample.
        """
        return str(self.pairs[index].image)

    def __getitem__(self, pick: int | Pick) -> dict[str, object]:
        pick = pick if isinstance(pick, Pick) else Pick(pick)
        if self.on_damaged == "error":
            return self._sample(pick, *self.read(pick.index))
        index, pixels, faults = self._read_intact(pick)
        return {**self._sample(replace(pick, index=index), *pixels), "faults": faults}

    def _sample(self, pick: Pick, image: np.ndarray, mask: np.ndarray) -> dict[str, object]:
        if self.transform is not None:
            image, mask = self.transform(image, mask, seed=pick.seed, target=pick.target, paste=self._paste(pick))
        if pick.blank:
            mask = np.full_like(mask, IGNORE)
        return {
            "image": torch.from_numpy(_own(image)).permute(2, 0, 1),  # stays in channels_last order
            "mask": torch.from_numpy(_own(mask)),
            "path": str(self.pairs[pick.index].image),
        }

    def explain(self, pick: Pick) -> Explained:
        """The same sample with what it was made of.

        Args:
            pick: The sample.

        Raises:
            DataError: It cannot be read.
        """
        index = pick.index
        if self.on_damaged == "error":
            original = self.read(index)
        else:
            index, original, _ = self._read_intact(pick)
        path = str(self.pairs[index].image)
        if self.transform is None:
            return Explained(path=path, original=original, sample=original)
        sample, draw = self.transform.explain(
            *original, seed=pick.seed, target=pick.target, paste=self._paste(replace(pick, index=index))
        )
        return Explained(path=path, original=original, sample=sample, draw=draw)

    def _paste(self, pick: Pick) -> Paste | None:
        if self.copy_paste is None:
            return None
        read = self.read if self.on_damaged == "error" else self._read_if_intact
        return partial(self.copy_paste.paste, read=read, index=pick.index, seed=pick.seed)

    def _read_intact(self, pick: Pick) -> tuple[int, tuple[np.ndarray, np.ndarray], str]:
        """The first sample that can be read: the one asked for, or others; and why those before it cannot."""
        faults: list[str] = []
        for index in instead_of(pick.index, pick.seed, len(self)):
            try:
                return index, self.read(index), "\n".join(faults)
            except DamagedError as error:
                faults.append(" ".join(str(error).split()))
        raise DataError(f"{len(faults)} samples in a row are damaged, such as: {faults[-1]}")

    def read(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, C) and train ids (H, W) of a pair at their own size; views of its file if it is packed."""
        pair = self.pairs[index]
        return self.reader.read(pair) if self.packed is None else self.packed.read(pair)

    def _read_if_intact(self, index: int) -> Pixels | None:
        """Image and train ids of a pair; None if it is damaged, which is told where it is a sample itself."""
        with suppress(DamagedError):
            return self.read(index)
        return None

    def read_mask(self, index: int) -> np.ndarray:
        """Train ids (H, W) of a pair alone; of a damaged one that is skipped, a single ignored pixel."""
        pair = self.pairs[index]
        try:
            return self.reader.masks.read(pair) if self.packed is None else self.packed.read(pair)[1]
        except DamagedError:
            if self.on_damaged == "error":
                raise
            return NO_LABELS

    def some_images(self, most: int) -> Iterator[np.ndarray]:
        """Some images (H, W, C), evenly spread; damaged ones are left out.

        Args:
            most: How many at most.
        """
        for index in spread(len(self), most):
            with suppress(DamagedError):  # reported where it is trained on
                yield self.read(index)[0]


def _own(array: np.ndarray) -> np.ndarray:
    """The array, or a copy of one that is a view of a file."""
    return array if array.flags.writeable and array.flags.c_contiguous else np.array(array, order="C")


def collate(samples: Sequence[dict[str, object]]) -> SegmentationBatch:
    """Stack samples to a batch.

    Raises:
        DataError: Their sizes differ.
    """
    paths = [str(sample["path"]) for sample in samples]
    images = [image for sample in samples if isinstance(image := sample["image"], Tensor)]
    masks = [mask for sample in samples if isinstance(mask := sample.get("mask"), Tensor)]
    for image, path in zip(images, paths, strict=True):
        if image.shape != images[0].shape:
            raise DataConfigError(
                f"images of several sizes in one batch: {paths[0]} is {tuple(images[0].shape[1:])}, {path} is "
                f"{tuple(image.shape[1:])} (height, width); set --data.eval_batch_size 1"
            )
    rows = _stack([image.movedim(-3, -1) for image in images])
    batch: SegmentationBatch = {"image": rows.movedim(-1, -3), "path": paths}
    if masks:
        batch["mask"] = _stack(masks)
    if "faults" in samples[0]:
        batch["faults"] = [str(sample["faults"]) for sample in samples]
    return batch


def _stack(tensors: list[Tensor]) -> Tensor:
    """One tensor of several; a reading process makes it in memory that the training process shares."""
    stacked: Tensor = default_collate(tensors)
    return stacked
