"""Explains why a file does not fit a model, and which model it belongs to."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping

from torch import Tensor

from foveate.pipeline.weights.layouts.known import SPECIFIC
from foveate.pipeline.weights.layouts.layout import Layout
from foveate.pipeline.weights.recognition import Match
from foveate.pipeline.weights.report import PartReport
from foveate.pipeline.weights.variants import Shapes, closest, name_of

ALL_BUT = 0.9  # share of the values from which on a file is said to be of a variant


def explain_misfit(state: Mapping[str, Tensor], match: Match, wanted: Shapes, report: PartReport) -> str:
    """One line that says what share of a part fits, and why the rest does not.

    Args:
        state: The file's tensors.
        match: The file's names, translated to ours.
        wanted: Shapes of the model's part, by our names.
        report: Report on the tensors that fit.
    """
    of = name_of(wanted) if report.part == "encoder" else None
    head = f"fits {report.coverage:.0%} of the {report.part}{f' of {of}' if of else ''}"
    known = [name for name in wanted if name in match.names]
    found = {name: tensor.shape for name, tensor in state.items()}
    other = closest(found)
    if other and other[2] >= ALL_BUT and other[0] != of and report.part == "encoder":
        return f"{head}: the file is {other[0]}, layout {other[1]} ({other[2]:.0%} of it by names and shapes)"
    if not known:
        return f"{head}: none of its names match; {_closest_names(state, wanted)}{_same_shapes(state, wanted)}"
    if len(known) < ALL_BUT * len(wanted):
        lacking = next(name for name in wanted if name not in match.names)
        return (
            f"{head}: it holds {len(known)} of its {len(wanted)} tensors by name (layout {match.layout.name}), but "
            f"not {match.layout.from_ours(lacking) or lacking!r}: cut short, or partly renamed?"
        )
    return f"{head}: {_other_shape(found, match, wanted)}; the closest layout is {match.layout.name}"


def _other_shape(found: Shapes, match: Match, wanted: Shapes) -> str:
    names = [name for name in wanted if name in match.names and found[match.names[name]] != wanted[name]]
    theirs = match.names[names[0]]
    return (
        f"{len(names)} tensors have other shapes: {theirs} is {list(found[theirs])} in the file and "
        f"{list(wanted[names[0]])} in the model; it is of another variant"
    )


def _closest_names(state: Mapping[str, Tensor], wanted: Shapes) -> str:
    """Names a tensor in the file, and the name that the most similar layout expects instead."""
    able = [layout for layout in SPECIFIC if len(_expected(layout, wanted)) == len(wanted)]
    layout = max(able, key=lambda layout: _likeness(state, _expected(layout, wanted)))
    first, shape = next(iter(wanted.items()))
    theirs = next((name for name, tensor in state.items() if tensor.shape == shape), next(iter(state)))
    return f"the closest layout is {layout.name}; the file has {theirs!r}, expected {layout.from_ours(first)!r}"


def _expected(layout: Layout, wanted: Shapes) -> list[str]:
    return [name for name in map(layout.from_ours, wanted) if name is not None]


def _likeness(found: Collection[str], names: Collection[str]) -> float:
    """Share of the words that two lists of names have in common, in 0-1; all numbers count as the same word."""
    ours, theirs = _words(names), _words(found)
    return (ours & theirs).total() / max(1, (ours | theirs).total())


def _words(names: Collection[str]) -> Counter[str]:
    return Counter(re.sub(r"\d+", "#", word) for name in names for word in name.split("."))


def _same_shapes(state: Mapping[str, Tensor], wanted: Shapes) -> str:
    """A hint if the shapes of a file are those of the model, so that only its names differ."""
    there = Counter(tuple(tensor.shape) for tensor in state.values())
    asked = Counter(tuple(shape) for shape in wanted.values())
    part = (there & asked).total() / max(1, asked.total())
    return f"; {part:.0%} of the shapes are there, so its names may have been changed" if part >= ALL_BUT else ""
