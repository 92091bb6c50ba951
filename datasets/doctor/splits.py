"""Checks of splits: what is in two of them, or twice in one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from foveate.datasets.doctor.check import Check
from foveate.datasets.doctor.facts import Facts
from foveate.datasets.doctor.finding import Found, Place, Severity
from foveate.datasets.doctor.similar import near_pairs
from foveate.datasets.doctor.wording import images, several
from foveate.datasets.text import few

SIDE = 16
Twins = list[tuple[Place, Place]]  # the later one and the first


def same_file(facts: Facts) -> Iterable[Found]:
    """Images that are, byte for byte, in two splits."""
    twins = [(place, first) for place, first in _equal(facts) if place.split != first.split]
    if twins:
        yield _told(facts, twins, "the same file is in two splits, so that scores tell what was learnt by heart")


def repeated(facts: Facts) -> Iterable[Found]:
    """Images that are twice in one split."""
    twins = [(place, first) for place, first in _equal(facts) if place.split == first.split]
    if twins:
        yield _told(facts, twins, "the same file is in a split twice, and counts twice")


def contradicting(facts: Facts) -> Iterable[Found]:
    """Images that are in two classes."""
    if facts.is_segmentation:
        return
    labels = {place: sample.label for place, sample in facts.samples()}
    twins = [(place, first) for place, first in _equal(facts) if labels[place] != labels[first]]
    if twins:
        yield _told(facts, twins, "the same file is in two classes, of which one is wrong")


def _equal(facts: Facts) -> Twins:
    """Places with the content of an earlier one."""
    seen: dict[bytes, Place] = {}
    twins = []
    for place, sample in facts.samples():
        if sample.content:
            first = seen.setdefault(sample.content, place)
            if first != place:
                twins.append((place, first))
    return twins


def nearly_same(facts: Facts) -> Iterable[Found]:
    """Images in two splits that look alike."""
    twins = [(one, other) for one, other in _near(facts) if one.split != other.split]
    if twins:
        told = "nearly the same image is in two splits, as with frames of one video or copies of another size"
        yield _told(facts, twins, f"{told}; keep what belongs together in one split (--data.group)")


def nearly_repeated(facts: Facts) -> Iterable[Found]:
    """Images of one split that look alike."""
    twins = [(one, other) for one, other in _near(facts) if one.split == other.split]
    if twins:
        yield _told(facts, twins, "nearly the same image is in a split twice")


def _near(facts: Facts) -> Twins:
    """Places that look like another one; of equal files the first stands for all."""
    first_of = {sample.content: (place, sample) for place, sample in reversed([*facts.samples()]) if sample.thumbnail}
    known = list(reversed(first_of.values()))
    if not known:
        return []
    joined = b"".join(sample.thumbnail for _, sample in known)
    thumbs = np.frombuffer(joined, dtype=np.uint8).reshape(-1, SIDE, SIDE)
    return [(known[second][0], known[first][0]) for first, second in near_pairs(thumbs).tolist()]


def _told(facts: Facts, twins: Twins, text: str) -> Found:
    listed = few((f"{facts.path(place)} and {facts.path(other)}" for place, other in twins), 2, "; ")
    places = list(dict.fromkeys(place for place, _ in twins))
    partner = dict(reversed(twins))
    return Found(
        message=f"{images(len(places))}: {text}: {listed}",
        places=places,
        beside=[partner[place] for place in places],
        numbers={"pairs": [[facts.path(place), facts.path(other)] for place, other in twins]},
    )


def divided_groups(facts: Facts) -> Iterable[Found]:
    """Groups of which a part is in another split."""
    of: dict[str, dict[str, int]] = {}
    for split, groups in facts.groups.items():
        for index, group in enumerate(groups):
            of.setdefault(group, {}).setdefault(split, index)
    divided = {group: found for group, found in of.items() if len(found) > 1}
    if divided:
        shown = few((f"{group!r} in {' and '.join(found)}" for group, found in divided.items()), 3)
        yield Found(
            message=f"{several(len(divided), 'group is', 'groups are')} in two splits: {shown}; move each into one",
            places=[Place(split, index) for found in divided.values() for split, index in found.items()],
            count=len(divided),
        )


def empty_splits(facts: Facts) -> Iterable[Found]:
    """Splits without pairs."""
    names: Sequence[str] = [name for name, split in facts.splits.items() if not len(split.pairs)]
    return [Found(message=f"{name} is empty", count=1) for name in names]


CHECKS = (
    Check(
        id="splits.empty",
        severity=Severity.ERROR,
        summary="splits without a pair",
        run=empty_splits,
        cheap=True,
    ),
    Check(
        id="splits.same",
        severity=Severity.ERROR,
        summary="the same image in two splits, byte for byte",
        run=same_file,
        images=True,
    ),
    Check(
        id="splits.near",
        severity=Severity.WARNING,
        summary="nearly the same image in two splits",
        run=nearly_same,
        images=True,
    ),
    Check(
        id="splits.groups",
        severity=Severity.ERROR,
        summary="groups (--data.group) that are in two splits",
        run=divided_groups,
        cheap=True,
    ),
    Check(
        id="splits.classes",
        severity=Severity.WARNING,
        summary="the same image in two class folders",
        run=contradicting,
        images=True,
    ),
    Check(
        id="splits.twice",
        severity=Severity.WARNING,
        summary="the same image twice in one split",
        run=repeated,
        images=True,
    ),
    Check(
        id="splits.alike",
        severity=Severity.INFO,
        summary="nearly the same image twice in one split",
        run=nearly_repeated,
        images=True,
    ),
)
