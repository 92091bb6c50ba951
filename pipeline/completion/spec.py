"""What can be typed after `foveate`: commands, their options, and what each option takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SHOWN = 72  # characters of a description that shells show beside a name


@dataclass(frozen=True)
class Values:
    """What an option or a positional argument takes.

    Attributes:
        words: Known values.
        files: Whether it takes a path too.
    """

    words: tuple[str, ...] = ()
    files: bool = False


@dataclass(frozen=True)
class Option:
    """An option of a command.

    Attributes:
        name: As typed, such as --data.root.
        about: What it is for, in a line.
        values: What it takes.
        switch: Whether it stands without a value.
    """

    name: str
    about: str = ""
    values: Values = Values()
    switch: bool = False


@dataclass(frozen=True)
class CommandSpec:
    """A command, or the sub-command of one.

    Attributes:
        path: Its words, such as `fit` or `data check`.
        about: Its purpose, in a line.
        options: Its options.
        places: What its positional arguments take, in order.
        recipe: Whether it takes the options of a recipe too (--data., --model., --trainer.).
    """

    path: str
    about: str
    options: tuple[Option, ...] = ()
    places: tuple[Values, ...] = ()
    recipe: bool = False


@dataclass(frozen=True)
class Tree:
    """Everything that can be typed.

    Attributes:
        commands: First word -> its purpose.
        groups: First word -> sub-commands with their purposes.
        specs: Each command without sub-commands, and each sub-command.
        recipe: The options of a recipe, which several commands take.
    """

    commands: Mapping[str, str]
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    specs: tuple[CommandSpec, ...] = ()
    recipe: tuple[Option, ...] = ()


def brief(text: str) -> str:
    """The first sentence of a description, in one short line.

    Example:
        >>> brief("Learning rate of\\n the encoder. Others differ."), brief("Such as v1.5 of it.")
        ('Learning rate of the encoder', 'Such as v1.5 of it')
    """
    line = " ".join(text.split())
    sentence = re.split(r"(?<=[^\s.])\. ", line)[0].removesuffix(".")
    return sentence if len(sentence) <= SHOWN else sentence[: SHOWN - 3].rstrip() + "..."
