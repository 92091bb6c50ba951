"""Finding images and their label maps."""

from __future__ import annotations

from pathlib import Path

import pytest

from foveate.datasets.errors import DataError
from foveate.datasets.files.pairs import Pair, list_images, pair_up


def paths(*names: str) -> list[Path]:
    return [Path(name) for name in names]


def paired(images: list[Path], labels: list[Path]) -> list[Pair]:
    return pair_up(images, labels, lambda path: path.stem, split="train", advice="Look again")


def test_pairs_come_in_the_order_of_their_keys() -> None:
    found = paired(paths("i/b.jpg", "i/a.jpg"), paths("l/a.png", "l/b.png"))
    assert found == [Pair(Path("i/a.jpg"), Path("l/a.png")), Pair(Path("i/b.jpg"), Path("l/b.png"))]


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (("i/a.jpg", "i/b.jpg"), ("l/a.png",), "1 unpaired in the train split: i/b.jpg has no label map. Look again"),
        (("i/a.jpg",), ("l/a.png", "l/b.png"), "1 unpaired in the train split: l/b.png has no image. Look again"),
        (("i/a.jpg", "i/a.png"), ("l/a.png",), "two files for 'a' in the train split: i/a.jpg and i/a.png"),
        (("i/a.jpg",), ("l/a.png", "m/a.png"), "two files for 'a' in the train split: l/a.png and m/a.png"),
        ((), ("l/a.png",), "no images in the train split. Look again"),
    ],
)
def test_what_does_not_pair_is_named(images: tuple[str, ...], labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError) as caught:
        paired(paths(*images), paths(*labels))
    assert str(caught.value) == message
    assert caught.value.exit_code == 3


def test_of_many_unpaired_the_first_are_named_and_the_rest_counted() -> None:
    with pytest.raises(DataError, match=r"8 unpaired .*i/4.jpg has no label map and 3 more") as caught:
        paired(paths(*(f"i/{n}.jpg" for n in range(8))), [])
    assert "i/5.jpg" not in str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.PNG",
        "a.jpg",
        ".hidden.png",
        "Thumbs.db",
        ".DS_Store",
        "notes.txt",
        "sub/c.tiff",
        "dir.png/d.webp",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_images_are_known_by_their_ending(folder: Path) -> None:
    assert [path.name for path in list_images(folder)] == ["a.jpg", "b.PNG"]


def test_sub_folders_are_searched_where_asked(folder: Path) -> None:
    found = [str(path.relative_to(folder)) for path in list_images(folder, recursive=True)]
    assert found == ["a.jpg", "b.PNG", "dir.png/d.webp", "sub/c.tiff"]


def test_a_loop_of_links_ends_and_repeats_nothing(folder: Path) -> None:
    (folder / "sub" / "up").symlink_to(folder, target_is_directory=True)
    assert len(list_images(folder, recursive=True)) == 4
