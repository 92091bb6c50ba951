"""Loads published weights into our models and reports what matched; a file of another model is refused."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.text import few
from foveate.pipeline.weights.blocks_inside import check_blocks
from foveate.pipeline.weights.choosing import Reading
from foveate.pipeline.weights.diagnosis import explain_misfit
from foveate.pipeline.weights.factorisation import rank_in, set_rank
from foveate.pipeline.weights.fitting import Fit, Target, report_part
from foveate.pipeline.weights.nested import list_keys
from foveate.pipeline.weights.normalisation import Statistics, statistics_of, why_unsure
from foveate.pipeline.weights.reading import WeightFile
from foveate.pipeline.weights.recognition import PARTS, Match, is_optional, part_of
from foveate.pipeline.weights.report import PartReport, WeightReport
from foveate.pipeline.weights.sources import open_source_for
from foveate.pipeline.weights.variants import shapes_of

LEAST_COVERAGE = 0.9  # share of a part's values; below it, the file is taken to be of another model
Part = Literal["all", "encoder", "head"]
ASKED = {"all": PARTS, "encoder": ("encoder",), "head": ("decoder", "head")}


def load_weights(model: nn.Module, source: str | Path, part: Part = "all") -> WeightReport:
    """Copy weights of any known layout into a model, and report what matched.

    If the encoder is asked for, the file must contain 90 % of its values, not counting layers that the model adds
    (attention slots, the pyramid of a ViT). The head or decoder is loaded as far as it fits, unless only it is asked
    for. A SegNeXt whose decoder is loaded also gets the rank that the decoder was trained with, if it is known.

    Args:
        model: A segmenter, a classifier, or an encoder by itself.
        source: PATH (a file, or a folder of `save_pretrained`), `https://...`, `hf://owner/repository/file`,
            `timm:NAME`, or `timm`: timm's weights for this model. `PATH::KEY` selects one of several state dicts.
        part: `encoder`, `head` (the head or decoder), or `all`.

    Raises:
        CheckpointError: The file is missing, damaged, unsafe, or of another model; the model is not changed.
    """
    if part not in ASKED:
        raise CheckpointError(f"part is all, encoder or head, not {part!r}")
    return _load(model, Reading.of(open_source_for(model, source), model), ASKED[part])


def load_initial_weights(model: nn.Module, source: str | Path, *, keep_rank: bool = False) -> WeightReport:
    """Load the initial weights of a training.

    A segmenter's decoder is loaded only from a complete segmenter with the same number of classes; a classifier's head
    is loaded as far as the number of classes allows.

    Args:
        model: A segmenter or a classifier.
        source: See `load_weights`.
        keep_rank: Keep the rank of a SegNeXt's factorisation, even if the file was trained with another.

    Raises:
        CheckpointError: See `load_weights`.
    """
    reading = Reading.of(open_source_for(model, source), model)
    whole = all(name in reading.fit.tensors for name in reading.target.of_part("decoder"))
    return _load(model, reading, PARTS if whole else ("encoder",), keep_rank=keep_rank)


def load_complete_weights(model: nn.Module, source: str | Path, *, keep_rank: bool = False) -> WeightReport:
    """Load weights for evaluation or prediction: every tensor must come from the file.

    Args:
        model: A segmenter or a classifier.
        source: See `load_weights`.
        keep_rank: See `load_initial_weights`.

    Raises:
        CheckpointError: See `load_weights`; or the file lacks some tensors, which would keep random values.
    """
    reading = Reading.of(open_source_for(model, source), model)
    parts = _report_parts(reading, PARTS)
    _check(reading, parts, alone=False)
    for part in parts:
        if part.missing:
            raise CheckpointError(f"{reading.file.label}: {_why_incomplete(part, reading)}")
    return _load(model, reading, PARTS, keep_rank=keep_rank)


def count_outputs(model: nn.Module, source: str | Path) -> tuple[WeightFile, int | None]:
    """A weights file, read for a model, and the number of classes of its last layer; None if it has none.

    Args:
        model: A segmenter or a classifier, with any number of classes.
        source: See `load_weights`.
    """
    reading = Reading.of(open_source_for(model, source), model)
    last = [name for name in reading.target.tensors if part_of(name) in ASKED["head"] and name.endswith(".bias")]
    known = [name for name in last if name in reading.match.names and len(reading.target.tensors[name]) == 1]
    return reading.file, len(reading.file.state[reading.match.names[known[-1]]]) if known else None


def _why_incomplete(part: PartReport, reading: Reading) -> str:
    """Why a file cannot be evaluated without training."""
    head = f"{len(part.missing)} tensors of the {part.part} are not in it ({few(part.missing, 3)})"
    if part.dropped:
        given, wanted = _count_classes(part, reading.file.state, reading.target, reading.match)
        head = f"it has {given} classes, the data have {wanted}"
    return (
        f"cannot be scored or applied as it is: {head}, and the scores of random weights mean nothing; train first "
        f"(foveate fit --model.weights), or give the weights of a whole network; {list_keys({'': reading.file.state})}"
    )


def _count_classes(part: PartReport, state: Mapping[str, Tensor], target: Target, match: Match) -> tuple[int, int]:
    """Number of classes of the file and of the model."""
    ours = next(name for name, theirs in target.names.items() if theirs == part.dropped[0])
    return len(state[match.names[ours]]), len(target.tensors[ours])


def load_encoder_weights(model: nn.Module, source: str | Path) -> WeightReport:
    """Load only the encoder, `model.encoder`.

    Args:
        model: A segmenter or a classifier.
        source: See `load_weights`.

    Raises:
        CheckpointError: See `load_weights`.
    """
    encoder = model.encoder
    assert isinstance(encoder, nn.Module)
    return load_weights(encoder, source, part="encoder")


def _report_parts(reading: Reading, asked: Sequence[str]) -> tuple[PartReport, ...]:
    state, match, target, fit = reading.file.state, reading.match, reading.target, reading.fit
    return tuple(report_part(part, state, match, target, fit) for part in asked if target.of_part(part))


def _load(model: nn.Module, reading: Reading, asked: Sequence[str], *, keep_rank: bool = False) -> WeightReport:
    file, match = reading.file, reading.match
    parts = _report_parts(reading, asked)
    _check(reading, parts, alone=asked == ASKED["head"])
    if "encoder" in asked:
        check_blocks(model, file.metadata, file.label)
    rank_note = set_rank(model, rank_in(file, match), keep=keep_rank) if _takes_decoder(parts) else None
    _apply(model, reading.target, reading.fit, asked)
    _warn(file.label, parts)
    found = statistics_of(match.layout, file)
    statistics = found or _statistics_of_model(model)
    return WeightReport(
        source=file.label,
        layout=match.layout.name,
        parts=parts,
        aside=tuple(_aside(match, [part.part for part in parts])),
        statistics=statistics,
        notes=(*reading.notes, *([rank_note] if rank_note else [])),
        unsure=why_unsure(match.layout, file),
    )


def _takes_decoder(parts: Sequence[PartReport]) -> bool:
    return any(part.part == "decoder" and part.coverage >= LEAST_COVERAGE for part in parts)


def _check(reading: Reading, parts: Sequence[PartReport], *, alone: bool) -> None:
    """Refuse a file of another model, and one with NaN or infinity."""
    file, match, target = reading.file, reading.match, reading.target
    if not parts:
        raise CheckpointError(f"{file.label}: the model has no part that was asked for; it is an encoder by itself")
    for part in parts:
        if part.coverage < LEAST_COVERAGE and (part.part == "encoder" or alone):
            names = target.of_part(part.part)
            wanted = shapes_of({name: target.tensors[name] for name in names})
            why = explain_misfit(file.state, match, wanted, part)
            raise CheckpointError(f"{file.label}: {why}; {list_keys(file.states or {'': file.state})}")
    for name in match.names.values():
        if file.state[name].is_floating_point() and not file.state[name].isfinite().all():
            raise CheckpointError(f"{file.label}: {name} holds numbers that are not finite; the file is damaged")


def _apply(model: nn.Module, target: Target, fit: Fit, asked: Sequence[str]) -> None:
    chosen = {target.names[name]: tensor for name, tensor in fit.tensors.items() if part_of(name) in asked}
    with torch.no_grad():
        model.load_state_dict(chosen, strict=False)


def _aside(match: Match, asked: Sequence[str]) -> Iterator[str]:
    """Names in the file of parts that were not asked for or that the model lacks, and unknown names."""
    yield from (theirs for ours, theirs in match.names.items() if part_of(ours) not in asked and not is_optional(ours))
    yield from match.unknown


def _warn(label: str, parts: Sequence[PartReport]) -> None:
    """Warn of tensors that keep random values, except those of a different number of classes, which is expected."""
    bare = [name for part in parts for name in part.missing if name not in part.dropped]
    if bare:
        warnings.warn(f"{label}: {len(bare)} tensors keep random initial values: {few(bare)}", stacklevel=4)


def _statistics_of_model(model: nn.Module) -> Statistics | None:
    """Mean and standard deviation that a library's network expects, converted to 0-255."""
    for module in (model, getattr(model, "encoder", None)):
        mean, std = getattr(module, "mean", None), getattr(module, "std", None)
        if isinstance(mean, tuple) and isinstance(std, tuple):
            return tuple(255 * value for value in mean), tuple(255 * value for value in std)
    return None
