"""Checks by name, and what is written of findings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from foveate.datasets.doctor.check import choose
from foveate.datasets.doctor.collect import FAST, Look
from foveate.datasets.doctor.doctor import diagnose
from foveate.datasets.doctor.page import render
from foveate.datasets.doctor.registry import CHECKS
from foveate.datasets.doctor.report import SCHEMA, SHOWN, as_json, text_lines, verdict
from foveate.datasets.errors import DataConfigError
from foveate.datasets.folder import FolderDataModule
from foveate.datasets.pages.page import LIMIT
from foveate.tests.datasets.doctor.conftest import Diagnose, redraw

KEYS = {
    "schema",
    "root",
    "masks",
    "classes",
    "complete",
    "checks",
    "severities",
    "findings",
    "splits",
    "recipe",
    "notes",
}


def test_ids_are_unique_and_of_a_family() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", name) for name in ids)


def test_checks_are_chosen_by_id_and_family() -> None:
    only = choose(CHECKS, ["labels", "splits.same"], ["labels.range"])
    assert {check.family for check in only} == {"labels", "splits"}
    assert "labels.range" not in [check.id for check in only]


def test_unknown_checks_are_refused_with_near_names_and_the_list() -> None:
    with pytest.raises(DataConfigError, match=r"--skip: no check 'label.range'; did you mean 'labels.range'.*files, "):
        choose(CHECKS, skip=["label.range"])


def test_every_check_is_in_the_documentation(root: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    for check in CHECKS:
        assert f"| `{check.id}` | {check.severity} | {check.summary} |" in text


def test_paths_are_capped_in_print_and_complete_in_json(root: Path) -> None:
    redraw(root, lambda mask: mask + (mask == 2))
    report = diagnose(FolderDataModule(str(root), crop=(64, 64)))
    lines = list(text_lines(report))
    assert f"    ... and {9 - SHOWN} more (all in --json FILE)" in lines
    content = json.loads(json.dumps(as_json(report)))
    assert content.keys() == KEYS
    assert content["schema"] == SCHEMA == 1
    found = next(finding for finding in content["findings"] if finding["id"] == "labels.range")
    assert found.keys() == {"id", "severity", "message", "count", "paths", "numbers"}
    assert len(found["paths"]) == found["count"] == 9
    assert verdict(report).startswith("1 fault")


def test_class_counts_are_those_of_the_masks(root: Path, found: Diagnose) -> None:
    from foveate.tests.datasets.doctor.conftest import drawn

    content = as_json(diagnose(FolderDataModule(str(root), crop=(64, 64))))["splits"]["val"]
    masks = [drawn(100 + number) for number in range(3)]
    assert content["pixels"] == {
        n: int(sum((m == i).sum() for m in masks)) for i, n in enumerate(("ground", "car", "tree"))
    }
    assert content["images"] == {"ground": 3, "car": 3, "tree": 3}
    assert content["ignored"] == 3 * 2 * 128


def test_a_fast_look_decodes_no_image_and_still_finds_wrong_labels(root: Path, found: Diagnose) -> None:
    path = root / "images/train/train1.png"
    path.write_bytes(path.read_bytes()[:-60])
    redraw(root, lambda mask: mask + (mask == 2))
    assert found(FAST).keys() == {"labels.range", "classes.absent"}  # both from label maps alone


def test_a_sample_is_even_and_says_nothing_of_what_it_did_not_see(root: Path, found: Diagnose) -> None:
    redraw(root, lambda mask: mask * (mask == 1), "masks/train/train[0-4].png")
    assert found(Look(headers=3, masks=2, pixels=False, objects=0)) == {}


def test_a_page_is_self_contained_and_small(root: Path) -> None:
    redraw(root, lambda mask: mask + (mask == 2))
    (root / "images/train/train0.png").write_bytes(b"")
    data = FolderDataModule(str(root), crop=(64, 64))
    page = render(diagnose(data), data)
    assert len(page) < LIMIT
    assert page.count("data:image/webp;base64,") >= 4
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "<script" not in page
    assert "marked in pink" in page
