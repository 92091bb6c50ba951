"""Index masks of annotated images: one in memory, or those of a whole set as PNG files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from foveate.datasets.annotations.drawing import CANVASES, Mask
from foveate.datasets.annotations.model import AnnotatedImage, AnnotationSet, Region
from foveate.datasets.class_table import RGB
from foveate.datasets.errors import DataError
from foveate.datasets.files.writing import replacing
from foveate.datasets.labels import IGNORE, LARGEST_ID
from foveate.datasets.threads import in_threads

VERSION = b"1"  # another one draws every mask again
KEY, COUNTS = "foveate:drawn-from", "foveate:pixels"  # texts within a PNG


def rasterise(annotated: AnnotatedImage, values: Mapping[str, int], background: int, *, ignore: int = IGNORE) -> Mask:
    """The index mask of an image.

    Regions are painted in their order, later ones on top. Those of a class without a value are left out, and what lies
    below them stays visible.

    Args:
        annotated: The image and its regions.
        values: Value, 0 to 65535, of each class.
        background: Value of pixels in no region.
        ignore: Value of regions that shall neither train nor score.

    Returns:
        The mask (H, W): uint8 if every value fits, else uint16.

    Raises:
        DataError: A region given as pixels is damaged.

    Example:
        >>> import numpy as np
        >>> from pathlib import Path
        >>> from foveate.datasets.annotations.model import Region
        >>> square = Region(label="car", rings=(np.array([[1.0, 0], [3, 0], [3, 2], [1, 2]]),))
        >>> image = AnnotatedImage(image=Path("a.png"), name="a.png", height=3, width=4, regions=[square])
        >>> rasterise(image, {"car": 7}, 0).tolist()
        [[0, 7, 7, 0], [0, 7, 7, 0], [0, 0, 0, 0]]
    """
    largest = max([background, ignore, *values.values()])
    if largest > LARGEST_ID:
        raise DataError(f"a value in a mask is at most {LARGEST_ID}, not {largest}")
    canvas = CANVASES[annotated.rule](annotated.height, annotated.width, background, deep=largest > IGNORE)
    canvas.paint([(one, value) for one in annotated.regions if (value := _value(one, values, ignore)) is not None])
    return canvas.finish()


def _value(region: Region, values: Mapping[str, int], ignore: int) -> int | None:
    return ignore if region.ignore else values.get(region.label)


class Drawn(NamedTuple):
    """A mask on disk.

    Attributes:
        image: The image.
        mask: The mask's file.
        split: The split.
        counts: Pixels of each value in the mask.
    """

    image: AnnotatedImage
    mask: Path
    split: str | None
    counts: dict[int, int]


@dataclass(frozen=True, kw_only=True)
class Values:
    """What masks hold.

    Attributes:
        classes: Value of each class.
        background: Value of pixels in no region.
        ignore: Value of regions that shall neither train nor score.
        colours: Colour of each value in the palette of 8-bit masks.
    """

    classes: Mapping[str, int]
    background: int
    ignore: int = IGNORE
    colours: Mapping[int, RGB]


def mask_path(out: Path, annotated: AnnotatedImage) -> Path:
    """The file of an image's mask: `out/SPLIT/NAME.png`, without SPLIT if there are none.

    Args:
        out: The folder.
        annotated: The image.
    """
    return (out / (annotated.split or "") / annotated.name).with_suffix(".png")


def rasterise_set(
    annotations: AnnotationSet,
    out: Path,
    values: Values,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    threads: int | None = None,
) -> list[Drawn]:
    """Draw the mask of every image. An interrupted run is continued, and a mask whose regions changed is drawn again.

    Args:
        annotations: The images.
        out: Folder to write to, see `mask_path`.
        values: What the masks hold.
        progress: Called with the number of masks that are done, and their total.
        threads: How many are drawn at a time; one for each core if not given, at most 16.

    Returns:
        What was written, in the order of the images.

    Raises:
        DataError: A region is damaged.
        OSError: A mask cannot be written.
    """
    drawn: list[Drawn] = []
    images = annotations.images
    counted = in_threads(lambda one: draw_mask(one, mask_path(out, one), values), images, threads=threads)
    for annotated, counts in zip(images, counted, strict=True):
        drawn.append(Drawn(annotated, mask_path(out, annotated), annotated.split, counts))
        progress(len(drawn), len(images))
    return drawn


def draw_mask(annotated: AnnotatedImage, path: Path, values: Values) -> dict[int, int]:
    """Draw one mask, unless it is there already.

    Args:
        annotated: The image.
        path: The mask's file.
        values: What it holds.

    Returns:
        Pixels of each value.
    """
    key = digest(annotated, values)
    if (counts := _read_counts(path, key)) is not None:
        return counts
    mask = rasterise(annotated, values.classes, values.background, ignore=values.ignore)
    numbers = np.bincount(mask.ravel())
    counts = {int(value): int(numbers[value]) for value in np.flatnonzero(numbers)}
    _write(mask, path, values.colours, {KEY: key, COUNTS: json.dumps(list(counts.items()))})
    return counts


def _write(mask: Mask, path: Path, colours: Mapping[int, RGB], texts: Mapping[str, str]) -> None:
    image = Image.fromarray(mask)
    if mask.dtype == np.uint8:
        image.putpalette([part for value in range(256) for part in colours.get(value, (0, 0, 0))])
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    with replacing(path, flush=False) as draft:
        image.save(draft, format="PNG", pnginfo=info)


def _read_counts(path: Path, key: str) -> dict[int, int] | None:
    """Pixels of each value of a mask that was drawn from the same regions."""
    try:
        with Image.open(path) as image:
            if image.info.get(KEY) != key:
                return None
            return {int(value): int(count) for value, count in json.loads(image.info[COUNTS])}
    except (OSError, ValueError, KeyError):  # missing, or not whole
        return None


def digest(annotated: AnnotatedImage, values: Values) -> str:
    """Stands for all that decides a mask: another content has another digest.

    Args:
        annotated: The image.
        values: What the mask holds.
    """
    done = hashlib.blake2b(VERSION, digest_size=16)
    head = (annotated.height, annotated.width, annotated.rule, values.background, values.ignore)
    done.update(repr((head, sorted(values.classes.items()), sorted(values.colours.items()))).encode())
    done.update(annotated.key)
    if not annotated.key:
        for region in annotated.regions:
            _update(done, region)
    return done.hexdigest()


def _update(done: hashlib.blake2b, region: Region) -> None:
    done.update(repr((region.label, region.ignore)).encode())
    for kind, rings in (b"rings", region.rings), (b"holes", region.holes):
        for ring in rings:
            done.update(kind + len(ring).to_bytes(8, "big") + ring.tobytes())
    if region.bitmap is not None:
        done.update(repr((region.bitmap.top, region.bitmap.left)).encode() + region.bitmap.key)


def total_counts(drawn: Sequence[Drawn]) -> dict[int, int]:
    """Pixels of each value over a whole set.

    Args:
        drawn: The masks.
    """
    counts: dict[int, int] = {}
    for one in drawn:
        for value, count in one.counts.items():
            counts[value] = counts.get(value, 0) + count
    return counts
