"""The names that options take: recipes, networks, blocks, losses and others, also those of installed plugins."""

from __future__ import annotations

from collections.abc import Iterable

from foveate.pipeline.completion.spec import Values
from foveate.pipeline.engines import NAMES as ENGINES
from foveate.pipeline.models import list_models
from foveate.pipeline.optimisation.named_optimisers import OWN as OPTIMISERS
from foveate.pipeline.optimisation.schedules import NAMES as SCHEDULES
from foveate.pipeline.outputs import OUTPUTS
from foveate.pipeline.runs.recipes import LOGGERS, list_recipes
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block, DataSet, Decoder, Encoder, Loss, Metric, Record

SLOTS = ("block", "decoder", "gate", "input", "stage")
LIBRARIES = ("timm:", "torch:")  # before the names of their optimisers and schedules


def offered(kind: type[Record]) -> tuple[str, ...]:
    """Names of the records of a kind; of a library's prefix `timm:`, after which its own names follow.

    Args:
        kind: The kind of record.
    """
    records = (offer.record for offer in installed_plugins().of_kind(kind))
    return tuple(dict.fromkeys(record.name + ":" * bool(getattr(record, "prefix", False)) for record in records))


def known_values() -> dict[str, Values]:
    """What an option takes, by its name without hyphens, or a positional argument by its name."""
    blocks = Values(offered(Block))
    losses = Values(offered(Loss))
    recipes = Values(tuple(list_recipes()), files=True)
    checkpoint = Values(("best", "last"), files=True)
    models = Values((*list_models(), *offered(Encoder)))
    records = {name for kind in (Block, Encoder, Decoder, Loss, Metric, DataSet) for name in offered(kind)}
    return {
        **{f"model.attention.{slot}": blocks for slot in SLOTS},
        **dict.fromkeys(("config", "recipe"), recipes),
        "compare blocks": blocks,
        "compare slot": Values(SLOTS),
        "plugins info name": Values(_bare(records)),
        "plugins check name": Values(_bare([*offered(Block), *offered(DataSet)])),
        "model.network": models,
        **dict.fromkeys(("model.loss", "model.loss.name"), losses),
        "model.metrics": Values((*offered(Metric), "all")),
        "model.optimizer.name": Values((*OPTIMISERS, *LIBRARIES)),
        "model.schedule.name": Values((*SCHEDULES, *LIBRARIES)),
        "data": Values(offered(DataSet)),
        "dataset": Values(("auto", *offered(DataSet))),
        "engine": Values(tuple(ENGINES)),
        "outputs": Values(tuple(OUTPUTS)),
        "ckpt_path": Values(("auto", "best", "last"), files=True),
        "checkpoint": checkpoint,
        "trainer.logger": Values(tuple(LOGGERS)),
        "trainer.accelerator": Values(("auto", "cpu", "gpu", "mps", "tpu")),
        "trainer.strategy": Values(("auto", "ddp", "fsdp")),
        "trainer.devices": Values(("auto", "1")),
    }


def _bare(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name.removesuffix(":") for name in names}))
