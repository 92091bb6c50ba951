"""Which table belongs to which split and subset, by cards and by names."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.tables.splits import find_splits


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def found(root: Path, subset: str | None = None) -> dict[str, list[str]]:
    splits = find_splits(root, subset).splits
    return {split: [file.relative_to(root).as_posix() for file in files] for split, files in splits.items()}


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("data/train-00000-of-00001-0a1b2c.parquet", "data/validation-00000-of-00001-0d.parquet"),
        ("train.parquet", "dev.parquet"),
        ("train/0000.parquet", "valid/0000.parquet"),
        ("default/train/0000.parquet", "default/validation/0000.parquet"),
        ("things-train.arrow", "things-val.arrow"),
        ("train_0.parquet", "val_0.parquet"),
    ],
)
def test_names_of_files_and_folders_say_the_split(train: str, val: str, tmp_path: Path) -> None:
    touch(tmp_path, train, val)
    assert found(tmp_path) == {"train": [train], "val": [val]}


def test_tables_that_name_no_split_are_train(tmp_path: Path) -> None:
    touch(tmp_path, "data.parquet", ".hidden/train.parquet")
    assert found(tmp_path) == {"train": ["data.parquet"]}


def test_other_splits_are_passed_over_and_told(tmp_path: Path) -> None:
    touch(tmp_path, "train.parquet", "train_extra.parquet")
    assert found(tmp_path) == {"train": ["train.parquet"]}
    assert find_splits(tmp_path).lines == ["passed over 1 tables of no known split: train_extra.parquet"]


def test_a_card_says_which_files_belong_to_a_subset(tmp_path: Path) -> None:
    touch(tmp_path, "a/one-train.parquet", "a/one-test.parquet", "b/two.parquet")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n- config_name: first\n  data_files:\n  - split: train\n    path: a/*-train.parquet\n"
        "  - split: test\n    path: [a/one-test.parquet]\n- config_name: second\n  data_files: b/*\n---\n"
    )
    assert found(tmp_path, "first") == {"train": ["a/one-train.parquet"], "test": ["a/one-test.parquet"]}
    assert found(tmp_path, "second") == {"train": ["b/two.parquet"]}
    with pytest.raises(DataConfigError, match=r"which subset\? give --data.subset with one of first, second"):
        find_splits(tmp_path)


def test_a_subset_may_be_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "small/train/0000.parquet", "large/train/0000.parquet")
    assert found(tmp_path, "small") == {"train": ["small/train/0000.parquet"]}
    with pytest.raises(DataConfigError, match=r"no subset 'tiny'; give --data.subset with one of large, small"):
        find_splits(tmp_path, "tiny")


def test_a_missing_file_of_several_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "train-00000-of-00003.parquet", "train-00002-of-00003.parquet")
    with pytest.raises(DataError, match="1 of 3 files are missing: 00001"):
        find_splits(tmp_path)


def test_no_tables_and_no_train_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no Parquet or Arrow files"):
        find_splits(tmp_path)
    touch(tmp_path, "test.parquet")
    with pytest.raises(DataError, match="no tables of train; there are test"):
        find_splits(tmp_path)


def test_two_forms_of_tables_in_one_folder_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train.parquet", "train.arrow")
    with pytest.raises(DataError, match="the same rows twice"):
        find_splits(tmp_path)
