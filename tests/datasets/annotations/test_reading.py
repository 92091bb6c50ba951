"""An export of every format is recognised, and becomes the masks that were drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from foveate.datasets.annotations.model import AnnotationSet
from foveate.datasets.annotations.reading import READERS, detect_format, read_annotations
from foveate.datasets.errors import DataConfigError, DataError

Exports = Mapping[str, Callable[[Path], Path]]
SPLITS = {"roboflow": "val", "labelme": None, "label-studio": None, "via": None}


def test_every_format_has_an_export_to_try(exports: Exports) -> None:
    assert sorted(exports) == sorted(READERS)


def test_the_masks_are_those_that_were_drawn(
    format: str, exports: Exports, tmp_path: Path, scene: np.ndarray, mask_of: Callable[[AnnotationSet], np.ndarray]
) -> None:
    found = read_annotations(exports[format](tmp_path))
    assert found.format == format
    assert set(found.classes) - {"background"} == {"road", "car"}
    assert found.images[0].split == SPLITS.get(format, "train")
    assert np.array_equal(mask_of(found), scene)


def test_a_single_file_is_recognised_too(exports: Exports, tmp_path: Path) -> None:
    exports["cvat"](tmp_path)
    exports["coco"](tmp_path)
    assert detect_format(tmp_path / "annotations.xml") == "cvat"
    assert detect_format(tmp_path / "annotations" / "instances_train2017.json") == "coco"


def test_images_may_lie_elsewhere(
    format: str, exports: Exports, tmp_path: Path, scene: np.ndarray, mask_of: Callable[[AnnotationSet], np.ndarray]
) -> None:
    if format == "roboflow":
        pytest.skip("its images lie beside the masks")
    root = exports[format](tmp_path / "export")
    folder = tmp_path / "elsewhere"
    image = next(path for path in root.rglob("a*.*") if path.suffix in (".png", ".jpg") and _is_photo(path))
    folder.mkdir()
    image.rename(folder / image.name)
    assert read_annotations(root, format).images == []
    assert np.array_equal(mask_of(read_annotations(root, format, folder)), scene)


def _is_photo(path: Path) -> bool:
    return not {"SegmentationClass", "panoptic_train2017"} & set(path.parts)


def test_a_missing_image_is_a_fault_that_names_it(format: str, exports: Exports, tmp_path: Path) -> None:
    root = exports[format](tmp_path)
    for path in tmp_path.rglob("*"):
        if path.suffix in (".png", ".jpg") and _is_photo(path) and not path.stem.endswith("_mask"):
            path.unlink()
    found = read_annotations(root, format)
    assert len(found.faults) == 1
    assert "no such image" in found.faults[0] or "no image" in found.faults[0]


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    assert detect_format(tmp_path) is None
    with pytest.raises(DataError, match=r"no known format \(cityscapes, coco.*found: notes.txt"):
        read_annotations(tmp_path)
    with pytest.raises(DataError, match="no such file or folder"):
        read_annotations(tmp_path / "none")
    with pytest.raises(DataConfigError, match="no format 'word'"):
        read_annotations(tmp_path, "word")


def test_another_format_than_the_one_named_is_refused(exports: Exports, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no annotations in the format yolo"):
        read_annotations(exports["coco"](tmp_path), "yolo")


def test_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="an archive; unpack it"):
        read_annotations(tmp_path / "export.zip")


@pytest.mark.parametrize("name", ["cityscapes", "coco", "cvat", "labelme", "supervisely", "via", "voc"])
def test_images_that_the_annotations_do_not_name_are_counted(exports: Exports, tmp_path: Path, name: str) -> None:
    root = exports[name](tmp_path)
    (image,) = read_annotations(root).images
    image.image.with_stem("further").write_bytes(image.image.read_bytes())
    found = read_annotations(root)
    assert f"left out: 1 images in {root} that the annotations do not name" in found.notes
    assert len(found.images) == 1


@pytest.mark.parametrize(
    ("name", "file"), [("yolo", "data.yaml"), ("supervisely", "meta.json"), ("voc", "labelmap.txt")]
)
def test_two_exports_in_one_folder_are_refused(exports: Exports, tmp_path: Path, name: str, file: str) -> None:
    for folder in ("one", "two"):
        exports[name](tmp_path / folder)
    with pytest.raises(DataError, match=rf"2 exports in one folder .*{file}\): give the folder of one"):
        read_annotations(tmp_path, name)
