"""Finds the tensors of a file that fit a model, and reports on each part of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from foveate.pipeline.models.vit.positions import Size
from foveate.pipeline.weights.adapting import adapt
from foveate.pipeline.weights.recognition import PARTS, Match, canonical, is_added, is_optional, part_of
from foveate.pipeline.weights.report import PartReport


@dataclass(frozen=True)
class Target:
    """A model's tensors by our names, without the model's own prefixes.

    Attributes:
        tensors: Our name -> the model's tensor.
        names: Our name -> the model's name.
        grid: Rows and columns of its learned position embedding, if it has one.
    """

    tensors: Mapping[str, Tensor]
    names: Mapping[str, str]
    grid: Size | None

    @classmethod
    def of(cls, model: nn.Module) -> Target:
        """The target for a model.

        Args:
            model: A segmenter, a classifier, or an encoder by itself.
        """
        state = model.state_dict()
        whole = all(part_of(name.replace("_orig_mod.", "")) in PARTS for name in state)
        names = {canonical(name if whole else f"encoder.{name}"): name for name in state}
        grid = getattr(getattr(model, "encoder", model), "grid", None)
        return cls({ours: state[name] for ours, name in names.items()}, names, grid)

    def of_part(self, part: str) -> list[str]:
        """Our names of the tensors that a part of the model needs.

        Args:
            part: encoder, decoder, head or input.
        """
        return [name for name in self.tensors if part_of(name) == part and not is_optional(name)]

    @property
    def stem(self) -> str | None:
        """Our name of the weight of the encoder's first convolution."""
        return next((n for n, t in self.tensors.items() if part_of(n) == "encoder" and t.ndim == 4), None)


@dataclass
class Fit:
    """The tensors of a file that fit, by our names, and how some were adapted."""

    tensors: dict[str, Tensor]
    changes: dict[str, str]


def fit_tensors(state: Mapping[str, Tensor], match: Match, target: Target) -> Fit:
    """Every tensor that has the model's shape or can be adapted to it.

    Args:
        state: The file's tensors.
        match: The file's names, translated to ours.
        target: The model.
    """
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


def report_part(part: str, state: Mapping[str, Tensor], match: Match, target: Target, fit: Fit) -> PartReport:
    """The report on one part of the model: the tensors that it gets from the file, and those that it does not get.

    Args:
        part: encoder, decoder, head or input.
        state: The file's tensors.
        match: The file's names, translated to ours.
        target: The model.
        fit: The tensors that fit.
    """
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
    """Tensors that differ from the file's only in the number of classes, by the same pair of numbers for all."""
    if part == "encoder":
        return []
    known = [name for name in missing if name in match.names]
    pairs = {name: (state[match.names[name]].shape, target.tensors[name].shape) for name in known}
    differ = {n: (g[:1], w[:1]) for n, (g, w) in pairs.items() if g[1:] == w[1:] and len(g) == len(w)}
    return list(differ) if len(set(differ.values())) == 1 else []
