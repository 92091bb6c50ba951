"""What every task shares: a named network, its loss and optimiser, and a record of the plugins it uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import lightning.pytorch as L
import torch
from jaxtyping import Bool, Float
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from foveate.pipeline.averaging import EmaWeights
from foveate.pipeline.errors import ConfigError, DivergedError
from foveate.pipeline.losses import create_loss
from foveate.pipeline.losses.labelling import is_labelled
from foveate.pipeline.metrics.create import create_metrics, expand_metrics
from foveate.pipeline.models import create_model
from foveate.pipeline.models.channels import channels_in
from foveate.pipeline.models.checkpointing import checkpoint_activations
from foveate.pipeline.models.compiling import compile_network, require_compiler
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.notes import note
from foveate.pipeline.optimisation.freezing import Freezing
from foveate.pipeline.optimisation.optimiser import create_optimizer
from foveate.pipeline.optimisation.schedules import PlateauLR, create_schedule, renew_settings
from foveate.pipeline.task_base.running import NetworkTask
from foveate.pipeline.task_options import TaskOptions
from foveate.pipeline.text import few

Task = TypeVar("Task", bound="VisionTask")


class VisionTask(NetworkTask):
    """Base class of the tasks: builds the network that a recipe describes; a task adds its steps and scores.

    All arguments are saved in the checkpoint as plain values, so that the task can be rebuilt from names.

    Args:
        options: The options that all tasks have.
        num_classes: Number of classes.
        hparams: The task's other arguments, as plain values.

    Attributes:
        monitor: The metric by which the best checkpoint is chosen; higher is better.
        figure: The metric's name in a sentence, such as mIoU.
        kind: segmentation or classification.
        labels: The classes.
    """

    monitor: str
    figure: str
    kind: str

    def __init__(
        self,
        options: TaskOptions,
        *,
        num_classes: int,
        hparams: Mapping[str, Any],
    ) -> None:
        super().__init__()
        options = options.settled()
        options = replace(options, metrics=expand_metrics(options.metrics or [], self.kind))
        self.optimizer_config, self.schedule_config = options.optimizer, options.schedule
        self.save_hyperparameters({**options.as_values(), **hparams})
        built: dict[str, Any] = dict(options.network_options or {})
        channels = channels_in(built)
        self.network = create_model(options.network, num_classes=num_classes, attention=options.attention, **built)
        self.network.to(memory_format=torch.channels_last)
        if options.activation_checkpointing:
            checkpoint_activations(self.network)
        self.freezing = Freezing(self.network, options.freeze)
        self._compiles = options.compile
        self._initial_weights = options.weights
        self._averaging = None if options.ema is None else EmaWeights(options.ema)
        given = options.normalisation
        self._normalisation_is_given = given is not None
        self._normalisation_is_settled = given is not None
        self.normalise = Normalise.for_channels(given, channels)
        self._asked_loss = options.loss
        self.loss = create_loss(options.loss, num_classes)
        self.reported = create_metrics(options.metrics or [], num_classes, task=self.kind)
        self.num_classes = num_classes
        self.batches_seen = self.batches_unlabelled = 0  # in training

    def configure_callbacks(self) -> list[L.Callback]:
        """The moving average of the weights, if the recipe asks for one."""
        return [] if self._averaging is None else [self._averaging]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Skip initial weights and the data's normalisation: a resumed training has its own, and class weights too."""
        self._initial_weights = None
        self._normalisation_is_settled = True
        self.take_class_weights(checkpoint.get("hyper_parameters") or {})

    def on_fit_start(self) -> None:
        """Load initial weights and the data's normalisation unless that was done; compile the network if asked."""
        self.load_initial_weights()
        self.take_statistics(getattr(self.trainer, "datamodule", None))
        if self._compiles:
            require_compiler(self.device, "leave out --model.compile")
            rank_zero_only(note)("the network is compiled in the first step, which can take some minutes")
            compile_network(self.network)
            self._compiles = False

    def on_train_start(self) -> None:
        """Set learning rates and weight decay from the recipe, also where a checkpoint holds other values."""
        schedule = self.trainer.lr_scheduler_configs[0].scheduler
        assert isinstance(schedule, LambdaLR)
        renew_settings(self.trainer.optimizers[0], schedule, self.network, self.optimizer_config)
        self.freezing.apply(self.network, self.global_step)

    def on_train_batch_start(self, batch: object, batch_idx: int) -> None:
        """Unfreeze the parts that are frozen until this step."""
        self.freezing.follow(self.network, self.global_step)

    def train(self: Task, mode: bool = True) -> Task:
        """Set training or evaluation mode; frozen batch norms stay in evaluation mode."""
        super().train(mode)
        if "freezing" in self.__dict__:
            self.freezing.hold(self.network)
        return self

    def observe(self, score: float) -> None:
        """Pass the validation score to a schedule that depends on it (`plateau`)."""
        for config in self.trainer.lr_scheduler_configs:
            if isinstance(config.scheduler, PlateauLR):
                config.scheduler.observe(score)

    def log_training(self, loss: Tensor, batch_idx: int, paths: Sequence[str]) -> Tensor:
        """Log the loss and the learning rate of a step.

        Returns:
            The loss; NaN if it is not finite and `when_not_finite` does not raise, so that all gradients are NaN too.

        Raises:
            DivergedError: The loss is not finite.
        """
        if not torch.isfinite(loss):
            images = few(map(str, paths), 4)
            self.when_not_finite(f"the loss is {loss.item()} at step {self.global_step} (batch {batch_idx}, {images})")
            loss = loss * torch.nan
        self.log("train/loss", loss, prog_bar=True, batch_size=len(paths))
        group = self.trainer.optimizers[0].param_groups[0]
        self.log("train/lr", self.optimizer_config.lr * group["lr"] / max(group["initial_lr"], 1e-30))
        return loss

    def when_not_finite(self, message: str) -> None:
        """Called for a loss that is not finite; what watches the training may replace it.

        Args:
            message: The loss, the step and the images.

        Raises:
            DivergedError: Always.
        """
        raise DivergedError(f"{message}; lower --model.optimizer.lr, or train with --trainer.precision 32-true")

    def minimised(self, logits: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> Float[Tensor, ""]:
        """The loss of a training step; 0, with gradients of 0, of samples that all have no label.

        Args:
            logits: Of the samples.
            labels: Class numbers, label maps, or shares of each class (B, K) of mixed images.
            loss: From logits and labels to the loss.
        """
        self.batches_seen += 1
        if not labels.is_floating_point() and not bool(is_labelled(labels).any()):
            self.batches_unlabelled += 1
            return logits[:0].sum()
        with self.named_part("loss"):
            return loss(logits, labels)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser, and a learning-rate schedule that advances with each of its steps."""
        # Lightning refuses to clip gradients for a fused optimiser in mixed precision, since it unscales them itself.
        clips_in_mixed = bool(self.trainer.gradient_clip_val) and "mixed" in str(self.trainer.precision)
        self.freezing.release(self.network)
        optimizer = create_optimizer(self.network, self.optimizer_config, fused=not clips_in_mixed)
        if clips_in_mixed and getattr(optimizer, "_step_supports_amp_scaling", False):
            raise ConfigError(
                f"optimizer {self.optimizer_config.name}: fused, it cannot go with trainer.gradient_clip_val in mixed "
                "precision; leave out one, or optimizer.options.fused"
            )
        schedule = create_schedule(optimizer, self.schedule_config, self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def choose(keep: Bool[Tensor, " B"], *tensors: Tensor) -> tuple[Tensor, ...]:
    """The kept samples of each tensor (B, ...); no copy is made if all are kept."""
    return tensors if bool(keep.all()) else tuple(tensor[keep] for tensor in tensors)
