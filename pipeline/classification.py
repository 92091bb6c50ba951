"""The classification task: steps, losses and metrics of a stage."""

from __future__ import annotations

from dataclasses import asdict

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from foveate.datasets.batch import ClassificationBatch
from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.losses import RecipeLoss
from foveate.pipeline.losses.labelling import is_labelled
from foveate.pipeline.metrics.calibration import CalibrationError
from foveate.pipeline.metrics.classification import (
    FIRST,
    ClassificationScores,
    ClassTally,
    Prediction,
    score_classes,
)
from foveate.pipeline.metrics.confusion import ConfusionMatrix
from foveate.pipeline.metrics.report import Report, report_classification
from foveate.pipeline.mixing import Mixing, MixingConfig
from foveate.pipeline.models import is_segmenter
from foveate.pipeline.normalisation import NormalisationConfig
from foveate.pipeline.optimisation.freezing import Freeze
from foveate.pipeline.optimisation.optimiser import OptimizerConfig
from foveate.pipeline.optimisation.schedules import ScheduleConfig
from foveate.pipeline.per_image.rows import label_columns
from foveate.pipeline.task import VisionTask, choose
from foveate.pipeline.task_options import RecipeOptions, TaskOptions, configured, plain
from foveate.plugins.blocks import RecipeBlock, RecipeSlot

MOST = 1000  # largest number of classes with a confusion matrix; ImageNet-21K's would take 3.8 GB


def mean_of_views(logits: Float[Tensor, "N K"], images: int) -> Float[Tensor, "B K"]:
    """The logarithm of the mean probabilities of the views of each image.

    Args:
        logits: Of all views, those of an image one after the other.
        images: How many images.
    """
    probabilities = logits.float().softmax(1).view(images, -1, logits.shape[1]).mean(1)
    return probabilities.clamp(min=torch.finfo(torch.float32).tiny).log()


class ClassificationTask(VisionTask):
    """Train, evaluate and apply a classifier.

    Batches are bytes (see ClassificationBatch); the task converts them to floats on the device.

    Args:
        network: Name of the model, any encoder's (foveate models list).
        attention: Blocks in the model's attention slots, such as `{input: stn, stage: [cbam]}`.
        labels: The classes; the data module gives them.
        weights: File with weights to start from, read when training begins; None trains from scratch.
        loss: What is minimised: a name, a mapping with `name` and options (`{name: cross_entropy, label_smoothing:
            0.1}`), or a list of such with a `weight` each. Mixed images need cross_entropy or binary_cross_entropy.
            `class_weights` are a number for each class, or computed from the training data: `auto`, enet, inverse_sqrt.
        metrics: What evaluation reports besides accuracy and calibration error, such as `[f1, top_k]`, or `[all]`
            (foveate plugins list --what metrics).
        optimizer: How weights are updated.
        schedule: How the learning rate changes.
        mixing: How training images are mixed and erased; null turns both off.
        ema: Decay of a moving average of the weights, such as 0.999, which is then evaluated and saved.
        normalisation: Mean and standard deviation of images in 0-1, such as `{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5,
            0.5]}`; default: those of `weights`, else of ImageNet.
        network_options: Further options of the model, such as `{drop_path: 0.1}`.
        activation_checkpointing: Store only the input of each block and recompute the rest in the backward pass: less
            memory, a third more time.
        compile: Train the network through torch.compile; the first step takes minutes.
        freeze: Parts of the network that are frozen: `encoder`, a list such as `[decoder, "encoder.stages[:2]"]`, or
            `{parts: encoder, until_step: 500}`. Their batch norms stay in evaluation mode.

    Raises:
        ConfigError: The network labels pixels, the data has label maps, or the loss does not take what it would get.
    """

    monitor = "val/acc"
    figure = "accuracy"
    kind = "classification"

    def __init__(
        self,
        network: str = "mobilenet_v2_100",
        attention: dict[str, RecipeSlot] | None = None,
        labels: ClassSet | LabelSet | None = None,  # the latter is refused with an explanation
        weights: str | None = None,
        loss: RecipeLoss = "cross_entropy",
        metrics: list[RecipeBlock] | None = None,
        optimizer: OptimizerConfig = OptimizerConfig(  # noqa: B008  frozen
            lr=1e-3, weight_decay=0.05, decoder_lr_multiplier=1.0, no_decay="norm_and_bias"
        ),
        schedule: ScheduleConfig = ScheduleConfig(name="cosine"),  # noqa: B008  frozen
        mixing: MixingConfig | None = MixingConfig(),  # noqa: B008  frozen
        ema: float | None = None,
        normalisation: NormalisationConfig | None = None,
        network_options: RecipeOptions | None = None,
        activation_checkpointing: bool = False,
        compile: bool = False,
        freeze: Freeze | None = None,
    ) -> None:
        if is_segmenter(network):
            raise ConfigError(
                f"{network!r} labels pixels; to classify whole images name an encoder alone, such as mscan_t "
                "(see: foveate models list)"
            )
        if isinstance(labels, LabelSet):
            raise ConfigError(f"{labels.name} names the class of each pixel: that is for SegmentationTask")
        labels = configured(ClassSet, labels)
        mixing = MixingConfig() if mixing is None else configured(MixingConfig, mixing)
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
            network_options=network_options,
            activation_checkpointing=activation_checkpointing,
            compile=compile,
            freeze=freeze,
        )
        super().__init__(
            options,
            num_classes=len(labels),
            hparams={"labels": plain(asdict(labels)), "mixing": asdict(mixing)},
        )
        self.labels = labels
        self.mixing = Mixing(mixing, len(labels))
        self._check_loss(loss, mixes=mixing.mixes)
        self.tally = ClassTally(len(labels))
        self.confusion = ConfusionMatrix(len(labels), ignore=None, trusted=True) if len(labels) <= MOST else None
        self.calibration = CalibrationError(len(labels))
        self.scores: ClassificationScores | None = None  # of the last evaluation

    def forward(self, image: UInt8[Tensor, "B *V 3 H W"]) -> Float[Tensor, "B K"]:
        """Logits of RGB images in bytes; of several views (V) of each the logarithm of their mean probabilities."""
        if image.ndim == 5:
            return mean_of_views(self(image.flatten(0, 1)), len(image))
        pixels = self.normalise(image)
        with self.named_network():
            logits: Tensor = self.runner(pixels)(pixels)
        return self.checked(logits, len(image))

    def compute_loss(self, batch: ClassificationBatch) -> Float[Tensor, ""]:
        """Loss of a batch, with its images mixed as the recipe says; needs no trainer."""
        image, label = self.normalise(batch["image"]), batch["label"]
        labelled = is_labelled(label)
        blanks = image[~labelled]  # they go through the network, which waits for other processes, and no further
        image, target = choose(labelled, image, label)
        if len(target):
            image, target = self.mixing(image, target)
        with self.named_network():
            logits = self.network(torch.cat([image, blanks]) if len(blanks) else image)
        return self.minimised(self.checked(logits, len(label))[: len(target)], target, self.loss)

    def training_step(self, batch: ClassificationBatch, batch_idx: int) -> Tensor:
        """Loss of a batch, logged."""
        return self.log_training(self.compute_loss(batch), batch_idx, batch["path"])

    def validation_step(self, batch: ClassificationBatch, batch_idx: int) -> Int64[Tensor, " B"]:
        """Add a batch to the scores, and return the predicted classes."""
        return self._evaluate(batch)

    def test_step(self, batch: ClassificationBatch, batch_idx: int) -> Int64[Tensor, " B"]:
        """Add a batch to the scores, and return the predicted classes."""
        return self._evaluate(batch)

    def predict_step(self, batch: ClassificationBatch, batch_idx: int) -> Prediction:
        """The five most probable classes of each image, or all if there are fewer."""
        logits: Tensor = self(batch["image"])
        probabilities, classes = logits.float().softmax(1).topk(min(FIRST, len(self.labels)))
        return Prediction(classes, probabilities)

    def _evaluate(self, batch: ClassificationBatch) -> Int64[Tensor, " B"]:
        every: Tensor = self(batch["image"]).float()
        labelled = is_labelled(batch["label"])
        logits, label = choose(labelled, every, batch["label"])
        self.tally.update(logits, label)
        self.calibration.update(logits, label)
        if self.confusion is not None:
            self.confusion.update(logits.argmax(1), label)
        self.count(logits, label)
        self.rows.add(batch["path"], label_columns(every, batch["label"], self.losses(logits, label), labelled))
        return every.argmax(1)

    def report_of_scores(self) -> Report | None:
        """The scores of the last evaluation as a table and as figures; None before the first."""
        if self.scores is None:
            return None
        return self.with_intervals(self.extended(report_classification(self.scores, self.labels.names)))

    def reset_scores(self) -> None:
        """Reset the scores."""
        super().reset_scores()
        for metric in (self.tally, self.calibration, self.confusion):
            if metric is not None:
                metric.reset()

    def log_scores(self, stage: str) -> None:
        """Compute and log the scores of an evaluation.

        Raises:
            UnusableDataError: No image was labelled.
        """
        super().log_scores(stage)
        images, right, right5 = self.tally.compute()
        if images.sum() == 0:
            raise UnusableDataError(f"no labelled image in the {stage} data")
        confusion = None if self.confusion is None else self.confusion.compute()
        error = self.calibration.compute().item()
        self.scores = score_classes(images, right, right5, calibration_error=error, confusion=confusion)
        self.log(f"{stage}/acc", self.scores.acc, prog_bar=True, sync_dist=True)
        self.observe(self.scores.acc)
        if self.scores.acc5 is not None:
            self.log(f"{stage}/acc5", self.scores.acc5, sync_dist=True)
        self.log_dict({f"{stage}/macc": self.scores.macc, f"{stage}/calibration_error": error}, sync_dist=True)

    def _check_loss(self, spec: RecipeLoss, *, mixes: bool) -> None:
        """Call the loss with each kind of target that training would give it."""
        classes = len(self.labels)
        targets = {"class numbers": torch.zeros(2, dtype=torch.long)}
        if mixes:
            targets["mixed labels (model.mixing)"] = torch.full((2, classes), 1 / classes)
        for what, target in targets.items():
            try:
                self.loss(torch.zeros(2, classes), target)
            except Exception as error:  # a plugin's loss may fail in any way
                raise ConfigError(
                    f"the loss {spec!r} does not take {what}; use cross_entropy or binary_cross_entropy"
                ) from error
