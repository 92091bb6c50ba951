"""What classes are proposed from masks, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveate.datasets.errors import DataError
from foveate.datasets.masks.name_files import find_names
from foveate.datasets.masks.proposing import Proposal, propose_classes
from foveate.datasets.masks.survey import MaskSurvey, count_runs, survey_masks


def survey(tmp_path: Path, *masks: np.ndarray, ending: str = "png") -> MaskSurvey:
    paths = [tmp_path / f"{number}.{ending}" for number in range(len(masks))]
    for path, mask in zip(paths, masks, strict=True):
        Image.fromarray(mask).save(path)
    return survey_masks(paths)


def of_values(*values: int) -> np.ndarray:
    return np.tile(np.array(values, dtype=np.uint8 if max(values) < 256 else np.uint16), (4, 3))


def values_of(proposal: Proposal) -> list[tuple[str, int]]:
    return [(one.name, one.values[0]) for one in proposal.table.classes]


def test_runs_are_counted_like_single_values() -> None:
    numbers = np.random.default_rng(0).integers(0, 5, (30, 40)).repeat(3, axis=1)
    values, counts = np.unique(numbers, return_counts=True)
    assert count_runs(numbers) == dict(zip(values.tolist(), counts.tolist(), strict=True))
    assert count_runs(np.zeros((0, 3), np.uint8)) == {}


def test_values_become_classes_and_255_is_ignored(tmp_path: Path) -> None:
    proposal = propose_classes(survey(tmp_path, of_values(0, 1), of_values(7, 255)), "mine")
    assert values_of(proposal) == [("class_0", 0), ("class_1", 1), ("class_7", 7)]
    assert proposal.table.ignore_values == (255,)
    assert "0 is 'class_0' (25 %)" in proposal.lines[0]
    assert "ignored: 255 (25 %)" in proposal.lines[0]


def test_0_and_255_alone_are_two_classes_and_nothing_is_ignored(tmp_path: Path) -> None:
    proposal = propose_classes(survey(tmp_path, of_values(0, 255)), "mine")
    assert values_of(proposal) == [("background", 0), ("foreground", 255)]
    assert proposal.table.ignore_values == ()


def test_labels_that_begin_at_1_keep_their_values_and_are_told(tmp_path: Path) -> None:
    proposal = propose_classes(survey(tmp_path, of_values(1, 2, 3)), "mine")
    assert [value for _, value in values_of(proposal)] == [1, 2, 3]
    assert any("no mask holds 0" in line for line in proposal.lines)


def test_0_is_ignored_where_asked(tmp_path: Path) -> None:
    proposal = propose_classes(survey(tmp_path, of_values(0, 1, 2)), "mine", reduce_zero=True)
    assert [value for _, value in values_of(proposal)] == [1, 2]
    assert proposal.table.ignore_values == (0, 255)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (of_values(255), "no class, and a network cannot learn"),
        (of_values(3), "the class 3 only"),
        (of_values(0, 255)[:, :1], "the class 0 only"),
        (np.arange(300, dtype=np.uint16).reshape(20, 15), "300 different values, .* numbers of objects"),
        (np.concatenate([np.arange(200), np.zeros(9000), np.full(9000, 255)]).astype(np.uint8)[None], "masks binary"),
        (np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8), "different colours"),
    ],
    ids=["void", "one", "zero", "instances", "blurred", "photo"],
)
def test_what_is_no_set_of_classes_is_refused(tmp_path: Path, mask: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        propose_classes(survey(tmp_path, mask), "mine")


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"1 masks cannot be read: .*0.png"):
        propose_classes(survey_masks([tmp_path / "0.png"]), "mine")


def test_colours_of_a_known_data_set_get_its_names(tmp_path: Path) -> None:
    road, sky, void = (128, 64, 128), (70, 130, 180), (0, 0, 0)
    proposal = propose_classes(survey(tmp_path, np.array([[road, sky, void]], dtype=np.uint8)), "mine")
    assert [one.name for one in proposal.table.classes] == ["road", "sky"]
    assert proposal.table.ignore_colours == (void,)
    assert "they are the colours of cityscapes" in proposal.lines[0]


def test_other_colours_are_named_after_themselves(tmp_path: Path) -> None:
    proposal = propose_classes(survey(tmp_path, np.array([[(1, 2, 3), (9, 9, 8)]], dtype=np.uint8)), "mine")
    assert [one.name for one in proposal.table.classes] == ["colour_1_2_3", "colour_9_9_8"]


NAME_FILES = {
    "labelmap.txt": (
        "# label:color_rgb:parts:actions\nsky:1,2,3::\nroad:9,9,8::\n",
        {(1, 2, 3): "sky", (9, 9, 8): "road"},
    ),
    "_classes.csv": ("Pixel Value, Class\n0, background\n1, road\n", {0: "background", 1: "road"}),
    "class_dict.csv": ("name,r,g,b\nsky,1,2,3\n", {(1, 2, 3): "sky"}),
    "dataset.json": ('{"labels": {"background": 0, "tumour": 1}}', {0: "background", 1: "tumour"}),
    "classes.txt": ("background\nroad\n", {0: "background", 1: "road"}),
}


@pytest.mark.parametrize("name", NAME_FILES)
def test_names_are_taken_from_the_files_of_other_tools(tmp_path: Path, name: str) -> None:
    text, expected = NAME_FILES[name]
    (tmp_path / name).write_text(text)
    assert find_names(tmp_path) == (expected, name)


def test_older_files_of_nnunet_name_values_the_other_way_round(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text('{"labels": {"0": "background", "1": "tumour"}}')
    assert find_names(tmp_path)[0] == {0: "background", 1: "tumour"}


def test_a_damaged_file_of_names_is_named(tmp_path: Path) -> None:
    (tmp_path / "labelmap.txt").write_text("sky\n")
    with pytest.raises(DataError, match=r"labelmap.txt: cannot be read as names of classes"):
        find_names(tmp_path)


def palette_mask(path: Path, indices: list[int], colours: list[tuple[int, int, int]]) -> Path:
    image = Image.new("P", (len(indices), 2))
    image.putdata([*indices, *indices])
    image.putpalette([value for colour in colours for value in colour])
    image.save(path)
    return path


def test_palettes_in_another_order_are_read_by_colour(tmp_path: Path) -> None:
    black, red, green = (0, 0, 0), (255, 0, 0), (0, 255, 0)
    paths = [
        palette_mask(tmp_path / "a.png", [0, 1, 2], [black, red, green]),
        palette_mask(tmp_path / "b.png", [0, 1, 2], [green, black, red]),
    ]
    assert propose_classes(survey_masks(paths), "mine").table.masks == "colours"


def test_palettes_whose_colours_differ_are_a_question(tmp_path: Path) -> None:
    paths = [palette_mask(tmp_path / f"{n}.png", [0, 1], [(0, 0, 0), (200, n, 0)]) for n in range(3)]
    with pytest.raises(DataError, match=r"index 1 is \[200, 0, 0\], \[200, 1, 0\] and 1 more.*--data.masks values"):
        propose_classes(survey_masks(paths), "mine")
    assert len(propose_classes(survey_masks(paths), "mine", "values").table.classes) == 2
    assert len(propose_classes(survey_masks(paths), "mine", "colours").table.classes) == 4
