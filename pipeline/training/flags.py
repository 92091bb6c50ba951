"""Prepares flags for the parser: expands short forms and checks class paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.class_paths import DOTTED, check_class_paths, is_allowed, refusal, renamed
from foveate.pipeline.runs.data_sets import SUFFIX, blame_left_out, class_path_of, offered_data_sets
from foveate.pipeline.runs.recipes import LOGGERS, SIZE, SIZES
from foveate.plugins.hints import did_you_mean

LOGGER = "--trainer.logger"
LOGGER_WORDS = (*LOGGERS, "true", "false", *("CSVLogger", "CometLogger", "NeptuneLogger"))
CLASSES = ("--model", "--data", LOGGER, "--trainer.callbacks", "--trainer.strategy", "--trainer.profiler")
EVERY_EPOCH, EVERY_STEPS = "--trainer.check_val_every_n_epoch", "--trainer.val_check_interval"


def take_option(argv: Sequence[str], *names: str) -> tuple[list[str], list[str]]:
    """The values of an option, and the command line without it.

    Args:
        argv: The command line.
        names: The option, and other spellings of it.

    Raises:
        ConfigError: The value is missing.

    Example:
        >>> take_option(["--config", "a", "--x=1", "--config=b"], "--config")
        (['a', 'b'], ['--x=1'])
    """
    values, rest, words = [], [], list(argv)
    while words:
        word = words.pop(0)
        option, equals, value = word.partition("=")
        if option not in names:
            rest.append(word)
        elif equals:
            values.append(value)
        elif words:
            values.append(words.pop(0))
        else:
            raise ConfigError(f"{option} needs a value")
    return values, rest


def take_switch(
    argv: Sequence[str], name: str, is_value: Callable[[str], bool] = lambda word: not word.startswith("-")
) -> tuple[str | None, list[str]]:
    """The value of an option that may stand without one, and the command line without it.

    Args:
        argv: The command line.
        name: The option.
        is_value: Whether the word after it is its value.

    Returns:
        None where it is not given, and an empty text where it has no value; then the rest.

    Example:
        >>> take_switch(["--per_image", "--x=1"], "--per_image"), take_switch(["--per_image", "a.csv"], "--per_image")
        (('', ['--x=1']), ('a.csv', []))
    """
    value, rest, words = None, [], list(argv)
    while words:
        word = words.pop(0)
        option, _, given = word.partition("=")
        if option != name:
            rest.append(word)
        else:
            value = given or (words.pop(0) if words and is_value(words[0]) else "")
    return value, rest


def value_of(argv: Sequence[str], name: str) -> str | None:
    """The last value of an option, if it is given."""
    values, _ = take_option(argv, name)
    return values[-1] if values else None


def spell_out_flags(argv: Sequence[str], modules: Sequence[str] = ()) -> list[str]:
    """The flags in the form that the parser accepts.

    Sizes may be written 256x320. `--trainer.logger wandb` becomes its class and is moved before its own options.
    Validation every N epochs replaces a recipe's validation every N steps.

    Args:
        argv: The command line.
        modules: Modules given with --plugins, whose classes may be named.

    Raises:
        ConfigError: A class from elsewhere is named, or a logger or data set that does not exist.
    """
    flags = [_sized(word, before) for before, word in zip(["", *argv], argv, strict=False)]
    flags = _name_data_set(flags)
    for option, value in pairs(flags):
        _check(option, value, modules)
    flags = [renamed(word) if DOTTED.fullmatch(word) else word for word in flags]
    if value_of(flags, EVERY_EPOCH) not in (None, "null") and value_of(flags, EVERY_STEPS) is None:
        flags.append(f"{EVERY_STEPS}=1.0")
    return _logger_first(flags)


def pairs(argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Options with their values, in order.

    Example:
        >>> list(pairs(["--a", "1", "--b=2"]))
        [('--a', '1'), ('--b', '2')]
    """
    words = list(argv)
    while words:
        option, equals, value = words.pop(0).partition("=")
        if not equals and words and not words[0].startswith("--"):
            value = words.pop(0)
        yield option, value


def _sized(word: str, before: str) -> str:
    """A size written HEIGHTxWIDTH, as a list."""
    option, equals, value = word.partition("=") if word.startswith("--") else (before, "", word)
    found = SIZE.fullmatch(value)
    if not found or option.rpartition(".")[2] not in SIZES:
        return word
    return f"{option}=[{found[1]},{found[2]}]" if equals else f"[{found[1]},{found[2]}]"


def _check(option: str, value: str, modules: Sequence[str]) -> None:
    """Refuse early what `import_only_ours` would refuse after torch was imported, and hint at mistyped words."""
    name = option.removesuffix("+")
    if name in CLASSES or name.endswith("class_path"):
        if DOTTED.fullmatch(value) and not Path(value).is_file() and not is_allowed(value, modules):
            raise ConfigError(refusal(value))
        if not DOTTED.fullmatch(value) and value.isidentifier():
            _check_word(name, value)
    if value[:1] in "[{":
        with suppress(yaml.YAMLError):  # the parser reports the error
            check_class_paths(parse_yaml(value), modules)


def _check_word(option: str, value: str) -> None:
    if option == LOGGER and value.lower() not in map(str.lower, LOGGER_WORDS) and not value.endswith("Logger"):
        hint = did_you_mean(value.lower(), LOGGER_WORDS)
        accepted = f"accepted: {', '.join(LOGGER_WORDS)}; metrics.csv is always written"
        raise ConfigError(f"no logger {value!r}{hint} ({accepted})")


def _name_data_set(flags: Sequence[str]) -> list[str]:
    """Flags with the class path of a data set that is given by name.

    Raises:
        ConfigError: No plugin offers it, and it is no class.
    """
    values, rest = take_option(flags, "--data")
    if not values:
        return list(flags)
    name = values[-1]
    path = name if "." in name or not re.fullmatch(r"[\w:-]+", name) else class_path_of(name)
    if path is None and not name.endswith(SUFFIX):
        blame_left_out(name)
        records = [offer.record for offer in offered_data_sets()]
        classes = [one.build.rpartition(":")[2] for one in records if isinstance(one.build, str)]
        hint = did_you_mean(name, [*(one.name for one in records), *classes])
        raise ConfigError(f"--data {name}: no such data set{hint} (see: foveate plugins list --what data)")
    return [f"--data={path or name}", *rest]


def _logger_first(argv: Sequence[str]) -> list[str]:
    """Flags with the logger before its own options, and with a short word such as `wandb` replaced by its class."""
    values, rest = take_option(argv, LOGGER)
    return [f"{LOGGER}={LOGGERS.get(values[-1], values[-1])}", *rest] if values else rest
