"""Which folders hold images and which hold masks: every reading of a tree that makes sense."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from foveate.datasets.errors import DataError
from foveate.datasets.folders.names import understand_name
from foveate.datasets.folders.options import FolderOptions
from foveate.datasets.folders.places import Place, as_role
from foveate.datasets.folders.suffixes import mask_suffixes
from foveate.datasets.text import few

Candidate = tuple[list[Place], list[Place]]  # images and masks


def list_candidates(places: Sequence[Place], options: FolderOptions) -> list[Candidate]:
    """Places of images and of masks, for each reading.

    Args:
        places: All folders with image files.
        options: What the user says.

    Raises:
        DataError: A folder that the user named holds no images.
    """
    if options.image_dir and options.mask_dir:
        return [(_below(places, options.image_dir, "image_dir"), _below(places, options.mask_dir, "mask_dir"))]
    images, masks = (_families(places, role) for role in ("image", "mask"))
    nameless = [place for place in places if place.role is None]
    if images and masks:
        return [(one, other) for one in images for other in masks]
    if masks and nameless:
        return [(nameless, other) for other in masks]
    candidates: list[Candidate] = []
    if images and nameless:
        candidates += [(one, other) for one in images for other in _tops(nameless)]
    for together in [*images, nameless]:
        candidates += list(_taken_apart(together, options))
    return candidates


def _below(places: Sequence[Place], folder: str, what: str) -> list[Place]:
    """The places in a folder that the user named; their paths are understood from there on."""
    wanted = PurePosixPath(folder.strip("/"))
    found = [place for place in places if PurePosixPath(place.folder).is_relative_to(wanted)]
    if not found:
        known = few(sorted({place.folder or "." for place in places}))
        raise DataError(
            f"--data.{what} {folder}: no image files in that folder of --data.root (there are some in: {known})"
        )
    length = len(wanted.parts)
    return [
        replace(place, rest="/".join(_rest(PurePosixPath(place.folder).parts[length:])), family=str(wanted))
        for place in found
    ]


def _rest(parts: Sequence[str]) -> list[str]:
    return [part for part in parts if understand_name(part).split is None]


def _families(places: Sequence[Place], role: str) -> list[list[Place]]:
    """The places of a role, by family."""
    families: dict[str, list[Place]] = {}
    for place in places:
        if place.role == role:
            families.setdefault(place.family, []).append(place)
    return list(families.values())


def _tops(nameless: Sequence[Place]) -> Iterator[list[Place]]:
    """Folders whose names say nothing, as places of masks: the topmost name is not part of the rest."""
    tops: dict[str, list[Place]] = {}
    for place in nameless:
        top, _, rest = place.rest.partition("/")
        family = f"{top}/{place.family}" if place.family else top
        tops.setdefault(top, []).append(replace(place, role="mask", rest=rest, family=family))
    yield from tops.values()


def _taken_apart(places: Sequence[Place], options: FolderOptions) -> Iterator[Candidate]:
    """Images and masks that lie in the same folders, told apart by a suffix or by their endings."""
    suffixes = [options.mask_suffix] if options.mask_suffix else mask_suffixes(places)
    for suffix in suffixes:
        yield _divided(places, lambda name, suffix=suffix: _stem(name).casefold().endswith(suffix.casefold()))
    endings = {name.rpartition(".")[2].lower() for place in places for name in place.names}
    for ending in sorted(endings & {"png", "npy", "bmp", "tif", "tiff", "gif"}) if len(endings) > 1 else ():
        yield _divided(places, lambda name, ending=ending: name.lower().endswith(f".{ending}"))


def _divided(places: Sequence[Place], is_mask: object) -> Candidate:
    assert callable(is_mask)
    images = [replace(place, names=[name for name in place.names if not is_mask(name)]) for place in places]
    masks = [replace(place, names=[name for name in place.names if is_mask(name)]) for place in places]
    return as_role(images, "image"), as_role(masks, "mask")


def _stem(name: str) -> str:
    return name.rpartition(".")[0]
