"""Chooses the rule by which images and masks belong together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foveate.datasets.errors import DataError
from foveate.datasets.folders.joining import (
    Joined,
    Rule,
    by_regex,
    class_folder,
    folder_of_masks,
    join,
    same_name,
    without_suffix,
)
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.folders.places import Place
from foveate.datasets.folders.suffixes import common_suffixes

SAME = Rule("by name", same_name, same_name)
FOLDER_EACH = Rule("a folder of masks for each image", same_name, folder_of_masks, several=True)
FOLDER_EACH_CLASS = Rule("a folder of masks for each class", same_name, class_folder, several=True)
SHARED_FOLDER = Rule("one image in each folder", folder_of_masks, folder_of_masks, several=True)


def pair_places(images: Sequence[Place], masks: Sequence[Place], options: FolderOptions) -> Joined:
    """Pair images and masks by the first rule that leaves nothing over, else by the one that pairs most.

    Args:
        images: Places with images.
        masks: Places with masks.
        options: What the user says.

    Raises:
        DataError: Two files claim to be the same image or mask, by every rule.
    """
    best: Joined | None = None
    refused: DataError | None = None
    for rule in _rules(images, masks, options):
        try:
            joined = join(images, masks, rule)
        except DataError as error:
            refused = refused or error
            continue
        if joined.complete:
            return joined
        if best is None or len(joined.images) > len(best.images):
            best = joined
    if best is None:
        assert refused is not None  # there is at least one rule
        raise refused
    return best


def _rules(images: Sequence[Place], masks: Sequence[Place], options: FolderOptions) -> Iterator[Rule]:
    """Rules to try: the one that the user says, or all, plain ones first."""
    if options.pair_by:
        key = by_regex(options.pair_by)
        yield Rule(f"by {options.pair_by!r}", key, key)
        return
    if options.image_suffix or options.mask_suffix:
        yield suffix_rule(options.image_suffix or "", options.mask_suffix or "")
        return
    yield SAME
    of_images, of_masks = ["", *common_suffixes(images)], ["", *common_suffixes(masks)]
    pairs = [(one, other) for one in of_images for other in of_masks if one or other]
    yield from (suffix_rule(one, other) for one, other in sorted(pairs, key=lambda pair: len("".join(pair))))
    yield from (FOLDER_EACH, FOLDER_EACH_CLASS, SHARED_FOLDER)


def suffix_rule(image_suffix: str, mask_suffix: str) -> Rule:
    """Pair by name, after cutting off suffixes.

    Args:
        image_suffix: Of images; empty for none.
        mask_suffix: Of masks; empty for none.
    """
    named = [f"{suffix} of {what}" for suffix, what in ((image_suffix, "images"), (mask_suffix, "masks")) if suffix]
    return Rule(f"by name without {' and '.join(named)}", without_suffix(image_suffix), without_suffix(mask_suffix))
