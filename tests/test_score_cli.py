"""`foveate score`: what it prints and writes, and every fault of the files is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.cli import main
from foveate.datasets.class_lists.ade20k import ADE20K
from foveate.datasets.labels import CITYSCAPES
from foveate.pipeline.metrics.confusion import count_confusion
from foveate.pipeline.metrics.confusion import score as score_confusion


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def labels_of(root: Path) -> list[Path]:
    return sorted((root / "gtFine" / "val").rglob("*_labelIds.png"))


@pytest.fixture
def predictions(cityscapes_root: Path, tmp_path: Path) -> Path:
    """Predictions of the three val frames: the labels, moved a little."""
    for label in labels_of(cityscapes_root):
        save(np.roll(read(label), 5, 1), tmp_path / "pred" / label.name.replace("gtFine_labelIds", "x"))
    return tmp_path / "pred"


def add_instances(root: Path) -> None:
    for label in labels_of(root):
        truth = read(label).astype(np.uint16)
        save(
            np.where((truth > 23) & (truth < 34), 1000 * truth + 1, truth).astype(np.uint16),
            Path(str(label).replace("labelIds", "instanceIds")),
        )


def test_the_table_and_the_file_hold_four_scores(
    cityscapes_root: Path, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_instances(cityscapes_root)
    target = tmp_path / "scores.json"
    assert main(["score", str(predictions), str(cityscapes_root), "--workers", "2", "--json", str(target)]) == 0
    printed = capsys.readouterr().out
    assert "cityscapes, 3 frames" in printed
    assert "iIoU %" in printed
    assert all(name in printed for name in (*CITYSCAPES.names, "construction", "mean of 6 and 2"))
    found = json.loads(target.read_text())
    assert (found["schema"], found["dataset"], found["frames"], found["predicted_ids"]) == (
        1,
        "cityscapes",
        3,
        "regular",
    )
    assert 0 < found["mean_iiou"] < 1
    assert found["levels"]["categories"]["iiou"]["human"] is not None
    assert found["levels"]["categories"]["iiou"]["flat"] is None
    assert np.array(found["confusion"]).sum() == 3 * 64 * 128


def test_json_alone_goes_to_the_output_and_iiou_is_left_out_and_that_is_said(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(predictions), str(cityscapes_root / "gtFine" / "val"), "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert "iiou" not in json.loads(captured.out)
    assert "iIoU is left out: 3 of 3 label maps have no *_instanceIds.png" in captured.err


def test_the_score_is_that_of_our_metric(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = CITYSCAPES.to_train_ids()
    confusion = torch.zeros(19, 19, dtype=torch.long)
    missed = torch.zeros(19, dtype=torch.long)  # pixels of a class that are predicted as void
    for label, prediction in zip(labels_of(cityscapes_root), sorted(predictions.iterdir()), strict=True):
        truth, said = torch.from_numpy(table[read(label)]), torch.from_numpy(table[read(prediction)])
        void = said == 255
        missed += torch.bincount(truth[void & (truth < 19)].long(), minlength=19)
        confusion += count_confusion(said[~void], truth[~void], 19)
    assert main(["score", str(predictions), str(cityscapes_root), "--json", "-"]) == 0
    miou = score_confusion(confusion, elsewhere=missed).miou
    assert json.loads(capsys.readouterr().out)["miou"] == pytest.approx(miou, abs=1e-6)


def test_missing_extra_and_doubled_files_are_all_named(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = sorted(predictions.iterdir())
    shutil.copy(second, predictions / second.name.replace("_x", "_y"))
    first.rename(predictions / "else_000000_000019_x.png")
    shutil.copy(third, predictions / "paris_000000_000019_x.png")
    assert main(["score", str(predictions), str(cityscapes_root)]) == 3
    said = capsys.readouterr().err
    assert "missing: frankfurt_000000_000019*.png" in said
    assert "doubled: frankfurt_000001_000019*.png is " in said
    assert f"{second.name}, " in said.replace(str(predictions) + "/", "")
    assert "extra: " in said
    assert "1 missing, 1 doubled, 2 extra" in said.splitlines()[-1]
    assert all(name in said for name in ("else_000000_000019_x.png", "paris_000000_000019_x.png"))


def test_a_frame_whose_name_begins_like_another_is_doubled_as_the_official_scorer_has_it(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = sorted(predictions.iterdir())[0]
    shutil.copy(first, predictions / "frankfurt_000000_0000190.png")
    assert main(["score", str(predictions), str(cityscapes_root)]) == 3
    assert "1 doubled" in capsys.readouterr().err


def test_extra_predictions_are_accepted_if_that_is_said(cityscapes_root: Path, predictions: Path) -> None:
    shutil.copy(sorted(predictions.iterdir())[0], predictions / "paris_000000_000019_x.png")
    assert main(["score", str(predictions), str(cityscapes_root), "--extra"]) == 0


def test_a_folder_without_predictions_says_what_it_holds(
    cityscapes_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(np.zeros((4, 4), np.uint8), tmp_path / "wrong" / "img_1.png")
    assert main(["score", str(tmp_path / "wrong"), str(cityscapes_root)]) == 3
    assert "3 missing, 1 extra" in (said := capsys.readouterr().err)
    assert "the folder holds names such as img_1.png" in said
    assert main(["score", str(tmp_path / "nowhere"), str(cityscapes_root)]) == 3
    assert "nowhere: no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda pixels: pixels[:-1], ("63 x 128, but ", "64 x 128 (height x width)")),
        (lambda pixels: np.where(pixels == pixels[0, 0], 77, pixels).astype(np.uint8), ("holds 77 (", "--ids train")),
        (lambda pixels: np.where(pixels == pixels[0, 0], 255, pixels).astype(np.uint8), ("holds 255 (", "--ids train")),
        (lambda pixels: pixels.astype(np.uint16) * 1000, ("holds ", "accepted are 0-33")),
        (lambda pixels: np.stack([pixels, pixels + 1, pixels], 2), ("a mask in colour",)),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str], change: object, words: tuple[str, ...]
) -> None:
    file = sorted(predictions.iterdir())[1]
    save(change(read(file)), file)  # type: ignore[operator]
    assert main(["score", str(predictions), str(cityscapes_root)]) == 3
    said = capsys.readouterr().err
    assert file.name in said
    assert "1 of 3 frames cannot be scored" in said
    for word in words:
        assert word in said


def test_train_ids_are_noticed_and_are_read_where_that_is_said(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(predictions), str(cityscapes_root), "--json", "-"]) == 0
    regular = json.loads(capsys.readouterr().out)
    table = CITYSCAPES.to_train_ids()
    for file in predictions.iterdir():
        save(np.where(table[read(file)] == 255, 0, table[read(file)]).astype(np.uint8), file)
    assert main(["score", str(predictions), str(cityscapes_root)]) == 3
    said = capsys.readouterr().err
    assert "look like train ids (0 to 18); say --ids train" in said
    assert main(["score", str(predictions), str(cityscapes_root), "--ids", "regular"]) == 0
    capsys.readouterr()
    for file, label in zip(sorted(predictions.iterdir()), labels_of(cityscapes_root), strict=True):
        save(table[np.roll(read(label), 5, 1)], file)  # with 255
    assert main(["score", str(predictions), str(cityscapes_root), "--ids", "train", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["iou"] == regular["iou"]


def test_label_maps_of_train_ids_give_the_same_scores(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", str(predictions), str(cityscapes_root), "--json", "-"]) == 0
    regular = json.loads(capsys.readouterr().out)
    for label in labels_of(cityscapes_root):
        save(CITYSCAPES.to_train_ids()[read(label)], Path(str(label).replace("labelIds", "labelTrainIds")))
        label.unlink()
    assert main(["score", str(predictions), str(cityscapes_root), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["levels"] == regular["levels"]


def test_nothing_but_void_is_no_score(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in labels_of(cityscapes_root):
        save(np.full((64, 128), 4, np.uint8), label)
    assert main(["score", str(predictions), str(cityscapes_root)]) == 3
    assert "no pixel is labelled" in capsys.readouterr().err


def test_instances_of_no_class_are_an_error(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_instances(cityscapes_root)
    file = next(cityscapes_root.rglob("*_instanceIds.png"))
    save(np.full((64, 128), 40001, np.uint16), file)
    assert main(["score", str(predictions), str(cityscapes_root)]) == 3
    assert f"{file}: instance id 40001 is of no class" in capsys.readouterr().err
    save(np.full((64, 128), 7001, np.uint16), file)
    assert main(["score", str(predictions), str(cityscapes_root)]) == 3
    assert "instance ids of 'road', a class without instances" in capsys.readouterr().err


def test_what_predict_writes_is_found(cityscapes_root: Path, predictions: Path) -> None:
    shutil.copytree(predictions, predictions.parent / "out" / "labels")
    shutil.copytree(predictions, predictions.parent / "out" / "overlays")
    assert main(["score", str(predictions.parent / "out"), str(cityscapes_root)]) == 0


def test_ade20k_in_both_conventions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = np.array([[0, 1, 1, 2], [0, 150, 150, 2]], np.uint8)
    said = np.array([[1, 1, 2, 2], [7, 150, 0, 2]], np.uint8)
    save(truth, tmp_path / "ade" / "annotations" / "validation" / "a.png")
    save(said, tmp_path / "regular" / "a.png")
    assert main(["score", str(tmp_path / "regular"), str(tmp_path / "ade"), "--dataset", "ade20k", "--json", "-"]) == 0
    captured = capsys.readouterr()
    assert "predictions hold regular ids 0-150" in captured.err
    assert "17 % of the labelled pixels are predicted as no class" in captured.err
    found = json.loads(captured.out)
    assert (found["iou"]["wall"], found["iou"]["building"], found["iou"]["flag"]) == (0.5, 2 / 3, 0.5)
    assert found["miou"] == pytest.approx((0.5 + 2 / 3 + 0.5) / 3)
    assert found["no_class"] == 1
    assert len(found["iou"]) == len(ADE20K)

    save(np.where(said > 0, said - 1, 255).astype(np.uint8), tmp_path / "train" / "a.png")
    words = ["score", str(tmp_path / "train"), str(tmp_path / "ade"), "--dataset", "ade20k", "--json", "-"]
    assert main([*words, "--ids", "train"]) == 0
    assert json.loads(capsys.readouterr().out)["iou"] == found["iou"]
    assert main(words) == 3  # 255 is no regular id
    assert "--ids train" in capsys.readouterr().err
    save(np.where(said > 0, said - 1, 3).astype(np.uint8), tmp_path / "train" / "a.png")
    assert main(words) == 3
    assert "look like train ids (0 to 149)" in capsys.readouterr().err


def test_voc_reads_palettes_and_the_list_of_the_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "VOC2012"
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("one\n")
    truth = np.array([[0, 0, 15, 255]], np.uint8)
    for name, pixels in (("SegmentationClass/one", truth), ("SegmentationClass/two", truth), ("../pred/one", truth)):
        file = root / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels, mode="L").convert("P")
        image.putdata(pixels.ravel().tolist())
        image.putpalette([value for number in range(256) for value in (number * 7 % 256, 255 - number, number // 2)])
        image.save(file)
    assert main(["score", str(tmp_path / "pred"), str(root), "--dataset", "voc2012", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == 1
    assert (found["miou"], found["iou"]["person"], found["iou"]["cat"]) == (1.0, 1.0, None)


def test_a_folder_with_its_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "classes.yaml").write_text(
        "classes: [{name: sky, value: 3}, {name: road, values: [300, 9]}]\nignore: [0]"
    )
    save(np.array([[3, 300, 300, 9, 0]], np.uint16), tmp_path / "masks" / "a" / "1.png")
    save(np.array([[3, 3, 3, 3, 3]], np.uint16), tmp_path / "masks" / "b" / "1.png")
    save(np.array([[3, 3, 300, 300, 3]], np.uint16), tmp_path / "pred" / "a" / "1.png")
    save(np.array([[3, 3, 3, 3, 300]], np.uint16), tmp_path / "pred" / "b" / "1.png")
    words = ["score", str(tmp_path / "pred"), str(tmp_path / "masks"), "--dataset", "folder"]
    assert main([*words, "--classes", str(tmp_path / "classes.yaml"), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["iou"] == {"sky": pytest.approx(5 / 7), "road": 0.5}
    assert main(words) == 2
    assert "--dataset folder needs --classes classes.yaml" in capsys.readouterr().err
    (tmp_path / "pred" / "b" / "1.png").rename(tmp_path / "pred" / "b" / "2.png")
    assert main([*words, "--classes", str(tmp_path / "classes.yaml")]) == 3
    assert "missing: b/1" in capsys.readouterr().err


def test_masks_of_colours_are_read_as_their_classes_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text(
        "masks: colours\nclasses: [{name: sky, colour: [0, 0, 255]}, {name: road, colour: [9, 9, 9]}]"
    )
    save(np.array([[[0, 0, 255], [9, 9, 9], [1, 2, 3]]], np.uint8), tmp_path / "masks" / "1.png")
    save(np.array([[0, 1, 1]], np.uint8), tmp_path / "pred" / "1.png")
    words = ["score", str(tmp_path / "pred"), str(tmp_path / "masks"), "--dataset", "folder", "--classes"]
    assert main([*words, str(tmp_path / "c.yaml")]) == 3  # a colour that is not listed
    assert "masks/1.png" in capsys.readouterr().err
    save(np.array([[[0, 0, 255], [9, 9, 9], [9, 9, 9]]], np.uint8), tmp_path / "masks" / "1.png")
    assert main([*words, str(tmp_path / "c.yaml"), "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["miou"] == 1.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset", "cityscape"], "accepted: cityscapes"),
        (["--workers", "0"], "--workers is at least 1, not 0"),
        (["--ids", "foo"], "accepted: regular, train"),
        (["--classes", "x.yaml"], "--classes is for --dataset folder"),
    ],
)
def test_options_that_do_not_fit(
    cityscapes_root: Path, predictions: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert main(["score", str(predictions), str(cityscapes_root), *words]) == 2
    assert said in capsys.readouterr().err
