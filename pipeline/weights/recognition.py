"""Finds out whose names a file has, by which of them lead to a tensor of the model."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from foveate.pipeline.weights.layouts.known import FOVEATE, LAYOUTS
from foveate.pipeline.weights.layouts.layout import Layout

WRAPPERS = ("module.", "model.", "network.", "backbone.", "encoder.")  # words that trainers and toolboxes put in front
PARTS = ("encoder", "decoder", "head", "input")


@dataclass(frozen=True, kw_only=True)
class Match:
    """A file's names, in ours.

    Attributes:
        layout: The one that knows most of the model's tensors.
        names: Our name -> the file's, for every name that the layout knows.
        unknown: The file's other names.
    """

    layout: Layout
    names: Mapping[str, str]
    unknown: tuple[str, ...]


def recognise(found: Collection[str], wanted: Collection[str]) -> Match:
    """Read a file's names in the layout, and behind the wrappers, that lead to most of the wanted ones."""
    ways, needed = [], [name for name in wanted if not is_optional(name)]
    for way in readings(found):
        if all(name in way.names for name in needed):  # no better can follow
            return way
        ways.append(way)
    return choose(ways, wanted)


def readings(found: Collection[str]) -> Iterator[Match]:
    """Every way to read a file's names."""
    for names in _unwrapped(found):
        for layout in LAYOUTS:
            yield _read(layout, names, found)


def choose(ways: Collection[Match], wanted: Collection[str]) -> Match:
    """The reading that leads to most of the wanted names; of equals the first."""
    return max(ways, key=lambda way: sum(name in wanted for name in way.names))


def canonical(name: str) -> str:
    """Our name without what an adapter puts round a library's encoder."""
    return name.replace("_orig_mod.", "").replace("encoder.model.", "encoder.", 1)


def _read(layout: Layout, names: Mapping[str, str], found: Collection[str]) -> Match:
    ours = {layout.to_ours(short): original for short, original in names.items()}
    plain = canonical if layout is FOVEATE else str
    known = {plain(name): original for name, original in ours.items() if name is not None}
    used = set(known.values())
    return Match(layout=layout, names=known, unknown=tuple(name for name in found if name not in used))


def _unwrapped(found: Collection[str]) -> Iterator[dict[str, str]]:
    """Short name -> the file's: first as they are, then without one wrapper after another that most of them have.

    A short name of its own, such as `network.encoder.x`, is what remains of each wrapper: of a file with more than
    one model, the names that lack the wrapper are left out.
    """
    names = {name.replace("_orig_mod.", ""): name for name in found}
    while True:
        yield names
        wrapper = next((w for w in WRAPPERS if 2 * sum(n.startswith(w) for n in names) > len(names)), None)
        if wrapper is None:
            return
        names = {short.removeprefix(wrapper): name for short, name in names.items() if short.startswith(wrapper)}


def part_of(name: str) -> str:
    """Which part of a model a name of ours belongs to."""
    return name.partition(".")[0]


def is_added(name: str) -> bool:
    """Whether a tensor of ours is in a layer that is each model's own choice, and in no file but by chance.

    These are the blocks in attention slots, and the pyramid that makes a segmenter's encoder of a ViT.
    """
    return re.match(r"(encoder|decoder)\.(.+\.)?(attention\d*|spatial_gating_unit|pyramid)\.", name) is not None


def is_optional(name: str) -> bool:
    """Whether a tensor may be absent and nothing is lost: a count that nothing reads, and bases of our own."""
    return name.endswith((".num_batches_tracked", ".ham.bases"))
