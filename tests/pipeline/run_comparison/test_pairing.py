"""Runs are compared on the same images, labels and classes, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.per_image.record import LabelRecord, PixelRecord
from foveate.pipeline.run_comparison.effects import compare_records
from foveate.pipeline.run_comparison.pairing import pair_records
from foveate.pipeline.run_comparison.telling import pairs_as_json, print_pair, tell_pair


def pixels(images: str = "abcdefgh", names: tuple[str, ...] = ("road", "car"), right: int = 5) -> PixelRecord:
    numbers = np.array([ord(image) - 90 for image in images], dtype=np.uint32)
    labelled = np.stack([numbers, 2 * numbers], axis=1)
    counts = np.concatenate([labelled * right // 10, labelled, labelled], axis=1).astype(np.uint32)
    nothing = np.zeros(len(images), dtype=np.float32)
    return PixelRecord(list(images), (), names, {}, counts, nothing, nothing)


def labels(images: str, names: tuple[str, ...], label: list[int], predicted: list[int]) -> LabelRecord:
    numbers = [np.array(one, dtype=np.int32) for one in (label, predicted)]
    rank = np.where(numbers[0] == numbers[1], 1, 2).astype(np.int32)
    nothing = np.zeros(len(images), dtype=np.float32)
    return LabelRecord(list(images), (), names, *numbers, rank, nothing, nothing)


def test_images_are_paired_by_name_whatever_their_order() -> None:
    paired, left_out = pair_records({"a": pixels("abcde"), "b": pixels("ecabd", right=7)})
    assert [record.images for record in paired.values()] == [list("abcde")] * 2
    assert np.array_equal(paired["a"].parts()[1], paired["b"].parts()[1])  # type: ignore[union-attr]
    assert left_out == []


def test_images_that_a_run_lacks_are_an_error_that_names_them() -> None:
    runs = {"a": pixels("abcde"), "b": pixels("bcdef")}
    with pytest.raises(UnusableDataError, match=r"2 of 6 images.*a \(not in b\), f \(not in a\); --leave_out"):
        pair_records(runs)
    paired, left_out = pair_records(runs, leave_out=True)
    assert paired["b"].images == list("bcde")
    assert left_out == ["a", "f"]


def test_runs_without_a_common_image_are_refused() -> None:
    with pytest.raises(UnusableDataError, match=r"no image in common \(a: a; b: x\)"):
        pair_records({"a": pixels("ab"), "b": pixels("xy")}, leave_out=True)


def test_a_name_that_occurs_twice_is_paired_in_order() -> None:
    one = pixels("abb")
    one.counts[2] += 2
    paired, _ = pair_records({"a": one, "b": one.select([1, 2, 0])})
    assert np.array_equal(paired["a"].counts, paired["b"].counts)  # type: ignore[union-attr]


def test_other_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 classes and b 2, bus, car in one of them only"):
        pair_records({"a": pixels(), "b": pixels(names=("road", "bus"))})
    with pytest.raises(ConfigError, match="in another order"):
        pair_records({"a": pixels(), "b": pixels(names=("car", "road"))})
    with pytest.raises(ConfigError, match="a predicts label maps, b classes of whole images"):
        pair_records({"a": pixels("a"), "b": labels("a", ("x",), [0], [0])})


def test_other_labels_are_refused() -> None:
    other = pixels()
    other.counts[3, 2] += 1
    with pytest.raises(UnusableDataError, match="labels of 1 images are not the same in a and b: d"):
        pair_records({"a": pixels(), "b": other})


def test_records_that_name_other_classes_since_only_those_occur_are_numbered_alike() -> None:
    one = labels("abc", ("cat", "dog"), [0, 1, 1], [0, 1, 0])
    two = labels("abc", ("ape", "cat", "dog"), [1, 2, 2], [0, 2, 2])
    paired, _ = pair_records({"a": one, "b": two})
    (pair,) = compare_records(paired, draws=20, exchanges=99)
    assert list(pair.classes) == ["ape", "cat", "dog"]
    assert (pair.classes["cat"].first, pair.classes["cat"].second) == (1, 0)
    assert (pair.classes["dog"].first, pair.classes["dog"].second) == (0.5, 1)
    assert "acc5" not in pair.overall


def test_groups_of_one_run_hold_for_all() -> None:
    grouped = replace(pixels("abcd"), groups=["x", "x", "y", "y"])
    paired, _ = pair_records({"a": pixels("abcd"), "b": grouped})
    assert [list(record.groups) for record in paired.values()] == [["x", "x", "y", "y"]] * 2


def test_what_was_found_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    images = "abcdefghijklmnopqrst"
    better, same = pixels(images, right=8), pixels(images)
    same.counts[::2, 0] -= 1
    same.counts[1::2, 0] += 1
    for second, said in ((better, "new is better than old by mIoU: +"), (same, "old and new cannot be told apart")):
        (pair,) = compare_records({"old": pixels(images), "new": second})
        assert tell_pair(pair)[0].startswith(said)
        print_pair(pair)
        assert said in capsys.readouterr().out
        found = pairs_as_json([pair], {"images": 20})["pairs"][0]
        assert found["verdict"] == tell_pair(pair)[0]
        assert found["miou"]["difference"] == pytest.approx(pair.overall["miou"].gain, abs=1e-6)
        assert set(found["classes"]) == {"road", "car"}
