"""Folders of predictions and other sources of records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from foveate.datasets.cityscapes import CityscapesDataModule
from foveate.datasets.labels import CITYSCAPES
from foveate.pipeline.commands.predicted_labels import Truth, record_predictions
from foveate.pipeline.errors import CheckpointError, ConfigError, UnusableDataError
from foveate.pipeline.metrics.confusion import count_confusion, score
from foveate.pipeline.per_image.figures import counts_of, pixel_score
from foveate.pipeline.run_comparison.sources import obtain_record, one_process, parse_source


def write_predictions(root: Path, folder: Path, *, ids: str = "regular", wrong: int = 0) -> None:
    """Predictions that are right but for the first columns, which are of class 0, named as `foveate predict` does."""
    for path in sorted((root / "gtFine" / "val").rglob("*labelIds.png")):
        label = np.array(Image.open(path))
        label[:, :wrong] = 7
        stored = label if ids == "regular" else CITYSCAPES.to_train_ids()[label]
        file = folder / path.parent.name / path.name.replace("_gtFine_labelIds", "_leftImg8bit")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(stored.astype(np.uint8)).save(file)


@pytest.mark.parametrize("ids", ["regular", "train"])
def test_right_predictions_score_one_and_void_is_left_out(cityscapes_root: Path, tmp_path: Path, ids: str) -> None:
    write_predictions(cityscapes_root, tmp_path / "p", ids=ids)
    record = record_predictions(tmp_path / "p", Truth(CityscapesDataModule(str(cityscapes_root)), "val", ids))  # type: ignore[arg-type]
    assert record.miou().tolist() == [1, 1, 1]
    assert record.images[0] == "leftImg8bit/val/frankfurt/frankfurt_000000_000019_leftImg8bit.png"
    assert (record.pixels() < 64 * 128).all()


def test_counts_are_those_of_all_pixels_together(cityscapes_root: Path, tmp_path: Path) -> None:
    write_predictions(cityscapes_root, tmp_path / "p" / "labels", wrong=30)
    (tmp_path / "p" / "overlays").mkdir()
    data = CityscapesDataModule(str(cityscapes_root))
    record = record_predictions(tmp_path / "p", Truth(data, "val"))
    whole = torch.zeros(19, 19, dtype=torch.long)
    for pair in data.pairs_of("val"):
        label = np.array(Image.open(pair.label))
        predicted = label.copy()
        predicted[:, :30] = 7
        mask, said = (torch.from_numpy(CITYSCAPES.to_train_ids()[one].astype(np.int64)) for one in (label, predicted))
        whole += count_confusion(torch.where(said == 255, 0, said), mask, 19)
    assert pixel_score(record.sizes)(counts_of(record).total())[0] == pytest.approx(score(whole).miou)


def test_missing_and_misfit_predictions_are_named(cityscapes_root: Path, tmp_path: Path) -> None:
    write_predictions(cityscapes_root, tmp_path / "p")
    first = min((tmp_path / "p").rglob("*.png"))
    first.unlink()
    data = CityscapesDataModule(str(cityscapes_root))
    with pytest.raises(UnusableDataError, match=f"no prediction for 1 of 3 images: {first.name}"):
        record_predictions(tmp_path / "p", Truth(data, "val"))
    assert len(record_predictions(tmp_path / "p", Truth(data, "val", leave_out=True))) == 2
    Image.new("L", (9, 8)).save(first)
    with pytest.raises(UnusableDataError, match="8 x 9 and 64 x 128"):
        record_predictions(tmp_path / "p", Truth(data, "val"))
    write_predictions(cityscapes_root, tmp_path / "p" / "again")
    with pytest.raises(UnusableDataError, match="two predictions are called"):
        record_predictions(tmp_path / "p", Truth(data, "val"))


def test_a_source_may_name_an_engine(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "odd@name").mkdir()
    source = parse_source(f"{tmp_path}/run@folded")
    assert (source.path, source.engine, source.name) == (tmp_path / "run", "folded", f"{tmp_path}/run@folded")
    assert parse_source(f"{tmp_path}/odd@name").engine is None
    with pytest.raises(ConfigError, match="no engine 'native'; PATH@ENGINE takes torch, folded"):
        parse_source(f"{tmp_path}/run@native")
    with pytest.raises(UnusableDataError, match="no such file or folder"):
        parse_source(str(tmp_path / "none"))


def test_a_folder_that_is_no_run_needs_a_truth_and_a_run_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--truth DATA"):
        obtain_record(parse_source(str(tmp_path)), "val", [], None)
    (tmp_path / "recipe.yaml").write_text("{}")
    with pytest.raises(CheckpointError, match=r"no checkpoints/best\.ckpt or last\.ckpt"):
        obtain_record(parse_source(str(tmp_path)), "val", [], None)


def test_several_devices_are_refused_with_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"validate --per_image a\.csv --trainer\.devices 2"):
        one_process(["--trainer.devices=2"])
    assert one_process(["--data.root=x"]) == ["--data.root=x", "--trainer.devices=1"]
