"""The network of a task, the weights it starts from, and the engine that runs it in an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from jaxtyping import Float
from lightning_utilities.core.rank_zero import rank_zero_only
from torch import Tensor, nn

from foveate.pipeline.engines import check_engine, create_engine
from foveate.pipeline.engines.engine import Engine, Precision
from foveate.pipeline.engines.remaining import count_batches
from foveate.pipeline.models.segnext import VARIANTS
from foveate.pipeline.notes import note
from foveate.pipeline.task_base.scored import ScoredTask
from foveate.pipeline.task_options import RecipeOptions
from foveate.pipeline.weights import load_complete_weights, load_initial_weights
from foveate.pipeline.weights.factorisation import current_rank


class NetworkTask(ScoredTask):
    """Base class of tasks: loads a network's initial weights, and runs the network by an engine.

    Attributes:
        network: From normalised images to logits.
    """

    network: nn.Module
    _initial_weights: str | None
    _normalisation_is_given: bool

    def __init__(self) -> None:
        super().__init__()
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
