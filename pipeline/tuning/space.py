"""The space that a search goes through: a range or a list of choices for each option of a recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.recipes import load_yaml
from foveate.plugins.hints import did_you_mean, did_you_mean_path

if TYPE_CHECKING:
    from optuna.trial import Trial

KINDS = ("low", "high", "log", "step", "choices")
EXAMPLE = "model.optimizer.lr: {low: 1e-5, high: 1e-3, log: true}, or data.batch_size: {choices: [4, 8]}"


@dataclass(frozen=True)
class Dimension:
    """What is tried for one option: numbers in a range, or one of several choices.

    Args:
        key: The option, as a flag names it, such as model.optimizer.lr.
        low: The smallest number.
        high: The largest number, which may be tried too. With two whole numbers, whole numbers are tried.
        log: Whether factors count instead of differences, as for a learning rate.
        step: Distance of two numbers that are tried; any number if not given.
        choices: What is tried, instead of a range: anything that the option takes.

    Raises:
        ConfigError: They do not describe a range or choices.
    """

    key: str
    low: Any = None
    high: Any = None
    log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.choices and (self.low is not None or self.high is not None):
            raise ConfigError(f"{self.key}: a range (low, high) or choices, not both; such as {EXAMPLE}")
        if self.choices:
            return
        if not _is_number(self.low) or not _is_number(self.high) or self.low >= self.high:
            raise ConfigError(f"{self.key}: low {self.low!r} and high {self.high!r} are no range; such as {EXAMPLE}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ConfigError(f"{self.key}: with log: true, low is above 0 and there is no step; such as {EXAMPLE}")

    def __str__(self) -> str:
        if self.choices:
            return ", ".join(map(label_of, self.choices))
        scale = ", on a logarithmic scale" if self.log else f", in steps of {self.step}" if self.step else ""
        return f"{self.low} to {self.high}{scale}"

    def suggest(self, trial: Trial) -> Any:
        """What a trial tries.

        Args:
            trial: Of Optuna.
        """
        if self.choices:
            labels = {label_of(choice): choice for choice in self.choices}
            return labels[trial.suggest_categorical(self.key, list(labels))]
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.key, self.low, self.high, step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def ends(self) -> list[Any]:
        """Values to try the recipe's parser with."""
        return list(self.choices) or [self.low, self.high]


def read_space(path: Path) -> list[Dimension]:
    """The space that a YAML file describes.

    Args:
        path: Maps options, as flags name them, to ranges or choices.

    Raises:
        ConfigError: It does not.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file{did_you_mean_path(path)}; a space is a YAML file, such as {EXAMPLE}")
    content = load_yaml(path)
    if not content:
        raise ConfigError(f"{path}: names no option; such as {EXAMPLE}")
    return [_read(str(key), given) for key, given in content.items()]


def _read(key: str, given: object) -> Dimension:
    if isinstance(given, list):
        given = {"choices": given}
    if not isinstance(given, Mapping):
        raise ConfigError(f"{key}: {given!r} is neither a range nor choices; such as {EXAMPLE}")
    for name in given:
        if name not in KINDS:
            raise ConfigError(f"{key}: no {name!r}{did_you_mean(str(name), KINDS)} (accepted: {', '.join(KINDS)})")
    settings = dict(given)
    if not isinstance(settings.get("log", False), bool) or not _is_number(settings.get("step") or 1):
        raise ConfigError(f"{key}: log is true or false, and step a number; such as {EXAMPLE}")
    if "choices" in settings:
        choices = settings["choices"]
        if not isinstance(choices, list) or not choices:
            raise ConfigError(f"{key}: choices is a list that is not empty, not {choices!r}")
        settings["choices"] = tuple(choices)
    return Dimension(key, **settings)


def label_of(value: object) -> str:
    """A value in text, as a flag takes it.

    Args:
        value: A number, text, list or mapping of YAML.

    Example:
        >>> label_of(0.001), label_of("adamw"), label_of({"gate": "lka"}), label_of(None), label_of(True)
        ('0.001', 'adamw', '{"gate": "lka"}', 'null', 'true')
    """
    return value if isinstance(value, str) else json.dumps(value)


def flags_of(values: Mapping[str, Any]) -> list[str]:
    """Values as flags of a training.

    Args:
        values: By option.
    """
    return [f"--{key}={label_of(value)}" for key, value in values.items()]


def probes(dimensions: Sequence[Dimension]) -> list[list[str]]:
    """Flags for each value at the ends of a space, to be parsed before anything is trained.

    Args:
        dimensions: The space.
    """
    return [flags_of({dimension.key: value}) for dimension in dimensions for value in dimension.ends()]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
