"""Loads weights of others into our models, all that fits or nothing, and says what matched."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import few
from foveate.pipeline.weights.diagnosis import explain_misfit
from foveate.pipeline.weights.fitting import Fit, Target, fit_tensors, report_part
from foveate.pipeline.weights.normalisation import Statistics, statistics_of
from foveate.pipeline.weights.reading import WeightFile
from foveate.pipeline.weights.recognition import PARTS, Match, is_optional, part_of, recognise
from foveate.pipeline.weights.report import PartReport, WeightReport
from foveate.pipeline.weights.sources import fetch_from_timm, open_source, timm_name
from foveate.pipeline.weights.variants import name_of, shapes_of

LEAST_COVERAGE = 0.9  # of a part's values; under this the file belongs to another model
Part = Literal["all", "encoder", "head"]
ASKED = {"all": PARTS, "encoder": ("encoder",), "head": ("decoder", "head")}


def load_weights(model: nn.Module, source: str | Path, part: Part = "all") -> WeightReport:
    """Copy weights of any known layout into a model, and say what matched.

    The encoder, where it is asked for, has to be covered by 90 %, not counting layers of the model's own (attention
    slots, the pyramid of a ViT). The head or decoder is taken as far as it fits, unless it alone is asked for.

    Args:
        model: A segmenter, a classifier, or an encoder by itself.
        source: PATH, `https://...`, `hf://owner/repository/file`, `timm:NAME`, or `timm`: what timm has for this model.
        part: `encoder`, `head` (or decoder), or `all`.

    Raises:
        CheckpointError: The file is missing, damaged, unsafe, or of another model; nothing was changed.
    """
    if part not in ASKED:
        raise CheckpointError(f"part is all, encoder or head, not {part!r}")
    return _load(model, _open(model, source), ASKED[part])


def load_initial_weights(model: nn.Module, source: str | Path) -> WeightReport:
    """What `--model.weights` does: a segmenter takes its decoder too only from a whole segmenter of the same classes.

    A classifier takes its head as far as the number of classes allows. Arguments and errors: see `load_weights`.
    """
    file = _open(model, source)
    target = Target.of(model)
    match = recognise(file.state.keys(), target.tensors.keys())
    fit = fit_tensors(file.state, match, target)
    whole = all(name in fit.tensors for name in target.of_part("decoder"))
    return _load(model, file, PARTS if whole else ("encoder",))


def load_encoder_weights(model: nn.Module, source: str | Path) -> WeightReport:
    """Load into `model.encoder` alone. Arguments and errors: see `load_weights`."""
    encoder = model.encoder
    assert isinstance(encoder, nn.Module)
    return load_weights(encoder, source, part="encoder")


def _open(model: nn.Module, source: str | Path) -> WeightFile:
    if str(source) != "timm":
        return open_source(source)
    tensors = Target.of(model).tensors
    name = name_of(shapes_of({name: t for name, t in tensors.items() if part_of(name) == "encoder"}))
    if name is None:
        raise CheckpointError(
            "weights 'timm': this model's encoder has no name in timm; write timm:NAME, or give a file"
        )
    return fetch_from_timm(timm_name(name))


def _load(model: nn.Module, file: WeightFile, asked: Sequence[str]) -> WeightReport:
    target = Target.of(model)
    match = recognise(file.state.keys(), target.tensors.keys())
    fit = fit_tensors(file.state, match, target)
    parts = tuple(report_part(part, file.state, match, target, fit) for part in asked if target.of_part(part))
    _check(file, match, target, parts, alone=asked == ASKED["head"])
    _apply(model, target, fit, asked)
    _warn(file.label, parts)
    return WeightReport(
        source=file.label,
        layout=match.layout.name,
        parts=parts,
        aside=tuple(_aside(match, [part.part for part in parts])),
        statistics=statistics_of(match.layout, file.state, file.metadata) or _statistics_of_model(model),
    )


def _check(file: WeightFile, match: Match, target: Target, parts: Sequence[PartReport], *, alone: bool) -> None:
    """Refuse a file of another model, and one with numbers that are none."""
    if not parts:
        raise CheckpointError(f"{file.label}: the model has no part that was asked for; it is an encoder by itself")
    for part in parts:
        if part.coverage < LEAST_COVERAGE and (part.part == "encoder" or alone):
            names = target.of_part(part.part)
            wanted = shapes_of({name: target.tensors[name] for name in names})
            raise CheckpointError(f"{file.label}: {explain_misfit(file.state, match, wanted, part)}")
    for name in match.names.values():
        if file.state[name].is_floating_point() and not file.state[name].isfinite().all():
            raise CheckpointError(f"{file.label}: {name} holds numbers that are not finite; the file is damaged")


def _apply(model: nn.Module, target: Target, fit: Fit, asked: Sequence[str]) -> None:
    chosen = {target.names[name]: tensor for name, tensor in fit.tensors.items() if part_of(name) in asked}
    with torch.no_grad():
        model.load_state_dict(chosen, strict=False)


def _aside(match: Match, asked: Sequence[str]) -> Iterator[str]:
    """Names in the file of parts that were not asked for or that the model lacks, and those nobody knows."""
    yield from (theirs for ours, theirs in match.names.items() if part_of(ours) not in asked and not is_optional(ours))
    yield from match.unknown


def _warn(label: str, parts: Sequence[PartReport]) -> None:
    """What starts from nothing without need; another number of classes is nobody's mistake."""
    bare = [name for part in parts for name in part.missing if name not in part.dropped]
    if bare:
        warnings.warn(f"{label}: {len(bare)} tensors start from nothing: {few(bare)}", stacklevel=4)


def _statistics_of_model(model: nn.Module) -> Statistics | None:
    """What a library's network says that its weights expect, in 0-1."""
    for module in (model, getattr(model, "encoder", None)):
        mean, std = getattr(module, "mean", None), getattr(module, "std", None)
        if isinstance(mean, tuple) and isinstance(std, tuple):
            return tuple(255 * value for value in mean), tuple(255 * value for value in std)
    return None
