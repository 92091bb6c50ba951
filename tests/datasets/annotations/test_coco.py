"""COCO's instances and panoptic segments, also as Roboflow writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.annotations.rasterise import rasterise
from foveate.datasets.annotations.reading import read_annotations
from foveate.datasets.errors import DataError

Exports = Mapping[str, Callable[[Path], Path]]
Edit = Callable[[Path, Callable[[Any], object]], None]
FILE = "annotations/instances_train2017.json"
PANOPTIC = "annotations/panoptic_train2017.json"


def square(left: float, top: float, side: float) -> list[list[float]]:
    return [[left, top, left + side, top, left + side, top + side, left, top + side]]


def annotation(category: int, segmentation: object, **more: object) -> dict[str, object]:
    return {"image_id": 7, "category_id": category, "segmentation": segmentation, **more}


def drawn_from(root: Path, annotations: list[dict[str, object]], edit: Edit) -> np.ndarray:
    edit(root / FILE, lambda content: content.update(annotations=annotations))
    (image,) = read_annotations(root).images
    return rasterise(image, {"road": 1, "car": 2}, 0)


def test_larger_regions_are_drawn_first_whatever_their_order(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    small, large = annotation(5, square(4, 4, 4)), annotation(3, square(0, 0, 20), area=400)
    for listed in ([small, large], [large, small]):
        mask = drawn_from(exports["coco"](tmp_path / str(id(listed))), listed, edit)
        assert [mask[5, 5], mask[15, 15]] == [2, 1]


def test_crowds_are_ignored_and_lie_below(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    crowd = annotation(5, square(0, 0, 4), iscrowd=1)
    mask = drawn_from(exports["coco"](tmp_path), [annotation(3, square(2, 2, 10)), crowd], edit)
    assert [mask[0, 0], mask[3, 3], mask[9, 9], mask[20, 20]] == [255, 1, 1, 0]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # COCO's tools, since NumPy 2
def test_the_same_masks_as_coco_s_tools(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    tools = pytest.importorskip("pycocotools.coco", reason="COCO's tools are not installed (make dev)")
    rng = np.random.default_rng(0)
    rings = [np.round(rng.uniform(-2, 34, (rng.integers(3, 9), 2)), 2).ravel().tolist() for _ in range(12)]
    listed = [annotation(3 + 2 * (n % 2), [ring], id=n, area=100 - n, iscrowd=0) for n, ring in enumerate(rings)]
    ours = drawn_from(exports["coco"](tmp_path), listed, edit)
    theirs = np.zeros_like(ours)
    coco = tools.COCO(str(tmp_path / FILE))
    for one in coco.loadAnns(coco.getAnnIds()):
        theirs[coco.annToMask(one) > 0] = 1 if one["category_id"] == 3 else 2
    assert np.array_equal(ours, theirs)


def test_packed_run_lengths_are_read(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    mask = pytest.importorskip("pycocotools.mask", reason="COCO's tools are not installed (make dev)")
    pixels = np.asfortranarray(np.random.default_rng(0).integers(0, 2, (24, 32), dtype=np.uint8))
    packed = mask.encode(pixels)
    packed["counts"] = packed["counts"].decode()
    assert np.array_equal(drawn_from(exports["coco"](tmp_path), [annotation(3, packed)], edit), pixels)


def test_what_is_no_area_is_counted(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["coco"](tmp_path)
    listed = [annotation(3, []), annotation(3, [[1, 1, 5, 5]]), annotation(3, square(30, 20, 9))]
    edit(root / FILE, lambda content: content.update(annotations=listed))
    assert read_annotations(root).notes == (
        "left out: 1 annotations without a segmentation, such as boxes",
        "left out: 1 polygons of fewer than 3 points",
        "1 regions reach beyond their image; what lies outside is not drawn",
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"][1].pop("image_id"), r"annotations\[1\]: has no 'image_id'"),
        (lambda c: c["annotations"][1].update(image_id=9), r"annotations\[1\]\.image_id: no image has the id 9"),
        (lambda c: c["annotations"][0].update(category_id=4), r"no category has the id 4"),
        (lambda c: c["annotations"][1].update(segmentation=[[1, 2, 3]]), r"segmentation\[0\]: expected points"),
        (lambda c: c["annotations"][1].update(segmentation=[[1, 2, 3, "a"]]), "expected points"),
        (lambda c: c["annotations"][1].update(segmentation=[[1, 2, 3, float("nan")]]), "expected points"),
        (lambda c: c["annotations"][0]["segmentation"].update(counts=[5]), "cover 5 pixels, but there are 768"),
        (lambda c: c["annotations"][0]["segmentation"].update(size=[2, 2]), "not the size of its image"),
        (lambda c: c["images"][0].update(file_name="../../etc/a.png"), "names that lead to another folder"),
        (lambda c: c["images"][0].update(file_name="/a.png"), "names that lead to another folder"),
        (lambda c: c["categories"].append({"id": 3, "name": "x"}), "the id 3 stands for 'road' too"),
        (lambda c: c["images"][0].update(height="24"), r"images\[0\]\.height: expected a number"),
        (lambda c: c.update(categories={}), "categories: expected a list"),
    ],
)
def test_a_damaged_entry_is_named(
    exports: Exports, tmp_path: Path, edit: Edit, change: Callable[[Any], object], message: str
) -> None:
    root = exports["coco"](tmp_path)
    edit(root / FILE, change)
    with pytest.raises(DataError, match=message) as caught:
        read_annotations(root)
    assert str(root / FILE) in str(caught.value)


def test_a_file_cut_short_is_named(exports: Exports, tmp_path: Path) -> None:
    root = exports["coco"](tmp_path)
    (root / FILE).write_text((root / FILE).read_text()[:-9])
    with pytest.raises(DataError, match=r"instances_train2017\.json: damaged JSON"):
        read_annotations(root)


def test_an_image_of_another_size_is_a_fault(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["coco"](tmp_path)
    Image.new("RGB", (48, 24)).save(root / "images" / "a.png")
    (fault,) = read_annotations(root).faults
    assert "24 x 48 (height x width), but it was annotated at 24 x 32" in fault


def test_an_image_that_exif_turns_has_the_size_that_is_seen(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["coco"](tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (24, 32)).save(root / "images" / "a.png", exif=exif)
    assert read_annotations(root).faults == ()
    Image.new("RGB", (32, 24)).save(root / "images" / "a.png", exif=exif)
    assert "did not follow the rotation in its EXIF data" in read_annotations(root).faults[0]


def test_names_that_are_spelled_alike_stay_apart_and_equal_ones_are_one(
    exports: Exports, tmp_path: Path, edit: Edit
) -> None:
    root = exports["coco"](tmp_path)
    edit(root / FILE, lambda c: c["categories"].extend([{"id": 6, "name": "Car"}, {"id": 8, "name": "road"}]))
    found = read_annotations(root)
    assert found.classes == ("road", "car", "Car")
    assert found.notes == (
        "2 ids have the name 'road': they are one class",
        "'car', 'Car' are spelled alike, and are 2 classes",
    )


def roboflow_coco(exports: Exports, tmp_path: Path, edit: Edit) -> Path:
    """A folder for each split with its own file; category 0 names the group of classes."""
    for split in ("train", "valid"):
        exports["coco"](tmp_path / "made")
        (tmp_path / split).mkdir()
        (tmp_path / "made" / "images" / "a.png").rename(tmp_path / split / "a.png")
        (tmp_path / "made" / FILE).rename(tmp_path / split / "_annotations.coco.json")
        edit(tmp_path / split / "_annotations.coco.json", group)
    return tmp_path


def group(content: Any) -> None:
    for category in content["categories"]:
        category["supercategory"] = "street"
    content["categories"].insert(0, {"id": 0, "name": "street", "supercategory": "none"})


def test_roboflow_s_folders_are_splits_and_its_group_is_no_class(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    found = read_annotations(roboflow_coco(exports, tmp_path, edit))
    assert [one.split for one in found.images] == ["train", "val"]
    assert found.classes == ("road", "car")
    assert found.notes[0] == "'street' is the name of a group of classes, and no class"


def test_of_several_files_about_an_image_instances_count(exports: Exports, tmp_path: Path) -> None:
    root = exports["coco"](tmp_path)
    (root / "annotations" / "person_keypoints_train2017.json").write_text((root / FILE).read_text())
    assert len(read_annotations(root).images) == 1


def test_an_image_that_is_annotated_twice_is_a_fault(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["coco"](tmp_path)
    edit(root / FILE, lambda c: c["images"].append({**c["images"][0], "id": 8}))
    assert "a.png: annotated twice" in read_annotations(root).faults[0]


def test_images_of_one_name_are_told_apart_by_their_split(exports: Exports, tmp_path: Path) -> None:
    root = exports["coco"](tmp_path)
    for split in ("train2017", "val2017"):
        (root / split).mkdir()
        (root / split / "a.png").write_bytes((root / "images" / "a.png").read_bytes())
    (root / "images" / "a.png").unlink()
    assert read_annotations(root).images[0].image == root / "train2017" / "a.png"
    (root / "train2017").rename(root / "more")
    with pytest.raises(DataError, match=r"'a\.png' may be each of more/a\.png, val2017/a\.png"):
        read_annotations(root)


def test_a_segment_that_the_file_does_not_list_is_refused(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["coco-panoptic"](tmp_path)
    edit(root / PANOPTIC, lambda c: c["annotations"][0]["segments_info"].pop())
    (image,) = read_annotations(root).images
    with pytest.raises(DataError, match=r"a\.png: values that stand for no class: 65539 \(112 px\)"):
        rasterise(image, {"road": 1}, 0)


def test_a_crowd_of_segments_is_ignored(exports: Exports, tmp_path: Path, edit: Edit, scene: np.ndarray) -> None:
    root = exports["coco-panoptic"](tmp_path)
    edit(root / PANOPTIC, lambda c: c["annotations"][0]["segments_info"][1].update(iscrowd=1))
    found = read_annotations(root)
    assert np.array_equal(rasterise(found.images[0], {"road": 1, "car": 2}, 0), np.where(scene == 2, 255, scene))
    assert found.colours == {"road": (128, 64, 128)}


def test_a_missing_file_of_segments_is_a_fault(exports: Exports, tmp_path: Path) -> None:
    root = exports["coco-panoptic"](tmp_path)
    (root / "annotations" / "panoptic_train2017" / "a.png").unlink()
    assert "a.png: no such file" in read_annotations(root).faults[0]
