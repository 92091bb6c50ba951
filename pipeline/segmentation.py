"""The segmentation task: steps, losses and metrics of a stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import lightning.pytorch as L
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from foveate.datasets.batch import SegmentationBatch
from foveate.datasets.labels import LabelSet
from foveate.pipeline import provenance
from foveate.pipeline.errors import ConfigError, DivergedError, UnusableDataError
from foveate.pipeline.inference import InferenceConfig, infer
from foveate.pipeline.losses import LossConfig, create_loss
from foveate.pipeline.metrics import ConfusionMatrix, Scores, score
from foveate.pipeline.models import create_model
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.optimisation import (
    OptimizerConfig,
    ScheduleConfig,
    create_optimizer,
    create_schedule,
    renew_settings,
)
from foveate.pipeline.weights import load_encoder_weights
from foveate.plugins.blocks import RecipeSlot

Config = TypeVar("Config")


class SegmentationTask(L.LightningModule):
    """Train, evaluate and apply a segmenter.

    Batches are bytes (see SegmentationBatch); they become floats on the device, here.

    Args:
        network: Name of the model (foveate models list).
        attention: What sits in the model's attention slots, such as `{gate: lka, stage: [cbam]}`.
        labels: The classes; the data module gives them.
        weights: File with encoder weights to start from, read when training begins; None starts from nothing.
        loss: What is minimised.
        optimizer: How weights are updated.
        schedule: How the learning rate changes.
        inference: How an image is put through the network at evaluation.
        network_options: Further options of the model, such as `{drop_path: 0.2}`.
    """

    def __init__(
        self,
        network: str = "segnext_t",
        attention: dict[str, RecipeSlot] | None = None,
        labels: LabelSet | None = None,
        weights: str | None = None,
        loss: LossConfig = LossConfig(),  # noqa: B008  frozen
        optimizer: OptimizerConfig = OptimizerConfig(),  # noqa: B008  frozen
        schedule: ScheduleConfig = ScheduleConfig(),  # noqa: B008  frozen
        inference: InferenceConfig = InferenceConfig(),  # noqa: B008  frozen
        network_options: dict[str, bool | int | float | str] | None = None,
    ) -> None:
        super().__init__()
        self.labels = _configured(LabelSet, labels)
        self.loss_config = _configured(LossConfig, loss)
        self.optimizer_config = _configured(OptimizerConfig, optimizer)
        self.schedule_config = _configured(ScheduleConfig, schedule)
        self.inference_config = _configured(InferenceConfig, inference)
        self.save_hyperparameters(
            {
                "network": network,
                "attention": attention,
                "labels": _plain(asdict(self.labels)),
                "weights": weights,
                "loss": asdict(self.loss_config),
                "optimizer": asdict(self.optimizer_config),
                "schedule": asdict(self.schedule_config),
                "inference": _plain(asdict(self.inference_config)),
                "network_options": network_options,
            }
        )
        count = len(self.labels)
        self.network = create_model(network, num_classes=count, attention=attention, **(network_options or {}))
        self.network.to(memory_format=torch.channels_last)
        self._initial_weights = weights
        self.normalise = Normalise()
        self.loss = create_loss(self.loss_config, count)
        self.confusion = ConfusionMatrix(count)
        self.scores: Scores | None = None  # of the last evaluation

    def forward(self, image: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K H W"]:
        """Logits of RGB bytes, at the images' size."""
        return infer(self.network, self.normalise(image), self.inference_config)

    def load_initial_weights(self) -> None:
        """Start the encoder from the file given as `weights`; a second call does nothing.

        Raises:
            CheckpointError: The file is missing, damaged, unsafe, or of another model.
        """
        if self._initial_weights is not None:
            load_encoder_weights(self.network, self._initial_weights)
        self._initial_weights = None

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A training that goes on has its own weights."""
        self._initial_weights = None

    def on_fit_start(self) -> None:
        """Take the weights to start from, if they were not taken before."""
        self.load_initial_weights()

    def on_train_start(self) -> None:
        """The recipe decides on rates and decay, whatever a checkpoint remembers."""
        schedule = self.trainer.lr_scheduler_configs[0].scheduler
        assert isinstance(schedule, LambdaLR)
        renew_settings(self.trainer.optimizers[0], schedule, self.network, self.optimizer_config)

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        """Loss of a batch of crops."""
        loss = self.loss(self.network(self.normalise(batch["image"])), batch["mask"])
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss.item()} at step {self.global_step} (batch {batch_idx}, first image "
                f"{batch['path'][0]}); lower --model.optimizer.lr, or train with --trainer.precision 32-true"
            )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(batch["image"]))
        self.log("train/lr", self.trainer.optimizers[0].param_groups[0]["lr"])
        return loss

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

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which plugins the network is made with."""
        checkpoint[provenance.KEY] = provenance.record_providers(self.hparams["attention"])

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimiser and a schedule that steps with it."""
        optimizer = create_optimizer(self.network, self.optimizer_config)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = create_schedule(optimizer, self.schedule_config, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _configured(kind: type[Config], value: Config | Mapping[str, Any] | None) -> Config:
    """A configuration object; a checkpoint holds it as a mapping."""
    if value is None:
        raise ConfigError(f"{kind.__name__} is missing: pass it, or let the data module give it")
    if isinstance(value, Mapping):
        return kind(**{k: _tupled(v) for k, v in value.items()})
    return value


def _tupled(value: object) -> object:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Tuples become lists: a checkpoint holds primitives only."""
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
