"""Every usual arrangement of folders is found, and pairs are those that a person would make."""

from pathlib import Path

import pytest

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folders.layout import find_layout
from foveate.datasets.folders.options import FolderOptions
from foveate.tests.datasets.folders.arrangements import LAYOUTS, PARTS


def found(root: Path, **options: object) -> dict[str, dict[str, str]]:
    layout = find_layout(root, FolderOptions(**options))  # type: ignore[arg-type]
    return {
        split: {pair.image.relative_to(root).as_posix(): pair.label.relative_to(root).as_posix() for pair in pairs}
        for split, pairs in layout.splits.items()
    }


NAMES = ("a 1", "b_2", "c.x-3", "ä4")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("splits", [("train", "val"), ("Training", "Validation"), ("train", "valid"), ("TRAIN", "dev")])
def test_a_layout_is_found(touch, layout: str, splits: tuple[str, str]) -> None:
    image, mask = LAYOUTS[layout]
    expected = {
        key: {image.format(s=split, n=name): mask.format(s=split, n=name) for name in NAMES}
        for key, split in zip(("train", "val"), splits, strict=True)
    }
    root = touch(*(path for pairs in expected.values() for item in pairs.items() for path in item))
    assert found(root) == expected


def test_nnunet_has_its_own_folders_and_a_channel_number(touch) -> None:
    names = [f"case_{n:03}" for n in range(12)]
    root = touch(
        *(f"imagesTr/{n}_0000.png" for n in names), *(f"labelsTr/{n}.png" for n in names), "imagesTs/x_0000.png"
    )
    splits = found(root)
    assert {**splits["train"], **splits["val"]} == {f"imagesTr/{n}_0000.png": f"labelsTr/{n}.png" for n in names}
    assert "1 images of test have no masks and are not used" in find_layout(root, FolderOptions()).lines


def test_voc_with_lists(touch) -> None:
    root = touch(*(f"JPEGImages/{n}.jpg" for n in "abcde"), *(f"SegmentationClass/{n}.png" for n in "abc"))
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets/Segmentation/train.txt").write_text("a\nb\n")
    (root / "ImageSets/Segmentation/val.txt").write_text("c\n")
    assert {split: sorted(pairs) for split, pairs in found(root).items()} == {
        "train": ["JPEGImages/a.jpg", "JPEGImages/b.jpg"],
        "val": ["JPEGImages/c.jpg"],
    }


@pytest.mark.parametrize("line", ["x/a", "images/x/a.jpg", "./images/x/a.jpg masks/x/a.png", "images/x/A.JPG\t1"])
def test_lists_name_images_in_every_usual_way(touch, line: str) -> None:
    root = touch("images/x/a.jpg", "images/y/a.jpg", "images/b.jpg", "masks/x/a.png", "masks/y/a.png", "masks/b.png")
    (root / "train.txt").write_text(f"{line}\n\n")
    (root / "val.txt").write_text("b\n")
    assert found(root) == {"train": {"images/x/a.jpg": "masks/x/a.png"}, "val": {"images/b.jpg": "masks/b.png"}}


def test_a_list_that_names_no_image_or_several_is_refused(touch) -> None:
    root = touch("images/x/a.jpg", "images/y/a.jpg", "masks/x/a.png", "masks/y/a.png")
    for text, message in (("a\n", r"'a' may be one of several"), ("q\nr\n", r"2 lines name no image .*: q, r")):
        (root / "train.txt").write_text(text)
        with pytest.raises(DataError, match=message):
            found(root)


def test_without_splits_a_share_of_the_groups_becomes_val(touch) -> None:
    names = [f"v{video}_{frame}" for video in range(20) for frame in range(3)]
    root = touch(*(f"images/{n}.png" for n in names), *(f"masks/{n}.png" for n in names))
    splits = found(root, group=r"v\d+")
    groups = {split: {name.split("_")[0] for name in pairs} for split, pairs in splits.items()}
    assert not groups["train"] & groups["val"]
    assert len(groups["train"] | groups["val"]) == 20
    assert 1 <= len(groups["val"]) <= 8


def test_adding_and_removing_files_never_moves_a_group(touch) -> None:
    names = [f"{n}" for n in range(60)]
    root = touch(*(f"images/{n}.png" for n in names), *(f"masks/{n}.png" for n in names))
    before = found(root)
    for number in range(0, 60, 7):
        for folder in ("images", "masks"):
            (root / folder / f"{number}.png").unlink()
    touch(*(f"{folder}/new_{n}.png" for n in names for folder in ("images", "masks")))
    after = found(root)
    for split in ("train", "val"):
        assert {name for name in after[split] if "new" not in name} <= set(before[split])


def test_an_empty_val_says_which_share_would_do(touch) -> None:
    root = touch("images/a.png", "images/b.png", "images/c.png", "masks/a.png", "masks/b.png", "masks/c.png")
    with pytest.raises(DataError, match=r"give --data.val_share (\d\.\d+)") as caught:
        found(root, val_share=0.001)
    share = float(str(caught.value).split("--data.val_share ")[1].split(",")[0])
    assert len(found(root, val_share=share)["val"]) == 1


def test_files_without_partner_are_listed_with_counts_and_left_out_if_asked(touch) -> None:
    root = touch(*(f"images/train/{n}.jpg" for n in "abcdefgh"), "images/val/a.jpg", "masks/val/a.png")
    touch("masks/train/a.png", "masks/train/z.png")
    message = r"7 images have no mask: images/train/b.jpg, .* and 2 more; 1 masks have no image: masks/train/z.png"
    with pytest.raises(DataError, match=message):
        found(root)
    assert found(root, unpaired="skip")["train"] == {"images/train/a.jpg": "masks/train/a.png"}
    assert sum("left out: " in line for line in find_layout(root, FolderOptions(unpaired="skip")).lines) == 2


def test_letter_case_is_ignored_unless_it_is_the_only_difference(touch) -> None:
    root = touch("images/train/A.JPG", "masks/train/a.png", "images/val/b.jpg", "masks/val/B.png")
    assert found(root)["train"] == {"images/train/A.JPG": "masks/train/a.png"}
    touch("images/train/a.jpg", "masks/train/A.png")
    assert found(root)["train"] == {
        "images/train/A.JPG": "masks/train/A.png",
        "images/train/a.jpg": "masks/train/a.png",
    }


def test_two_endings_of_one_name_are_refused(touch) -> None:
    root = touch("images/train/a.jpg", "images/train/a.png", "masks/train/a.png", "images/val/b.jpg", "masks/val/b.png")
    with pytest.raises(DataError, match=r"two files for one image or mask: images/train/a.jpg and images/train/a.png"):
        found(root)


def test_several_mask_folders_are_a_question(touch) -> None:
    root = touch(*(f"{folder}/{n}.png" for folder in ("images", "masks", "labels") for n in "abcdefghij"))
    with pytest.raises(DataError, match=r"masks may be labels/ or masks/; say which"):
        found(root)
    assert set(found(root, image_dir="images", mask_dir="labels")["train"].values()) <= {
        f"labels/{n}.png" for n in "abcdefghij"
    }


def test_folders_can_be_named(touch) -> None:
    root = touch("x/train/a.jpg", "y/gt/train/a.png", "x/val/b.jpg", "y/gt/val/b.png")
    assert found(root, image_dir="x", mask_dir="y/gt")["val"] == {"x/val/b.jpg": "y/gt/val/b.png"}
    with pytest.raises(DataError, match=r"--data.mask_dir z: no image files in that folder"):
        found(root, image_dir="x", mask_dir="z")


def test_pairs_by_a_regular_expression(touch) -> None:
    root = touch(
        "images/train/img-007.jpg", "masks/train/mask7-007-v2.png", "images/val/img-8.jpg", "masks/val/m-8-v1.png"
    )
    assert found(root, pair_by=r"-(\d+)")["train"] == {"images/train/img-007.jpg": "masks/train/mask7-007-v2.png"}
    with pytest.raises(DataConfigError, match="pair_by is a regular expression"):
        found(root, pair_by="(")


def test_masks_without_the_suffix_are_left_out_and_listed(touch) -> None:
    kinds = ("labelIds", "color", "instanceIds")
    root = touch(*(f"images/{s}/{n}.png" for s in ("train", "val") for n in ("my_city_1", "x")))
    touch(*(f"gt/{s}/{n}_{kind}.png" for s in ("train", "val") for n in ("my_city_1", "x") for kind in kinds))
    options = {"mask_suffix": "_labelIds"}
    assert found(root, **options)["train"] == {
        f"images/train/{n}.png": f"gt/train/{n}_labelIds.png" for n in ("my_city_1", "x")
    }
    assert any("8 files that do not fit" in line for line in find_layout(root, FolderOptions(**options)).lines)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", PARTS)
def test_one_file_for_each_class_is_found(touch, layout: str) -> None:
    files = {
        (s, n): [PARTS[layout].format(s=s, n=n, c=c) for c in ("car", "road")] for s in ("train", "val") for n in "ab"
    }
    root = touch(*(path for paths in files.values() for path in paths), *(f"images/{s}/{n}.jpg" for s, n in files))
    pairs = find_layout(root, FolderOptions()).splits["train"]
    assert [sorted(part.relative_to(root).as_posix() for part in pair.parts) for pair in pairs] == [
        sorted(files["train", n]) for n in "ab"
    ]


def test_one_file_for_each_object_beside_its_image(touch) -> None:
    root = touch(*(f"{s}/{n}/images/{n}.png" for s in ("train", "val") for n in "ab"))
    touch(*(f"{s}/{n}/masks/{o}.png" for s in ("train", "val") for n in "ab" for o in ("p", "q")))
    pairs = find_layout(root, FolderOptions()).splits["train"]
    assert [(pair.image.name, len(pair.parts)) for pair in pairs] == [("a.png", 2), ("b.png", 2)]


def test_the_output_names_what_was_found_and_passed_over(touch) -> None:
    root = touch("images/train/a.jpg", "masks/train/a.png", "images/val/b.jpg", "masks/val/b.png", "extra/x.png")
    lines = find_layout(root, FolderOptions()).lines
    assert "images/<split>/ with masks/<split>/, paired by name; splits by folder: train 1, val 1" in lines[0]
    assert lines[1] == "passed over: extra/ (1)"


def test_an_empty_or_strange_folder_says_what_is_expected(touch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no images in it; expected images/ and masks/"):
        found(tmp_path)
    with pytest.raises(DataError, match=r"no image has a mask; .* Seen: image images/a.jpg, mask masks/q.png"):
        found(touch("images/a.jpg", "masks/q.png", "images/b.jpg", "masks/r.png"))
