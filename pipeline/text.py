"""Short forms of what messages and tables show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from foveate.pipeline.errors import ConfigError

SHOWN = 5


def few(names: Iterable[str], shown: int = SHOWN, separator: str = ", ") -> str:
    """The first few of a list, and how many more there are.

    Example:
        >>> few(["a", "b", "c"], shown=2)
        'a, b and 1 more'
    """
    names = list(names)
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return separator.join(names[:shown]) + more


def first_line(error: BaseException, limit: int = 300) -> str:
    """An error in one line: its class, and the first line of what it says.

    Example:
        >>> first_line(ValueError("too large" + chr(10) + "and more")), first_line(EOFError())
        ('ValueError: too large', 'EOFError')
    """
    return _in_one_line(error, 0, limit)


def last_line(error: BaseException, limit: int = 300) -> str:
    """The same with the last line, where compilers say what is wrong."""
    return _in_one_line(error, -1, limit)


def _in_one_line(error: BaseException, which: int, limit: int) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = f"{type(error).__name__}: {lines[which]}" if lines else type(error).__name__
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, padded: bool = False) -> list[str]:
    """The lines of a Markdown table: the first column to the left, the others to the right.

    Args:
        headings: Of the columns.
        rows: A text for each column.
        padded: Fill cells with spaces, so that the table also reads well in a terminal.

    Example:
        >>> markdown_table(["class", "IoU"], [["road", "97.1"]])
        ['| class | IoU |', '| --- | --: |', '| road | 97.1 |']
        >>> markdown_table(["class", "IoU"], [["road", "97.1"]], padded=True)
        ['| class |  IoU |', '| ----- | ---: |', '| road  | 97.1 |']
    """
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) if padded else 3 for column in range(len(headings))]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    if padded:
        cells = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in cells]
    head, *body = cells
    return [f"| {' | '.join(row)} |" for row in (head, rule, *body)]


def quote_indices(yaml: str) -> str:
    """Quote names with an index, such as encoder.stages[:2], which YAML does not take inside brackets or braces.

    Args:
        yaml: Such as [encoder.stages[:2], decoder].

    Example:
        >>> print(quote_indices("[encoder.stages[:2], decoder]"))
        ["encoder.stages[:2]", decoder]
    """
    return re.sub(r"(?<![\"'\w.])[A-Za-z_][\w.]*\[[-\d:]+\](?![\"'])", r'"\g<0>"', yaml)


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels.

    Args:
        text: HEIGHTxWIDTH, such as 256x512; also 256,512 or [256, 512], as a recipe writes it.

    Raises:
        ConfigError: It is not written so.

    Example:
        >>> parse_size("1024x2048"), parse_size("[256, 512]")
        ((1024, 2048), (256, 512))
    """
    found = re.fullmatch(r"[\[(]?\s*(\d+)\s*[xX,]\s*(\d+)\s*[\])]?", text.strip())
    if found is None or min(int(found[1]), int(found[2])) < 1:
        raise ConfigError(f"a size is HEIGHTxWIDTH in pixels, such as 256x512, not {text!r}")
    return int(found[1]), int(found[2])


def duration(seconds: float) -> str:
    """A time for people.

    Example:
        >>> duration(0.25), duration(4000), duration(200_000)
        ('0.25 s', '1.1 h', '2.3 days')
    """
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length or (unit == "h" and seconds >= length):
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.3g} s"


def parse_duration(text: str) -> float:
    """Seconds of a time such as 90s, 45min, 3h or 1.5d; a number alone is minutes.

    Args:
        text: The time.

    Raises:
        ConfigError: It is not written so, or not positive.

    Example:
        >>> parse_duration("3h"), parse_duration("1.5 min")
        (10800.0, 90.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(s|min|m|h|d|)", text.strip().lower())
    if found is None or not float(found[1]):
        raise ConfigError(f"a time is a number with a unit, such as 90s, 45min, 3h or 1.5d, not {text!r}")
    return float(found[1]) * {"s": 1, "h": 3600, "d": 86400}.get(found[2], 60)
