"""One scene of 24 x 32, exported as each tool does: road below, and a car that covers a part of it."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.annotations.model import AnnotationSet
from foveate.datasets.annotations.rasterise import rasterise

HEIGHT, WIDTH = 24, 32
ROAD, CAR = (0, 16, 32, 24), (4, 6, 12, 20)  # left, top, right, bottom; the latter two are the first outside
COLOURS = {"background": (0, 0, 0), "road": (128, 64, 128), "car": (0, 0, 142)}
SCENE = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
SCENE[16:24, 0:32] = 1
SCENE[6:20, 4:12] = 2

Export = Callable[[Path], Path]


def photo(path: Path, height: int = HEIGHT, width: int = WIDTH) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def corners(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def inclusive(left: int, top: int, right: int, bottom: int) -> list[list[int]]:
    """Corners for tools whose outlines belong to the area."""
    return corners(left, top, right - 1, bottom - 1)


def flat(points: list[list[int]]) -> list[int]:
    return [number for point in points for number in point]


def runs(mask: np.ndarray) -> list[int]:
    """Run lengths of a flat mask, outside first."""
    changes = np.flatnonzero(np.diff(mask.astype(int))) + 1
    lengths = np.diff([0, *changes.tolist(), len(mask)]).tolist()
    return [0, *lengths] if mask[0] else lengths


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def brush(mask: np.ndarray) -> list[int]:
    """Label Studio's run lengths: a header, then for each run a repeated value."""
    alpha = np.repeat(mask.ravel().astype(np.uint8) * 255, 4)
    bits = f"{len(alpha):032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    place = 0
    for length in np.diff([0, *(np.flatnonzero(np.diff(alpha)) + 1).tolist(), len(alpha)]).tolist():
        bits += f"111{length - 1:016b}{alpha[place]:08b}"  # the fourth size, of 16 bits
        place += length
    bits += "0" * (-len(bits) % 8)
    return [int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)]


def coco(root: Path) -> Path:
    photo(root / "images" / "a.png")
    car = (SCENE == 2).T.ravel()
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 5, "iscrowd": 0,
         "segmentation": {"size": [HEIGHT, WIDTH], "counts": runs(car)}},
        {"id": 2, "image_id": 7, "category_id": 3, "iscrowd": 0, "area": 256, "segmentation": [flat(corners(*ROAD))]},
    ]  # fmt: skip
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 3, "name": "road"}, {"id": 5, "name": "car"}],
        "annotations": annotations,
    }
    write(root / "annotations" / "instances_train2017.json", content)
    return root


def coco_panoptic(root: Path) -> Path:
    photo(root / "train2017" / "a.jpg")
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[SCENE == 1] = 10, 1, 0  # 10 + 256
    pixels[SCENE == 2] = 3, 0, 1  # 3 + 65536
    folder = root / "annotations" / "panoptic_train2017"
    folder.mkdir(parents=True)
    Image.fromarray(pixels).save(folder / "a.png")
    segments = [{"id": 266, "category_id": 1, "iscrowd": 0}, {"id": 65539, "category_id": 2, "iscrowd": 0}]
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH}],
        "categories": [{"id": 1, "name": "road", "color": [128, 64, 128]}, {"id": 2, "name": "car"}],
        "annotations": [{"image_id": 1, "file_name": "a.png", "segments_info": segments}],
    }
    write(folder.with_suffix(".json"), content)
    return root


def labelme(root: Path) -> Path:
    photo(root / "a.png")
    shapes = [
        {"label": "road", "points": inclusive(*ROAD), "shape_type": "polygon", "flags": {}},
        {"label": "car", "points": inclusive(*CAR)[::2], "shape_type": "rectangle", "flags": {}},
    ]
    size = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
    write(root / "a.json", {"version": "5.4", "shapes": shapes, "imagePath": "a.png", "imageData": None, **size})
    return root


def yolo(root: Path) -> Path:
    photo(root / "images" / "train" / "a.png")
    lines = [
        " ".join(map(str, [number, *(np.array(corners(*box)) / (WIDTH, HEIGHT)).ravel()]))
        for number, box in ((1, CAR), (0, ROAD))
    ]
    write(root / "labels" / "train" / "a.txt", "\n".join(lines))
    write(root / "data.yaml", "path: .\ntrain: images/train\nnames:\n  0: road\n  1: car\n")
    return root


def voc(root: Path) -> Path:
    photo(root / "JPEGImages" / "a.jpg")
    (root / "SegmentationClass").mkdir()
    pixels = np.array(list(COLOURS.values()), dtype=np.uint8)[SCENE]
    Image.fromarray(pixels).save(root / "SegmentationClass" / "a.png")
    lines = [f"{name}:{','.join(map(str, colour))}::" for name, colour in COLOURS.items()]
    write(root / "labelmap.txt", "\n".join(["# label:color_rgb:parts:actions", *lines]))
    write(root / "ImageSets" / "Segmentation" / "train.txt", "a\n")
    return root


def cvat(root: Path) -> Path:
    photo(root / "images" / "a.png")
    road = ";".join(f"{x:.2f},{y:.2f}" for x, y in corners(*ROAD))
    left, top, right, bottom = CAR
    write(
        root / "annotations.xml",
        f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
  <meta><task><labels>
    <label><name>road</name><color>#804080</color></label><label><name>car</name><color>#00008e</color></label>
  </labels></task></meta>
  <image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}" subset="Train">
    <box label="car" xtl="{left}.00" ytl="{top}.00" xbr="{right}.00" ybr="{bottom}.00" z_order="1"></box>
    <polygon label="road" occluded="0" points="{road}" z_order="0"></polygon>
    <points label="car" points="3.0,4.0" z_order="2"></points>
  </image>
</annotations>""",
    )
    return root


def label_studio(root: Path) -> Path:
    photo(root / "a.png")
    size = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    points = (np.array(corners(*ROAD)) / (WIDTH, HEIGHT) * 100).tolist()
    result = [
        {"type": "polygonlabels", **size, "value": {"points": points, "polygonlabels": ["road"]}},
        {"type": "brushlabels", **size, "value": {"format": "rle", "rle": brush(SCENE == 2), "brushlabels": ["car"]}},
    ]
    task = {"id": 1, "data": {"image": "/data/upload/3/0a1b2c3d-a.png"}, "annotations": [{"result": result}]}
    write(root / "export.json", [task])
    return root


def supervisely(root: Path) -> Path:
    photo(root / "train" / "img" / "a.png")
    left, top, right, bottom = CAR
    car = np.zeros((bottom - top, right - left, 4), dtype=np.uint8)
    car[...] = 255
    data = base64.b64encode(zlib.compress(png(car))).decode()
    objects = [
        {"classTitle": "road", "geometryType": "rectangle",
         "points": {"exterior": inclusive(*ROAD)[::2], "interior": []}},
        {"classTitle": "car", "geometryType": "bitmap", "bitmap": {"origin": [left, top], "data": data}},
    ]  # fmt: skip
    classes = [
        {"title": "road", "shape": "any", "color": "#804080"},
        {"title": "car", "shape": "bitmap", "color": "#00008E"},
    ]
    write(root / "meta.json", {"classes": classes, "tags": []})
    content = {"size": {"height": HEIGHT, "width": WIDTH}, "objects": objects, "tags": []}
    write(root / "train" / "ann" / "a.png.json", content)
    return root


def via(root: Path) -> Path:
    photo(root / "a.png")
    xs, ys = zip(*corners(*ROAD), strict=True)
    left, top, right, bottom = CAR
    car = {"name": "rect", "x": left, "y": top, "width": right - left, "height": bottom - top}
    regions = [
        {"shape_attributes": {"name": "polygon", "all_points_x": xs, "all_points_y": ys},
         "region_attributes": {"class": "road"}},
        {"shape_attributes": car, "region_attributes": {"class": "car"}},
    ]  # fmt: skip
    images = {"a.png123": {"filename": "a.png", "size": 123, "regions": regions, "file_attributes": {}}}
    write(root / "project.json", {"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {}})
    return root


def roboflow(root: Path) -> Path:
    photo(root / "valid" / "a.jpg")
    Image.fromarray(SCENE).save(root / "valid" / "a_mask.png")
    write(root / "valid" / "_classes.csv", "Pixel Value, Class\n0, background\n1, road\n2, car\n")
    return root


def cityscapes(root: Path) -> Path:
    frame = "aachen_000000_000019"
    photo(root / "leftImg8bit" / "train" / "aachen" / f"{frame}_leftImg8bit.png")
    objects = [
        {"label": "road", "polygon": inclusive(*ROAD)},
        {"label": "cargroup", "polygon": inclusive(*CAR)},
        {"label": "license plate", "polygon": inclusive(*CAR)},
    ]
    content = {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": objects}
    write(root / "gtFine" / "train" / "aachen" / f"{frame}_gtFine_polygons.json", content)
    return root


EXPORTS: dict[str, Export] = {
    "cityscapes": cityscapes,
    "coco": coco,
    "coco-panoptic": coco_panoptic,
    "cvat": cvat,
    "label-studio": label_studio,
    "labelme": labelme,
    "roboflow": roboflow,
    "supervisely": supervisely,
    "via": via,
    "voc": voc,
    "yolo": yolo,
}


@pytest.fixture(params=EXPORTS)
def format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def exports() -> Mapping[str, Export]:
    """Writes the scene in each format."""
    return EXPORTS


@pytest.fixture
def scene() -> np.ndarray:
    """What the masks have to hold: 1 road, 2 car."""
    return SCENE


@pytest.fixture
def mask_of() -> Callable[[AnnotationSet], np.ndarray]:
    """The mask of the only image in a set without faults."""

    def draw(annotations: AnnotationSet) -> np.ndarray:
        assert annotations.faults == ()
        (image,) = annotations.images
        return rasterise(image, {"road": 1, "car": 2}, 0)

    return draw


@pytest.fixture
def edit() -> Callable[[Path, Callable[[Any], object]], None]:
    """Changes the content of a JSON file."""

    def change(path: Path, how: Callable[[Any], object]) -> None:
        content = json.loads(path.read_text())
        how(content)
        path.write_text(json.dumps(content))

    return change
