"""Mean and standard deviation of the images that weights were trained on."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from torch import Tensor

from foveate.pipeline.normalisation import MEAN, STD
from foveate.pipeline.weights.layouts.layout import Layout
from foveate.pipeline.weights.reading import WeightFile

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation per channel, in 0-255, RGB
IMAGENET: Statistics = (MEAN, STD)
HALF: Statistics = ((127.5,) * 3, (127.5,) * 3)
CLIP: Statistics = ((122.7709383, 116.7460125, 104.09373615), (68.5005327, 66.6321579, 70.32316305))
BUFFERS = ("normalise.mean", "normalise.std")  # names in a task's checkpoint
ANYBODYS = ((), ("timm:",), ("smp:",))  # families of layouts that do not determine the normalisation

# Origin of a ViT's weights by words in file names and settings; the first word that is found decides.
TRAINED_BY: tuple[tuple[str, Statistics], ...] = (
    (r"siglip|augreg|in21k|i21k|imagenet21k|imagenet-21k|jx_vit|\bsam\b|google|beit", HALF),
    (r"clip|openai|laion|datacomp", CLIP),
    (r"deit|dino|mae|moco|ibot|\bmsn\b|ijepa|i_jepa|esvit|cait|data2vec|simmim|swag|torchvision", IMAGENET),
)
# The same by names of tensors that only these have: DeiT's distillation token, mask and register tokens, MAE's decoder.
TOKENS: tuple[tuple[str, Statistics], ...] = (
    (r"(^|\.)(dist_token|distill_token|head_dist\.)", IMAGENET),
    (r"(^|\.)(mask_token|register_tokens|reg_token|storage_tokens)$", IMAGENET),
    (r"(^|\.)(decoder_blocks|decoder_pos_embed|momentum_encoder|last_layer)(\.|$)", IMAGENET),
    (r"(^|\.)pre_logits\.", HALF),
)


def statistics_of(layout: Layout, file: WeightFile) -> Statistics | None:
    """Mean and standard deviation that the weights expect; None if they are not known.

    They are taken from, in this order: metadata (`mean` and `std` as JSON lists in 0-255, or `input`), the buffers of
    our checkpoints, for ViTs the names of the file and of its tensors, and the usual values for the layout.

    Args:
        layout: Layout of the file.
        file: The weights.
    """
    metadata, state = file.metadata, file.state
    mean, std = (_numbers(metadata.get(key, "")) for key in ("mean", "std"))
    if mean and std:
        return mean, std
    if metadata.get("input", "").replace(" ", "").endswith("/127.5-1"):
        return HALF
    for name in state:
        if name.endswith(BUFFERS[0]) and (other := name.replace(*BUFFERS)) in state:
            mean, std = (tuple(state[key].flatten().tolist()) for key in (name, other))
            return mean, std
    if layout.families in ANYBODYS:
        return None
    return (_told(file) or HALF) if layout.offset_half else IMAGENET


def why_unsure(layout: Layout, file: WeightFile) -> str:
    """Why the result of `statistics_of` is a guess; empty if it is certain.

    Args:
        layout: Layout of the file.
        file: The weights.
    """
    told = any(name.endswith(BUFFERS[0]) for name in file.state) or "input" in file.metadata
    if told or _numbers(file.metadata.get("mean", "")) or not layout.offset_half or _told(file):
        return ""
    return (
        "neither the file nor its name says how its images are normalised: 0.5 is taken (ViT, AugReg); DeiT, DINO and "
        "MAE want ImageNet's: --model.normalisation '{mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}'"
    )


def _told(file: WeightFile) -> Statistics | None:
    """The usual values for the origin of a ViT's weights, if tensors, file name or settings show the origin."""
    names = [name for state in (file.states or {"": file.state}).values() for name in state]
    if {"student", "teacher"} <= {path.partition(".")[0] for path in file.states}:  # DINO, iBOT
        return IMAGENET
    for pattern, statistics in TOKENS:
        if any(re.search(pattern, name) for name in names):
            return statistics
    words = " ".join([*file.label.replace("\\", "/").split("/")[-2:], *_settings(file.metadata)]).lower()
    return next((statistics for pattern, statistics in TRAINED_BY if re.search(pattern, words)), None)


def _settings(metadata: Mapping[str, str]) -> list[str]:
    """Metadata that may name a network or a training method."""
    named = ("arch", "model", "network", "architecture", "name", "source", "hf_hub_id")
    return [text for key, text in metadata.items() if key.rpartition(".")[2] in named]


def _numbers(text: str) -> tuple[float, ...]:
    """The numbers of a JSON list; an empty tuple for any other text."""
    try:
        read = json.loads(text)
    except ValueError:
        return ()
    given = isinstance(read, list) and all(isinstance(v, int | float) for v in read)
    return tuple(map(float, read)) if given else ()


def stored_statistics(stored: Mapping[str, Tensor]) -> Statistics:
    """Mean and standard deviation stored in a task's checkpoint; ImageNet's if there are none.

    Args:
        stored: The checkpoint's tensors.
    """
    if not all(name in stored for name in BUFFERS):
        return IMAGENET
    mean, std = (tuple(stored[name].flatten().tolist()) for name in BUFFERS)
    return mean, std
