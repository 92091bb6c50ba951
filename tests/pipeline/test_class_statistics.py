"""Class weights from a data module's counts: printed once, kept by the task and its checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.datasets.statistics import ClassStatistics
from foveate.pipeline.class_statistics import weigh_classes
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.segmentation import SegmentationTask

GREY = (0, 0, 0)
LABELS = LabelSet(name="made", names=("a", "b", "c"), colours=(GREY,) * 3, ids=(0, 1, 2))
AUTO: dict[str, Any] = {"name": "cross_entropy", "class_weights": "auto"}


class Counting:
    """A data module that counts."""

    def __init__(self, pixels: list[int], around: list[int]) -> None:
        self.asked = 0
        once = np.ones(len(pixels), dtype=np.int64)
        self.found = ClassStatistics(pixels=np.array(pixels), images=once, image_pixels=np.array(around), num_images=7)

    def class_statistics(self) -> ClassStatistics:
        self.asked += 1
        return self.found


def task(loss: Any = AUTO) -> SegmentationTask:
    return SegmentationTask(network="segnext_t", labels=LABELS, loss=loss)


def test_the_weights_are_printed_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    weights = weigh_classes(["median_frequency", "enet"], Counting([80, 15, 5], [100, 100, 50]), LABELS)
    assert weights["median_frequency"] == [0.1875, 1.0, 1.5]
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "class weights (median_frequency of 7 train images): a 0.1875, b 1, c 1.5"
    assert told[1].startswith("class weights (enet of 7 train images): a ")


def test_an_absent_class_is_told(caplog: pytest.LogCaptureFixture) -> None:
    weigh_classes(["median_frequency"], Counting([80, 0, 5], [100, 0, 50]), LABELS)
    assert "class weights: b: no pixel in the train split, so the weight 1" in caplog.text


def test_images_are_counted_against_all_images() -> None:
    classes = ClassSet(name="made", names=("a", "b", "c"))
    weights = weigh_classes(["median_frequency"], Counting([40, 20, 10], [40, 20, 10]), classes)
    assert weights["median_frequency"] == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (object(), "needs the number of pixels of each class, which object does not count; give a list of 3 numbers"),
        (None, "a data loader without a data module does not count"),
        (Counting([1, 2], [3, 3]), "Counting counts 2 classes of 3"),
    ],
    ids=["none offered", "no module", "other classes"],
)
def test_a_data_module_that_does_not_count_is_an_error_with_advice(data: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task().weigh_classes(data)


def test_the_task_keeps_the_numbers_and_asks_once() -> None:
    counting, asking = Counting([80, 15, 5], [100, 100, 50]), task()
    asking.weigh_classes(counting)
    asking.weigh_classes(counting)
    assert counting.asked == 1
    assert asking.hparams["loss"] == {"name": "cross_entropy", "class_weights": [0.1875, 1.0, 1.5]}
    weights: Any = asking.loss.weights
    assert weights.tolist() == [0.1875, 1.0, 1.5]


def test_a_checkpoints_numbers_come_before_the_datas(capsys: pytest.CaptureFixture[str]) -> None:
    asking, stored = task(), {"loss": {"name": "cross_entropy", "class_weights": [1.0, 2.0, 3.0]}}
    asking.take_class_weights(stored)
    asking.weigh_classes(None)
    asking.on_load_checkpoint({"hyper_parameters": stored})
    assert asking.hparams["loss"] == stored["loss"]
    assert capsys.readouterr().err == "class weights (of the checkpoint): a 1, b 2, c 3\n"


def test_numbers_of_the_recipe_come_before_the_checkpoints() -> None:
    given = task({"name": "cross_entropy", "class_weights": [3, 2, 1]})
    given.take_class_weights({"loss": {"name": "cross_entropy", "class_weights": [1, 2, 3]}})
    assert given.hparams["loss"]["class_weights"] == [3, 2, 1]


def test_an_evaluation_without_numbers_says_so(caplog: pytest.LogCaptureFixture) -> None:
    task().setup("validate")
    assert (
        "class_weights: median_frequency: computed by fit only; the loss of this evaluation is without" in caplog.text
    )
