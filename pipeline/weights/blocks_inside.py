"""Tells which blocks an encoder contains, so that weights made for one block are not loaded into another."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from torch import nn

from foveate.pipeline.errors import CheckpointError

KEY = "blocks"  # of the metadata of a weights file
SLOT = re.compile(r"(?:^|\.)(?:attention\d*|spatial_gating_unit)(?=\.|$)")
ADDRESS = re.compile(r"0x[0-9a-f]+")


def blocks_in(model: nn.Module) -> dict[str, str]:
    """What sits in each slot of an encoder: class, and a hash of its layers and their settings, by name of the module.

    Blocks without parameters are told apart too.

    Args:
        model: A segmenter, a classifier, or an encoder by itself.

    Example:
        >>> from foveate.pipeline.models import create_model
        >>> found = blocks_in(create_model("mscan_t", num_classes=2, attention={"gate": "simam"}))
        >>> len(found), found["block1.0.attn.spatial_gating_unit"].split()[0]
        (17, 'SimpleAttention')
    """
    encoder = getattr(model, "encoder", model)
    roots = {name[: found.end()]: None for name, _ in encoder.named_modules() if (found := SLOT.search(name))}
    modules = dict(encoder.named_modules())
    return {root: _describe(modules[root]) for root in roots}


def _describe(block: nn.Module) -> str:
    said = [f"{name} {type(one).__name__}({ADDRESS.sub('', one.extra_repr())})" for name, one in block.named_modules()]
    return f"{type(block).__name__} {hashlib.sha256(chr(10).join(said).encode()).hexdigest()[:12]}"


def check_blocks(model: nn.Module, metadata: Mapping[str, str], label: str) -> None:
    """Refuse weights that say they were made for other blocks than a model has; others are not checked.

    Args:
        model: A segmenter, a classifier, or an encoder by itself.
        metadata: Of the weights file.
        label: Its name.

    Raises:
        CheckpointError: A slot of the encoder has another block.
    """
    if KEY not in metadata:
        return
    theirs, ours = json.loads(metadata[KEY]), blocks_in(model)
    other = next((name for name in sorted({*theirs, *ours}) if theirs.get(name) != ours.get(name)), None)
    if other is not None:
        raise CheckpointError(
            f"{label}: made with attention {metadata.get('attention')}, and this model has "
            f"{_class(ours.get(other))} where that has {_class(theirs.get(other))} ({other}); "
            "train such weights with this block: foveate distil"
        )


def _class(said: str | None) -> str:
    return said.split()[0] if said else "nothing"
