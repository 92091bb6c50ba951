"""`foveate data import`: an export becomes images, masks and classes.yaml that can be trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from foveate.cli import main
from foveate.datasets.annotations.importing import import_set
from foveate.datasets.annotations.reading import read_annotations
from foveate.datasets.class_file import read_class_table
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.masks.stored import read_numbers

Exports = Mapping[str, Callable[[Path], Path]]
Edit = Callable[[Path, Callable[[Any], object]], None]
COCO = "annotations/instances_train2017.json"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs the command; its exit code and all that it printed."""

    def command(*words: object) -> tuple[int, str]:
        code = main(["data", "import", *map(str, words)])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return command


Run = Callable[..., tuple[int, str]]


def test_every_format_becomes_a_data_set(
    format: str, exports: Exports, tmp_path: Path, scene: np.ndarray, run: Run
) -> None:
    out = tmp_path / "out"
    code, printed = run(exports[format](tmp_path / "export"), out)
    assert (code, f"has the format {format}: 1 images in" in printed) == (0, True)
    table = read_class_table(out / "classes.yaml")
    assert table.label_set().names[0] == "background"
    (image,), (mask,) = ([p for p in (out / f).rglob("*") if p.is_file()] for f in ("images", "masks"))
    assert mask.relative_to(out / "masks") == image.relative_to(out / "images").with_suffix(".png")
    names = np.array([one.name for one in table.classes])
    assert np.array_equal(names[read_numbers(mask)], np.array(["background", "road", "car"])[scene])


def test_what_was_imported_is_read_as_a_data_set(
    exports: Exports, tmp_path: Path, scene: np.ndarray, run: Run, edit: Edit
) -> None:
    for split in ("train", "val"):
        root = exports["coco"](tmp_path / split)
        (root / COCO).rename(root / f"instances_{split}.json")
        (root / "images" / "a.png").rename(root / f"{split}.png")
        edit(root / f"instances_{split}.json", lambda c, s=split: c["images"][0].update(file_name=f"{s}.png"))
    run(tmp_path, tmp_path / "out")
    data = FolderDataModule(str(tmp_path / "out"), crop=(24, 32), batch_size=1, num_workers=0)
    data.setup("fit")
    assert data.label_set.names == ("background", "road", "car")
    assert np.array_equal(next(iter(data.val_dataloader()))["mask"][0].numpy(), scene)
    assert [len(data.find_pairs(split)) for split in ("train", "val")] == [1, 1]


def test_what_was_found_is_told(exports: Exports, tmp_path: Path, run: Run) -> None:
    _, printed = run(exports["cvat"](tmp_path / "export"), tmp_path / "out")
    rows = [line.split() for line in printed.splitlines() if line.strip().startswith(("0 ", "1 ", "2 "))]
    assert rows[:3] == [
        ["0", "background", "432", "56.25", "%"],
        ["1", "road", "224", "29.17", "%"],
        ["2", "car", "112", "14.58", "%"],
    ]
    assert "left out: 1 shapes of type points" in printed
    assert "images: 1 linked" in printed
    assert (tmp_path / "out" / "images" / "train" / "a.png").samefile(tmp_path / "export" / "images" / "a.png")


def test_classes_yaml_keeps_the_colours_of_the_tool(exports: Exports, tmp_path: Path, run: Run) -> None:
    run(exports["supervisely"](tmp_path / "export"), tmp_path / "mine")
    assert yaml.safe_load((tmp_path / "mine" / "classes.yaml").read_text()) == {
        "name": "mine",
        "masks": "values",
        "classes": [
            {"name": "background", "value": 0, "colour": [0, 0, 0]},
            {"name": "road", "value": 1, "colour": [128, 64, 128]},
            {"name": "car", "value": 2, "colour": [0, 0, 142]},
        ],
        "ignore": [255],
    }
    with Image.open(tmp_path / "mine" / "masks" / "train" / "a.png") as mask:
        assert mask.convert("RGB").getpixel((5, 7)) == (0, 0, 142)


def test_background_may_be_ignored_and_classes_chosen(exports: Exports, tmp_path: Path, run: Run) -> None:
    words = ("--background", "ignore", "--classes", "car")
    code, printed = run(exports["coco"](tmp_path / "export"), tmp_path / "out", *words)
    assert (code, "left out: 1 classes that --classes does not name: road" in printed) == (0, True)
    values = np.unique(read_numbers(tmp_path / "out" / "masks" / "train" / "a.png"), return_counts=True)
    assert [part.tolist() for part in values] == [[0, 255], [112, 24 * 32 - 112]]


def test_a_background_of_the_tool_is_the_background(exports: Exports, tmp_path: Path, run: Run) -> None:
    run(exports["voc"](tmp_path / "export"), tmp_path / "out")
    assert [one.name for one in read_class_table(tmp_path / "out" / "classes.yaml").classes] == [
        "background",
        "road",
        "car",
    ]
    run(tmp_path / "export", tmp_path / "ignored", "--background", "ignore", "--classes", "car,road")
    mask = read_numbers(tmp_path / "ignored" / "masks" / "train" / "a.png")
    assert np.unique(mask).tolist() == [0, 1, 255]


@pytest.mark.parametrize(("names", "message"), [("dog", "no class 'dog' (classes: road, car)"), ("car,car", "once")])
def test_classes_that_are_not_there_are_refused(
    exports: Exports, tmp_path: Path, run: Run, names: str, message: str
) -> None:
    code, printed = run(exports["coco"](tmp_path / "export"), tmp_path / "out", "--classes", names)
    assert (code, message in printed) == (2, True)
    assert not (tmp_path / "out").exists()


def test_missing_images_are_listed_and_nothing_is_written(
    exports: Exports, tmp_path: Path, run: Run, edit: Edit
) -> None:
    root = exports["coco"](tmp_path / "export")
    more = [{"id": n, "file_name": f"{n}.png", "height": 24, "width": 32} for n in range(30, 60)]
    edit(root / COCO, lambda content: content["images"].extend(more))
    code, printed = run(root, tmp_path / "out")
    assert code == 3
    assert f"30.png: no such image in {root} ({root / COCO}: images[1])" in printed
    assert "... and 10 more" in printed
    assert not (tmp_path / "out").exists()


def test_an_interrupted_import_is_continued(exports: Exports, tmp_path: Path, run: Run) -> None:
    root, out = exports["coco"](tmp_path / "export"), tmp_path / "out"
    run(root, out)
    mask = out / "masks" / "train" / "a.png"
    before = mask.stat().st_mtime_ns
    (out / "classes.yaml").unlink()
    code, printed = run(root, out)
    assert (code, "images: 1 there already" in printed) == (0, True)
    assert mask.stat().st_mtime_ns == before
    assert (out / "classes.yaml").is_file()
    assert "1 copied" in run(root, out, "--copy", "copy")[1]
    assert not (out / "images" / "train" / "a.png").samefile(root / "images" / "a.png")
    assert "1 there already" in run(root, out, "--copy", "copy")[1]


def test_other_folders_are_not_written_to(exports: Exports, tmp_path: Path, run: Run) -> None:
    root, out = exports["coco"](tmp_path / "export"), tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("x")
    code, printed = run(root, out)
    assert (code, "is not empty, and was not written by an import" in printed) == (3, True)
    run(root, tmp_path / "first")
    code, printed = run(exports["via"](tmp_path / "other"), tmp_path / "first")
    assert (code, f"holds an import of {root}" in printed) == (3, True)


def test_out_may_lie_within_the_export(exports: Exports, tmp_path: Path, run: Run) -> None:
    root = exports["coco"](tmp_path)
    assert run(root, root / "out")[0] == 0
    assert run(root, root / "out")[0] == 0


def test_images_of_no_split_have_a_folder_of_their_own(exports: Exports, tmp_path: Path, run: Run) -> None:
    root = exports["voc"](tmp_path / "export")
    for path in (root / "JPEGImages" / "a.jpg", root / "SegmentationClass" / "a.png"):
        path.with_stem("b").write_bytes(path.read_bytes())
    _, printed = run(root, tmp_path / "out")
    assert "1 images are in no split: they are in images/unassigned" in printed
    assert (tmp_path / "out" / "masks" / "unassigned" / "b.png").is_file()


def test_an_embedded_image_is_written_as_it_is(exports: Exports, tmp_path: Path, run: Run, edit: Edit) -> None:
    import base64

    root = exports["labelme"](tmp_path / "export")
    data = (root / "a.png").read_bytes()
    (root / "a.png").unlink()
    edit(root / "a.json", lambda content: content.update(imageData=base64.b64encode(data).decode()))
    assert "1 written from the annotation files" in run(root, tmp_path / "out")[1]
    assert (tmp_path / "out" / "images" / "a.png").read_bytes() == data
    assert "1 there already" in run(root, tmp_path / "out")[1]


def test_two_images_that_would_share_a_mask_are_a_fault(exports: Exports, tmp_path: Path, run: Run, edit: Edit) -> None:
    root = exports["coco"](tmp_path / "export")
    (root / "images" / "a.jpg").write_bytes((root / "images" / "a.png").read_bytes())
    edit(root / COCO, lambda c: c["images"].append({**c["images"][0], "id": 8, "file_name": "a.jpg"}))
    code, printed = run(root, tmp_path / "out")
    assert (code, "would share one mask" in printed) == (3, True)


def test_what_an_earlier_import_left_is_told(exports: Exports, tmp_path: Path, run: Run) -> None:
    root, out = exports["coco"](tmp_path / "export"), tmp_path / "out"
    run(root, out)
    (out / "masks" / "train" / "old.png").write_bytes(b"x")
    assert "1 files of an earlier import remain; delete them" in run(root, out)[1]


def test_too_many_classes_are_refused(exports: Exports, tmp_path: Path, edit: Edit) -> None:
    root = exports["coco"](tmp_path / "export")
    edit(root / COCO, lambda c: c["categories"].extend({"id": n, "name": f"n{n}"} for n in range(100, 400)))
    with pytest.raises(DataConfigError, match="1 to 253 classes"):
        import_set(read_annotations(root), root, tmp_path / "out")
    import_set(read_annotations(root), root, tmp_path / "out", classes=["car"])


def test_a_set_with_faults_is_not_imported(exports: Exports, tmp_path: Path) -> None:
    root = exports["coco"](tmp_path / "export")
    (root / "images" / "a.png").unlink()
    with pytest.raises(DataError, match=r"1 faults: a\.png: no such image"):
        import_set(read_annotations(root), root, tmp_path / "out")
