"""What every task shares: a network by name, what it minimises, its optimiser, and where its parts came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import lightning.pytorch as L
import torch
from jaxtyping import Float
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torchmetrics import Metric

from foveate.datasets.classes import ClassSet
from foveate.datasets.labels import LabelSet
from foveate.pipeline import provenance
from foveate.pipeline.averaging import EmaWeights
from foveate.pipeline.engines import check_engine, create_engine
from foveate.pipeline.engines.engine import Engine, Precision
from foveate.pipeline.engines.remaining import count_batches
from foveate.pipeline.errors import ConfigError, DivergedError
from foveate.pipeline.losses import RecipeLoss, create_loss
from foveate.pipeline.metrics.create import create_metrics
from foveate.pipeline.metrics.report import Report
from foveate.pipeline.models import create_model
from foveate.pipeline.models.checkpointing import checkpoint_activations
from foveate.pipeline.normalisation import NormalisationConfig, Normalise
from foveate.pipeline.optimisation import (
    OptimizerConfig,
    ScheduleConfig,
    create_optimizer,
    create_schedule,
    renew_settings,
)
from foveate.pipeline.weights import load_initial_weights
from foveate.plugins.blocks import Option, RecipeBlock, RecipeSlot

Config = TypeVar("Config")
RecipeOptions = dict[str, dict[str, Option] | Option]  # of a network; of ENCODER+DECODER a mapping for each part


class VisionTask(L.LightningModule):
    """A network that a recipe describes; a task adds its steps and scores.

    Every argument ends up in the checkpoint as plain values, so that it can be rebuilt from names.

    Args:
        network: Name of the model (foveate models list).
        num_classes: Number of classes.
        attention: What sits in the model's attention slots, such as `{gate: lka, stage: [cbam]}`.
        weights: File with weights to start from, read when training begins; None starts from nothing.
        loss: What is minimised: a name, a mapping with `name` and options, or a list of such with a `weight` each.
        metrics: What evaluation reports beside the task's own figures.
        optimizer: How weights are updated.
        schedule: How the learning rate changes.
        ema: Decay of a moving average of the weights, which then is what is evaluated and kept; None keeps none.
        normalisation: Mean and deviation of images; those of the weights to start from, or of ImageNet, if not given.
        network_options: Further options of the model, such as `{drop_path: 0.2}`.
        activation_checkpointing: Whether blocks keep their input only while training and are run again on the way back.
        compile: Whether training runs the network's parts through torch.compile.
        hparams: What else the task was given, as plain values.

    Attributes:
        monitor: The metric by which the best checkpoint is chosen; higher is better.
        figure: What it is called in a sentence.
        labels: The classes.
    """

    monitor: str
    figure: str
    labels: LabelSet | ClassSet

    def __init__(
        self,
        *,
        network: str,
        num_classes: int,
        attention: dict[str, RecipeSlot] | None,
        weights: str | None,
        loss: RecipeLoss,
        metrics: Sequence[RecipeBlock] | None,
        optimizer: OptimizerConfig,
        schedule: ScheduleConfig,
        ema: float | None,
        normalisation: NormalisationConfig | None,
        network_options: RecipeOptions | None,
        activation_checkpointing: bool,
        compile: bool,
        hparams: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.optimizer_config = configured(OptimizerConfig, optimizer)
        self.schedule_config = configured(ScheduleConfig, schedule)
        given = None if normalisation is None else configured(NormalisationConfig, normalisation)
        self.save_hyperparameters(
            {
                "network": network,
                "attention": attention,
                "weights": weights,
                "loss": loss,
                "metrics": list(metrics or []),
                "optimizer": asdict(self.optimizer_config),
                "schedule": asdict(self.schedule_config),
                "ema": ema,
                "normalisation": None if given is None else plain(asdict(given)),
                "network_options": network_options,
                "activation_checkpointing": activation_checkpointing,
                "compile": compile,
                **hparams,
            }
        )
        options: dict[str, Any] = dict(network_options or {})
        self.network = create_model(network, num_classes=num_classes, attention=attention, **options)
        self.network.to(memory_format=torch.channels_last)
        if activation_checkpointing:
            checkpoint_activations(self.network)
        self._compiles = compile
        self._initial_weights = weights
        self._averaging = None if ema is None else EmaWeights(ema)
        self._normalisation_is_given = given is not None
        self.normalise = Normalise() if given is None else Normalise.from_config(given)
        self.loss = create_loss(loss, num_classes)
        self.reported = create_metrics(metrics or [], num_classes)
        self._engine_name = "torch"
        self._engine: Engine | None = None

    def load_initial_weights(self) -> None:
        """Start from what is given as `weights`, and say what matched; a second call does nothing.

        Images are normalised as the weights expect from then on, unless the recipe says how.

        Raises:
            CheckpointError: The file is missing, damaged, unsafe, or of another model.
        """
        if self._initial_weights is not None:
            report = load_initial_weights(self.network, self._initial_weights)
            rank_zero_only(print)(report, flush=True)
            if report.statistics is not None and not self._normalisation_is_given:
                self.normalise.renew(*report.statistics)
        self._initial_weights = None

    def use_engine(self, name: str) -> None:
        """Evaluate and predict by an engine (see `create_engine`), made for the first image that comes.

        Args:
            name: torch, folded, compile, openvino or auto.

        Raises:
            ConfigError: There is no such engine.
        """
        check_engine(name)
        self._engine_name, self._engine = name, None

    def runner(self, pixels: Float[Tensor, "B C H W"]) -> Callable[[Tensor], Tensor]:
        """What turns normalised images into logits here: the network, or while evaluating the engine asked for."""
        if self.training or self._engine_name == "torch":
            return self.network
        if self._engine is None:
            precision: Precision = "bfloat16" if self._is_bfloat16() else "float32"
            self._engine = create_engine(
                self.network, pixels, engine=self._engine_name, precision=precision, calls=count_batches(self._trainer)
            )
            note = f" ({self._engine.note})" if self._engine.note else ""
            rank_zero_only(print)(f"engine: {self._engine.name}, {precision}{note}", flush=True)
        return self._engine

    def _is_bfloat16(self) -> bool:
        return self._trainer is not None and str(self._trainer.precision).startswith("bf16")

    def report_of_scores(self) -> Report | None:
        """The scores of the last evaluation as a table and as figures; None before the first."""
        raise NotImplementedError

    def configure_callbacks(self) -> list[L.Callback]:
        """The moving average of the weights, if the recipe asks for one."""
        return [] if self._averaging is None else [self._averaging]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A training that goes on has its own weights."""
        self._initial_weights = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Say which plugins the network and its training are made with."""
        checkpoint[provenance.KEY] = provenance.record_providers(
            self.hparams["attention"],
            network=self.hparams["network"],
            losses=self.hparams["loss"],
            metrics=self.hparams["metrics"],
        )

    def on_fit_start(self) -> None:
        """Take the weights to start from, if they were not taken before; hand the network to the compiler."""
        self.load_initial_weights()
        if self._compiles:
            for part in self.network.children():
                part.compile()  # in place: names in checkpoints stay
            self._compiles = False

    def on_train_start(self) -> None:
        """The recipe decides on rates and decay, whatever a checkpoint remembers."""
        schedule = self.trainer.lr_scheduler_configs[0].scheduler
        assert isinstance(schedule, LambdaLR)
        renew_settings(self.trainer.optimizers[0], schedule, self.network, self.optimizer_config)

    def log_training(self, loss: Tensor, batch_idx: int, paths: Sequence[str]) -> Tensor:
        """Log the loss and the rate of a step.

        Raises:
            DivergedError: The loss is not finite.
        """
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss is {loss.item()} at step {self.global_step} (batch {batch_idx}, first image "
                f"{paths[0]}); lower --model.optimizer.lr, or train with --trainer.precision 32-true"
            )
        self.log("train/loss", loss, prog_bar=True, batch_size=len(paths))
        group = self.trainer.optimizers[0].param_groups[0]
        self.log("train/lr", self.optimizer_config.lr * group["lr"] / max(group["initial_lr"], 1e-30))
        return loss

    def report(self, stage: str, logits: Tensor, labels: Tensor) -> None:
        """Count a batch for the metrics that the recipe asks for."""
        for name, metric in self.reported.items():
            assert isinstance(metric, Metric)
            metric.update(logits, labels)
            self.log(f"{stage}/{name}", metric, on_step=False, on_epoch=True, batch_size=len(labels))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Optimiser and a schedule that steps with it."""
        # Lightning does not clip for a fused optimiser in mixed precision, since with float16 that one unscales itself
        clips_in_mixed = bool(self.trainer.gradient_clip_val) and "mixed" in str(self.trainer.precision)
        optimizer = create_optimizer(self.network, self.optimizer_config, fused=not clips_in_mixed)
        total = int(self.trainer.estimated_stepping_batches)
        schedule = create_schedule(optimizer, self.schedule_config, total)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def configured(kind: type[Config], value: Config | Mapping[str, Any] | None) -> Config:
    """A configuration object; a checkpoint holds it as a mapping.

    Raises:
        ConfigError: There is none.
    """
    if value is None:
        raise ConfigError(f"{kind.__name__} is missing: pass it, or let the data module give it")
    if isinstance(value, Mapping):
        return kind(**{k: _tupled(v) for k, v in value.items()})
    return value


def _tupled(value: object) -> object:
    return tuple(map(_tupled, value)) if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """Tuples become lists: a checkpoint holds primitives only."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value
