"""What `fit` looks at before the first step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from foveate.datasets.digits import DigitsDataModule
from foveate.datasets.doctor.preflight import look_before_training
from foveate.datasets.errors import DataError
from foveate.datasets.folder import FolderDataModule
from foveate.tests.datasets.doctor.conftest import redraw
from foveate.tests.datasets.drawn_masks import KINDS, write_data_set


def look(root: Path) -> list[str]:
    return look_before_training(FolderDataModule(str(root), crop=(64, 64)))


def test_nothing_is_said_of_good_data(root: Path) -> None:
    assert look(root) == []
    assert look_before_training(DigitsDataModule()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_of_mask_raises_a_false_alarm(kind: str, tmp_path: Path) -> None:
    write_data_set(tmp_path / "mine", KINDS[kind], {"train": 4, "val": 2})
    data = FolderDataModule(str(tmp_path / "mine"), crop=(32, 32), **KINDS[kind].options)
    assert look_before_training(data) == []


def test_a_fault_is_one_line_with_file_value_and_cure(root: Path) -> None:
    redraw(root, lambda mask: mask + (mask == 2), "masks/val/val1.png")
    with pytest.raises(DataError) as error:
        look(root)
    assert error.value.exit_code == 3
    line = str(error.value)
    assert "\n" not in line
    assert "val1.png: label id out of range: 3 (" in line
    assert "--data.ignore [3]" in line


def test_what_is_likely_wrong_is_a_warning(root: Path) -> None:
    redraw(root, lambda mask: np.where(mask == 0, 255, mask).astype(np.uint8))
    warnings = look(root)
    assert any("of all pixels are ignored" in line for line in warnings)
