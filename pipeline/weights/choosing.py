"""Chooses the state dict in a file that fits a model best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from foveate.pipeline.text import few
from foveate.pipeline.weights.fitting import Fit, Target, fit_tensors
from foveate.pipeline.weights.nested import is_average, rank
from foveate.pipeline.weights.reading import WeightFile
from foveate.pipeline.weights.recognition import Match, is_optional, recognise


@dataclass(frozen=True)
class Reading:
    """A weights file, read for one model.

    Attributes:
        file: The file, with the chosen state dict.
        target: The model.
        match: The file's names translated to ours.
        fit: The tensors that fit.
        notes: Messages about the choice, for the report.
    """

    file: WeightFile
    target: Target
    match: Match
    fit: Fit
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, file: WeightFile, model: nn.Module) -> Reading:
        """Read the state dict that fits most tensors of a model; among equals, an average of the weights.

        Args:
            file: The weights file.
            model: A segmenter, a classifier, or an encoder by itself.
        """
        target = Target.of(model)
        ways = {path: cls._read(replace(file, state=state), target) for path, state in file.states.items()}
        if not ways:
            return cls._read(file, target)
        values = {path: way.values() for path, way in ways.items()}
        most = max(values.values())
        alike = sorted((path for path in ways if values[path] == most), key=lambda p: (rank(p), -p.count("."), len(p)))
        path = alike[0]
        others = [other for other in alike[1:] if not _inside(path, other)]
        return replace(ways[path], notes=(*_say_choice(path, others), *ways[path].notes))

    @classmethod
    def _read(cls, file: WeightFile, target: Target) -> Reading:
        match = recognise(file.state.keys(), target.tensors.keys())
        also = [other.rstrip(".") or "no prefix" for other in match.also]
        notes = tuple(_say_choice(match.prefix.rstrip(".") or "no prefix", also)) if also else ()
        return cls(file, target, match, fit_tensors(file.state, match, target), notes)

    def values(self) -> int:
        """Number of values that the model gets from the file."""
        return sum(tensor.numel() for name, tensor in self.fit.tensors.items() if not is_optional(name))


def _inside(path: str, other: str) -> bool:
    """Whether one state dict of a file is inside the other, so that both are the same choice."""
    return path.startswith(f"{other}.") or not other


def _say_choice(path: str, others: Sequence[str]) -> Iterator[str]:
    kind = " (an average of the weights)" if is_average(path) else ""
    if others:
        yield f"taken: {path}{kind}; the file also has {few(others)}: --model.weights FILE::{others[0]} selects that"
    elif kind:
        yield f"taken: {path}{kind}"
