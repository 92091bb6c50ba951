"""The rules: what a training relies on. Each builds a data module of its own, with batches of 2."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as L
import torch
from torch import Tensor

from foveate.datasets.batch import BLANK, Pick
from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.conformance.rule import BrokenRuleError, expect, rule
from foveate.datasets.conformance.subject import SkippedRuleError, Subject
from foveate.datasets.errors import DataError
from foveate.datasets.labels import IGNORE, LabelSet
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.text import few

MOST_CLASSES = 254  # 254 and 255 mean something else in a label map of bytes


@rule("builds", "read files in setup(), not in __init__(), and give each option a default")
def builds(subject: Subject) -> str:
    """The class is a Lightning data module that can be built without its data."""
    expect(isinstance(subject.kind(), L.LightningDataModule), f"{subject.kind.__name__} is no LightningDataModule")
    return ""


@rule("missing data", "raise foveate.datasets.errors.DataError with the folder and what is expected in it")
def missing_data(subject: Subject) -> str:
    """Without root, or with a root that does not exist, the error is a DataError of one line."""
    if not subject.takes("root"):
        raise SkippedRuleError("the data set has no folder")
    for root in (None, "no/such/folder/of/data"):
        try:
            subject.build(root=root).setup("fit")
        except DataError as error:
            expect("\n" not in str(error), f"root={root!r}: a message of several lines")
        except Exception as error:
            raise BrokenRuleError(f"root={root!r}: {type(error).__name__}: {error}") from error
        else:
            raise BrokenRuleError(f"root={root!r}: setup('fit') ends without an error")
    return ""


@rule("classes", "set label_set to a LabelSet (label maps) or a ClassSet (one class for each image)")
def classes(subject: Subject) -> str:
    """`label_set` names each class once; colours are bytes, and no id of a class is ignored."""
    data = subject.set_up() if _reads_classes(subject.kind) else subject.build()
    labels = data.label_set
    expect(isinstance(labels, LabelSet | ClassSet), f"label_set is a {type(labels).__name__}")
    expect(len(set(labels.names)) == len(labels) > 0, f"names of classes: {few(labels.names, 12)}")
    if isinstance(labels, LabelSet):
        expect(len(labels) <= MOST_CLASSES, f"{len(labels)} classes; at most {MOST_CLASSES} are possible")
        expect(len(set(labels.ids)) == len(labels), f"two classes have one id: {few(map(str, labels.ids), 12)}")
        both = set(labels.ids) & set(labels.void_ids)
        expect(not both, f"ids of classes that are ignored too: {few(map(str, sorted(both)))}")
        expect(all(0 <= c <= 255 for rgb in labels.colours for c in rgb), "a colour is not three bytes, 0 to 255")
    return f"{len(labels)} classes"


def _reads_classes(kind: type[object]) -> bool:
    """Whether the classes are known only from the data: `label_set` is a property."""
    return not isinstance(getattr(kind, "label_set", None), LabelSet | ClassSet)


@rule("splits", "let find_pairs() or find_images() return train and val, with different images")
def splits(subject: Subject) -> str:
    """Train and val hold images, none of them twice and none in both."""
    data = subject.set_up()
    found = {split: _samples(data, split) for split in ("train", "val")}
    for split, names in found.items():
        expect(bool(names), f"no images in {split}")
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        expect(not twice, f"twice in {split}: {few(twice)}")
    both = sorted(set(found["train"]) & set(found["val"]))
    expect(not both, f"{len(both)} images are in train and val: {few(both)}")
    return ", ".join(f"{split} {len(names)}" for split, names in found.items())


def _samples(data: Any, split: str) -> list[str]:
    """Where each image of a split comes from."""
    if isinstance(data, SegmentationDataModule):
        return [str(pair.image) for pair in data.find_pairs(split)]
    if isinstance(data, ClassificationDataModule):
        images = data.find_images(split)
        return [images.where(index) for index in range(len(images))]
    raise SkippedRuleError("the class has neither find_pairs() nor find_images()")


@rule("training batch", "see foveate.datasets.batch: images and label maps are bytes, 255 is ignored")
def training_batch(subject: Subject) -> str:
    """A training batch is `image` uint8 (B, C, H, W), `mask` (B, H, W) or `label` int64 (B,), and `path`."""
    data = subject.set_up()
    return _check_batch(next(iter(data.train_dataloader())), len(data.label_set))


@rule("evaluation batch", "see foveate.datasets.batch: images and label maps are bytes, 255 is ignored")
def evaluation_batch(subject: Subject) -> str:
    """The first batch of val has the same form; every label is a class or ignored."""
    data = subject.set_up()
    return _check_batch(next(iter(data.val_dataloader())), len(data.label_set))


def _check_batch(batch: Mapping[str, Any], count: int) -> str:
    image, path = batch["image"], batch["path"]
    expect(isinstance(image, Tensor) and image.dtype == torch.uint8 and image.ndim == 4, f"image: {_form(image)}")
    expect(len(path) == len(image) and all(isinstance(one, str) for one in path), "path is not one text per image")
    if "mask" in batch:
        mask = batch["mask"]
        expect(mask.dtype in (torch.uint8, torch.int32), f"mask: {_form(mask)}")
        expect(mask.shape == (len(image), *image.shape[2:]), f"mask: {_form(mask)}, image: {_form(image)}")
        strange = sorted(set(mask.unique().tolist()) - {*range(count), IGNORE})
        expect(not strange, f"mask holds {few(map(str, strange))}; there are {count} classes, and 255 is ignored")
        return f"image {_form(image)}, mask {_form(mask)}"
    label = batch["label"]
    expect(label.dtype == torch.int64 and label.shape == (len(image),), f"label: {_form(label)}")
    strange = sorted(set(label.tolist()) - {*range(count), BLANK})
    expect(not strange, f"label holds {few(map(str, strange))}; there are {count} classes")
    return f"image {_form(image)}, label {_form(label)}"


def _form(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


@rule("pickle", "keep open files, locks and lambdas out of the data set, or open them when they are first needed")
def pickles(subject: Subject) -> str:
    """The data set of each loader, pickled, gives the same sample (reading processes receive it this way)."""
    data = subject.set_up()
    for dataset in (data.train_dataloader().dataset, data.val_dataloader().dataset):
        copy = pickle.loads(pickle.dumps(dataset))
        pick = Pick(0, seed=1)
        expect(_same(copy[pick], dataset[pick]), "the pickled data set gives another sample")
    return ""


@rule("repeats", "draw random numbers from the seed of the Pick that the data set is asked for")
def repeats(subject: Subject) -> str:
    """With the same seed, a training begins with the same batch."""
    first, second = (next(iter(subject.set_up().train_dataloader())) for _ in range(2))
    expect(_same(first, second), "two trainings with one seed begin with different batches")
    return ""


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two samples or batches hold the same."""
    return one.keys() == other.keys() and all(
        torch.equal(value, other[key]) if isinstance(value, Tensor) else value == other[key]
        for key, value in one.items()
    )


RULES = (builds, missing_data, classes, splits, training_batch, evaluation_batch, pickles, repeats)
