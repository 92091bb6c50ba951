"""Joins images and masks by a key that both have."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from foveate.datasets.errors import DataConfigError, DataError
from foveate.datasets.folders.places import Place

Key = Callable[[Place, str, str], str | None]  # place, stem and path of a file -> its key; None leaves the file out


@dataclass(frozen=True)
class Rule:
    """A way to tell which mask belongs to an image.

    Attributes:
        how: What it does, for messages.
        image_key: The key of an image.
        mask_key: The key of a mask.
        several: Whether an image may have several mask files.
    """

    how: str
    image_key: Key
    mask_key: Key
    several: bool = False


@dataclass(frozen=True)
class Joined:
    """Images and masks that were joined.

    Attributes:
        rule: How.
        keys: What image and mask of each pair share, such as the name without folder and ending.
        splits: Split of each pair; None where neither path says it.
        images: Path of each image below the root, in the order of the keys.
        masks: Path or paths of the mask of each.
        lonely_images: Images without a mask.
        lonely_masks: Masks without an image.
        left_out: Files that have no key.
    """

    rule: Rule
    keys: list[str]
    splits: list[str | None]
    images: list[str]
    masks: list[tuple[str, ...]]
    lonely_images: list[str]
    lonely_masks: list[str]
    left_out: list[str]

    @property
    def complete(self) -> bool:
        """Whether nothing was left over."""
        return bool(self.images) and not (self.lonely_images or self.lonely_masks or self.left_out)


def join(images: Sequence[Place], masks: Sequence[Place], rule: Rule) -> Joined:
    """Join images and masks by a rule. Letter case is ignored, except in names that differ by nothing else.

    Args:
        images: Places with images.
        masks: Places with masks.
        rule: How.

    Raises:
        DataError: Two images have one key, or two masks, where the rule allows one.
    """
    with_splits = any(place.split for place in masks) and any(place.split for place in images)
    left_out: list[str] = []
    of_images = list(_keyed(images, rule.image_key, with_splits, left_out))
    of_masks = list(_keyed(masks, rule.mask_key, with_splits, left_out))
    exact = _doubled(of_images) | (set() if rule.several else _doubled(of_masks))
    seen: dict[str, tuple[str, str | None]] = {}
    for folded, key, path, split in of_images:
        key = key if folded in exact else folded
        if key in seen:
            raise DataError(f"two files for one image or mask: {seen[key][0]} and {path}")
        seen[key] = (path, split)
    found: dict[str, list[str]] = {}
    for folded, key, path, _ in of_masks:
        found.setdefault(key if folded in exact else folded, []).append(path)
    doubled = [] if rule.several else next((paths for paths in found.values() if len(paths) > 1), [])
    if doubled:
        raise DataError(f"two files for one image or mask: {doubled[0]} and {doubled[1]}")
    return _joined(rule, seen, found, left_out)


def _doubled(files: Sequence[tuple[str, str, str, str | None]]) -> set[str]:
    """Keys in small letters that several files have."""
    if len({file[0] for file in files}) == len(files):
        return set()
    return {key for key, count in Counter(file[0] for file in files).items() if count > 1}


def _joined(
    rule: Rule, images: dict[str, tuple[str, str | None]], masks: dict[str, list[str]], left_out: list[str]
) -> Joined:
    keys = sorted(images.keys() & masks.keys())
    return Joined(
        rule,
        keys=[key.rpartition("\n")[2] for key in keys],
        splits=[images[key][1] for key in keys],
        images=[images[key][0] for key in keys],
        masks=[tuple(sorted(masks[key])) for key in keys],
        lonely_images=sorted(images[key][0] for key in images.keys() - masks.keys()),
        lonely_masks=sorted(path for key in masks.keys() - images.keys() for path in masks[key]),
        left_out=sorted(left_out),
    )


def _keyed(
    places: Sequence[Place], key_of: Key, with_splits: bool, left_out: list[str]
) -> Iterator[tuple[str, str, str, str | None]]:
    """Key in small letters, key, path and split of each file that has a key; the others are added to `left_out`."""
    for place in places:
        prefix = f"{place.split or ''}\n" if with_splits else ""
        for stem, path in place.files():
            key = key_of(place, stem, path)
            if key is None:
                left_out.append(path)
            else:
                yield prefix + key.casefold(), prefix + key, path, place.split


def same_name(place: Place, stem: str, path: str) -> str:
    """The part of the path that says nothing, and the name without ending."""
    return f"{place.rest}/{stem}" if place.rest else stem


def without_suffix(suffix: str) -> Key:
    """The same, with a suffix of the name cut off; names without it are left out.

    Args:
        suffix: As it ends the names, in any letter case.
    """
    lower, length = suffix.casefold(), len(suffix)

    def key(place: Place, stem: str, path: str) -> str | None:
        if not stem.casefold().endswith(lower):
            return None
        return same_name(place, stem[: len(stem) - length], path)

    return key


def folder_of_masks(place: Place, stem: str, path: str) -> str:
    """The folder of a mask, named after its image."""
    return place.rest


def class_folder(place: Place, stem: str, path: str) -> str:
    """The name of a mask in a folder of its class."""
    above = place.rest.rpartition("/")[0]
    return f"{above}/{stem}" if above else stem


def by_regex(pattern: str) -> Key:
    """What a regular expression finds in the path: its groups, or all that it matches.

    Args:
        pattern: The regular expression.

    Raises:
        DataConfigError: It is none.
    """
    compiled = compile_regex(pattern, "pair_by")

    def key(place: Place, stem: str, path: str) -> str | None:
        return found_by(compiled, path)

    return key


def compile_regex(pattern: str, option: str) -> re.Pattern[str]:
    """A regular expression of an option.

    Args:
        pattern: What was given.
        option: The option, for the message.

    Raises:
        DataConfigError: It is none.
    """
    try:
        return re.compile(pattern)
    except re.error as error:
        raise DataConfigError(f"{option} is a regular expression, and {pattern!r} is none: {error}") from error


def found_by(pattern: re.Pattern[str], path: str) -> str | None:
    """The groups of a match, joined, or all that was matched; None if there is no match."""
    match = pattern.search(path)
    if match is None:
        return None
    return "/".join(part or "" for part in match.groups()) if match.groups() else match.group()
