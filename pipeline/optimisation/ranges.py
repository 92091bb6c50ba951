"""Range checks for numbers in a recipe."""

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
        option: The option's name in a recipe, such as `optimizer.lr`.
        value: The given value.
        least: The smallest number that is accepted.
        above: The value must be greater than this.
        most: The largest number that is accepted.
        below: The value must be less than this.

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
    """Raise an error that says which values of an option are accepted.

    Args:
        option: The option's name in a recipe.
        value: The given value.
        accepted: A description of accepted values.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(f"{option}: {value} is not accepted; accepted: {accepted}")
