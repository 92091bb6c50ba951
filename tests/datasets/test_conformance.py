"""The rules for data sets: ours keep them, and each planted fault breaks its rule."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import lightning.pytorch as L
import pytest

from foveate.datasets.camvid import CamVidDataModule
from foveate.datasets.conformance import RULES, DataResult, DataRule, assert_conforms, check_data_set
from foveate.datasets.digits import DigitsDataModule
from foveate.datasets.files.pairs import Pair
from foveate.datasets.labels import CAMVID
from foveate.datasets.segmentation import SegmentationDataset
from foveate.datasets.segmentation_options import SegmentationOptions

BY_NAME = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_camvid_keeps_the_rules(rule: DataRule, camvid_root: Path) -> None:
    assert_conforms(CamVidDataModule, root=camvid_root, rules=[rule], crop=(32, 32))


def test_a_data_set_without_a_folder_keeps_them_too() -> None:
    results = {result.rule.name: result.outcome for result in check_data_set(DigitsDataModule)}
    assert set(results.values()) <= {"passed", "skipped"}
    assert results["training batch"] == "passed"


def test_rules_that_read_data_are_skipped_without_it() -> None:
    results = {result.rule.name: result for result in check_data_set(CamVidDataModule)}
    assert results["classes"].outcome == "passed"
    assert results["splits"].detail == "needs the data: give --root DIR"


class Overlapping(CamVidDataModule):
    def find_pairs(self, split: str) -> list[Pair]:
        return super().find_pairs("train")


class Twice(CamVidDataModule):
    def find_pairs(self, split: str) -> list[Pair]:
        return super().find_pairs(split) * 2


class Empty(CamVidDataModule):
    def find_pairs(self, split: str) -> list[Pair]:
        return []


class ReadsAtOnce(CamVidDataModule):
    def __init__(self, root: str | None = None, **options: Unpack[SegmentationOptions]) -> None:
        super().__init__(root, **options)
        self.find_pairs("train")


class DoubleName(CamVidDataModule):
    label_set = replace(CAMVID, names=("sky",) * 11)


class DoubleId(CamVidDataModule):
    label_set = replace(CAMVID, ids=(0, 0, *range(2, 11)))


class VoidClass(CamVidDataModule):
    label_set = replace(CAMVID, void_ids=(11, 3, 255))


class Careless(CamVidDataModule):
    def existing_root(self) -> Path:
        return Path(str(self.root))

    def find_pairs(self, split: str) -> list[Pair]:
        return [Pair(path, path) for path in sorted((self.existing_root() / split).iterdir())]


def changing(change: Callable[[dict[str, Any]], dict[str, Any]]) -> type[L.LightningDataModule]:
    """CamVid with samples that are changed."""

    class Changed(SegmentationDataset):
        def __getitem__(self, pick: Any) -> dict[str, object]:
            return change(super().__getitem__(pick))

    class Changing(CamVidDataModule):
        def setup(self, stage: str) -> None:
            super().setup(stage)
            for name, one in self._datasets.items():
                self._datasets[name] = Changed(one.pairs, one.reader, one.transform)

    return Changing


FAULTS: Sequence[tuple[str, type[L.LightningDataModule], str]] = [
    ("builds", ReadsAtOnce, "DataConfigError: where is the data"),
    ("missing data", Careless, "root=None: FileNotFoundError"),
    ("classes", DoubleName, "names of classes: sky"),
    ("classes", DoubleId, "two classes have one id: 0, 0, 2"),
    ("classes", VoidClass, "ids of classes that are ignored too: 3"),
    ("splits", Overlapping, "4 images are in train and val"),
    ("splits", Twice, "twice in train"),
    ("splits", Empty, "no images in train"),
    ("training batch", changing(lambda s: {**s, "image": s["image"].float()}), r"image: float32 \(2, 3, 32, 32\)"),
    ("training batch", changing(lambda s: {**s, "mask": s["mask"].clamp(max=12)}), "mask holds 12; there are 11"),
    ("evaluation batch", changing(lambda s: {**s, "mask": s["mask"][1:]}), r"mask: uint8 \(2, 47, 64\), image"),
    ("evaluation batch", changing(lambda s: {**s, "mask": s["mask"].long()}), "mask: int64"),
    ("pickle", changing(lambda s: s), "PicklingError|AttributeError"),
    (
        "repeats",
        changing(lambda s: {**s, "image": s["image"] ^ random.SystemRandom().randrange(1, 256)}),
        "different batches",
    ),
]


@pytest.mark.parametrize(("name", "kind", "message"), FAULTS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_planted_fault_breaks_its_rule(
    name: str, kind: type[L.LightningDataModule], message: str, camvid_root: Path
) -> None:
    options = {"crop": (32, 32), "eval_batch_size": 2}
    result: DataResult = check_data_set(kind, root=camvid_root, options=options, rules=[BY_NAME[name]])[0]
    assert result.outcome == "failed", result.detail
    with pytest.raises(AssertionError, match=message):
        assert_conforms(kind, root=camvid_root, rules=[BY_NAME[name]], **options)
