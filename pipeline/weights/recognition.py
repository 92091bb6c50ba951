"""Finds the layout and the prefix of a file's names by which most tensors of the model are matched."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from foveate.pipeline.weights.layouts.known import FOVEATE, LAYOUTS
from foveate.pipeline.weights.layouts.layout import Layout
from foveate.pipeline.weights.nested import rank

PARTS = ("encoder", "decoder", "head", "input")
WRAPPED = re.compile(r"\bencoder\.(?:model\.)+")  # some of timm's encoders lie in a wrapper of its own too

INSIDE = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")  # words that wrappers insert into names


@dataclass(frozen=True, kw_only=True)
class Match:
    """A file's names, translated to ours.

    Attributes:
        layout: The layout that matches most of the model's tensors.
        names: Our name -> the file's name, for every name that the layout knows.
        unknown: The file's other names.
        prefix: Prefix of the encoder's names in the file, such as `module.backbone.`.
        also: Other prefixes with as many of the model's tensors, which belong to other models in the file.
    """

    layout: Layout
    names: Mapping[str, str]
    unknown: tuple[str, ...]
    prefix: str = ""
    also: tuple[str, ...] = ()


def recognise(found: Collection[str], wanted: Collection[str]) -> Match:
    """Translate a file's names, with the layout and the prefix that match most of the wanted names.

    Args:
        found: The file's names.
        wanted: The model's tensors, by our names.
    """
    best, most = None, -1
    needed = sum(not is_optional(name) for name in wanted)
    for layout in LAYOUTS:
        match = _read(layout, found, wanted)
        count = sum(name in wanted for name in match.names)
        if count > most:
            best, most = match, count
        if sum(name in wanted and not is_optional(name) for name in match.names) == needed:
            break  # all are matched
    assert best is not None
    return best


def canonical(name: str) -> str:
    """Our name without the levels that `FeatureEncoder` and timm add around a library's encoder.

    Args:
        name: Our name of a tensor.
    """
    return WRAPPED.sub("encoder.", name.replace("_orig_mod.", ""))


def _read(layout: Layout, found: Collection[str], wanted: Collection[str]) -> Match:
    """A file's names translated by one layout, with the prefix that matches most of the wanted names."""
    plain = {_without_wrappers(name): name for name in found}
    short = {canonical(name) if layout is FOVEATE else name: original for name, original in plain.items()}
    expected = {theirs: ours for ours in wanted if (theirs := layout.from_ours(ours)) is not None}
    encoders = {theirs for theirs, ours in expected.items() if part_of(ours) == "encoder"}
    prefix, also = _prefix(short, encoders or expected.keys())
    rest = _prefix_of_rest(short, expected.keys() - encoders, prefix)
    known: dict[str, str] = {}
    for start in dict.fromkeys((prefix, rest)):
        for name, original in short.items():
            ours = layout.to_ours(name.removeprefix(start)) if name.startswith(start) else None
            if ours is not None and (start == rest or part_of(ours) == "encoder"):
                known.setdefault(ours, original)
    used = set(known.values())
    unknown = tuple(name for name in found if name not in used)
    return Match(layout=layout, names=known, unknown=unknown, prefix=prefix, also=also)


def _without_wrappers(name: str) -> str:
    for word in INSIDE:
        name = name.replace(word, "")
    return name


def _prefix(found: Collection[str], expected: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """The prefix with which most of the expected names are in the file, and others with as many.

    Among several, an average of the weights is preferred (a teacher before its student), then the shortest.
    """
    counts: Counter[str] = Counter()
    for name in found:
        words = name.split(".")
        for start in range(len(words)):
            if ".".join(words[start:]) in expected:
                counts["".join(f"{word}." for word in words[:start])] += 1
    if not counts:
        return "", ()
    most = max(counts.values())
    alike = sorted((p for p, count in counts.items() if count == most), key=lambda p: (rank(p), len(p)))
    return alike[0], tuple(alike[1:])


def _prefix_of_rest(found: Collection[str], expected: Collection[str], prefix: str) -> str:
    """The prefix of the names of the head or decoder: that of the encoder, or a shorter part of it."""
    words = prefix.split(".")[:-1]
    able = ["".join(f"{word}." for word in words[:count]) for count in range(len(words), -1, -1)]
    return max(able, key=lambda start: sum(start + name in found for name in expected))


def part_of(name: str) -> str:
    """The part of a model that a tensor belongs to.

    Args:
        name: Our name of a tensor.
    """
    return name.partition(".")[0]


def is_added(name: str) -> bool:
    """Whether a tensor is in a layer that published networks do not have.

    These are blocks in attention slots, and the pyramid that makes a ViT the encoder of a segmenter.

    Args:
        name: Our name of a tensor.
    """
    return re.match(r"(encoder|decoder)\.(.+\.)?(attention\d*|spatial_gating_unit|pyramid)\.", name) is not None


def is_optional(name: str) -> bool:
    """Whether a tensor may be missing: batch counts, which are not used, and the fixed bases of our decoder.

    Args:
        name: Our name of a tensor.
    """
    return name.endswith((".num_batches_tracked", ".ham.bases"))
