"""Reports on the weights that a model got from a file, for each part of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from foveate.pipeline.text import few
from foveate.pipeline.weights.normalisation import Statistics


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """The tensors that one part of a model got from a file.

    Attributes:
        part: encoder, decoder or head.
        loaded: Names of the tensors that were copied unchanged.
        adapted: Names of the tensors that were changed to fit, and how: `name (3 -> 1 channels)`.
        missing: Names in the model that keep their random initial values.
        dropped: Missing tensors that the file has for another number of classes.
        unused: Names in the file that the part does not have.
        added: Number of missing tensors in layers that the model adds to the published network (see `is_added`).
        coverage: Share of the part's values that came from the file, in 0-1, not counting such layers.
    """

    part: str
    loaded: tuple[str, ...]
    adapted: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    added: int = 0
    coverage: float

    def __str__(self) -> str:
        counts = [f"{len(self.loaded)} loaded", f"{len(self.adapted)} adapted"]
        counts += [f"{len(self.missing)} missing", f"{len(self.unused)} unused"]
        return f"  {self.part:<8}{self.coverage:6.1%}: {', '.join(counts)}{''.join(self._remarks())}"

    def _remarks(self) -> Iterator[str]:
        if self.adapted:
            yield f"; adapted {few(self.adapted)}"
        if self.added:
            yield f"; {self.added} of the missing in layers that this model adds"
        if self.dropped:
            yield f"; of another number of classes: {few(self.dropped)}"
        plain = [name for name in self.missing if name not in self.dropped]
        if len(plain) > self.added:
            yield f"; missing {few(plain)}"


@dataclass(frozen=True, kw_only=True)
class WeightReport:
    """The tensors that a model got from a file.

    Attributes:
        source: The source of the weights.
        layout: Name of the file's layout.
        parts: One report for each part that was asked for.
        aside: Names in the file that belong to none of these parts.
        statistics: Mean and standard deviation of the images it was trained on, per channel in 0-255; None if unknown.
        notes: Messages, such as which of several state dicts was chosen.
        unsure: Why mean and standard deviation are a guess; empty if they are certain.
    """

    source: str
    layout: str
    parts: tuple[PartReport, ...]
    aside: tuple[str, ...] = ()
    statistics: Statistics | None = None
    notes: tuple[str, ...] = ()
    unsure: str = ""

    @property
    def loaded(self) -> list[str]:
        """Names of the loaded tensors of all parts."""
        return list(chain.from_iterable(part.loaded for part in self.parts))

    @property
    def adapted(self) -> list[str]:
        """Names of the adapted tensors of all parts."""
        return list(chain.from_iterable(part.adapted for part in self.parts))

    @property
    def missing(self) -> list[str]:
        """Names of the missing tensors of all parts."""
        return list(chain.from_iterable(part.missing for part in self.parts))

    @property
    def unused(self) -> list[str]:
        """Names in the file that were not used, for any part or for none."""
        return [*chain.from_iterable(part.unused for part in self.parts), *self.aside]

    @property
    def coverage(self) -> float:
        """Coverage of the first part, which is the encoder if it was asked for."""
        return self.parts[0].coverage

    def __str__(self) -> str:
        lines = [f"weights of {self.source}, layout {self.layout}", *map(str, self.parts)]
        if self.aside:
            lines.append(f"  left aside: {len(self.aside)} tensors, such as {self.aside[0]}")
        lines += [f"  {note}" for note in self.notes]
        if self.statistics:
            mean, std = (" ".join(f"{value:g}" for value in values) for values in self.statistics)
            lines.append(f"  images: mean {mean}, standard deviation {std}")
        if self.statistics and self.unsure:
            lines.append(f"  warning: {self.unsure}")
        return "\n".join(lines)
