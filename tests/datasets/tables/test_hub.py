"""Images with label maps of Hugging Face, in each of their forms."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from foveate.datasets.conformance import RULES, DataRule, assert_conforms
from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.hub import HubDataModule
from foveate.tests.datasets.drawn_masks import drawing
from foveate.tests.datasets.tables.saved_tables import (
    CELL,
    WRITERS,
    class_table,
    encoded,
    mask_table,
    pa,
    picture,
    pq,
    write_parquet,
)

TABLES = {"train": mask_table("train", 5), "validation": mask_table("validation", 2)}


@pytest.mark.parametrize("form", WRITERS)
def test_every_pair_is_read_as_it_was_stored(form: str, tmp_path: Path, said: pytest.LogCaptureFixture) -> None:
    WRITERS[form](tmp_path / "mine", TABLES)
    data = HubDataModule(str(tmp_path / "mine"), num_workers=0)
    data.setup("fit")
    for split, name, count in (("train", "train", 5), ("val", "validation", 2)):
        dataset = data.samples(split, count)
        assert len(dataset) == count
        for number in range(count):
            image, mask = dataset.read(number)
            assert np.array_equal(image, picture(name, number))
            assert np.array_equal(mask, drawing(number))
    assert "train 5, val 2" in said.text
    assert data.label_set.names == ("class_0", "class_1", "class_2")


def test_images_are_written_once_and_again_when_a_table_changes(tmp_path: Path) -> None:
    write_parquet(tmp_path, TABLES)
    pairs = HubDataModule(str(tmp_path)).find_pairs("train")
    assert pairs[3].image.name == "000000_train-3.png"  # of the second file
    before = pairs[0].image.stat().st_mtime_ns
    assert HubDataModule(str(tmp_path)).find_pairs("train")[0].image.stat().st_mtime_ns == before
    pq.write_table(mask_table("train", 3).slice(1), tmp_path / "data/train-00000-of-00002.parquet")
    again = HubDataModule(str(tmp_path))
    assert len(again.find_pairs("train")) == 4
    assert again.find_pairs("train")[0].image.name == "000000_train-1.png"


def test_an_interrupted_unpacking_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path, TABLES)
    from foveate.datasets.tables import unpacking

    original, seen = unpacking.read_batches, []

    def stop_at_the_second(path: Path, columns: list[str]) -> object:
        seen.append(path.name)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return original(path, columns)

    monkeypatch.setattr(unpacking, "read_batches", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        HubDataModule(str(tmp_path)).find_pairs("train")
    assert len(HubDataModule(str(tmp_path)).find_pairs("train")) == 5
    assert seen.count("train-00000-of-00002.parquet") == 1


def test_classes_are_named_by_id2label(tmp_path: Path) -> None:
    write_parquet(tmp_path, TABLES)
    (tmp_path / "id2label.json").write_text(json.dumps({"0": "ground", "1": "car", "2": "tree"}))
    assert HubDataModule(str(tmp_path)).label_set.names == ("ground", "car", "tree")


def test_a_share_of_train_becomes_val_and_stays_when_rows_are_added(tmp_path: Path) -> None:
    for count in (20, 30):
        (tmp_path / str(count)).mkdir()
        pq.write_table(mask_table("train", count), tmp_path / f"{count}/train.parquet")
    few, more = (HubDataModule(str(tmp_path / name), val_share=0.3) for name in ("20", "30"))
    val = [pair.image.name for pair in few.find_pairs("val")]
    assert 0 < len(val) < 20
    assert [pair.image.name for pair in more.find_pairs("val")][: len(val)] == val
    assert not set(val) & {pair.image.name for pair in few.find_pairs("train")}


def test_a_run_keeps_columns_and_classes(tmp_path: Path) -> None:
    write_parquet(tmp_path, TABLES)
    data = HubDataModule(str(tmp_path))
    data.setup("fit")
    settled = data.settled()
    assert (settled["image_column"], settled["label_column"]) == ("image", "annotation")
    assert "revision" not in settled
    again = HubDataModule(str(tmp_path), **settled)
    assert again.label_set == data.label_set
    assert pickle.loads(pickle.dumps(again.find_pairs("val")))[0] == data.find_pairs("val")[0]


def test_a_data_set_of_classes_is_refused_with_the_name_of_the_other(tmp_path: Path) -> None:
    write_parquet(tmp_path, {"train": class_table("train", 4)})
    with pytest.raises(DataConfigError, match=r"no column of label maps .*label \(3 classes\).*--data hub_images"):
        HubDataModule(str(tmp_path)).find_pairs("train")


def test_an_empty_cell_and_a_damaged_table_name_file_and_row(tmp_path: Path) -> None:
    table = mask_table("train", 2)
    cells = pa.array([{"bytes": None, "path": "/etc/passwd"}, {"bytes": encoded(drawing(0)), "path": None}], CELL)
    empty = table.set_column(table.schema.get_field_index("image"), "image", cells)
    pq.write_table(empty, tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"train.parquet: row 0 has no image; it names the file '/etc/passwd'"):
        HubDataModule(str(tmp_path)).find_pairs("train")
    (tmp_path / "train.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match="cannot be read as a table"):
        HubDataModule(str(tmp_path)).find_pairs("train")


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_it_keeps_the_rules_of_data_sets(rule: DataRule, tmp_path: Path) -> None:
    write_parquet(tmp_path, TABLES)
    assert_conforms(HubDataModule, root=tmp_path, rules=[rule], crop=(16, 16))
