"""What can be wrong with data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class DataError(Exception):
    """Data is missing, damaged or does not fit; the message names the file and says what to do."""

    exit_code = 3
    code_name = "data"


class DataConfigError(DataError):
    """The recipe or the command line describes the data in a way that cannot work."""

    exit_code = 2
    code_name = "config"


class UnpairedError(DataError):
    """Images have no label map, or label maps no image.

    Args:
        message: What is unpaired, and what to do.
        images: Images without a label map.
        masks: Label maps without an image.
        splits: Name of a split -> the pairs that there are.
    """

    def __init__(
        self, message: str, images: Sequence[str], masks: Sequence[str], splits: Mapping[str, Sequence[Any]]
    ) -> None:
        super().__init__(message)
        self.images = images
        self.masks = masks
        self.splits = splits


class LoadingError(Exception):
    """A reading process was lost or hangs; trying again, perhaps with other settings, may help."""

    exit_code = 138
    code_name = "machine"


class DamagedError(DataError):
    """A file is missing or cannot be decoded; a training may skip it if the recipe says so."""


class TooLargeError(DataError):
    """An image has more pixels than are allowed; its header says so, and it was not decoded."""
