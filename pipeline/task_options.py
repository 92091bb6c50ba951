"""The options that every task has, as a recipe gives them and as a checkpoint keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.losses import RecipeLoss
from foveate.pipeline.normalisation import NormalisationConfig
from foveate.pipeline.optimisation.freezing import Freeze
from foveate.pipeline.optimisation.optimiser import OptimizerConfig
from foveate.pipeline.optimisation.schedules import ScheduleConfig
from foveate.plugins.blocks import Option, RecipeBlock, RecipeSlot

Config = TypeVar("Config")
RecipeOptions = dict[str, dict[str, Option] | Option]  # of a network; for ENCODER+DECODER one mapping for each part


@dataclass(frozen=True, kw_only=True)
class TaskOptions:
    """The options that all tasks have.

    Args:
        network: Name of the model (foveate models list).
        attention: Blocks in the model's attention slots, such as `{gate: lka, stage: [cbam]}`.
        weights: File with weights to start from, read when training begins; None trains from scratch.
        loss: What is minimised: a name, a mapping with `name` and options, or a list of such with a `weight` each.
        metrics: What evaluation reports beside the task's own figures.
        optimizer: How weights are updated.
        schedule: How the learning rate changes.
        ema: Decay of a moving average of the weights, which is then evaluated and saved; None for no average.
        normalisation: Mean and standard deviation of images; default: those of the initial weights, else of ImageNet.
        network_options: Further options of the model, such as `{drop_path: 0.2}`.
        activation_checkpointing: Whether training stores only the input of each block and recomputes the rest in the
            backward pass.
        compile: Whether training runs the network through torch.compile.
        freeze: Parts of the network that are frozen, for the whole training or until a step.
    """

    network: str
    attention: dict[str, RecipeSlot] | None
    weights: str | None
    loss: RecipeLoss
    metrics: Sequence[RecipeBlock] | None
    optimizer: OptimizerConfig
    schedule: ScheduleConfig
    ema: float | None
    normalisation: NormalisationConfig | None
    network_options: RecipeOptions | None
    activation_checkpointing: bool
    compile: bool
    freeze: Freeze | None

    def settled(self) -> TaskOptions:
        """The same options, with mappings (from a checkpoint or a recipe) replaced by configuration objects."""
        given = self.normalisation
        return replace(
            self,
            metrics=list(self.metrics or []),
            optimizer=configured(OptimizerConfig, self.optimizer),
            schedule=configured(ScheduleConfig, self.schedule),
            normalisation=None if given is None else configured(NormalisationConfig, given),
        )

    def as_values(self) -> dict[str, Any]:
        """The options as a checkpoint stores them: numbers, strings, lists and mappings."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        objects = {name: plain(asdict(values[name])) for name in ("optimizer", "schedule")}
        given = None if self.normalisation is None else plain(asdict(self.normalisation))
        return {**values, **objects, "normalisation": given}


def configured(kind: type[Config], value: Config | Mapping[str, Any] | None) -> Config:
    """A configuration object, built from a mapping if a checkpoint gave one.

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
    """A copy with lists in place of tuples, since a checkpoint holds primitives only."""
    if isinstance(value, Mapping):
        return {k: plain(v) for k, v in value.items()}
    return [plain(v) for v in value] if isinstance(value, list | tuple) else value
