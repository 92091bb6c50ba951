"""The LightningModule of a distillation."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as L
import torch
from jaxtyping import Float
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

from foveate.pipeline.distillation.images import UnlabelledData
from foveate.pipeline.distillation.matching import Agreement, FeatureMatch, feature_maps, shapes_of
from foveate.pipeline.distillation.teacher import Teacher
from foveate.pipeline.errors import DivergedError
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.optimisation import OptimizerConfig, ScheduleConfig, create_optimizer, create_schedule

STANDARDISED = 128  # images over which the teacher's channels are standardised
LAST_SHARE = 0.1  # share of the steps, at the end, over which the similarity is averaged


class Pupil(nn.Module):
    """A student's encoder with the layers that compare it with its teacher; these are thrown away afterwards.

    Args:
        encoder: The student's.
        match: Compares its feature maps with the teacher's.
    """

    def __init__(self, encoder: nn.Module, match: FeatureMatch) -> None:
        super().__init__()
        self.encoder = encoder
        self.match = match


class DistillationTask(L.LightningModule):
    """Trains an encoder to reproduce the feature maps of a teacher.

    Args:
        encoder: The student's.
        teacher: The teacher.
        size: Side of the images.
        lr: Learning rate at its peak; it falls along half a cosine.
    """

    def __init__(self, encoder: nn.Module, teacher: Teacher, *, size: int, lr: float) -> None:
        super().__init__()
        match = FeatureMatch(shapes_of(encoder, size), shapes_of(teacher.encoder, size))
        self.network = Pupil(encoder, match)
        self.network.to(memory_format=torch.channels_last)
        self.normalise = Normalise()
        self.register_buffer("cosine", torch.zeros(2))  # sum and number over the last steps; in checkpoints
        self.register_buffer("is_standardised", torch.zeros((), dtype=torch.bool))
        self.optimizer_config = OptimizerConfig(lr=lr, weight_decay=0.05, decoder_lr_multiplier=1.0)
        self.schedule_config = ScheduleConfig(name="cosine")
        self._teacher = (teacher,)  # in a tuple: it is neither trained nor saved

    @property
    def teacher(self) -> Teacher:
        """The teacher."""
        return self._teacher[0]

    @property
    def similarity(self) -> float:
        """Mean cosine similarity to the teacher over the last tenth of the steps."""
        total, count = self.get_buffer("cosine").tolist()
        return float(total / max(count, 1))

    def on_fit_start(self) -> None:
        """Move the teacher to the device, and standardise its channels once."""
        self.teacher.to(self.device)
        is_done = self.get_buffer("is_standardised")
        if bool(is_done):
            return
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, UnlabelledData)
        crops = torch.split(data.first(STANDARDISED), data.batch_size)
        self.network.match.standardise([self.teacher.features(part.to(self.device)) for part in crops])
        is_done.fill_(True)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> Float[Tensor, ""]:
        """The loss of a batch of crops.

        Raises:
            DivergedError: It is not finite.
        """
        images = batch["image"]
        theirs = self.teacher.features(images)
        agreement: Agreement = self.network.match(feature_maps(self.network.encoder, self.normalise(images)), theirs)
        loss, cosine = agreement
        if not torch.isfinite(loss):
            raise DivergedError(f"the loss is {loss.item()} at step {self.global_step}; lower --lr, or use 32-true")
        if self.global_step >= int((1 - LAST_SHARE) * self.trainer.max_steps):
            self.get_buffer("cosine").add_(torch.stack([cosine.detach(), torch.ones_like(cosine)]))
        self.log("train/loss", loss, prog_bar=True, batch_size=len(images))
        self.log("train/cosine", cosine, prog_bar=True, batch_size=len(images))
        return loss

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with a linear rise and half a cosine."""
        optimizer = create_optimizer(self.network, self.optimizer_config)
        schedule = create_schedule(optimizer, self.schedule_config, self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
