"""The trace of a training keeps every bit, survives a kill, and tells which image has changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from foveate.pipeline.runs.trace import TRACE, Row, append_row, checksums, files_that_differ, mend_end, read_trace

ROW = Row(3, 0, 2, (1 / 3).hex(), (0.1).hex(), (2.0).hex(), "a,b.png=1f|c.png=2")


def batch() -> dict[str, object]:
    image = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)
    return {"image": image, "mask": torch.zeros(2, 4, 5, dtype=torch.uint8), "path": ["one.png", "two.png"]}


def test_a_row_is_read_back_as_it_was(tmp_path: Path) -> None:
    append_row(tmp_path, ROW)
    append_row(tmp_path, replace(ROW, batch=3, gradient="", weights=""))
    assert read_trace(tmp_path) == {(0, 2): ROW, (0, 3): replace(ROW, batch=3, gradient="", weights="")}


def test_of_a_batch_that_was_read_twice_the_later_row_counts(tmp_path: Path) -> None:
    append_row(tmp_path, ROW)
    append_row(tmp_path, replace(ROW, loss=(0.5).hex()))
    assert read_trace(tmp_path)[ROW.place].loss == (0.5).hex()


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_row_that_a_kill_has_cut_costs_no_other_row(cut: int, tmp_path: Path) -> None:
    append_row(tmp_path, ROW)
    append_row(tmp_path, replace(ROW, batch=3))
    path = tmp_path / TRACE
    path.write_bytes(path.read_bytes()[:-cut])
    mend_end(tmp_path)
    append_row(tmp_path, replace(ROW, batch=4))
    rows = read_trace(tmp_path)
    assert rows[(0, 2)] == ROW
    assert rows[(0, 4)] == replace(ROW, batch=4)


def test_without_a_trace_there_are_no_rows(tmp_path: Path) -> None:
    mend_end(tmp_path)
    assert read_trace(tmp_path) == {}


@pytest.mark.parametrize("name", ["image", "mask"])
def test_a_changed_value_shows_in_the_checksum_of_its_image(name: str) -> None:
    before, changed = batch(), batch()
    tensor = changed[name]
    assert isinstance(tensor, torch.Tensor)
    tensor[1, ..., 3] += 1
    assert files_that_differ(str(checksums(before)), str(checksums(changed))) == ["two.png"]


def test_names_may_hold_what_separates_rows_and_images(tmp_path: Path) -> None:
    odd = {**batch(), "path": ["a|b=c,d.png", "zwei\nZeilen ü.png"]}
    changed = {**odd, "mask": torch.ones(2, 4, 5, dtype=torch.uint8)}
    append_row(tmp_path, replace(ROW, images=str(checksums(odd))))
    assert files_that_differ(read_trace(tmp_path)[ROW.place].images, str(checksums(changed))) == odd["path"]


def test_a_batch_of_another_form_has_no_checksums() -> None:
    assert checksums([1, 2]) is None
    assert checksums({"image": torch.zeros(2, 3), "path": ["one.png"]}) is None
