"""Loads weights of others into our models, all that fits or nothing, and says what matched."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from foveate.pipeline.errors import CheckpointError
from foveate.pipeline.models.positions import Size
from foveate.pipeline.weights.adapting import adapt
from foveate.pipeline.weights.diagnosis import explain_misfit
from foveate.pipeline.weights.reading import WeightFile
from foveate.pipeline.weights.recognition import PARTS, Match, canonical, is_added, is_optional, part_of, recognise
from foveate.pipeline.weights.report import PartReport, WeightReport, shorten
from foveate.pipeline.weights.sources import fetch_from_timm, open_source, timm_name
from foveate.pipeline.weights.statistics import Statistics, statistics_of
from foveate.pipeline.weights.variants import name_of, shapes_of

LEAST_COVERAGE = 0.9  # of a part's values; under this the file belongs to another model
Part = Literal["all", "encoder", "head"]
ASKED = {"all": PARTS, "encoder": ("encoder",), "head": ("decoder", "head")}


@dataclass(frozen=True)
class Target:
    """A model seen by our names, whatever its own prefixes.

    Attributes:
        tensors: Our name -> the model's tensor.
        names: Our name -> the model's name.
        grid: Rows and columns of the positions it learns, if it does.
    """

    tensors: Mapping[str, Tensor]
    names: Mapping[str, str]
    grid: Size | None

    @classmethod
    def of(cls, model: nn.Module) -> Target:
        """Of a segmenter, a classifier, or an encoder by itself."""
        state = model.state_dict()
        whole = all(part_of(name.replace("_orig_mod.", "")) in PARTS for name in state)
        names = {canonical(name if whole else f"encoder.{name}"): name for name in state}
        grid = getattr(getattr(model, "encoder", model), "grid", None)
        return cls({ours: state[name] for ours, name in names.items()}, names, grid)

    def of_part(self, part: str) -> list[str]:
        """Our names of what the part needs."""
        return [name for name in self.tensors if part_of(name) == part and not is_optional(name)]

    @property
    def stem(self) -> str | None:
        """The encoder's first convolution."""
        return next((n for n, t in self.tensors.items() if part_of(n) == "encoder" and t.ndim == 4), None)


@dataclass
class Fit:
    """What a file gives: tensors by our name, and the remarks of the report."""

    tensors: dict[str, Tensor]
    changes: dict[str, str]


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
    fit = _fit(file.state, match, target)
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
    fit = _fit(file.state, match, target)
    parts = tuple(_report(part, file.state, match, target, fit) for part in asked if target.of_part(part))
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


def _fit(state: Mapping[str, Tensor], match: Match, target: Target) -> Fit:
    """Every tensor that has the model's shape, or can be given it."""
    fit = Fit({}, {})
    for name, wanted in target.tensors.items():
        given = state.get(match.names.get(name, ""))
        if given is None:
            continue
        if given.shape == wanted.shape:
            fit.tensors[name] = given
        elif adapted := adapt(name, given, wanted, stem=name == target.stem, grid=target.grid):
            fit.tensors[name], fit.changes[name] = adapted
    return fit


def _report(part: str, state: Mapping[str, Tensor], match: Match, target: Target, fit: Fit) -> PartReport:
    wanted = target.of_part(part)
    missing = [name for name in wanted if name not in fit.tensors]
    dropped = _of_other_classes(part, missing, state, match, target)
    counted = [name for name in wanted if not is_added(name)]
    got = sum(target.tensors[name].numel() for name in counted if name in fit.tensors)
    changed = [f"{target.names[name]} ({how})" for name, how in fit.changes.items() if name in wanted]
    theirs = [ours for ours in match.names if part_of(ours) == part and not is_optional(ours)]
    return PartReport(
        part=part,
        loaded=tuple(target.names[name] for name in wanted if name in fit.tensors and name not in fit.changes),
        adapted=tuple(changed),
        missing=tuple(target.names[name] for name in missing),
        dropped=tuple(target.names[name] for name in dropped),
        unused=tuple(match.names[name] for name in theirs if name not in fit.tensors),
        added=sum(is_added(name) for name in missing),
        coverage=got / max(1, sum(target.tensors[name].numel() for name in counted)),
    )


def _of_other_classes(
    part: str, missing: Sequence[str], state: Mapping[str, Tensor], match: Match, target: Target
) -> list[str]:
    """Tensors that differ from the file's in the number of outputs alone, all by the same two numbers."""
    if part == "encoder":
        return []
    known = [name for name in missing if name in match.names]
    pairs = {name: (state[match.names[name]].shape, target.tensors[name].shape) for name in known}
    differ = {n: (g[:1], w[:1]) for n, (g, w) in pairs.items() if g[1:] == w[1:] and len(g) == len(w)}
    return list(differ) if len(set(differ.values())) == 1 else []


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
        warnings.warn(f"{label}: {len(bare)} tensors start from nothing: {shorten(bare)}", stacklevel=4)


def _statistics_of_model(model: nn.Module) -> Statistics | None:
    """What a library's network says that its weights expect, in 0-1."""
    for module in (model, getattr(model, "encoder", None)):
        mean, std = getattr(module, "mean", None), getattr(module, "std", None)
        if isinstance(mean, tuple) and isinstance(std, tuple):
            return tuple(255 * value for value in mean), tuple(255 * value for value in std)
    return None
