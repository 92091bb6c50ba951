"""What evaluation counts: labelled images only, each once, whatever the batches and processes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import CAMVID
from foveate.pipeline.classification import ClassificationTask
from foveate.pipeline.mixing import MixingConfig
from foveate.pipeline.models import create_model
from foveate.pipeline.segmentation import SegmentationTask
from foveate.plugins.errors import PluginError

ABC = ClassSet(name="toy", names=("a", "b", "c"))


@pytest.fixture(scope="module")
def segmenter() -> SegmentationTask:
    return SegmentationTask(network="mobilenet_v2_035+smp:FPN", labels=CAMVID, metrics=["calibration_error"]).eval()


def batch(count: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (count, 3, 32, 48), generator=generator, dtype=torch.uint8)
    mask = torch.randint(0, 11, (count, 32, 48), generator=generator, dtype=torch.uint8)
    return {"image": image, "mask": mask, "path": [""] * count}


def loss_of(task: SegmentationTask, batches: list[dict[str, Any]]) -> float:
    task.reset_scores()
    with torch.no_grad():
        for one in batches:
            task.validation_step(one, 0)  # type: ignore[arg-type]
    return float(task.mean_loss.compute())


def part(of: dict[str, Any], *numbers: int) -> dict[str, Any]:
    return {**of, "image": of["image"][list(numbers)], "mask": of["mask"][list(numbers)]}


def test_the_loss_does_not_depend_on_which_images_share_a_batch(segmenter: SegmentationTask) -> None:
    whole = batch(3)
    whole["mask"][1, 4:] = 255  # few labelled pixels weigh as an image all the same
    alone = loss_of(segmenter, [part(whole, number) for number in range(3)])
    assert loss_of(segmenter, [part(whole, 0, 1), part(whole, 2)]) == pytest.approx(alone, rel=1e-5)
    assert loss_of(segmenter, [part(whole, 0, 2), part(whole, 1)]) == pytest.approx(alone, rel=1e-5)


def test_a_blank_changes_no_loss_and_no_metric(segmenter: SegmentationTask) -> None:
    whole, blank = batch(2), batch(1)
    blank["mask"].fill_(255)
    before = loss_of(segmenter, [whole])
    error = segmenter.reported["calibration_error"].compute()  # type: ignore[operator]
    assert loss_of(segmenter, [whole, blank]) == before
    assert segmenter.reported["calibration_error"].compute() == error  # type: ignore[operator]


class Strict(torch.nn.Module):
    """A loss that knows no blanks, as the plugin contract has it."""

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        assert int(labels.min()) >= 0
        return torch.nn.functional.cross_entropy(logits, labels)


def test_losses_and_metrics_of_classifiers_see_no_blanks() -> None:
    task = ClassificationTask(network="mobilenet_v2_035", labels=ABC).eval()
    task.loss = Strict()
    image = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    with torch.no_grad():
        said = task.validation_step({"image": image, "label": torch.tensor([0, 2, -1]), "path": [""] * 3}, 0)
        task.validation_step({"image": image[:1], "label": torch.tensor([-1]), "path": [""]}, 0)
    assert said.shape == (3,)
    assert task.tally.images.sum() == 2
    assert task.mean_loss.images == 2


@pytest.mark.parametrize("channels", [10, 12])
def test_another_number_of_logits_than_classes_is_refused(segmenter: SegmentationTask, channels: int) -> None:
    with pytest.raises(PluginError, match=rf"gives logits of shape \(1, {channels}, 8, 8\)"):
        segmenter.checked(torch.zeros(1, channels, 8, 8), 1, (8, 8))


def test_logits_of_another_kind_are_refused(segmenter: SegmentationTask) -> None:
    with pytest.raises(PluginError, match="a channel is expected for each of the 11 classes"):
        segmenter.checked(torch.zeros(1, 11), 1, (8, 8))


@pytest.mark.parametrize(
    "given", [torch.zeros(1, 11, 4, 8), torch.zeros(2, 11, 8, 8), {"out": torch.zeros(1, 11, 8, 8)}, (torch.zeros(1),)]
)
def test_logits_of_another_size_and_what_is_no_tensor_are_refused(segmenter: SegmentationTask, given: object) -> None:
    with pytest.raises(PluginError, match=r"not (one tensor of shape )?\(1, 11, 8, 8\)"):
        segmenter.checked(given, 1, (8, 8))


@pytest.mark.parametrize("network", ["mobilenet_v2_035+light_ham", "mobilenet_v2_035+smp:Unet"])
@pytest.mark.parametrize("channels", [9, 13])
def test_no_step_takes_logits_of_other_classes(network: str, channels: int) -> None:
    task = SegmentationTask(network=network, labels=CAMVID)
    task.network = create_model(network, num_classes=channels)
    some = batch(2)
    with pytest.raises(PluginError, match="for each of the 11 classes"):
        task.compute_loss(some)  # type: ignore[arg-type]
    task.eval()
    for step in (task.validation_step, task.test_step, task.predict_step):
        with pytest.raises(PluginError, match="for each of the 11 classes"):
            step(some, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [2, 4])
def test_no_step_of_a_classifier_takes_logits_of_other_classes(channels: int) -> None:
    task = ClassificationTask(network="mobilenet_v2_035", labels=ABC)
    task.network = create_model("mobilenet_v2_035", num_classes=channels)
    some: Any = {"image": batch(2)["image"], "label": torch.tensor([0, 2]), "path": ["", ""]}
    with pytest.raises(PluginError, match=rf"shape \(2, {channels}\), not \(2, 3\)"):
        task.compute_loss(some)
    task.eval()
    for step in (task.validation_step, task.test_step, task.predict_step):
        with pytest.raises(PluginError, match="for each of the 3 classes"):
            step(some, 0)


@pytest.mark.parametrize("labels", [[-1, -1], [1, -1]])
@pytest.mark.parametrize("mixing", [None, MixingConfig(mixup=0.8, erasing=1.0)], ids=["plain", "mixed"])
def test_training_drops_blanks_before_the_loss(labels: list[int], mixing: MixingConfig | None) -> None:
    task = ClassificationTask(network="mobilenet_v2_035", labels=ABC, mixing=mixing)
    task.loss = Strict()
    some: Any = {"image": batch(2)["image"], "label": torch.tensor(labels), "path": ["", ""]}
    loss = task.compute_loss(some)
    loss.backward()
    assert (loss.item() == 0) == (max(labels) < 0)
    assert all(parameter.grad is not None for parameter in task.network.parameters())


class NeedsLabels(torch.nn.Module):
    """A loss that divides by the number of labelled pixels."""

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(logits, labels.long(), ignore_index=255)


@pytest.mark.parametrize("network", ["mobilenet_v2_035+light_ham", "mobilenet_v2_035+smp:Unet"])
def test_crops_without_a_label_cost_nothing_under_any_loss(network: str) -> None:
    task = SegmentationTask(network=network, labels=CAMVID)
    task.loss = NeedsLabels()
    some = batch(2)
    some["mask"].fill_(255)
    loss = task.compute_loss(some)  # type: ignore[arg-type]
    loss.backward()
    assert loss.item() == 0
    assert all((p.grad == 0).all() for p in task.network.parameters() if p.grad is not None)


def test_a_loss_sees_no_blanks_in_training_and_every_parameter_has_a_gradient() -> None:
    task = ClassificationTask(network="mobilenet_v2_035", labels=ABC, mixing=None)
    task.loss = Strict()
    image = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    for labels in ([0, -1, 2], [-1, -1, -1]):
        task.zero_grad()
        loss = task.compute_loss({"image": image, "label": torch.tensor(labels), "path": [""] * 3})
        loss.backward()
        assert bool(torch.isfinite(loss))
        assert all(parameter.grad is not None for parameter in task.parameters())
    assert loss == 0
