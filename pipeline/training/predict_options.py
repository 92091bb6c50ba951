"""The options of `foveate predict` on a command line."""

from __future__ import annotations

from collections.abc import Sequence

from foveate.pipeline.outputs import PredictOptions
from foveate.pipeline.training.flags import take_option
from foveate.plugins.selection import split_names


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
    switches = [word for word in rest if word in ("--resume", "--json")]
    options = PredictOptions(
        outputs=tuple(dict.fromkeys(split_names(outputs[-1]))) if outputs else None,
        classes=tuple(split_names(classes[-1])) if classes else (),
        resume="--resume" in switches,
        as_json="--json" in switches,
    )
    return options, [word for word in rest if word not in switches]
