"""What is particular to each tool's files, and what their damage says."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.annotations.model import AnnotationSet
from foveate.datasets.annotations.rasterise import rasterise
from foveate.datasets.annotations.reading import read_annotations
from foveate.datasets.errors import DataError

Exports = Mapping[str, Callable[[Path], Path]]
Edit = Callable[[Path, Callable[[Any], object]], None]
VALUES = {"road": 1, "car": 2}
FILES = {
    "labelme": "a.json",
    "label-studio": "export.json",
    "supervisely": "train/ann/a.png.json",
    "via": "project.json",
    "cityscapes": "gtFine/train/aachen/aachen_000000_000019_gtFine_polygons.json",
}


def drawn(root: Path) -> np.ndarray:
    found = read_annotations(root)
    assert found.faults == ()
    return rasterise(found.images[0], VALUES, 0)


def png(pixels: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def circle(
    height: int, width: int, x: float, y: float, x_radius: float, y_radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels that are surely inside, and those that are surely outside."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    far = np.hypot((columns - x) / x_radius, (rows - y) / y_radius)
    return far < 1 - 0.9 / min(x_radius, y_radius), far > 1 + 0.9 / min(x_radius, y_radius)


def via_shape(content: Any, number: int) -> Any:
    return content["_via_img_metadata"]["a.png123"]["regions"][number]["shape_attributes"]


DAMAGED: list[tuple[str, Callable[[Any], object], str]] = [
    ("labelme", lambda c: c["shapes"][0].pop("label"), r"shapes\[0\]: has no 'label'"),
    ("labelme", lambda c: c["shapes"][1]["points"].pop(), r"shapes\[1\]\.points: expected two points, not 1"),
    ("labelme", lambda c: c["shapes"][0].update(points="x"), r"shapes\[0\]\.points: expected points"),
    ("labelme", lambda c: c.update(imagePath="../../a.png"), "names that lead to another folder"),
    ("label-studio", lambda c: c[0]["annotations"][0]["result"][0]["value"].pop("points"), "has no 'points'"),
    ("label-studio", lambda c: c[0]["annotations"][0]["result"][0].update(image_rotation=90), "turned in Label Studio"),
    ("label-studio", lambda c: c[0]["annotations"][0]["result"][0].update(original_width=9), "several sizes"),
    ("label-studio", lambda c: c[0].update(data={"text": "hello"}), r"\[0\]\.data: expected one value"),
    ("supervisely", lambda c: c["objects"][0].update(classTitle="cat"), r"objects\[0\]\.classTitle: meta\.json has no"),
    ("supervisely", lambda c: c["objects"][1]["bitmap"].update(data="%%"), r"bitmap\.data: damaged base64"),
    ("supervisely", lambda c: c["objects"][0]["points"]["exterior"].pop(), "expected two points, not 1"),
    ("via", lambda c: via_shape(c, 1).pop("x"), "has no 'x'"),
    ("via", lambda c: via_shape(c, 0)["all_points_x"].pop(), "3 values of x, but 4 of y"),
    ("via", lambda c: c["_via_img_metadata"]["a.png123"].update(filename="../a.png"), "another folder"),
    ("cityscapes", lambda c: c.pop("imgWidth"), "has no 'imgWidth'"),
    ("cityscapes", lambda c: c["objects"][0].update(polygon=[[1]]), r"objects\[0\]\.polygon: expected points"),
]  # fmt: skip


@pytest.mark.parametrize(("format", "change", "message"), DAMAGED)
def test_a_damaged_entry_is_named(
    exports: Exports, tmp_path: Path, edit: Edit, format: str, change: Callable[[Any], object], message: str
) -> None:
    root = exports[format](tmp_path)
    edit(root / FILES[format], change)
    with pytest.raises(DataError, match=message) as caught:
        read_annotations(root, format)
    assert Path(FILES[format]).name in str(caught.value)


def shape(kind: str, points: list[list[float]], label: str = "car", **more: object) -> dict[str, object]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def test_labelme_circles_masks_and_what_is_no_area(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["labelme"](tmp_path)
    mask = png(np.array([[255, 0, 255], [0, 255, 0]], dtype=np.uint8))
    shapes = [
        shape("circle", [[12, 12], [12, 20]]),
        shape("mask", [[25, 3], [27, 4]], label="road", mask=mask),
        shape("mask", [[29, 0], [31, 1]], label="__ignore__", mask=mask),
        shape("linestrip", [[0, 0], [5, 5], [9, 9]]),
        shape("point", [[0, 0]]),
    ]
    edit(root / "a.json", lambda content: content.update(shapes=shapes))
    found = read_annotations(root)
    result = rasterise(found.images[0], VALUES, 0)
    inside, outside = circle(24, 24, 12, 12, 8, 8)
    assert (result[:, :24][inside] == 2).all()
    assert (result[:, :24][outside] == 0).all()
    assert result[3:5, 25:28].tolist() == [[1, 0, 1], [0, 1, 0]]
    assert result[0:2, 29:32].tolist() == [[255, 0, 255], [0, 255, 0]]
    assert found.classes == ("car", "road")
    assert found.notes == ("left out: 1 shapes of type linestrip", "left out: 1 shapes of type point")


def test_labelme_polygons_are_those_of_its_own_scripts(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    from PIL import ImageDraw

    points = [[2.6, 3.2], [20.9, 1.4], [28.2, 17.7], [9.5, 22.1]]
    theirs = Image.new("L", (32, 24))
    ImageDraw.Draw(theirs).polygon([(x, y) for x, y in points], outline=2, fill=2)
    root = exports["labelme"](tmp_path)
    edit(root / "a.json", lambda content: content.update(shapes=[shape("polygon", points)]))
    assert np.array_equal(drawn(root), np.array(theirs))


def test_labelme_keeps_the_order_of_labels_txt(exports: Exports, tmp_path: Path) -> None:
    root = exports["labelme"](tmp_path)
    (root / "labels.txt").write_text("__ignore__\n_background_\nroad\nbus\n")
    assert read_annotations(root).classes == ("_background_", "road", "bus", "car")


def test_labelme_images_may_lie_within_the_file(
    exports: Exports, tmp_path: Path, edit: Edit, scene: np.ndarray
) -> None:
    root = exports["labelme"](tmp_path)
    data = (root / "a.png").read_bytes()
    (root / "a.png").unlink()
    edit(root / "a.json", lambda c: c.update(imageData=base64.b64encode(data).decode(), imagePath="..\\raw\\a.png"))
    found = read_annotations(root)
    assert np.array_equal(drawn(root), scene)
    assert found.images[0].embedded is not None
    assert found.images[0].embedded() == data
    edit(root / "a.json", lambda c: c.update(imageHeight=9))
    with pytest.raises(DataError, match="an image of 24 x 32, but the file says"):
        read_annotations(root)


def test_yolo_lines_that_are_boxes_are_left_out_and_images_without_a_text_show_background(
    exports: Exports, tmp_path: Path
) -> None:
    root = exports["yolo"](tmp_path)
    (root / "labels" / "train" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n\n")
    (root / "images" / "train" / "b.png").write_bytes((root / "images" / "train" / "a.png").read_bytes())
    found = read_annotations(root)
    assert [list(one.regions) for one in found.images] == [[], []]
    assert found.notes == (
        "1 images have no text file: background only, as YOLO has it",
        "left out: 1 boxes without a polygon",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("7 0 0 1 0 1 1", r"a\.txt: line 1: there is no class 7 \(data\.yaml names 0 to 1\)"),
        ("car 0 0 1 0 1 1", "expected a class and numbers"),
        ("0 0 0 1 0 1 1 1", "expected pairs of numbers"),
        ("0 0 0 nan 0 1 1", "expected pairs of numbers"),
        ("0 0 0 320 0 320 240", "expected shares of width and height"),
    ],
)
def test_a_damaged_line_of_yolo_is_named(exports: Exports, tmp_path: Path, line: str, message: str) -> None:
    root = exports["yolo"](tmp_path)
    (root / "labels" / "train" / "a.txt").write_text(line)
    with pytest.raises(DataError, match=message):
        read_annotations(root)


def test_yolo_as_roboflow_lays_it_out(exports: Exports, tmp_path: Path, scene: np.ndarray) -> None:
    made, root = exports["yolo"](tmp_path / "made"), tmp_path / "export"
    for folder, ending in (("images", "png"), ("labels", "txt")):
        (root / "valid" / folder).mkdir(parents=True)
        (made / folder / "train" / f"a.{ending}").rename(root / "valid" / folder / f"a.{ending}")
    (root / "data.yaml").write_text("train: ../train/images\nnc: 2\nnames: [road, car]\n")
    assert np.array_equal(drawn(root), scene)
    assert read_annotations(root).images[0].split == "val"


@pytest.mark.parametrize("names", ["names: {0: a, 2: b}", "names: {a: 0}", "names: 3", "names: [", "nc: 3\n# names"])
def test_yolo_names_that_are_no_list_are_refused(exports: Exports, tmp_path: Path, names: str) -> None:
    root = exports["yolo"](tmp_path)
    (root / "data.yaml").write_text(names)
    with pytest.raises(DataError, match=r"data\.yaml"):
        read_annotations(root)


@pytest.mark.parametrize("kind", ["palette", "grey"])
def test_voc_masks_may_be_palette_or_grey(exports: Exports, tmp_path: Path, scene: np.ndarray, kind: str) -> None:
    root = exports["voc"](tmp_path)
    image = Image.fromarray(np.where(scene == 2, 255, scene) if kind == "grey" else scene)
    if kind == "palette":
        image = image.convert("P")
        image.putpalette([0, 0, 0, 128, 64, 128, 224, 224, 192])  # the last is VOC's border
    image.save(root / "SegmentationClass" / "a.png")
    assert np.array_equal(drawn(root), np.where(scene == 2, 255, scene))


def test_an_unknown_colour_of_voc_is_named_with_its_count(exports: Exports, tmp_path: Path) -> None:
    root = exports["voc"](tmp_path)
    (root / "labelmap.txt").write_text("background:0,0,0::\nroad:128,64,128::\n")
    with pytest.raises(DataError, match=r"a\.png: values that stand for no class: \[0, 0, 142\] \(112 px\)"):
        drawn(root)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a:1,2::", "line 1: expected name:red,green,blue"),
        ("a:1,2,300::", "line 1: expected name:red,green,blue"),
        ("a:1,2,3::\nb:1,2,3::", "line 2: the name or the colour of 'b' stands for two classes"),
    ],
)
def test_a_damaged_label_map_of_voc_is_refused(exports: Exports, tmp_path: Path, lines: str, message: str) -> None:
    root = exports["voc"](tmp_path)
    (root / "labelmap.txt").write_text(lines)
    with pytest.raises(DataError, match=message):
        read_annotations(root)


def test_voc_without_a_label_map_has_voc_s_classes_and_colours(exports: Exports, tmp_path: Path) -> None:
    root = exports["voc"](tmp_path)
    (root / "labelmap.txt").unlink()
    Image.new("RGB", (32, 24), (128, 128, 128)).save(root / "SegmentationClass" / "a.png")
    found = read_annotations(root)
    assert len(found.classes) == 21
    assert (rasterise(found.images[0], {"car": 7}, 0) == 7).all()


def test_a_name_in_two_lists_of_voc_is_a_fault(exports: Exports, tmp_path: Path) -> None:
    root = exports["voc"](tmp_path)
    (root / "ImageSets" / "Segmentation" / "trainval.txt").write_text("a\n")
    assert read_annotations(root).faults == ()
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    assert "val.txt: a is in train too" in read_annotations(root).faults[0]


CVAT_SHAPES = """
<ellipse label="car" cx="10" cy="12" rx="8" ry="5" z_order="0"/>
<mask label="road" left="20" top="3" width="3" height="2" rle="1, 2, 2, 1" z_order="0"/>
<polyline label="car" points="1,1;5,5" z_order="0"/>
"""


def with_shapes(root: Path, shapes: str) -> None:
    text = (root / "annotations.xml").read_text()
    start, end = text.index("<box"), text.index("</image>")
    (root / "annotations.xml").write_text(text[:start] + shapes + text[end:])


def test_cvat_ellipses_and_masks(exports: Exports, tmp_path: Path) -> None:
    root = exports["cvat"](tmp_path)
    with_shapes(root, CVAT_SHAPES)
    result = drawn(root)
    inside, outside = circle(24, 20, 10, 12, 8, 5)
    assert (result[:, :20][inside] == 2).all()
    assert (result[:, :20][outside] == 0).all()
    assert result[3:5, 20:23].tolist() == [[0, 1, 1], [0, 0, 1]]
    found = read_annotations(root)
    assert found.notes == ("left out: 1 shapes of type polyline",)
    assert found.colours == {"road": (128, 64, 128), "car": (0, 0, 142)}


def test_subsets_of_cvat_that_are_no_splits_are_told(exports: Exports, tmp_path: Path) -> None:
    path = exports["cvat"](tmp_path) / "annotations.xml"
    for subset, split in (("Validation", "val"), ("default", None), ("fold1", None)):
        path.write_text(path.read_text().replace('subset="Train"', f'subset="{subset}"'))
        found = read_annotations(tmp_path)
        assert found.images[0].split == split
        assert any("names of subset 'fold1', which is no split" in note for note in found.notes) == (subset == "fold1")
        path.write_text(path.read_text().replace(f'subset="{subset}"', 'subset="Train"'))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ('<polygon label="car" points="1,1;a,5;3,3"/>', r"image 'a\.png': polygon 0: points: expected x,y"),
        ('<box label="car" xtl="1" ytl="1" xbr="9"/>', "has no 'ybr'"),
        ('<box xtl="1" ytl="1" xbr="9" ybr="9"/>', "has no 'label'"),
        ('<mask label="car" left="0" top="0" width="3" height="2" rle="1, 2"/>', "cover 3 pixels, but there are 6"),
        ('<mask label="car" left="0" top="0" width="99999" height="9999" rle="1"/>', "a mask of 9999 x 99999"),
        ('<mask label="car" left="0" top="0" width="3" height="2" rle="x"/>', "expected whole numbers"),
        ("<box", "damaged XML"),
    ],
)
def test_a_damaged_shape_of_cvat_is_named(exports: Exports, tmp_path: Path, shapes: str, message: str) -> None:
    root = exports["cvat"](tmp_path)
    with_shapes(root, shapes)
    with pytest.raises(DataError, match=message):
        read_annotations(root)


def test_cvat_for_video_and_entities_are_refused(exports: Exports, tmp_path: Path) -> None:
    path = exports["cvat"](tmp_path) / "annotations.xml"
    text = path.read_text()
    path.write_text(text.replace("</annotations>", '<track id="0" label="car"/></annotations>'))
    with pytest.raises(DataError, match=r"CVAT for video; export the task as 'CVAT for images 1\.1'"):
        read_annotations(tmp_path)
    path.write_text(text.replace("<annotations>", '<!DOCTYPE a [<!ENTITY b "c">]><annotations>'))
    with pytest.raises(DataError, match="declares XML entities"):
        read_annotations(tmp_path)


def result(kind: str, labels: list[str], **value: object) -> dict[str, object]:
    size = {"original_width": 32, "original_height": 24, "image_rotation": 0}
    return {"type": kind, **size, "value": {**value, kind: labels}}


def test_label_studio_rectangles_ellipses_and_labels_apart(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["label-studio"](tmp_path)
    box = {"x": 50.0, "y": 50.0, "width": 25.0, "height": 25.0, "rotation": 0}
    results = [
        result("rectanglelabels", ["road"], **box),
        result("rectanglelabels", ["car"], **{**box, "rotation": 90}),
        result("ellipselabels", ["car"], x=25.0, y=25.0, radiusX=12.5, radiusY=12.5),
        {**result("labels", ["road"], x=0.0, y=75.0, width=12.5, height=12.5), "type": "labels"},
        result("keypointlabels", ["car"], x=1.0, y=1.0),
        {**result("rectanglelabels", ["x"], **box), "type": "rectangle"},
    ]
    edit(root / "export.json", lambda content: content[0]["annotations"][0].update(result=results))
    mask = drawn(root)
    expected = np.zeros((24, 32), dtype=np.uint8)
    expected[12:18, 16:24] = 1
    expected[12:20, 10:16] = 2  # turned round its first corner: 6 wide, 8 high, to the left
    expected[18:21, 0:4] = 1
    inside, outside = circle(12, 32, 8, 6, 4, 3)
    assert np.array_equal(mask[12:], expected[12:])
    assert (mask[:12][inside] == 2).all()
    assert (mask[:12][outside] == 0).all()
    assert read_annotations(root).notes == (
        "left out: 1 results of type keypoint",
        "left out: 1 results of type rectangle without a label",
    )


def test_of_several_annotations_the_true_one_counts(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["label-studio"](tmp_path)
    other = {
        "result": [result("rectanglelabels", ["car"], x=0.0, y=0.0, width=100.0, height=100.0)],
        "ground_truth": True,
    }
    edit(root / "export.json", lambda content: content[0]["annotations"].append(other))
    assert (drawn(root) == 2).all()
    assert read_annotations(root).notes == ("left out: 1 further annotations of tasks that have several",)
    edit(root / "export.json", lambda content: content[0]["annotations"][1].update(was_cancelled=True))
    assert read_annotations(root).notes == ()


@pytest.mark.parametrize(
    "address",
    [
        "/data/local-files/?d=folder/a.png",
        "s3://bucket/x/a.png",
        "https://host.org/a.png?token=1",
        "/data/upload/a.png",
    ],
)
def test_label_studio_images_are_found_by_the_end_of_their_address(
    exports: Exports, tmp_path: Path, edit: Edit, scene: np.ndarray, address: str
) -> None:
    root = exports["label-studio"](tmp_path)
    edit(root / "export.json", lambda content: content[0].update(data={"image": address, "note": "x"}))
    assert np.array_equal(drawn(root), scene)


def test_supervisely_holes_and_what_is_no_area(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["supervisely"](tmp_path)
    outer, inner = [[2, 2], [20, 2], [20, 20], [2, 20]], [[6, 6], [10, 6], [10, 10], [6, 10]]
    objects = [
        {"classTitle": "car", "geometryType": "polygon", "points": {"exterior": outer, "interior": [inner]}},
        {"classTitle": "car", "geometryType": "line", "points": {"exterior": outer, "interior": []}},
    ]
    edit(root / FILES["supervisely"], lambda content: content.update(objects=objects))
    expected = np.zeros((24, 32), dtype=np.uint8)
    expected[2:21, 2:21] = 2
    expected[6:11, 6:11] = 0
    assert np.array_equal(drawn(root), expected)
    assert read_annotations(root).notes == ("left out: 1 objects of type line",)


def test_a_damaged_bitmap_of_supervisely_is_named(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["supervisely"](tmp_path)
    data = base64.b64encode(b"no zlib").decode()
    edit(root / FILES["supervisely"], lambda content: content["objects"][1]["bitmap"].update(data=data))
    with pytest.raises(DataError, match=r"objects\[1\]\.bitmap\.data: damaged bitmap"):
        drawn(root)


def via_regions(root: Path) -> list[Any]:
    content = json.loads((root / "project.json").read_text())
    return list(content["_via_img_metadata"]["a.png123"]["regions"])


def test_via_csv_is_read_like_its_json(exports: Exports, tmp_path: Path, scene: np.ndarray) -> None:
    import csv

    root = exports["via"](tmp_path)
    regions = via_regions(root)
    (root / "project.json").unlink()
    with (root / "via.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
        rows.writerow(head.split(","))
        for number, one in enumerate(regions):
            shape, attributes = json.dumps(one["shape_attributes"]), json.dumps(one["region_attributes"])
            rows.writerow(["a.png", 123, "{}", 2, number, shape, attributes])
    assert np.array_equal(drawn(root), scene)


def test_via_circles_ellipses_and_boxes_to_tick(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["via"](tmp_path)
    ticked = {"class": {"car": True, "road": False}, "note": "x"}
    shapes = [
        {"name": "circle", "cx": 8, "cy": 8, "r": 6},
        {"name": "ellipse", "cx": 22, "cy": 12, "rx": 4, "ry": 9, "theta": 0},
        {"name": "polyline", "all_points_x": [1, 2], "all_points_y": [1, 2]},
    ]
    regions = [{"shape_attributes": one, "region_attributes": ticked} for one in shapes]
    regions.append({"shape_attributes": shapes[0], "region_attributes": {"note": "x"}})
    edit(root / "project.json", lambda c: c["_via_img_metadata"]["a.png123"].update(regions=regions))
    mask = drawn(root)
    for columns, x, y, radii in ((slice(0, 16), 8, 8, (6, 6)), (slice(16, 32), 6, 12, (4, 9))):
        inside, outside = circle(24, 16, x, y, *radii)
        assert (mask[:, columns][inside] == 2).all()
        assert (mask[:, columns][outside] == 0).all()
    assert read_annotations(root).notes == (
        "the attribute 'class' of regions is taken for the class",
        "left out: 1 regions of type polyline",
        "left out: 1 regions without a class",
    )


def test_via_without_an_attribute_for_the_class_is_refused(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["via"](tmp_path)
    attributes = {"colour": "red", "shape": "round"}
    edit(
        root / "project.json",
        lambda c: c["_via_img_metadata"]["a.png123"]["regions"][0].update(region_attributes=attributes),
    )
    edit(
        root / "project.json",
        lambda c: c["_via_img_metadata"]["a.png123"]["regions"][1].update(region_attributes=attributes),
    )
    with pytest.raises(DataError, match=r"no attribute of regions is the class \(there are: colour, shape\)"):
        read_annotations(root)


def test_roboflow_masks_without_image_and_images_without_mask_are_faults(exports: Exports, tmp_path: Path) -> None:
    root = exports["roboflow"](tmp_path)
    (root / "valid" / "a.jpg").rename(root / "valid" / "b.jpg")
    faults = read_annotations(root).faults
    assert ["no b_mask.png beside it" in faults[0], "a_mask.png: no image beside it" in faults[1]] == [True, True]


def test_a_value_that_roboflow_does_not_name_is_refused(exports: Exports, tmp_path: Path) -> None:
    root = exports["roboflow"](tmp_path)
    (root / "valid" / "_classes.csv").write_text("Pixel Value, Class\n0, background\n1, road\n")
    with pytest.raises(DataError, match=r"values that stand for no class: 2 \(112 px\); known are 0, 1"):
        drawn(root)
    (root / "valid" / "_classes.csv").write_text("Pixel Value, Class\n0, background\nx, road\n")
    with pytest.raises(DataError, match=r"_classes\.csv: line 3: expected a pixel value and a class"):
        read_annotations(root)


def test_cityscapes_groups_are_drawn_as_their_class_and_plates_are_not(
    exports: Exports, tmp_path: Path, edit: Edit, mask_of: Callable[[AnnotationSet], np.ndarray]
) -> None:
    root = exports["cityscapes"](tmp_path)
    edit(root / FILES["cityscapes"], lambda c: c["objects"][1].update(deleted=1))
    found = read_annotations(root)
    assert found.classes == ("road",)
    assert found.notes == (
        "left out: 1 deleted objects",
        "left out: 1 objects of 'license plate', which are no class",
    )
    assert (mask_of(found) == 1).sum() == 8 * 32
