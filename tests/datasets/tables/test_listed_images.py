"""Images that a list names."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.datasets.errors import DataError
from foveate.datasets.tables.listed_images import find_lists, read_lists, rows_of


def test_a_list_in_the_root_names_files_of_all_splits(tmp_path: Path) -> None:
    for name in ("train/a.png", "test/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "metadata.csv").write_text("file_name,label\ntrain/a.png,cat\ntest/b.png,dog\n")
    listed = read_lists(tmp_path, find_lists(tmp_path))
    assert listed.splits["test"] == [{"image": "test/b.png", "label": "dog"}]
    assert rows_of(listed.splits["train"], "image", "label", "text").labels == ["cat"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "cannot be read as a list of images"),
        ('{"label": 1}', "row 1 has no file_name"),
        ('{"file_name": "gone.png"}', "1 of 1 listed files do not exist: gone.png"),
        ('{"file_name": "../../secret.png"}', r"names files outside of the folder: \.\./"),
        ('{"file_name": "/etc/hostname"}', "names files outside"),
    ],
)
def test_a_list_that_cannot_be_followed_is_an_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        read_lists(tmp_path, find_lists(tmp_path))


def test_an_image_without_a_label_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 of 2 images have no label: b.png"):
        rows_of([{"image": "a.png", "label": "cat"}, {"image": "b.png", "label": None}], "image", "label", "text")
