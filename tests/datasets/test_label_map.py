"""Label maps: merging, renaming and ignoring classes of any data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.label_map import Mapped, apply_label_map, parse_label_map, read_label_map
from foveate.datasets.labels import CAMVID, CITYSCAPES
from foveate.datasets.potsdam import PotsdamDataModule

VEHICLES: dict[str, Any] = {"classes": {"vehicle": ["truck", "bus", "car"]}, "ignore": ["sky"]}


def mapped(content: dict[str, Any]) -> Mapped:
    return apply_label_map(CITYSCAPES, parse_label_map(content))


def module(root: Path, label_map: object, **options: object) -> CityscapesDataModule:
    return CityscapesDataModule(
        str(root),
        label_map=label_map,
        crop=(32, 32),
        batch_size=2,
        num_workers=0,
        **options,  # type: ignore[arg-type]
    )


def test_classes_are_merged_and_the_others_kept() -> None:
    labels, table = mapped(VEHICLES).labels, mapped(VEHICLES).table
    assert labels.names[:3] == ("vehicle", "road", "sidewalk")
    assert len(labels) == 16
    old = CITYSCAPES.names
    assert [table[old.index(name)] for name in ("car", "truck", "bus", "road", "sky")] == [0, 0, 0, 1, 255]
    assert table[255] == 255


def test_a_new_class_has_id_and_colour_of_its_first_member() -> None:
    labels = mapped(VEHICLES).labels
    assert (labels.ids[0], labels.colours[0]) == (27, (0, 0, 70))
    assert 23 in labels.void_ids


def test_the_rest_can_be_ignored_or_join_a_class() -> None:
    only = mapped({"classes": {"lane": "road", "path": ["sidewalk"]}, "rest": "ignore"})
    assert only.labels.names == ("lane", "path")
    assert (only.table != 255).sum() == 2
    other = mapped({"classes": {"road": ["road"], "other": []}, "ignore": ["sky"], "rest": "other"})
    assert other.labels.names == ("road", "other")
    assert other.table[:19].tolist() == [0, *[1] * 9, 255, *[1] * 8]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": {"vehicle": ["cra"]}}, r"cityscapes has no class 'cra'; did you mean 'car'\?"),
        ({"ignore": ["roads"]}, r"no class 'roads'; did you mean 'road'\?"),
        ({"classes": {"a": ["car"], "b": ["car"]}}, "'car' stands in two places"),
        ({"classes": {"a": ["car"]}, "ignore": ["car"]}, "'car' stands in two places"),
        ({"classes": {"a": ["car"]}, "rest": "b"}, "rest is keep, ignore, or a name under classes"),
        ({"classes": {"bus": ["car"]}}, "the new class 'bus' has the name of a class that is kept"),
        ({"classes": {"a": []}}, "'a' has no classes"),
        ({"rest": "ignore"}, "no class is left"),
        ({"class": {"a": ["car"]}}, r"no key 'class'; did you mean 'classes'\?"),
        ({"classes": ["car"]}, "classes is a mapping"),
        ({"ignore": {"car": 1}}, "ignore is a list of classes"),
    ],
)
def test_a_wrong_map_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(DataConfigError, match=message):
        mapped(content)


def test_a_map_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(yaml.safe_dump(VEHICLES))
    assert read_label_map(str(tmp_path / "map.yaml")) == VEHICLES
    with pytest.raises(DataError, match="no such file"):
        read_label_map(str(tmp_path / "mop.yaml"))
    (tmp_path / "list.yaml").write_text("[a]")
    with pytest.raises(DataConfigError, match="a label map is a mapping"):
        read_label_map(str(tmp_path / "list.yaml"))


@pytest.mark.parametrize("cache", ["none", "packed"])
def test_masks_follow_the_map_packed_or_not(cityscapes_root: Path, cache: str) -> None:
    plain = module(cityscapes_root, None)
    pair = plain.find_pairs("val")[0]
    wanted = mapped(VEHICLES).table[plain.reader().read(pair)[1]]
    data = module(cityscapes_root, VEHICLES, cache=cache)
    data.setup("validate")
    assert np.array_equal(next(iter(data.val_dataloader()))["mask"][0], wanted)
    assert data.label_set == mapped(VEHICLES).labels
    assert CityscapesDataModule.label_set == CITYSCAPES


def test_packed_files_of_another_map_are_not_read(cityscapes_root: Path) -> None:
    keys = {module(cityscapes_root, label_map).reader().key for label_map in (None, VEHICLES, {"ignore": ["sky"]})}
    assert len(keys) == 3


def test_colours_are_mapped_too(potsdam_root: Path) -> None:
    label_map: dict[str, Any] = {"classes": {"green": ["low vegetation", "tree"]}, "ignore": ["clutter"]}
    data = PotsdamDataModule(str(potsdam_root), label_map=label_map, num_workers=0)
    assert data.label_set.names == ("green", "impervious surfaces", "building", "car")
    assert set(np.unique(data.reader().read(data.find_pairs("val")[0])[1])) == {1, 2, 3, 255}


def test_categories_follow_unless_a_class_mixes_two() -> None:
    labels = mapped(VEHICLES).labels
    assert labels.levels["categories"]["vehicle"] == ("vehicle", "train", "motorcycle", "bicycle")
    assert "sky" not in labels.levels["categories"]
    assert mapped({"classes": {"ground": ["road", "terrain"]}}).labels.levels == {}
    assert apply_label_map(CAMVID, parse_label_map({"ignore": ["sky"]})).labels.levels == {}


def test_all_34_ids_can_be_classes(cityscapes_root: Path) -> None:
    data = module(cityscapes_root, None, classes="all")
    pair = data.find_pairs("val")[0]
    ids = data.reader().read(pair)[1]
    assert len(data.label_set) == 34
    assert {0, 4, 7, 33} <= set(np.unique(ids))
    assert list(data.label_set.levels) == ["classes", "categories"]
    with pytest.raises(DataConfigError, match="classes all needs labels labelIds"):
        module(cityscapes_root, None, classes="all", labels="labelTrainIds")
    merged = module(cityscapes_root, {"ignore": ["unlabeled", "ego vehicle"]}, classes="all")
    assert len(merged.label_set) == 32


def test_folders_are_mapped_too(tmp_path: Path) -> None:
    values = np.repeat(np.arange(3, dtype=np.uint8), 4)[None].repeat(8, 0)
    for split in ("train", "val"):
        for kind, pixels in (("images", np.zeros((8, 12, 3), np.uint8)), ("masks", values)):
            (tmp_path / kind / split).mkdir(parents=True)
            Image.fromarray(pixels).save(tmp_path / kind / split / "a.png")
    classes = ["sky", "road", "car"]
    label_map: dict[str, Any] = {"classes": {"ground": ["car", "road"]}, "ignore": ["sky"]}
    data = FolderDataModule(str(tmp_path), classes=classes, label_map=label_map, num_workers=0)
    assert data.label_set.names == ("ground",)
    read = data.reader().read(data.find_pairs("val")[0])[1]
    assert np.array_equal(read, np.where(values == 0, 255, 0))
    assert data.settled()["label_map"] == label_map
