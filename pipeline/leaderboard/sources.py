"""Hashes of the code that decides a record: Foveate's, and the block's."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from foveate.pipeline.runs.circumstances import hash_of_sources
from foveate.plugins.blocks import RecipeSlot, find_offer, parse_spec
from foveate.plugins.building import load
from foveate.plugins.manager import Offer
from foveate.plugins.records import Block

DECIDING = (
    "foveate.datasets",
    "foveate.plugins.attention",
    "foveate.plugins.ops",
    "foveate.plugins.rates",
    "foveate.pipeline.models",
    "foveate.pipeline.losses",
    "foveate.pipeline.optimisation",
    "foveate.pipeline.metrics",
    "foveate.pipeline.comparison",
    "foveate.pipeline.task",
    "foveate.pipeline.task_base",
    "foveate.pipeline.segmentation",
    "foveate.pipeline.classification",
)


def hashes(spec: RecipeSlot) -> dict[str, str]:
    """The hash of Foveate's code that decides a training, and that of the blocks in the slot.

    Args:
        spec: What is put into the slot, as a recipe would give it.
    """
    blocks = [_module_of(offer) for offer in _offers(spec)]
    ours = hash_of_sources(importlib.import_module(name) for name in DECIDING)
    return {"foveate": ours, "block": hash_of_sources(blocks)}


def providers(spec: RecipeSlot) -> list[str]:
    """The distributions, with their versions, that the blocks in the slot come from.

    Args:
        spec: What is put into the slot.
    """
    return [str(offer.provider) for offer in _offers(spec)]


def _offers(spec: RecipeSlot) -> list[Offer[Block]]:
    """The offers of the blocks in a slot."""
    return [find_offer(parse_spec(one)[0]) for one in (spec if isinstance(spec, list) else [spec]) if one is not None]


def _module_of(offer: Offer[Block]) -> ModuleType:
    """The module of a block of ours; of others the whole package, since the block may be spread over it."""
    load(offer)
    build = offer.record.build
    name = build.partition(":")[0] if isinstance(build, str) else build.__module__
    top = name.partition(".")[0]
    return sys.modules[name if top == "foveate" else top]
