"""Small data sets with one drawing per image, stored in every way that people store masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from foveate.datasets.labels import IGNORE

SIZE = 32, 48
COLOURS = np.array([(0, 0, 0), (128, 64, 128), (244, 35, 232)], dtype=np.uint8)
NAMES = ("ground", "car", "tree")
Drawing = np.ndarray  # uint8 (H, W): 0, 1, 2, and 255 where ignored


@dataclass(frozen=True)
class Kind:
    """One way to store masks.

    Attributes:
        store: Writes a drawing; the path has no ending.
        classes: The text of classes.yaml; none is written if empty.
        options: Options of the data module.
        expected: From a drawing to the train ids that are to be read.
    """

    store: Callable[[Path, Drawing], None]
    classes: str = ""
    options: dict[str, object] = field(default_factory=dict)
    expected: Callable[[Drawing], Drawing] = lambda drawn: drawn


def drawing(number: int) -> Drawing:
    """A drawing with all three classes and an ignored stripe."""
    drawn: Drawing = np.zeros(SIZE, dtype=np.uint8)
    drawn[4:20, 3 + number : 25] = 1
    drawn[18:30, 20 : 40 - number] = 2
    drawn[-2:] = IGNORE
    return drawn


def write_data_set(root: Path, kind: Kind, counts: dict[str, int]) -> dict[str, Drawing]:
    """Write images and masks; gives the train ids that belong to each image, by its name."""
    expected: dict[str, Drawing] = {}
    for split, count in counts.items():
        for number in range(count):
            name, drawn = f"{split}-{number}", drawing(number)
            image = root / "images" / split / f"{name}.png"
            image.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng([len(split), number]).integers(0, 60, (*SIZE, 3))
            Image.fromarray((noise + 60 * np.minimum(drawn, 3)[..., None]).astype(np.uint8)).save(image)
            mask = root / "masks" / split / name
            mask.parent.mkdir(parents=True, exist_ok=True)
            kind.store(mask, drawn)
            expected[image.name] = kind.expected(drawn)
    if kind.classes:
        (root / "classes.yaml").write_text(kind.classes)
    return expected


def _png(convert: Callable[[Drawing], np.ndarray], ending: str = "png") -> Callable[[Path, Drawing], None]:
    return lambda path, drawn: Image.fromarray(convert(drawn)).save(path.parent / f"{path.name}.{ending}")


def _coloured(drawn: Drawing, alpha: int | None = None) -> np.ndarray:
    pixels = np.where((drawn == IGNORE)[..., None], (255, 255, 255), COLOURS[np.minimum(drawn, 2)]).astype(np.uint8)
    return pixels if alpha is None else np.dstack([pixels, np.full(SIZE, alpha, np.uint8)])


def _palette(path: Path, drawn: Drawing, shift: int = 0) -> None:
    """Indices 0, 1, 2 with a palette; `shift` puts the same colours at other indices."""
    indices = np.where(drawn == IGNORE, IGNORE, (drawn + shift) % 3).astype(np.uint8)
    image = Image.new("P", (SIZE[1], SIZE[0]))
    image.putdata(indices.ravel().tolist())
    colours = np.full((256, 3), 255, dtype=np.uint8)
    colours[[(number + shift) % 3 for number in range(3)]] = COLOURS
    image.putpalette(colours.ravel().tolist())
    image.save(f"{path}.png")


def _class_files(path: Path, drawn: Drawing) -> None:
    path.mkdir()
    for number, name in enumerate(NAMES[1:], start=1):
        Image.fromarray(((drawn == number) * 255).astype(np.uint8)).save(path / f"{name}.png")


def _object_files(path: Path, drawn: Drawing) -> None:
    path.mkdir()
    for number in (1, 2):
        Image.fromarray(drawn == number).save(path / f"{path.name}-object-{number}.png")


LISTED = "classes: [ground, car, tree]\n"
COLOURED = """masks: colours
classes:
- {name: ground, colour: [0, 0, 0]}
- {name: car, colour: "#804080"}
- {name: tree, colour: [244, 35, 232]}
ignore: [[255, 255, 255]]
"""


def _black_and_white(drawn: Drawing) -> np.ndarray:
    return ((drawn == 1) * 255).astype(np.uint8)


def _is_car(drawn: Drawing) -> Drawing:
    return (drawn == 1).astype(np.uint8)


def _void_is_ground(drawn: Drawing) -> Drawing:
    return np.where(drawn == IGNORE, 0, drawn).astype(np.uint8)


def _by_frequency(drawn: Drawing) -> Drawing:
    """Unnamed colours are classes in the order of their pixels; white, the ignored stripe, is one of them."""
    return np.where(drawn == IGNORE, 3, drawn).astype(np.uint8)


def _jpeg(path: Path, drawn: Drawing) -> None:
    Image.fromarray(_black_and_white(drawn)).save(f"{path}.jpg", quality=60)


KINDS: dict[str, Kind] = {
    "values": Kind(_png(lambda drawn: drawn), LISTED),
    "values, unnamed": Kind(_png(lambda drawn: drawn)),
    "other values": Kind(
        _png(lambda drawn: np.where(drawn < 3, 7 * drawn + 3, 99).astype(np.uint8)),
        "classes: [{name: ground, value: 3}, {name: car, value: 10}, {name: tree, value: 17}]\nignore: [99]\n",
    ),
    "merged values": Kind(
        _png(lambda drawn: drawn),
        "classes: [{name: ground, value: 0}, {name: thing, values: [1, 2]}]\n",
        expected=lambda drawn: np.where(drawn == 2, 1, drawn).astype(np.uint8),
    ),
    "16 bits": Kind(
        _png(
            lambda drawn: 1000 * drawn.astype(np.uint16)  # 255 overflows to 58392
        ),
        "classes: [{name: a, value: 0}, {name: b, value: 1000}, {name: c, value: 2000}]\nignore: [58392]\n",
    ),
    "palette": Kind(_palette, LISTED),
    "palette, unnamed": Kind(_palette),
    "palettes that differ": Kind(lambda path, drawn: _palette(path, drawn, shift=int(path.name[-1]) % 3), COLOURED),
    "colours": Kind(_png(_coloured), COLOURED),
    "colours with alpha": Kind(_png(lambda drawn: _coloured(drawn, alpha=200)), COLOURED),
    "equal channels": Kind(_png(lambda drawn: np.repeat(drawn[..., None], 3, axis=2)), LISTED),
    "1 bit": Kind(_png(lambda drawn: drawn == 1), expected=_is_car),
    "0 and 255": Kind(_png(_black_and_white), expected=_is_car),
    "binary JPEG": Kind(_jpeg, options={"masks": "binary"}, expected=_is_car),
    "floats": Kind(_png(lambda drawn: drawn.astype(np.float32), "tif"), LISTED),
    "array": Kind(lambda path, drawn: np.save(f"{path}.npy", drawn.astype(np.int64)), LISTED),
    "reduce zero": Kind(
        _png(lambda drawn: np.where(drawn == IGNORE, 0, drawn + 1).astype(np.uint8)),
        options={"reduce_zero_label": True},
    ),
    "a file for each class": Kind(_class_files, expected=_void_is_ground, options={}),
    "a file for each object": Kind(_object_files, expected=lambda drawn: np.isin(drawn, (1, 2)).astype(np.uint8)),
}
