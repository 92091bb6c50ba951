"""Which files are videos, and how one is opened."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from foveate.pipeline.errors import ConfigError, UnusableDataError
from foveate.pipeline.text import first_line

ENDINGS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv", ".3gp")


def is_video(path: Path) -> bool:
    """Whether a path is named like a video.

    Args:
        path: Any path.

    Example:
        >>> is_video(Path("drive.MP4")), is_video(Path("drive.png"))
        (True, False)
    """
    return path.suffix.lower() in ENDINGS


def check_installed() -> None:
    """Refuse videos where the library that reads them is missing.

    Raises:
        ConfigError: The extra `video` is not installed.
    """
    if importlib.util.find_spec("av") is None:
        raise ConfigError("videos need PyAV: pip install 'foveate[video]'")


def open_video(path: Path) -> Any:
    """Open a video.

    Args:
        path: The file.

    Raises:
        ConfigError: The extra `video` is not installed.
        UnusableDataError: The file is missing, damaged from its start, or holds no moving pictures.
    """
    check_installed()
    import av

    try:
        container = av.open(str(path))
    except (OSError, ValueError) as error:  # errors of FFmpeg are among them
        raise UnusableDataError(f"{path}: cannot be read as a video: {first_line(error)}") from error
    if not container.streams.video:
        container.close()
        raise UnusableDataError(f"{path}: holds no moving pictures")
    return container
