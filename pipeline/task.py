"""What every task shares: a named network, its loss and optimiser, and a record of the plugins it uses."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

import lightning.pytorch as L
import torch
from jaxtyping import Bool, Float
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric

from foveate.pipeline import provenance
from foveate.pipeline.averaging import EmaWeights
from foveate.pipeline.data_driven import DataDrivenTask
from foveate.pipeline.engines import check_engine, create_engine
from foveate.pipeline.engines.engine import Engine, Precision
from foveate.pipeline.engines.remaining import count_batches
from foveate.pipeline.errors import ConfigError, DivergedError
from foveate.pipeline.failures import check_logits, named_failures
from foveate.pipeline.losses import create_loss
from foveate.pipeline.losses.labelling import is_labelled
from foveate.pipeline.metrics.create import create_metrics, expand_metrics
from foveate.pipeline.metrics.mean import MeanLoss
from foveate.pipeline.metrics.pixels import Pixels, SharedMetric
from foveate.pipeline.metrics.report import Report, add_intervals, extend_report
from foveate.pipeline.metrics.tables import FigureTable, HasTables
from foveate.pipeline.models import create_model
from foveate.pipeline.models.channels import channels_in
from foveate.pipeline.models.checkpointing import checkpoint_activations
from foveate.pipeline.models.segnext import VARIANTS
from foveate.pipeline.normalisation import Normalise
from foveate.pipeline.notes import note
from foveate.pipeline.optimisation.freezing import Freezing
from foveate.pipeline.optimisation.optimiser import create_optimizer
from foveate.pipeline.optimisation.schedules import PlateauLR, create_schedule, renew_settings
from foveate.pipeline.per_image.figures import intervals_of
from foveate.pipeline.per_image.gathering import create_record
from foveate.pipeline.per_image.record import Record
from foveate.pipeline.per_image.rows import ImageRows
from foveate.pipeline.task_options import RecipeOptions, TaskOptions
from foveate.pipeline.text import few
from foveate.pipeline.weights import load_complete_weights, load_initial_weights
from foveate.pipeline.weights.factorisation import current_rank
from foveate.plugins.errors import PluginError
from foveate.plugins.guard import named_backward

REPORTING = ("loss ", "metric ")  # prefixes, in a provenance, of what is not part of the network
Task = TypeVar("Task", bound="VisionTask")


class VisionTask(DataDrivenTask):
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
        self.figures: dict[str, float] = {}  # of the recipe's metrics, at the last evaluation
        self.tables: list[FigureTable] = []
        self.num_classes = num_classes
        self.mean_loss = MeanLoss()
        self.rows = ImageRows()
        self.record: Record | None = None  # of the last evaluation, in the first process
        self._intervals: dict[str, Any] | None = None
        self.batches_seen = self.batches_unlabelled = 0  # in training
        self._provenance: provenance.Provenance | None = None
        self._engine_name = "torch"
        self._engine: Engine | None = None

    def load_initial_weights(self, *, complete: bool = False) -> None:
        """Load the file given as `weights` and say what matched on standard error; a second call does nothing.

        From then on images are normalised as the weights expect, unless the recipe gives a normalisation.

        Args:
            complete: Refuse weights that leave part of the network randomly initialised; for evaluation and prediction.

        Raises:
            CheckpointError: The file is missing, damaged, unsafe, or of another model.
        """
        if self._initial_weights is not None:
            load = load_complete_weights if complete else load_initial_weights
            options = self.hparams["network_options"] or {}
            keep_rank = "rank" in options or self.hparams["network"] not in VARIANTS
            report = load(self.network, self._initial_weights, keep_rank=keep_rank)
            if self._normalisation_is_given:
                report = replace(report, statistics=None)
            rank_zero_only(note)(str(report))
            if report.statistics is not None and len(report.statistics[0]) == len(self.normalise.mean):
                self.normalise.renew(*report.statistics)
            self._keep_rank(options)
        self._initial_weights = None

    def _keep_rank(self, options: RecipeOptions) -> None:
        """Store the rank of the loaded weights in the checkpoint's options, so that the network is rebuilt with it."""
        rank = current_rank(self.network)
        if self.hparams["network"] in VARIANTS and rank != VARIANTS[self.hparams["network"]].rank:
            self.hparams["network_options"] = {**options, "rank": rank}

    def use_engine(self, name: str) -> None:
        """Evaluate and predict with an engine (see `create_engine`); it is created at the first image.

        Args:
            name: torch, folded, compile, openvino or auto.

        Raises:
            ConfigError: There is no such engine.
        """
        check_engine(name)
        self._engine_name, self._engine = name, None

    def take_engine(self, engine: Engine) -> None:
        """Evaluate and predict with an engine that exists.

        Args:
            engine: The engine.
        """
        self._engine_name, self._engine = engine.name, engine

    def runner(self, pixels: Float[Tensor, "B C H W"]) -> Callable[[Tensor], Tensor]:
        """The callable that turns normalised images into logits: the network, or in evaluation the chosen engine."""
        if self.training or self._engine_name == "torch":
            return self.network
        if self._engine is None:
            precision: Precision = "bfloat16" if self._is_bfloat16() else "float32"
            self._engine = create_engine(
                self.network, pixels, engine=self._engine_name, precision=precision, calls=count_batches(self._trainer)
            )
            more = f" ({self._engine.note})" if self._engine.note else ""
            rank_zero_only(note)(f"engine: {self._engine.name}, {precision}{more}")
        return self._engine

    def _is_bfloat16(self) -> bool:
        return self._trainer is not None and str(self._trainer.precision).startswith("bf16")

    def report_of_scores(self) -> Report | None:
        """The scores of the last evaluation as a table and as figures; None before the first."""
        raise NotImplementedError

    def with_intervals(self, report: Report) -> Report:
        """A report with the 95 % intervals of its figures, computed once for each evaluation; not within a training.

        They take seconds for 50 000 images, so that a training adds them at its end (see `ScoreKeeper`).

        Args:
            report: The scores of the last evaluation.
        """
        if self.record is None or (self._trainer is not None and self._trainer.state.fn == TrainerFn.FITTING):
            return report
        if self._intervals is None:
            self._intervals = intervals_of(self.record)
        return add_intervals(report, self._intervals)

    def configure_callbacks(self) -> list[L.Callback]:
        """The moving average of the weights, if the recipe asks for one."""
        return [] if self._averaging is None else [self._averaging]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Skip initial weights and the data's normalisation: a resumed training has its own, and class weights too."""
        self._initial_weights = None
        self._normalisation_is_settled = True
        self.take_class_weights(checkpoint.get("hyper_parameters") or {})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Record which plugins the network, losses and metrics come from."""
        checkpoint[provenance.KEY] = self._record_providers()

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """The backward pass; the part that fails in it is named."""
        with self.named_step(), named_backward():
            super().backward(loss, *args, **kwargs)

    def on_fit_start(self) -> None:
        """Load initial weights and the data's normalisation unless that was done; compile the network if asked."""
        self.load_initial_weights()
        self.take_statistics(getattr(self.trainer, "datamodule", None))
        if self._compiles:
            for part in self.network.children():
                part.compile()  # in place: names in checkpoints stay
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

    def checked(self, logits: object, images: int, size: Sequence[int | None] = ()) -> Tensor:
        """Logits, after a look at their shape.

        Args:
            logits: What the network gave.
            images: How many images it was given.
            size: Height and width that the logits of a segmenter must have; None for any.

        Raises:
            PluginError: They have another shape; the channels must be as many as the classes.
        """
        return check_logits(logits, (images, self.num_classes, *size), self.hparams["network"])

    def named_network(self) -> AbstractContextManager[None]:
        """A context manager in which errors of the network name the part that failed."""
        parts = {label: given for label, given in self._providers().items() if not label.startswith(REPORTING)}
        return named_failures(self.hparams["network"], parts)

    def named_step(self) -> AbstractContextManager[None]:
        """The same for all that takes part in a training step: network and loss."""
        parts = {label: given for label, given in self._providers().items() if not label.startswith("metric ")}
        return named_failures(self.hparams["network"], parts)

    def named_part(self, kind: str) -> AbstractContextManager[None]:
        """The same for a loss or a metric."""
        return named_failures(kind, {k: given for k, given in self._providers().items() if k.startswith(f"{kind} ")})

    def _providers(self) -> provenance.Provenance:
        if self._provenance is None:
            try:
                self._provenance = self._record_providers()
            except PluginError:  # parts that were passed as objects
                self._provenance = {}
        return self._provenance

    def _record_providers(self) -> provenance.Provenance:
        return provenance.record_providers(
            self.hparams["attention"],
            network=self.hparams["network"],
            losses=self.hparams["loss"],
            metrics=self.hparams["metrics"],
        )

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

    def count(
        self, logits: Tensor, labels: Tensor, *, image_by_image: bool = False, pixels: Pixels | None = None
    ) -> Float[Tensor, " parts"]:
        """Update the mean loss and the recipe's metrics with a batch.

        Args:
            logits: Of labelled images; possibly none, since some processes have one image less.
            labels: The labels of these images.
            image_by_image: Compute the loss of each image separately, so that the mean does not depend on which
                images share a batch.
            pixels: The batch as metrics of label maps share it.

        Returns:
            The loss of each image, or of the batch.
        """
        size = 1 if image_by_image else max(1, len(labels))
        losses = self.losses(logits, labels, size)
        for loss, theirs in zip(losses, torch.split(labels, size), strict=False):
            self.mean_loss.update(loss, len(theirs))
        with self.named_part("metric"):
            for metric in self.reported.values() if len(labels) else ():
                assert isinstance(metric, Metric)
                if pixels is not None and isinstance(metric, SharedMetric):
                    metric.update(pixels.logits, pixels.labels, pixels)
                else:
                    metric.update(logits, labels)
        return losses

    def losses(self, logits: Tensor, labels: Tensor, size: int = 1) -> Float[Tensor, " parts"]:
        """The loss of each image, or of each few.

        Args:
            logits: Of labelled images.
            labels: The labels of these images.
            size: How many images share a loss.
        """
        with self.named_part("loss"):
            begins = range(0, len(labels), size)
            found = [self.loss(logits[begin : begin + size], labels[begin : begin + size]) for begin in begins]
            return torch.stack(found) if found else logits.new_zeros(0)

    def on_validation_epoch_start(self) -> None:
        """Reset the scores."""
        self.reset_scores()

    def on_test_epoch_start(self) -> None:
        """Reset the scores."""
        self.reset_scores()

    def on_validation_epoch_end(self) -> None:
        """Log the scores, but not those of Lightning's sanity check before training."""
        if not self.trainer.sanity_checking:
            self.log_scores("val")

    def on_test_epoch_end(self) -> None:
        """Log the scores."""
        self.log_scores("test")

    def reset_scores(self) -> None:
        """Reset the mean loss and the metrics."""
        for metric in (self.mean_loss, *self.reported.values()):
            assert isinstance(metric, Metric)
            metric.reset()
        self.rows.clear()

    def log_scores(self, stage: str) -> None:
        """Log the mean loss and the recipe's metrics, over the images of all processes; keep their record."""
        self.record, self._intervals = create_record(self.rows, self.labels, self.trainer, stage), None
        self.rows.clear()
        with warnings.catch_warnings(), self.named_part("metric"):
            warnings.filterwarnings("ignore", message=".*was called before the ``update`` method")  # no image here
            self.log(f"{stage}/loss", self.mean_loss.compute(), sync_dist=True)
            self.figures, self.tables = {}, []
            for name, metric in self.reported.items():
                assert isinstance(metric, Metric)
                value = torch.as_tensor(metric.compute(), device=self.device)  # some count in main memory
                self.log(f"{stage}/{name}", value, sync_dist=True)
                self.figures[name] = float(value)
                if isinstance(metric, HasTables):
                    with metric.sync_context():  # tables are of the images of all processes, as the scalar is
                        self.tables += metric.tables(list(self.labels.names))

    def extended(self, report: Report) -> Report:
        """A report with the figures and tables of the recipe's metrics.

        Args:
            report: The task's own scores.
        """
        return extend_report(report, self.figures, self.tables)

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
