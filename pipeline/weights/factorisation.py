"""The rank of the factorisation in SegNeXt's decoder, which the shapes in published files do not show."""

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

MMSEG_RANK = 16  # all variants in mmseg 1.x, and the authors' T and S
AUTHORS_RANK, NARROW = 64, 256  # the authors' B and L, whose decoders have more channels than this
BASES = ".ham.bases"  # in our own checkpoints


def rank_in(file: WeightFile, match: Match) -> int | None:
    """The rank that a file was trained with; None if it is not known.

    Our checkpoints contain the bases, our exports contain the network's options, and mmseg's files contain the text
    of their configuration or their version. Otherwise the layout decides, since mmseg 1.x and the authors use
    different names.

    Args:
        file: The weights.
        match: The file's names, translated to ours.
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
    """Set the rank of a model's factorisation to that of a file, and return a message; None if nothing changes.

    Args:
        model: A segmenter.
        rank: Rank of the file; None if it is not known.
        keep: Do not change the model; only return a message if the ranks differ.
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
    """Set the rank of a model's factorisation to that of a checkpoint, before the checkpoint is loaded.

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
