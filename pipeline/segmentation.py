"""The segmentation task: steps, losses and metrics of a stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.inference import InferenceConfig, ScoredArea, coarse_decoder, infer, infer_areas, infer_classes
from foveate.pipeline.inference.large import is_large, score_areas
from foveate.pipeline.inference.prediction import PixelPrediction, Wanted, assemble
from foveate.pipeline.losses import RecipeLoss, loss_of_coarse
from foveate.pipeline.losses.labelling import is_labelled
from foveate.pipeline.metrics.confusion import ConfusionMatrix, Scores, score
from foveate.pipeline.metrics.levels import score_levels
from foveate.pipeline.metrics.pixels import Pixels
from foveate.pipeline.metrics.report import Report, report_segmentation
from foveate.pipeline.models import create_model, is_segmenter
from foveate.pipeline.models.channels import with_channels
from foveate.pipeline.models.upsampling import Rows, upsample
from foveate.pipeline.normalisation import NormalisationConfig
from foveate.pipeline.optimisation.freezing import Freeze
from foveate.pipeline.optimisation.optimiser import OptimizerConfig
from foveate.pipeline.optimisation.schedules import ScheduleConfig
from foveate.pipeline.per_image.rows import pixel_columns
from foveate.pipeline.task import VisionTask, choose
from foveate.pipeline.task_options import RecipeOptions, TaskOptions, configured, plain
from foveate.plugins.blocks import RecipeBlock, RecipeSlot


class SegmentationTask(VisionTask):
    """Train, evaluate and apply a segmenter.

    Batches are bytes (see SegmentationBatch); the task converts them to floats on the device.

    Args:
        network: Name of the model (foveate models list), or ENCODER+DECODER.
        attention: Blocks in the model's attention slots, such as `{gate: lka, stage: [cbam]}`.
        labels: The classes; the data module gives them.
        weights: File with encoder weights to start from, read when training begins; None trains from scratch.
        loss: What is minimised: a name, a mapping with `name` and options (`{name: ohem, class_weights: auto}`), or a
            list of such with a `weight` each. `class_weights` are a number for each class, or computed from the
            training data: `auto` or median_frequency, enet, inverse_sqrt.
        metrics: What evaluation reports besides mIoU and accuracy, such as `[dice, boundary]`, or `[all]`
            (foveate plugins list --what metrics).
        optimizer: How weights are updated.
        schedule: How the learning rate changes.
        inference: How images are evaluated: as a whole, or by sliding window.
        ema: Decay of a moving average of the weights, such as 0.999, which is then evaluated and saved.
        normalisation: Mean and standard deviation of images in 0-1, such as `{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5,
            0.5]}`; default: those of `weights`, else of ImageNet.
        network_options: Further options of the model, such as `{drop_path: 0.2}`; of ENCODER+DECODER a mapping for
            each, such as `{decoder: {rank: 64}}`.
        activation_checkpointing: Store only the input of each block and recompute the rest in the backward pass: less
            memory, a third more time.
        compile: Train the network through torch.compile; the first step takes minutes.
        in_channels: Channels of the images; the data module gives them. 3 if nobody does.
        freeze: Parts of the network that are frozen: `encoder`, a list such as `[decoder, "encoder.stages[:2]"]`, or
            `{parts: encoder, until_step: 500}`. Their batch norms stay in evaluation mode.
    """

    monitor = "val/miou"
    figure = "mIoU"
    kind = "segmentation"
    labels: LabelSet

    def __init__(
        self,
        network: str = "segnext_t",
        attention: dict[str, RecipeSlot] | None = None,
        # Both tasks write the union in one order, since typing caches unions whatever theirs. A ClassSet is refused.
        labels: ClassSet | LabelSet | None = None,
        weights: str | None = None,
        loss: RecipeLoss = "cross_entropy",
        metrics: list[RecipeBlock] | None = None,
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008  frozen
        schedule: ScheduleConfig = ScheduleConfig(),  # noqa: B008  frozen
        inference: InferenceConfig = InferenceConfig(),  # noqa: B008  frozen
        ema: float | None = None,
        normalisation: NormalisationConfig | None = None,
        network_options: RecipeOptions | None = None,
        activation_checkpointing: bool = False,
        compile: bool = False,
        freeze: Freeze | None = None,
        in_channels: int | None = None,
    ) -> None:
        if not is_segmenter(network):
            create_model(network, num_classes=1)  # raises here, with a hint, if the name is unknown
            raise ConfigError(
                f"{network!r} classifies whole images; to label pixels write ENCODER+DECODER, such as "
                f"{network}+light_ham (see: foveate plugins list --what decoders)"
            )
        if isinstance(labels, ClassSet):
            raise ConfigError(f"{labels.name} names the class of whole images: that is for ClassificationTask")
        labels = configured(LabelSet, labels)
        inference = configured(InferenceConfig, inference)
        options = TaskOptions(
            network=network,
            attention=attention,
            weights=weights,
            loss=loss,
            metrics=metrics,
            optimizer=optimizer,
            schedule=schedule,
            ema=ema,
            normalisation=normalisation,
            network_options=with_channels(network_options, in_channels) or network_options,
            activation_checkpointing=activation_checkpointing,
            compile=compile,
            freeze=freeze,
        )
        super().__init__(
            options,
            num_classes=len(labels),
            hparams={"labels": plain(asdict(labels)), "inference": plain(asdict(inference))},
        )
        self.labels = labels
        self.inference_config = inference
        self.wanted: Wanted | None = None  # of predictions, besides the labels
        self.confusion = ConfusionMatrix(len(labels), trusted=True, by_image=True)
        self.scores: Scores | None = None  # of the last evaluation

    def forward(self, image: UInt8[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        """Logits of images in bytes, at the size of the images."""
        pixels = self.normalise(image)
        with self.named_network():
            logits = infer(self.runner(pixels), pixels, self.inference_config)
        return self.checked(logits, len(image), image.shape[2:])

    def compute_loss(self, batch: SegmentationBatch) -> Float[Tensor, ""]:
        """Loss of a batch of crops; needs no trainer."""
        image, mask = self.normalise(batch["image"]), batch["mask"]
        decode = coarse_decoder(self.network)
        with self.named_network():
            logits = self.network(image) if decode is None else decode(image)
        if decode is None:
            return self.minimised(self.checked(logits, len(image), image.shape[2:]), mask, self.loss)
        return self.minimised(self.checked(logits, len(image), (None, None)), mask, partial(loss_of_coarse, self.loss))

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        """Loss of a batch of crops, logged."""
        return self.log_training(self.compute_loss(batch), batch_idx, batch["path"])

    def validation_step(self, batch: SegmentationBatch, batch_idx: int) -> Int64[Tensor, "B H W"]:
        """Add a batch to the scores, at the size of its labels, and return the predicted train ids."""
        return self._evaluate(batch)

    def test_step(self, batch: SegmentationBatch, batch_idx: int) -> Int64[Tensor, "B H W"]:
        """Add a batch to the scores, at the size of its labels, and return the predicted train ids."""
        return self._evaluate(batch)

    def predict_step(self, batch: SegmentationBatch, batch_idx: int) -> UInt8[Tensor, "B H W"] | PixelPrediction:
        """The predicted train id of each pixel, and what else is `wanted`.

        A large image is labelled area by area, in a file if it is very large.
        """
        image = batch.get("windows", batch["image"])
        if not is_large(image.shape[2], image.shape[3]) and not self.wanted:
            return self.label(batch["image"]).to(torch.uint8)
        with self.named_network():
            found = assemble(self._areas(image), (image.shape[0], *image.shape[2:]), self.wanted or Wanted())
        return found if self.wanted else found.labels

    def _areas(self, image: Rows | Tensor) -> Iterator[ScoredArea]:
        if is_large(image.shape[2], image.shape[3]):
            return score_areas(self._run, image, self._to_pixels, self.inference_config, check=self.checked)
        assert isinstance(image, Tensor)
        pixels = self._to_pixels(image)
        return infer_areas(self.runner(pixels), pixels, self.inference_config, check=self.checked)

    def _run(self, pixels: Tensor) -> Tensor:
        return self.runner(pixels)(pixels)

    def _to_pixels(self, image: Tensor) -> Tensor:
        pixels: Tensor = self.normalise(image.to(self.device))
        return pixels

    def label(self, image: UInt8[Tensor, "B C H W"]) -> Int64[Tensor, "B H W"]:
        """The predicted train id of each pixel of images in bytes.

        Args:
            image: The images.
        """
        pixels = self.normalise(image)
        with self.named_network():
            return infer_classes(self.runner(pixels), pixels, self.inference_config, check=self.checked)

    def _evaluate(self, batch: SegmentationBatch) -> Int64[Tensor, "B H W"]:
        mask = batch["mask"]
        logits = upsample(self(batch["image"]), (mask.shape[1], mask.shape[2]))
        pixels = Pixels(logits, mask)
        predicted = pixels.predicted
        self.confusion.update(predicted, mask)
        kept = choose(is_labelled(mask), logits, mask)
        losses = self.count(*kept, image_by_image=True, pixels=pixels)
        self.rows.add(batch["path"], pixel_columns(self.confusion.each, logits, mask, losses, self.labels))
        return predicted

    def reset_scores(self) -> None:
        """Reset the scores."""
        super().reset_scores()
        self.confusion.reset()

    def log_scores(self, stage: str) -> None:
        """Compute and log the scores of an evaluation.

        Raises:
            UnusableDataError: No pixel was labelled.
        """
        super().log_scores(stage)
        confusion = self.confusion.compute()
        if confusion.sum() == 0:
            raise UnusableDataError(f"no labelled pixel in the {stage} data: every one of them is ignored (255)")
        self.scores = score(confusion)
        self.log(f"{stage}/miou", self.scores.miou, prog_bar=True, sync_dist=True)
        self.observe(self.scores.miou)
        self.log_dict({f"{stage}/macc": self.scores.macc, f"{stage}/aacc": self.scores.aacc}, sync_dist=True)
        names = [f"{stage}/iou/{name}" for name in self.labels.names]
        self.log_dict(dict(zip(names, self.scores.iou.tolist(), strict=True)), sync_dist=True)

    def report_of_scores(self) -> Report | None:
        """The scores of the last evaluation as a table and as figures; None before the first."""
        if self.scores is None:
            return None
        coarse = score_levels(self.scores.confusion, self.labels)
        levels = {level: (list(self.labels.levels[level]), scores) for level, scores in coarse.items()}
        report = report_segmentation(self.scores, self.labels.names, levels)
        return self.with_intervals(self.extended(report))
