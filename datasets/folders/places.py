"""Folders with image files, and what their paths say: images or masks, the split, and what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from foveate.datasets.folders.names import Role, understand_name, without_split


@dataclass(frozen=True)
class Place:
    """A folder with image files.

    Attributes:
        folder: Its path below the root, with `/`.
        names: The names of its image files.
        role: Whether it holds images or masks; None if its path does not say.
        split: train, val or test; None if its path does not say.
        rest: The part of the path that says nothing, which an image and its mask share.
        family: The part that says something, without the split: places of one family hold the same kind of files.
    """

    folder: str
    names: Sequence[str]
    role: Role | None
    split: str | None
    rest: str
    family: str

    def files(self) -> Iterator[tuple[str, str]]:
        """Stem, and path below the root, of each file."""
        prefix = f"{self.folder}/" if self.folder else ""
        for name in self.names:
            yield name.rpartition(".")[0], prefix + name


def find_places(images: Mapping[str, Sequence[str]]) -> list[Place]:
    """The folders of a tree, understood.

    Args:
        images: Folder -> names of image files, as in `Tree.images`.
    """
    return [understand_folder(folder, names) for folder, names in images.items()]


def understand_folder(folder: str, names: Sequence[str]) -> Place:
    """One folder, understood by the names in its path; the deepest counts.

    Args:
        folder: Its path below the root, with `/`.
        names: The names of its image files.

    Example:
        >>> place = understand_folder("train/Images/night", [])
        >>> place.role, place.split, place.rest, place.family
        ('image', 'train', 'night', '<split>/Images')
    """
    role: Role | None = None
    split: str | None = None
    rest: list[str] = []
    family: list[str] = []
    for part in folder.split("/") if folder else []:
        said = understand_name(part)
        role, split = said.role or role, said.split or split
        if said.says_nothing:
            rest.append(part)
        else:
            family.append(without_split(part) if said.role else "<split>")
    return Place(folder, names, role, split, "/".join(rest), "/".join(family))


def as_role(places: Sequence[Place], role: Role) -> list[Place]:
    """The same places, said to hold images or masks."""
    return [replace(place, role=role) for place in places]
