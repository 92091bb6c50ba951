"""Synthetic street scenes in Cityscapes' layout, for training without a download.

They hold all 19 classes, each often and large enough to be learned in minutes at 128 x 256. Classes share their
colours and differ in shape, texture and surroundings, so a model that looks at single pixels scores badly on them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from foveate.datasets.files.writing import write_whole
from foveate.datasets.scenes.camera import draw_camera
from foveate.datasets.scenes.canvas import Canvas
from foveate.datasets.scenes.layout import paint_scene
from foveate.datasets.scenes.light import develop, draw_weather

GENERATOR = 2  # version; raise it when the same seed gives other pictures
SETTINGS_FILE = "scenes.json"
_CITIES = {"train": "synthburg", "val": "synthford"}
_FIRST_INDEX = {"train": 0, "val": 10_000_000}  # no scene is in both
_FRAMES_PER_SEQUENCE = 100


def render_scene(seed: int, index: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Make one street scene; the same arguments always give the same scene.

    Another size with the same seed and index shows the same street.

    Args:
        seed: Which family of scenes; 0 or more.
        index: Which scene of it; 0 or more.
        height: Rows, 32 or more.
        width: Columns, 32 or more.

    Returns:
        The image, uint8 (H, W, 3) RGB, and the label map, uint8 (H, W), of Cityscapes' regular ids
        (as in `labelIds` files, with void), not train ids.

    Raises:
        ValueError: If a side is below 32.
    """
    if min(height, width) < 32:
        raise ValueError(f"a scene of {height} x {width} is too small; give 32 x 32 or more")
    street, grain = (np.random.default_rng((seed, index, stream)) for stream in (0, 1))
    canvas = Canvas(draw_camera(street, height, width))
    weather = draw_weather(street)
    paint_scene(canvas, street, weather, index)
    return develop(canvas, grain, weather), canvas.label


def write_scenes(
    root: Path,
    *,
    train: int,
    val: int,
    height: int,
    width: int,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write scenes under `root` in the layout of Cityscapes (`leftImg8bit` and `gtFine`, `labelIds` only).

    An interrupted run is resumed: existing pairs are kept, also those beyond `train` and `val`.

    Args:
        root: Folder to write to; made if it does not exist.
        train: Number of training scenes.
        val: Number of validation scenes; none is a training scene.
        height: Rows of each image.
        width: Columns of each image.
        seed: Another seed gives other scenes.
        progress: Called with (scenes done, scenes in all) after each.

    Raises:
        ValueError: If `root` holds scenes of other settings, or images that this function did not write.
    """
    _claim(root, {"generator": GENERATOR, "seed": seed, "height": height, "width": width})
    scenes = [*_scenes(root, "train", train), *_scenes(root, "val", val)]
    for done, (index, image_file, label_file) in enumerate(scenes, start=1):
        if not (image_file.exists() and label_file.exists()):
            image, label = render_scene(seed, index, height, width)
            _write_png(label_file, label)
            _write_png(image_file, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        if progress is not None:
            progress(done, len(scenes))


def _scenes(root: Path, split: str, count: int) -> Iterator[tuple[int, Path, Path]]:
    """Index, image file and label file of each scene of a split."""
    city = _CITIES[split]
    for number in range(count):
        sequence, frame = divmod(number, _FRAMES_PER_SEQUENCE)
        stem = f"{city}_{sequence:06d}_{frame:06d}"
        image = root / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png"
        label = root / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png"
        yield _FIRST_INDEX[split] + number, image, label


def _claim(root: Path, settings: dict[str, int]) -> None:
    """Note the settings in `root`, or raise if it holds something else."""
    note = root / SETTINGS_FILE
    if note.exists():
        found = note.read_text()
        if _parse(found) != settings:
            raise ValueError(
                f"{root} holds scenes of other settings: {found.strip()}; asked for: {json.dumps(settings)}. "
                "Give another folder, delete this one, or ask for its settings (another generator is another Foveate)."
            )
    elif (root / "leftImg8bit").exists() or (root / "gtFine").exists():
        raise ValueError(
            f"{root} holds images but no {SETTINGS_FILE}: these are not synthetic scenes. Give another folder."
        )
    else:
        write_whole(note, json.dumps(settings).encode() + b"\n")


def _parse(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def _write_png(file: Path, pixels: np.ndarray) -> None:
    done, data = cv2.imencode(".png", pixels)
    if not done:
        raise OSError(f"cv2 could not encode {file}")
    write_whole(file, data.tobytes(), flush=False)
