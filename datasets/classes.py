"""What the numbers of a classification data set mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ClassSet:
    """The classes of a data set, in the order of their numbers 0, 1, 2 ...

    Attributes:
        name: Short name of the data set.
        names: A name for each class.
    """

    name: str
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        doubled = sorted({name for name in self.names if self.names.count(name) > 1})
        if doubled:
            raise ValueError(f"class set {self.name!r}: named twice: {', '.join(doubled)}")

    def __len__(self) -> int:
        return len(self.names)
