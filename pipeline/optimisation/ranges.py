"""Numbers of a recipe that have to lie in a range."""

from __future__ import annotations

import math
from typing import NoReturn

from foveate.pipeline.errors import ConfigError


def check_range(
    option: str, value: float, *, least: float | None = None, above: float | None = None, most: float = math.inf,
    below: float = math.inf,
) -> None:  # fmt: skip
    """Refuse a number out of its range, and any that is infinite or NaN.

    Args:
        option: What it is called in a recipe, such as `optimizer.lr`.
        value: What was given.
        least: The smallest number that is accepted.
        above: A number that it has to exceed.
        most: The largest number that is accepted.
        below: A number that it may not reach.

    Raises:
        ConfigError: It is out of the range.

    Example:
        >>> check_range("ema", 1.5, above=0, below=1)
        Traceback (most recent call last):
        foveate.pipeline.errors.ConfigError: ema: 1.5 is not accepted; accepted: a finite number above 0 and below 1
    """
    inside = (least is None or value >= least) and (above is None or value > above) and value <= most
    if inside and math.isfinite(value) and (below == math.inf or value < below):
        return
    bounds = [f"of at least {least:g}"] if least is not None else []
    bounds += [f"above {above:g}"] if above is not None else []
    bounds += [f"at most {most:g}"] if most < math.inf else []
    bounds += [f"below {below:g}"] if below < math.inf else []
    refuse(option, value, "a finite number " + " and ".join(bounds))


def refuse(option: str, value: object, accepted: str) -> NoReturn:
    """Say that the value of an option is not accepted, and what is.

    Args:
        option: What it is called in a recipe.
        value: What was given.
        accepted: What would be.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(f"{option}: {value} is not accepted; accepted: {accepted}")
