"""The rank that a SegNeXt's decoder was trained with: no tensor of a published file has its shape."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from torch import Tensor, nn

from foveate.pipeline.models.segnext import VARIANTS
from foveate.pipeline.weights.layouts.known import MMSEG, SEGNEXT
from foveate.pipeline.weights.reading import WeightFile
from foveate.pipeline.weights.recognition import Match
from foveate.plugins.attention.hamburger import NMF2d

MMSEG_RANK = 16  # of every variant in mmseg 1.x, and of the authors' T and S
AUTHORS_RANK, NARROW = 64, 256  # of the authors' B and L, whose decoders are wider than this
BASES = ".ham.bases"  # of our own checkpoints


def rank_in(file: WeightFile, match: Match) -> int | None:
    """The rank that a file was trained with, as far as it tells.

    A checkpoint of ours holds the bases, an export of ours names its options, a file of mmseg carries the text of its
    configuration or its version. Without any of these the layout decides: mmseg 1.x names tensors in another way
    than the authors do.

    Args:
        file: The weights.
        match: Whose names they have.
    """
    for name, tensor in file.state.items():
        if name.endswith(BASES) and tensor.ndim == 3:
            return tensor.shape[2]
    variant = VARIANTS.get(file.metadata.get("network", ""))
    if "foveate" in file.metadata and variant is not None:
        return int((json.loads(file.metadata.get("network_options", "null")) or {}).get("rank") or variant.rank)
    for text in file.metadata.values():
        if found := re.search(r"\bMD_R['\"]?\s*[=:]\s*(\d+)", text):
            return int(found[1])
    version = file.metadata.get("meta.mmseg_version", "")
    squeeze = match.names.get("decoder.squeeze.conv.weight")
    if match.layout is SEGNEXT and squeeze is not None and not version.startswith("1."):
        return AUTHORS_RANK if len(file.state[squeeze]) > NARROW else MMSEG_RANK
    return MMSEG_RANK if match.layout is MMSEG or version.startswith("1.") else None


def set_rank(model: nn.Module, rank: int | None, *, keep: bool) -> str | None:
    """Give a model's factorisation a file's rank, and say so; nothing where it has it, or has none.

    Args:
        model: A segmenter.
        rank: That of the file; None if it does not tell.
        keep: Leave the model as it is and only say that it differs.
    """
    for module in model.modules():
        ham = getattr(module, "ham", None)
        if not isinstance(ham, NMF2d) or rank is None or ham.rank == rank:
            continue
        if keep:
            return f"the file was trained with a factorisation of rank {rank}; the recipe asks for {ham.rank}"
        own = ham.rank
        module.ham = NMF2d(ham.bases.shape[1], rank=rank, eval_bases=ham.eval_bases).to(ham.bases.device)
        module.ham.train(ham.training)
        return f"rank of the factorisation: {rank}, as the file was trained with, not {own}"
    return None


def take_rank(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give a model's factorisation the rank of a checkpoint that is about to be loaded.

    Args:
        model: A segmenter.
        state: The checkpoint's tensors.
    """
    bases = next((tensor for name, tensor in state.items() if name.endswith(BASES) and tensor.ndim == 3), None)
    set_rank(model, None if bases is None else bases.shape[2], keep=False)


def current_rank(model: nn.Module) -> int | None:
    """The rank of a model's decoder; None if it has no factorisation.

    Args:
        model: A segmenter.
    """
    found = (getattr(module, "ham", None) for module in getattr(model, "decoder", nn.Identity()).modules())
    return next((ham.rank for ham in found if isinstance(ham, NMF2d)), None)
