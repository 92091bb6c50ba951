"""Counts over images, thresholds, and the order of doubts."""

from __future__ import annotations

import numpy as np
import pytest

from foveate.datasets.labels import IGNORE
from foveate.pipeline.doubt.evidence import Evidence
from foveate.pipeline.doubt.looking import Search, regions_of
from foveate.pipeline.doubt.maps import Maps
from foveate.pipeline.doubt.ranking import Found, rank
from foveate.tests.pipeline.doubt.drawn import CLASSES, label_map, maps


def counted(*images: Maps) -> Evidence:
    evidence = Evidence(CLASSES)
    for one in images:
        here = one.is_labelled
        evidence.update(one.label[here], one.predicted[here], one.of_label[here])
    return evidence


def found_in(*images: Maps) -> list[Found]:
    return [
        Found(source=0, index=index, image=f"{index}.png", region=region)
        for index, one in enumerate(images)
        for region in regions_of(one, Search(min_area=20))
    ]


def scenes() -> list[Maps]:
    """Three images: a swapped object, a missing one of which the network is unsure, and one without faults."""
    swap = maps(label_map((2, 5, 5, 25, 35)), label_map((1, 5, 5, 25, 35)), 0.9)
    sure = np.where(label_map((1, 30, 40, 50, 70)) == 1, 0.4, 0.9)
    missing = maps(label_map(), label_map((1, 30, 40, 50, 70)), sure)
    right = maps(label_map((1, 10, 10, 40, 40)), label_map((1, 10, 10, 40, 40)), 0.9)
    return [swap, missing, right]


def test_the_threshold_is_the_mean_probability_where_the_class_is_the_label() -> None:
    shown = maps(label_map((1, 0, 0, 10, 10)), label_map((1, 0, 0, 10, 5)), 0.7)
    thresholds = counted(shown).thresholds()
    assert thresholds[1] == pytest.approx((0.7 + 0.1) / 2, abs=1e-5)
    assert thresholds[0] == pytest.approx(0.7, abs=1e-5)
    assert thresholds[2:] == pytest.approx([np.mean(thresholds[:2])] * 2)  # never a label


def test_ignored_pixels_are_not_counted() -> None:
    label = label_map((1, 0, 0, 10, 10))
    label[5:] = IGNORE
    evidence = counted(maps(label, label_map((1, 0, 0, 10, 10))))
    assert evidence.confusion.sum() == 5 * 90
    assert evidence.confusion[1, 1] == 50


def test_the_state_does_not_grow_with_the_images() -> None:
    few, many = counted(*scenes()), counted(*scenes() * 5)
    sizes = [{name: array.shape for name, array in vars(one).items()} for one in (few, many)]
    assert sizes[0] == sizes[1] == {"confusion": (CLASSES, CLASSES), "_sums": (CLASSES,)}


def test_the_order_of_the_images_decides_nothing() -> None:
    rng = np.random.default_rng(0)
    images = [maps(label_map((1, 5, 5, 20, 30)), label_map(), rng.uniform(0.3, 0.9, (60, 90))) for _ in range(6)]
    ahead, behind = counted(*images), counted(*images[::-1])
    assert ahead.thresholds().tolist() == behind.thresholds().tolist()
    parts = counted(*images[:2])
    parts.add(counted(*images[2:]))
    assert parts.thresholds().tolist() == ahead.thresholds().tolist()
    found = found_in(*images)
    assert rank(found, ahead) == rank(found[::-1], behind)


def test_a_network_that_is_unsure_raises_no_doubt() -> None:
    images = scenes()
    doubts = rank(found_in(*images), counted(*images))
    assert [(doubt.found.image, doubt.found.region.labelled) for doubt in doubts] == [("0.png", 2)]


def test_larger_and_surer_regions_come_first() -> None:
    truth = label_map((1, 5, 5, 25, 35), (1, 40, 5, 50, 15), (1, 40, 60, 50, 70))
    sure = np.where(label_map((1, 40, 60, 50, 70)) == 1, 0.95, 0.9)
    images = [maps(label_map(), truth, sure), maps(truth, truth, 0.8)]
    doubts = rank(found_in(*images), counted(*images))
    assert [doubt.found.region.box[:2] for doubt in doubts] == [(5, 5), (60, 40), (5, 40)]
    assert [doubt.score for doubt in doubts] == sorted((doubt.score for doubt in doubts), reverse=True)


def test_what_the_network_often_confuses_counts_less() -> None:
    truth = label_map((1, 5, 5, 15, 15), (2, 30, 5, 40, 15), (1, 5, 40, 50, 80))
    label = label_map((1, 5, 40, 50, 80))
    often = [maps(label_map(), label_map((1, 0, 0, 60, 80))) for _ in range(3)]  # 0 is taken for 1
    right = [maps(label_map((2, 0, 0, 60, 80)), label_map((2, 0, 0, 60, 80)), 0.8)]
    shown = maps(label, truth)
    doubts = rank(found_in(shown), counted(shown, *often, *right))
    assert [doubt.found.region.predicted for doubt in doubts] == [2, 1]
    assert doubts[0].found.region.area == doubts[1].found.region.area
