"""Finds images, masks and splits below a folder, and says in words what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foveate.datasets.errors import DataError, UnpairedError
from foveate.datasets.files.pair_list import SEPARATOR, PairList
from foveate.datasets.folders.candidates import Candidate, list_candidates
from foveate.datasets.folders.dividing import divide
from foveate.datasets.folders.joining import Joined
from foveate.datasets.folders.lists import find_lists
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.folders.pairing import pair_places
from foveate.datasets.folders.places import Place, find_places
from foveate.datasets.folders.tree import Tree, walk
from foveate.datasets.folders.unpaired import report_unpaired
from foveate.datasets.text import few

EXPECTED = (
    "expected images/ and masks/ (also labels/, annotations/, img_dir/ and ann_dir/, JPEGImages/ and "
    "SegmentationClass/, imagesTr/ and labelsTr/), with train/ and val/ above or below, or lists train.txt and "
    "val.txt, or neither; name other folders with --data.image_dir DIR --data.mask_dir DIR"
)


class NoPairsError(DataError):
    """A folder holds no images, or none that has a mask."""


@dataclass(frozen=True)
class FolderLayout:
    """What was found below a folder.

    Attributes:
        splits: Pairs of each split; test may be missing.
        several: Whether a mask is several files, one for each class or object.
        lines: What was found, in words.
    """

    splits: Mapping[str, PairList]
    several: bool
    lines: Sequence[str]


def find_layout(
    root: Path, options: FolderOptions, progress: Callable[[int], None] = lambda count: None
) -> FolderLayout:
    """Find images, masks and splits.

    Args:
        root: The data set's folder.
        options: What the user says.
        progress: Told how many files were listed.

    Raises:
        NoPairsError: There are no images, or none has a mask.
        DataError: Two readings fit equally well.
        UnpairedError: Files have no partner.
        DataConfigError: An option is out of range.
    """
    tree = walk(root, progress)
    places = find_places(tree.images)
    if not places:
        raise NoPairsError(f"{root}: no images in it; {EXPECTED}")
    (images, masks), joined = _choose(root, list_candidates(places, options), options)
    lists = {} if any(joined.splits) and not options.lists else find_lists(tree.others, options.lists)
    if options.lists and not lists:
        raise DataError(f"{root / options.lists}: no train.txt, val.txt or test.txt in that folder")
    chosen, how = divide(root, joined, lists, options)
    if "train" not in chosen:
        raise DataError(f"{root}: no pairs in train ({how}; there are: {', '.join(chosen) or 'none'}). {EXPECTED}")
    pairs = PairList(root, joined.images, _labels(joined))
    splits = {name: pairs.select(indices) for name, indices in chosen.items()}
    notes = [] if lists else _report(root, joined, options, splits)  # lists say what belongs to the data set
    head = f"{root}: {_describe(images)} with {_describe(masks)}, paired {joined.rule.how}; {how}"
    counts = ", ".join(f"{name} {len(some)}" for name, some in splits.items())
    passed = _passed_over(tree, images, masks)
    return FolderLayout(splits, joined.rule.several, [f"{head}: {counts}", *notes, *passed])


def _report(root: Path, joined: Joined, options: FolderOptions, splits: Mapping[str, PairList]) -> list[str]:
    try:
        return report_unpaired(root, joined, options)
    except UnpairedError as error:
        error.splits = splits
        raise


def _choose(root: Path, candidates: Sequence[Candidate], options: FolderOptions) -> tuple[Candidate, Joined]:
    """The reading of the folders that pairs most, and its pairs."""
    tried = []
    for images, masks in candidates:
        joined = pair_places(images, masks, options)
        if joined.images:
            tried.append(((images, masks), joined))
    if not tried:
        raise NoPairsError(f"{root}: no image has a mask; {EXPECTED}{_seen(candidates)}")
    best = max(tried, key=lambda one: (one[1].complete, len(one[1].images)))
    equal = [one for one in tried if (one[1].complete, len(one[1].images)) == (best[1].complete, len(best[1].images))]
    if len(equal) > 1 and len({_describe(one[0][1]) for one in equal}) > 1:
        found = " or ".join(f"{_describe(one[0][1])}" for one in equal)
        raise DataError(f"{root}: masks may be {found}; say which: --data.image_dir DIR --data.mask_dir DIR")
    return best


def _seen(candidates: Sequence[Candidate]) -> str:
    """Some names of the likeliest reading, to see why they do not match."""
    if not candidates:
        return ""
    images, masks = ([path for place in places for _, path in place.files()] for places in candidates[0])
    if not images or not masks:
        return ""
    return f". Seen: image {images[0]}, mask {masks[0]}; if a part of the names is the same: --data.pair_by REGEX"


def _labels(joined: Joined) -> list[str]:
    """The names of a PairList's label maps."""
    if not joined.rule.several:
        return [paths[0] for paths in joined.masks]
    return [SEPARATOR.join((_shared(paths), *paths)) for paths in joined.masks]


def _shared(paths: Sequence[str]) -> str:
    """The folder that the files of one mask share; the first file where they share none."""
    folders = {path.rpartition("/")[0] for path in paths}
    return next(iter(folders)) if len(folders) == 1 else paths[0]


def _describe(places: Sequence[Place]) -> str:
    """The folders of some places, such as images/<split>/."""
    families = sorted({place.family or place.folder for place in places if place.names})
    return few([f"{family}/" if family else "the folder itself" for family in families], 3)


def _passed_over(tree: Tree, images: Sequence[Place], masks: Sequence[Place]) -> list[str]:
    """A line on folders with images that belong to neither."""
    used = {place.folder for place in (*images, *masks)}
    rest = {folder: len(names) for folder, names in tree.images.items() if folder not in used}
    listed = few([f"{folder or '.'}/ ({count})" for folder, count in sorted(rest.items())])
    return [f"passed over: {listed}"] if rest else []
