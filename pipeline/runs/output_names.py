"""Names that loggers and checkpoints make files from: they never lead out of the run's directory."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath, PureWindowsPath

from foveate.pipeline.errors import ConfigError

# What Lightning's loggers and its ModelCheckpoint hold the parts of their files' paths in.
PARTS = ("filename", "_name", "_version", "_id", "_sub_dir", "_prefix")
CONTROL = re.compile(r"[\x00-\x1f]")


def check_output_names(writers: Iterable[object]) -> None:
    """Refuse names that lead out of the folder that a logger or a checkpoint callback writes to.

    A folder of its own, such as `dirpath` or `save_dir`, may be anywhere: it is asked for as a folder.

    Args:
        writers: The loggers and callbacks of a training.

    Raises:
        ConfigError: A name is absolute, holds `..`, or a NUL or another control character.
    """
    for writer in writers:
        for part in PARTS:
            name = getattr(writer, part, None)
            if isinstance(name, str) and leads_outside(name):
                raise ConfigError(
                    f"{type(writer).__name__}: {part.strip('_')} {name!r} is refused, since it leads out of the run's "
                    "directory; give a name without '..', not an absolute path"
                )


def leads_outside(name: str) -> bool:
    """Whether a name, taken as a path below a folder, may lead out of it on any system.

    Args:
        name: The name.

    Example:
        >>> leads_outside("step-{step}"), leads_outside("a/../../b"), leads_outside("C:x")
        (False, True, True)
    """
    path = PureWindowsPath(name)
    return bool(path.anchor or PurePath(name).is_absolute() or ".." in path.parts or CONTROL.search(name))
