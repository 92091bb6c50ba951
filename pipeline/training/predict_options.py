"""The options of `foveate predict` on a command line."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.outputs import PredictOptions
from foveate.pipeline.training.flags import take_option
from foveate.plugins.selection import split_names

RESUME = "--resume"


def read_options(argv: Sequence[str]) -> tuple[PredictOptions, list[str]]:
    """The options on a command line, and the command line without them.

    Args:
        argv: The command line.

    Raises:
        ConfigError: A value is missing or unknown.

    Example:
        >>> read_options(["--outputs", "labels,shares", "--x=1", "--resume"])[1]
        ['--x=1']
    """
    outputs, rest = take_option(argv, "--outputs")
    classes, rest = take_option(rest, "--classes")
    every, rest = take_option(rest, "--every")
    options = PredictOptions(
        outputs=tuple(dict.fromkeys(split_names(outputs[-1]))) if outputs else None,
        classes=tuple(split_names(classes[-1])) if classes else (),
        resume=RESUME in rest,
        every=_whole(every[-1]) if every else 1,
    )
    return options, [word for word in rest if word != RESUME]


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"--every is a whole number from 1, not {text!r}")
    return int(text)
