"""Short forms of what messages show, and sizes as people write them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from foveate.datasets.errors import DataConfigError

SHOWN = 5
MOST, MARGIN = 3, 0.03  # names that are suggested, and how much less similar than the first they may be
Size = tuple[int, int] | str  # an option: height and width in pixels, as [256, 512] or 256x512
Side = int | str  # an option: the side of a square in pixels, as 224 or 224x224


def few(names: Iterable[str], shown: int = SHOWN, separator: str = ", ") -> str:
    """The first few of a list, and how many more there are.

    Example:
        >>> few(["a", "b", "c"], shown=2)
        'a, b and 1 more'
    """
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return separator.join(names[:shown]) + more


def near(name: str, known: Iterable[str]) -> str:
    """A hint at the known names (three at most) that are most like a wrong one, whatever its capitals; else empty.

    It answers as `foveate.plugins.hints` does, which data sets do not import.

    Example:
        >>> near("Vehicel", ["vehicle", "person"])
        "; did you mean 'vehicle'?"
    """
    return _suggest(_nearest(name, known))


def near_path(path: Path | str) -> str:
    """A hint at the files or folders beside a path that does not exist; empty if none is similar.

    The first part of the path that does not exist is compared with what lies beside it. Whole paths are told, so that
    one can be copied into a command.

    Args:
        path: A file or folder.
    """
    wanted, rest = Path(path).expanduser(), Path()
    while not wanted.parent.is_dir() and wanted.parent != wanted:
        wanted, rest = wanted.parent, Path(wanted.name) / rest
    try:
        beside = [entry.name for entry in wanted.parent.iterdir()]
    except OSError:
        return ""
    similar = (wanted.parent / name / rest for name in _nearest(wanted.name, beside))
    return _suggest([str(one) for one in similar if one.exists()])


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    by_key: dict[str, str] = {}
    for one in known:
        by_key.setdefault(_key(one), one)
    wanted = _key(name)
    pool = [wanted] if wanted in by_key else list(by_key)
    close = difflib.get_close_matches(wanted, pool, n=len(pool) or 1) if wanted else []
    likeness = {key: difflib.SequenceMatcher(None, key, wanted).ratio() for key in close}
    ranked = sorted((key for key in by_key if key in likeness), key=lambda key: -likeness[key])[:MOST]
    return [by_key[key] for key in ranked if likeness[key] >= likeness[ranked[0]] - MARGIN]


def _suggest(names: Sequence[str]) -> str:
    *others, last = map(repr, names) if names else [""]
    return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?" if last else ""


def _key(name: str) -> str:
    return re.sub(r"[^\w]|_", "", name.lower())


def to_size(value: Size, name: str) -> tuple[int, int]:
    """Height and width of an option that holds a size.

    Args:
        value: What a recipe or the command line gives.
        name: The option, for the message.

    Raises:
        DataConfigError: It is not a size.

    Example:
        >>> to_size("256x320", "crop"), to_size((256, 320), "crop")
        ((256, 320), (256, 320))
    """
    if isinstance(value, str):
        try:
            return parse_size(value)
        except DataConfigError as error:
            raise DataConfigError(f"{name}: {error}") from None
    if len(value) != 2 or min(value) < 1:
        raise DataConfigError(f"{name} is a height and a width in pixels, such as [256, 512] or 256x512, not {value}")
    return value[0], value[1]


def to_side(value: Side, name: str) -> int:
    """Side of the square that an option asks for.

    Args:
        value: What a recipe or the command line gives.
        name: The option, for the message.

    Raises:
        DataConfigError: It is not a whole number from 1, or height and width differ.

    Example:
        >>> to_side(224, "image_size"), to_side("224x224", "image_size")
        (224, 224)
    """
    if isinstance(value, str):
        height, width = to_size(value, name) if not value.strip().isdigit() else (int(value), int(value))
        if height != width:
            raise DataConfigError(f"{name} is the side of a square, such as {height} or {height}x{height}, not {value}")
        value = height
    if value < 1:
        raise DataConfigError(f"{name} is at least 1, not {value}")
    return value


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels.

    Args:
        text: HEIGHTxWIDTH, such as 256x512; also 256,512 or [256, 512], as a recipe writes it.

    Raises:
        DataConfigError: It is not written so.

    Example:
        >>> parse_size("1024x2048"), parse_size("[256, 512]")
        ((1024, 2048), (256, 512))
    """
    found = re.fullmatch(r"[\[(]?\s*(\d+)\s*[xX,]\s*(\d+)\s*[\])]?", text.strip())
    if found is None or min(int(found[1]), int(found[2])) < 1:
        raise DataConfigError(f"a size is HEIGHTxWIDTH in pixels, such as 256x512, not {text!r}")
    return int(found[1]), int(found[2])
