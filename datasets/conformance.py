"""Rules for data sets: what a training relies on. `foveate plugins check NAME --root DIR` tries them, and so can tests.

Each rule builds a data module of its own, with batches of 2 and without reading processes.
"""

from __future__ import annotations

import inspect
import pickle
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as L
import torch
from torch import Tensor

from foveate.datasets.batch import BLANK, Pick
from foveate.datasets.classes import ClassSet
from foveate.datasets.classification import ClassificationDataModule
from foveate.datasets.errors import DataError
from foveate.datasets.labels import IGNORE, LabelSet
from foveate.datasets.segmentation import SegmentationDataModule
from foveate.datasets.text import few

Outcome = Literal["passed", "failed", "skipped"]
SMALL: Mapping[str, object] = {"batch_size": 2, "num_workers": 0, "seed": 0}  # where the class has these options
MOST_CLASSES = 254  # 254 and 255 mean something else in a label map of bytes


class BrokenRuleError(AssertionError):
    """The data set breaks the rule; the message says how."""


class SkippedRuleError(Exception):
    """The rule cannot be tried here; the message says why."""


@dataclass(frozen=True)
class Subject:
    """A data set and how it is built.

    Args:
        kind: Its class.
        root: Its folder; None where none is at hand.
        options: Options of the class, as in a recipe.
    """

    kind: type[L.LightningDataModule]
    root: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, name: str) -> bool:
        """Whether the class has an option of this name."""
        parameters = inspect.signature(self.kind).parameters
        return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def build(self, **changes: object) -> Any:
        """A data module, small and with the given options.

        Args:
            **changes: Options that win over the others.
        """
        root = {} if self.root is None else {"root": str(self.root)}
        usual = {name: value for name, value in {**root, **SMALL}.items() if self.takes(name)}
        return self.kind(**{**usual, **self.options, **changes})

    def set_up(self) -> Any:
        """A data module whose train and val splits were found.

        Raises:
            SkippedRuleError: The data is not at hand.
        """
        if self.root is None and self.takes("root") and "root" not in self.options:
            raise SkippedRuleError("needs the data: give --root DIR")
        data = self.build()
        data.setup("fit")
        return data


Check = Callable[[Subject], str]


@dataclass(frozen=True)
class DataRule:
    """One requirement for data sets.

    Attributes:
        name: Its name in tables and tests.
        promise: What is true of a data set that passes.
        advice: What to do if one fails.
        check: Tries it; raises if it is broken, and may return a remark.
    """

    name: str
    promise: str
    advice: str
    check: Check

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class DataResult:
    """The result of one rule.

    Attributes:
        rule: The rule.
        outcome: `passed`, `failed` or `skipped`.
        detail: A remark, or the reason of a failure or skip.
    """

    rule: DataRule
    outcome: Outcome
    detail: str

    def describe(self) -> str:
        """A failure in one line: the rule, what was found and what to do."""
        return f"{self.rule}: {self.detail}; {self.rule.advice}"


def _rule(name: str, advice: str) -> Callable[[Check], DataRule]:
    def make(check: Check) -> DataRule:
        promise = (check.__doc__ or name).splitlines()[0].rstrip(".")
        return DataRule(name=name, promise=promise, advice=advice, check=check)

    return make


def _expect(holds: bool, message: str) -> None:
    if not holds:
        raise BrokenRuleError(message)


@_rule("builds", "read files in setup(), not in __init__(), and give each option a default")
def builds(subject: Subject) -> str:
    """The class is a Lightning data module that can be built without its data."""
    _expect(isinstance(subject.kind(), L.LightningDataModule), f"{subject.kind.__name__} is no LightningDataModule")
    return ""


@_rule("missing data", "raise foveate.datasets.errors.DataError with the folder and what is expected in it")
def missing_data(subject: Subject) -> str:
    """Without root, or with a root that does not exist, the error is a DataError of one line."""
    if not subject.takes("root"):
        raise SkippedRuleError("the data set has no folder")
    for root in (None, "no/such/folder/of/data"):
        try:
            subject.build(root=root).setup("fit")
        except DataError as error:
            _expect("\n" not in str(error), f"root={root!r}: a message of several lines")
        except Exception as error:
            raise BrokenRuleError(f"root={root!r}: {type(error).__name__}: {error}") from error
        else:
            raise BrokenRuleError(f"root={root!r}: setup('fit') ends without an error")
    return ""


@_rule("classes", "set label_set to a LabelSet (label maps) or a ClassSet (one class for each image)")
def classes(subject: Subject) -> str:
    """`label_set` names each class once; colours are bytes, and no id of a class is ignored."""
    data = subject.set_up() if _reads_classes(subject.kind) else subject.build()
    labels = data.label_set
    _expect(isinstance(labels, LabelSet | ClassSet), f"label_set is a {type(labels).__name__}")
    _expect(len(set(labels.names)) == len(labels) > 0, f"names of classes: {few(labels.names, 12)}")
    if isinstance(labels, LabelSet):
        _expect(len(labels) <= MOST_CLASSES, f"{len(labels)} classes; at most {MOST_CLASSES} are possible")
        _expect(len(set(labels.ids)) == len(labels), f"two classes have one id: {few(map(str, labels.ids), 12)}")
        both = set(labels.ids) & set(labels.void_ids)
        _expect(not both, f"ids of classes that are ignored too: {few(map(str, sorted(both)))}")
        _expect(all(0 <= c <= 255 for rgb in labels.colours for c in rgb), "a colour is not three bytes, 0 to 255")
    return f"{len(labels)} classes"


def _reads_classes(kind: type[object]) -> bool:
    """Whether the classes are known only from the data: `label_set` is a property."""
    return not isinstance(getattr(kind, "label_set", None), LabelSet | ClassSet)


@_rule("splits", "let find_pairs() or find_images() return train and val, with different images")
def splits(subject: Subject) -> str:
    """Train and val hold images, none of them twice and none in both."""
    data = subject.set_up()
    found = {split: _samples(data, split) for split in ("train", "val")}
    for split, names in found.items():
        _expect(bool(names), f"no images in {split}")
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        _expect(not twice, f"twice in {split}: {few(twice)}")
    both = sorted(set(found["train"]) & set(found["val"]))
    _expect(not both, f"{len(both)} images are in train and val: {few(both)}")
    return ", ".join(f"{split} {len(names)}" for split, names in found.items())


def _samples(data: Any, split: str) -> list[str]:
    """Where each image of a split comes from."""
    if isinstance(data, SegmentationDataModule):
        return [str(pair.image) for pair in data.find_pairs(split)]
    if isinstance(data, ClassificationDataModule):
        images = data.find_images(split)
        return [images.where(index) for index in range(len(images))]
    raise SkippedRuleError("the class has neither find_pairs() nor find_images()")


@_rule("training batch", "see foveate.datasets.batch: images and label maps are bytes, 255 is ignored")
def training_batch(subject: Subject) -> str:
    """A training batch is `image` uint8 (B, C, H, W), `mask` (B, H, W) or `label` int64 (B,), and `path`."""
    data = subject.set_up()
    return _check_batch(next(iter(data.train_dataloader())), len(data.label_set))


@_rule("evaluation batch", "see foveate.datasets.batch: images and label maps are bytes, 255 is ignored")
def evaluation_batch(subject: Subject) -> str:
    """The first batch of val has the same form; every label is a class or ignored."""
    data = subject.set_up()
    return _check_batch(next(iter(data.val_dataloader())), len(data.label_set))


def _check_batch(batch: Mapping[str, Any], count: int) -> str:
    image, path = batch["image"], batch["path"]
    _expect(isinstance(image, Tensor) and image.dtype == torch.uint8 and image.ndim == 4, f"image: {_form(image)}")
    _expect(len(path) == len(image) and all(isinstance(one, str) for one in path), "path is not one text per image")
    if "mask" in batch:
        mask = batch["mask"]
        _expect(mask.dtype in (torch.uint8, torch.int32), f"mask: {_form(mask)}")
        _expect(mask.shape == (len(image), *image.shape[2:]), f"mask: {_form(mask)}, image: {_form(image)}")
        strange = sorted(set(mask.unique().tolist()) - {*range(count), IGNORE})
        _expect(not strange, f"mask holds {few(map(str, strange))}; there are {count} classes, and 255 is ignored")
        return f"image {_form(image)}, mask {_form(mask)}"
    label = batch["label"]
    _expect(label.dtype == torch.int64 and label.shape == (len(image),), f"label: {_form(label)}")
    strange = sorted(set(label.tolist()) - {*range(count), BLANK})
    _expect(not strange, f"label holds {few(map(str, strange))}; there are {count} classes")
    return f"image {_form(image)}, label {_form(label)}"


def _form(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


@_rule("pickle", "keep open files, locks and lambdas out of the data set, or open them when they are first needed")
def pickles(subject: Subject) -> str:
    """The data set of each loader, pickled, gives the same sample (reading processes receive it this way)."""
    data = subject.set_up()
    for dataset in (data.train_dataloader().dataset, data.val_dataloader().dataset):
        copy = pickle.loads(pickle.dumps(dataset))
        pick = Pick(0, seed=1)
        _expect(_same(copy[pick], dataset[pick]), "the pickled data set gives another sample")
    return ""


@_rule("repeats", "draw random numbers from the seed of the Pick that the data set is asked for")
def repeats(subject: Subject) -> str:
    """With the same seed, a training begins with the same batch."""
    first, second = (next(iter(subject.set_up().train_dataloader())) for _ in range(2))
    _expect(_same(first, second), "two trainings with one seed begin with different batches")
    return ""


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two samples or batches hold the same."""
    return one.keys() == other.keys() and all(
        torch.equal(value, other[key]) if isinstance(value, Tensor) else value == other[key]
        for key, value in one.items()
    )


RULES = (builds, missing_data, classes, splits, training_batch, evaluation_batch, pickles, repeats)


def check_data_set(
    kind: type[L.LightningDataModule],
    *,
    root: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    rules: Sequence[DataRule] = RULES,
) -> list[DataResult]:
    """Try the rules on a data set.

    Args:
        kind: Its class.
        root: Its folder; without it, the rules that read data are skipped.
        options: Options of the class, as in a recipe.
        rules: The rules to try.

    Returns:
        One result for each rule.

    Example:
        >>> from foveate.datasets.digits import DigitsDataModule
        >>> sorted({result.outcome for result in check_data_set(DigitsDataModule)})
        ['passed', 'skipped']
    """
    subject = Subject(kind, None if root is None else Path(root).expanduser(), dict(options or {}))
    return [_try(rule, subject) for rule in rules]


def _try(rule: DataRule, subject: Subject) -> DataResult:
    """Try a rule; any exception is a failure. The caller's random state is left unchanged."""
    try:
        with torch.random.fork_rng(devices=[]):
            return DataResult(rule, "passed", rule.check(subject))
    except SkippedRuleError as reason:
        return DataResult(rule, "skipped", str(reason))
    except BrokenRuleError as broken:
        return DataResult(rule, "failed", textwrap.shorten(str(broken), 300))
    except (Exception, SystemExit) as error:
        return DataResult(rule, "failed", textwrap.shorten(f"{type(error).__name__}: {error}", 300))


def assert_conforms(
    kind: type[L.LightningDataModule],
    *,
    root: str | Path | None = None,
    rules: Sequence[DataRule] = RULES,
    **options: Any,
) -> None:
    """Assert that a data set keeps the rules; the message has a line for each broken rule. For use in tests.

    Args:
        kind: Its class.
        root: Its folder.
        rules: The rules to try; parametrise a test over RULES to see each of them separately.
        **options: Options of the class, as in a recipe.
    """
    results = check_data_set(kind, root=root, options=options, rules=rules)
    broken = [result.describe() for result in results if result.outcome == "failed"]
    assert not broken, "\n".join(broken)
