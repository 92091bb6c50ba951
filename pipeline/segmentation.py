"""The segmentation task: steps, losses and metrics of a stage."""

from __future__ import annotations

from dataclasses import asdict

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.labels import LabelSet
from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.inference import InferenceConfig, infer
from foveate.pipeline.losses import RecipeLoss
from foveate.pipeline.metrics import ConfusionMatrix, Scores, score
from foveate.pipeline.models import is_segmenter
from foveate.pipeline.optimisation import OptimizerConfig, ScheduleConfig
from foveate.pipeline.task import RecipeOptions, VisionTask, configured, plain
from foveate.plugins.blocks import RecipeBlock, RecipeSlot


class SegmentationTask(VisionTask):
    """Train, evaluate and apply a segmenter.

    Batches are bytes (see SegmentationBatch); they become floats on the device, here.

    Args:
        network: Name of the model (foveate models list), or ENCODER+DECODER.
        attention: What sits in the model's attention slots, such as `{gate: lka, stage: [cbam]}`.
        labels: The classes; the data module gives them.
        weights: File with encoder weights to start from, read when training begins; None starts from nothing.
        loss: What is minimised: a name, a mapping with `name` and options, or a list of such with a `weight` each.
        metrics: What evaluation reports beside mIoU and its like (foveate plugins list --what metrics).
        optimizer: How weights are updated.
        schedule: How the learning rate changes.
        inference: How an image is put through the network at evaluation.
        network_options: Further options of the model, such as `{drop_path: 0.2}`; of ENCODER+DECODER a mapping for
            each, such as `{decoder: {rank: 64}}`.
    """

    def __init__(
        self,
        network: str = "segnext_t",
        attention: dict[str, RecipeSlot] | None = None,
        labels: LabelSet | None = None,
        weights: str | None = None,
        loss: RecipeLoss = "cross_entropy",
        metrics: list[RecipeBlock] | None = None,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008  frozen
        schedule: ScheduleConfig = ScheduleConfig(),  # noqa: B008  frozen
        inference: InferenceConfig = InferenceConfig(),  # noqa: B008  frozen
        network_options: RecipeOptions | None = None,
    ) -> None:
        if not is_segmenter(network):
            raise ConfigError(
                f"{network!r} classifies whole images; to label pixels write ENCODER+DECODER, such as "
                f"{network}+light_ham (see: foveate plugins list --what decoders)"
            )
        labels = configured(LabelSet, labels)
        inference = configured(InferenceConfig, inference)
        super().__init__(
            network=network,
            num_classes=len(labels),
            attention=attention,
            weights=weights,
            loss=loss,
            metrics=metrics,
            optimizer=optimizer,
            schedule=schedule,
            network_options=network_options,
            hparams={"labels": plain(asdict(labels)), "inference": plain(asdict(inference))},
        )
        self.labels = labels
        self.inference_config = inference
        self.confusion = ConfusionMatrix(len(labels))
        self.scores: Scores | None = None  # of the last evaluation

    def forward(self, image: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K H W"]:
        """Logits of RGB bytes, at the images' size."""
        return infer(self.network, self.normalise(image), self.inference_config)

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        """Loss of a batch of crops."""
        loss = self.loss(self.network(self.normalise(batch["image"])), batch["mask"])
        return self.log_training(loss, batch_idx, batch["path"])

    def validation_step(self, batch: SegmentationBatch, batch_idx: int) -> None:
        """Count a batch, at the size of its labels."""
        self._evaluate(batch, "val")

    def test_step(self, batch: SegmentationBatch, batch_idx: int) -> None:
        """Count a batch, at the size of its labels."""
        self._evaluate(batch, "test")

    def predict_step(self, batch: SegmentationBatch, batch_idx: int) -> UInt8[Tensor, "B H W"]:
        """Train ids of each pixel."""
        logits: Tensor = self(batch["image"])
        return logits.argmax(1).to(torch.uint8)

    def _evaluate(self, batch: SegmentationBatch, stage: str) -> None:
        logits = self(batch["image"])
        mask = batch["mask"]
        if logits.shape[2:] != mask.shape[1:]:
            logits = F.interpolate(logits, size=mask.shape[1:], mode="bilinear", align_corners=False)
        self.confusion.update(logits.argmax(1), mask)
        self.report(stage, logits, mask)
        loss = self.loss(logits, mask)
        self.log(f"{stage}/loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(mask))

    def on_validation_epoch_start(self) -> None:
        """Begin to count."""
        self.confusion.reset()

    def on_test_epoch_start(self) -> None:
        """Begin to count."""
        self.confusion.reset()

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the epoch."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores of the epoch."""
        self._log_scores("test")

    def _log_scores(self, stage: str) -> None:
        confusion = self.confusion.compute()
        if confusion.sum() == 0 and not self.trainer.sanity_checking:
            raise UnusableDataError(f"no labelled pixel in the {stage} data: every one of them is ignored (255)")
        self.scores = score(confusion)
        self.log(f"{stage}/miou", self.scores.miou, prog_bar=True)
        self.log_dict({f"{stage}/macc": self.scores.macc, f"{stage}/aacc": self.scores.aacc})
        names = [f"{stage}/iou/{name}" for name in self.labels.names]
        self.log_dict(dict(zip(names, self.scores.iou.tolist(), strict=True)))
