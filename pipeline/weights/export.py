"""Exports our weights with the parameter names of other libraries."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.files import replacing
from foveate.pipeline.models import is_segmenter
from foveate.pipeline.text import few
from foveate.pipeline.weights.checkpoint import Trained
from foveate.pipeline.weights.layouts.known import LAYOUTS
from foveate.pipeline.weights.layouts.layout import Layout
from foveate.pipeline.weights.recognition import is_added, is_optional


def choose_layout(network: str, word: str) -> Layout:
    """The layout that a word such as `official` means for a network.

    Args:
        network: Name of the network.
        word: official, mmseg, timm, torchvision or foveate.

    Raises:
        ConfigError: The network does not have this layout; the message lists those that it has.
    """
    whole = is_segmenter(network)
    able = {layout.export: layout for layout in LAYOUTS if layout.export and _holds(layout, network, whole)}
    if word not in able:
        raise ConfigError(f"{network} has no layout {word!r}; accepted: {', '.join(map(str, able))}")
    return able[word]


def _holds(layout: Layout, network: str, whole: bool) -> bool:
    ours = not layout.families or network.startswith(layout.families)
    return ours and layout.segmenters in (None, whole)


def rename(state: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """The tensors, renamed to the names of a layout.

    Args:
        state: Tensors by our names.
        layout: Layout of the new names.

    Raises:
        CheckpointError: The layout has no names for some tensors, such as other attention blocks or another decoder.
    """
    if layout.export == "foveate":
        return dict(state)
    without = [name for name in state if not is_optional(name) and not _has_place(name, layout)]
    if without:
        raise CheckpointError(
            f"layout {layout.name} has no names for {len(without)} tensors of the model: {few(without)}; it "
            "names the tensors of the published network only. Export with --layout foveate"
        )
    named = {layout.from_ours(name): tensor for name, tensor in state.items() if not name.endswith(".ham.bases")}
    return {name: tensor for name, tensor in named.items() if name is not None}


def _has_place(name: str, layout: Layout) -> bool:
    if is_added(name) and not (layout.gate and re.search(rf"\.spatial_gating_unit\.({layout.gate})\.", name)):
        return False
    return layout.from_ours(name) is not None


def export_weights(trained: Trained, target: Path, word: str = "foveate") -> Layout:
    """Write a safetensors file, with metadata that describe the network.

    Args:
        trained: The model.
        target: File to write; it is replaced only once it is complete.
        word: Parameter names: foveate, official, mmseg, timm or torchvision, if the network has them.

    Raises:
        ConfigError: The network does not have this layout, or the file's name does not end with .safetensors.
        CheckpointError: The layout has no names for some of the model's tensors.
    """
    if target.suffix != ".safetensors":
        raise ConfigError(f"{target}: exported weights are a .safetensors file")
    layout = choose_layout(trained.network, word)
    state = {name: tensor.clone() for name, tensor in rename(trained.state, layout).items()}
    with replacing(target) as draft:
        draft.touch()
        usual = draft.stat().st_mode
        save_file(state, draft, describe(trained, layout))
        draft.chmod(usual)  # safetensors lets nobody else read it
    return layout


def describe(trained: Trained, layout: Layout) -> dict[str, str]:
    """The metadata of an exported file; lists and mappings are written as JSON.

    Args:
        trained: The model.
        layout: Layout of the names of the tensors.
    """
    mean, std = trained.statistics
    return {
        "format": "pt",
        "layout": layout.name,
        "network": trained.network,
        "attention": json.dumps(trained.attention),
        "network_options": json.dumps(dict(trained.options)),
        "classes": json.dumps(trained.classes),
        "mean": json.dumps(mean),
        "std": json.dumps(std),
        "foveate": version("foveate"),
    }
