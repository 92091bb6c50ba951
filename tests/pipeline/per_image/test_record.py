"""The record of an evaluation: its counts are those of the whole, its files say the same."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from foveate.datasets.labels import CITYSCAPES, LabelSet
from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.metrics.confusion import ConfusionMatrix, count_confusion, score
from foveate.pipeline.metrics.levels import score_levels
from foveate.pipeline.per_image import parquet
from foveate.pipeline.per_image.figures import counts_of, pixel_score, scoring_of
from foveate.pipeline.per_image.files import read_record, write_record
from foveate.pipeline.per_image.gathering import below
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord
from foveate.pipeline.per_image.rows import count_kinds, label_columns, pixel_columns

FLOATS = np.array([0.5, np.nan, 0.25], dtype=np.float32)


def pixels() -> PixelRecord:
    random = np.random.default_rng(0)
    labelled = random.integers(5, 99, (3, 5))
    labelled[1] = 0
    right = labelled // 2
    counts = np.concatenate([right, labelled, right + 3 * (labelled > 0)], axis=1).astype(np.uint32)
    levels = {"made": ("flat", "not/flat")}
    return PixelRecord(
        ["a/1.png", "b,2.png", "ü.png"], ["a", "b", "b"], ("road", "c:d/e", "x, y"), levels, counts, FLOATS, FLOATS
    )


def labels() -> LabelRecord:
    label, predicted = np.array([0, 2, 2], dtype=np.int32), np.array([0, 1, 2], dtype=np.int32)
    rank = np.array([1, 3, 1], dtype=np.int32)
    return LabelRecord(["a", "b", "c"], (), ("cat", "dog", "owl"), label, predicted, rank, FLOATS, FLOATS)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize("create", [pixels, labels])
def test_a_record_is_read_as_it_was_written(
    tmp_path: Path, ending: str, create: Callable[[], PixelRecord | LabelRecord]
) -> None:
    record, path = create(), tmp_path / f"r.{ending}"
    write_record(path, record)
    again = read_record(path)
    assert type(again) is type(record)
    for name, value in vars(record).items():
        if isinstance(value, np.ndarray):
            assert np.array_equal(getattr(again, name), value, equal_nan=value.dtype.kind == "f"), name
        else:
            found = getattr(again, name)
            assert found == value if isinstance(value, dict) else list(found) == list(value), name
    assert [path.name for path in tmp_path.iterdir()] == [f"r.{ending}"]


def test_a_line_of_csv_says_what_any_tool_can_read(tmp_path: Path) -> None:
    write_record(tmp_path / "r.csv", pixels())
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as file:
        first, void, _ = csv.DictReader(file)
    assert (first["image"], first["group"], first["loss"]) == ("a/1.png", "a", "0.5")
    tp, fn, fp = (int(first[f"{kind}/road"]) for kind in ("tp", "fn", "fp"))
    right, labelled, predicted = (int(part[0, 0]) for part in pixels().parts())
    assert (tp, tp + fn, tp + fp) == (right, labelled, predicted)
    assert int(first["pixels"]) == sum(int(first[f"{kind}/{name}"]) for kind in ("tp", "fn") for name in pixels().names)
    assert (void["miou"], void["accuracy"], void["loss"], void["pixels"]) == ("", "", "", "0")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no column 'image'"),
        ("a,b\n1,2\n", "no column 'image'"),
        ("image,label,predicted,rank,loss\nx,a,b,1,0.2\n", "no column 'confidence'"),
        ("image,tp/a,fn/a,fp/a,loss,confidence\nx,many,0,0,1,1\n", "could not convert"),
        ("image,tp/a,fn/a,fp/a,loss,confidence\nx,1\n", "index out of range"),
    ],
)
def test_what_is_no_record_is_refused_in_one_line(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(UnusableDataError, match=f"holds no record of images.*{said}.*--per_image"):
        read_record(tmp_path / "r.csv")


def test_a_missing_or_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_bytes(b"PAR1 and no more")
    for name in ("none.csv", "none.parquet", "r.parquet"):
        with pytest.raises(UnusableDataError, match=name):
            read_record(tmp_path / name)


def test_without_pyarrow_parquet_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    parquet.check_parquet(Path("a.csv"))
    with pytest.raises(ConfigError, match=r"foveate\[hub\]"):
        parquet.check_parquet(Path("a.parquet"))


def test_the_sum_over_images_gives_the_scores_of_the_whole() -> None:
    torch.manual_seed(1)
    logits, mask = torch.randn(4, 19, 9, 11), torch.randint(0, 17, (4, 9, 11), dtype=torch.uint8)
    mask[mask == 3] = 255
    confusion = ConfusionMatrix(19, trusted=True, by_image=True)
    confusion.update(logits.argmax(1), mask)
    columns = pixel_columns(confusion.each, logits, mask, torch.ones(4), CITYSCAPES)
    levels = {level: tuple(groups) for level, groups in CITYSCAPES.levels.items()}
    floats = np.ones(4, dtype=np.float32)
    counts = columns["counts"].numpy().astype(np.uint32)
    record = PixelRecord(list("abcd"), (), CITYSCAPES.names, levels, counts, floats, floats)
    whole = score(count_confusion(logits.argmax(1), mask, 19))
    coarse = score_levels(whole.confusion, CITYSCAPES)["categories"]
    figures = pixel_score(record.sizes)(counts_of(record).total())
    wanted = [*(getattr(whole, name) for name in ("miou", "macc", "aacc")), *whole.iou.tolist()]
    wanted += [*(getattr(coarse, name) for name in ("miou", "macc", "aacc")), *coarse.iou.tolist()]
    assert figures.tolist() == pytest.approx(wanted, nan_ok=True, abs=1e-6)
    assert torch.equal(confusion.compute(), whole.confusion)
    one = score(count_confusion(logits[2:3].argmax(1), mask[2:3], 19))
    assert (record.miou()[2], record.accuracy()[2]) == pytest.approx((one.miou, one.aacc), abs=1e-6)


def test_confidence_is_the_mean_over_labelled_pixels_and_void_images_have_none() -> None:
    logits, mask = torch.randn(2, 3, 4, 5), torch.zeros(2, 4, 5, dtype=torch.uint8)
    mask[0, :, 2:], mask[1] = 255, 255
    labels = LabelSet(name="three", names=("a", "b", "c"), colours=((0, 0, 0),) * 3, ids=(0, 1, 2))
    each = torch.stack([count_confusion(one.argmax(0), where, 3) for one, where in zip(logits, mask, strict=True)])
    columns = pixel_columns(each, logits, mask, torch.tensor([0.7]), labels)
    wanted = logits[0].softmax(0).amax(0)[:, :2].mean().item()
    assert columns["confidence"][0].item() == pytest.approx(wanted, rel=1e-5)
    assert columns["confidence"][1].isnan()
    assert columns["loss"].tolist() == pytest.approx([0.7, float("nan")], nan_ok=True)
    assert columns["labelled"].tolist() == [True, False]


def test_a_prediction_of_no_class_counts_against_the_labelled_one() -> None:
    each = count_confusion(torch.tensor([[0, 2, 2, 1]]), torch.tensor([[0, 0, 1, 1]]), 3)[None]
    two = LabelSet(
        name="two", names=("a", "b"), colours=((0, 0, 0),) * 2, ids=(0, 1), levels={"all": {"both": ["a", "b"]}}
    )
    assert count_kinds(each, two).tolist() == [[1, 1, 2, 2, 2, 4, 1, 1, 2]]


def test_the_rank_is_the_place_of_the_label() -> None:
    logits = torch.tensor([[3.0, 1, 2], [3, 1, 2], [0, 0, 9]])
    columns = label_columns(logits, torch.tensor([0, 1, -1]), torch.tensor([0.1, 2]), torch.tensor([True, True, False]))
    assert columns["rank"].tolist()[:2] == [1, 3]
    assert columns["predicted"].tolist() == [0, 0, 2]
    assert columns["loss"].tolist() == pytest.approx([0.1, 2, float("nan")], nan_ok=True)


def test_figures_of_labels_are_shares_of_images() -> None:
    record = labels()
    figures = scoring_of(record).score(counts_of(record).total())
    assert figures.tolist() == pytest.approx([2 / 3, 1, 0.75, 1, np.nan, 0.5], nan_ok=True)


def test_paths_below_the_data_are_relative(tmp_path: Path) -> None:
    assert below([f"{tmp_path}/val/a.png", "/else/b.png"], tmp_path) == ["val/a.png", "/else/b.png"]
    assert below(["/else/b.png"], None) == ["/else/b.png"]
