"""Everything that checks look at: what was read of a data set, and what is known of it beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from foveate.datasets.doctor.finding import Place, Side
from foveate.datasets.doctor.headers import Size
from foveate.datasets.doctor.sample import Counts, Sample, Trouble
from foveate.datasets.files.pairs import Pair
from foveate.datasets.files.turning import Exif
from foveate.datasets.labels import LabelSet, Table

Reads = Literal["values", "colours", "binary", "files", "other", "classes", "unknown"]
IDS = 256


@dataclass(frozen=True)
class Split:
    """One split.

    Attributes:
        pairs: All pairs.
        samples: What is known of those that were looked at.
    """

    pairs: Sequence[Pair]
    samples: Sequence[Sample]


@dataclass(frozen=True)
class Unread:
    """What was wrong before any file was opened.

    Attributes:
        kind: `images` or `masks` without a partner, a split that is `missing`, `classes` that are not known, or
            `kinds` of images that do not fit together.
        message: What was wrong.
        paths: Files.
    """

    kind: Literal["images", "masks", "missing", "classes", "kinds"]
    message: str
    paths: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a data set.

    Attributes:
        root: Its folder.
        reads: What masks hold, or `classes` for images in class folders; `unknown` where classes could not be found.
        names: Names of the classes.
        splits: Name -> split.
        unread: What was wrong before any file was opened.
        labels: Classes of a segmentation with their ids, before a label map merges some.
        colours: A colour for each class.
        table: Stored id -> train id, where masks hold numbers.
        crop: Height and width of a training sample.
        eval_batch: Images in a batch of an evaluation.
        groups: The group of each pair of a split, if the user says what belongs together.
        complete: Whether every file was looked at, not a sample of them.
        decoded: Whether images were decoded.
        exif: What an orientation in the metadata does: auto, apply or ignore.
        range: The values of images that become 0 and 255, where they are no bytes.
        range_is_found: Whether the range was found from the images, and not given.
        drops_alpha: Whether alpha is left out.
        notes: What the data set said of itself.
    """

    root: str
    reads: Reads
    names: Sequence[str]
    splits: Mapping[str, Split]
    unread: Sequence[Unread] = ()
    labels: LabelSet | None = None
    colours: Sequence[tuple[int, int, int]] = ()
    table: Table | None = None
    crop: Size | None = None
    eval_batch: int = 1
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    complete: bool = True
    decoded: bool = True
    exif: Exif = "apply"
    range: tuple[float, float] | None = None
    range_is_found: bool = False
    drops_alpha: bool = True
    notes: Sequence[str] = ()

    def path(self, place: Place, side: Side = "image") -> str:
        """A file of a pair.

        Args:
            place: Which pair.
            side: Image or mask.
        """
        pair = self.splits[place.split].pairs[place.position]
        return str(pair.image if side == "image" else pair.label)

    def samples(self) -> Iterator[tuple[Place, Sample]]:
        """What is known of each pair of every split."""
        for name, split in self.splits.items():
            for sample in split.samples:
                yield Place(name, sample.index), sample

    def troubles(self, *kinds: Trouble) -> Iterator[tuple[Place, str, str]]:
        """Place, side and message of what could not be read for one of some reasons.

        Args:
            kinds: The reasons.
        """
        for place, sample in self.samples():
            for kind, side, message in sample.troubles:
                if kind in kinds:
                    yield place, side, message

    @cached_property
    def stored(self) -> Counter[int]:
        """Pixels of each stored number, in all masks of numbers."""
        total: Counter[int] = Counter()
        for _, sample in self.samples():
            if sample.held is not None and sample.held.stored is not None:
                for value, pixels in sample.held.stored.items():
                    total[value] += pixels
        return total

    def pixels(self, split: str) -> NDArray[np.int64]:
        """Pixels of each class in a split, and behind them of 254 (in no class) and 255 (ignored); of classes, images.

        Args:
            split: Its name.

        Returns:
            As many numbers as there are classes, at least 256.
        """
        return self._total(split, lambda counts: counts.pixels)

    def images(self, split: str) -> NDArray[np.int64]:
        """Images of a split that hold each class.

        Args:
            split: Its name.

        Returns:
            As many numbers as there are classes, at least 256.
        """
        return self._total(split, lambda counts: np.ones_like(counts.pixels))

    def _total(self, split: str, of: Callable[[Counts], NDArray[np.int32]]) -> NDArray[np.int64]:
        total = np.zeros(max(IDS, len(self.names)), dtype=np.int64)
        for sample in self.splits[split].samples:
            if sample.held is not None:
                total[sample.held.ids.keys] += of(sample.held.ids)
            elif sample.label >= 0:
                total[sample.label] += 1
        return total

    @property
    def is_segmentation(self) -> bool:
        """Whether images have label maps."""
        return self.reads != "classes"
