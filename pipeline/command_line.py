"""Sub-commands from plain functions: parameters become options, docstrings the help; errors are one line."""

from __future__ import annotations

import inspect
import re
from argparse import Action
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from jsonargparse import ArgumentParser

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.runs.class_paths import refusal
from foveate.plugins.hints import did_you_mean

Functions = Mapping[str, Callable[..., None]]
Options = TypeVar("Options")
RECIPE_FLAGS = ("--data.", "--model.", "--trainer.")
PLUGINS = "--plugins"  # goes with them: modules whose classes may be named
TYPES = {  # how a message calls the types of Python
    "int": ["a whole number"],
    "float": ["a number"],
    "bool": ["true", "false"],
    "str": ["a text"],
    "list": ["a list"],
    "dict": ["a mapping"],
    "NoneType": [],
}
FLAGS = "flags"  # parameter of a function that takes the recipe's flags as they were typed


class OneLineErrors:
    """Mixin for a parser: raise ConfigError where jsonargparse would print its usage and exit.

    Attributes:
        help_command: The command that describes the options.
    """

    prog: str
    _actions: list[Action]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # an abbreviated option is an error

    @property
    def help_command(self) -> str:
        """The command that shows every option."""
        return f"{self.prog.split(' [')[0]} --help"

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Shorten a parser's message to one line and raise it.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(shorten(message, self.known_options(), self.help_command)) from ex

    def known_options(self) -> list[str]:
        """Every option, as typed."""
        return [option for action in self._actions for option in action.option_strings]


class OneLineParser(OneLineErrors, ArgumentParser):
    """The parser of our own commands; its errors are one line with a hint."""


def shorten(message: str, known: Iterable[str], help_command: str) -> str:
    """The essential part of a parser's message, with the closest accepted name.

    Args:
        message: The message of jsonargparse.
        known: Every option, as typed.
        help_command: The command that describes them.
    """
    line = re.sub(r"\s+", " ", message).strip()
    if denied := re.search(r"(?:Importing|class_path) '([^']+)' is (?:not allowed|refused)", line):
        return refusal(denied[1])
    if "(see: " in line:  # the message of a nested class's parser
        return _nested(line)
    if unknown := re.search(r"unrecognized arguments: (\S+)", line, re.IGNORECASE):
        return _unknown(unknown[1].split("=")[0], known, help_command)
    if unknown := re.search(r"(?:[Oo]ption|[Kk]ey) '([\w.]+)'(?! is required)", line):
        return _unknown(unknown[1].replace("init_args.", ""), known, help_command)
    if accepted := _accepted(line):
        line = accepted
    elif inner := re.search(r"Errors: - (.*?)(?: - Expected a <class 'NoneType'>| Given value type)", line):
        line = inner[1]  # of a union type: the message for its first member
    line = line.partition(" - Not a valid subclass of ")[0]  # the messages for the other members help less
    line = re.sub(r"Expected a dot import path string: (\w+)", r"no class is called '\1'", line)
    line = line.replace("Parser key ", "").replace("<class '", "").replace("'>", "")
    return f"{line if len(line) < 500 else line[:250] + ' ... ' + line[-240:]} (see: {help_command})"


def _nested(line: str) -> str:
    """The message of a nested class's parser, with the whole name of the option that it is about."""
    inner = re.sub(r"^.*?Errors: - ", "", line).partition("(see: ")
    said, command = inner[0], inner[2].partition(")")[0]
    if unknown := re.search(r"no option .*", said):
        return f"{unknown[0]}(see: {command})"
    outer, given = _key(line), re.search(r"NestedArg\(key='(.*?)', val='(.*?)'\)", line)
    if outer and given:
        reason = re.sub(r"^--\S+ .*?: (?=accepted: )", "", said)
        said = f"--{outer}.{given[1]} {given[2]}: {reason}"
    return f"{said}(see: {command})"


def _accepted(line: str) -> str | None:
    """The option, what was given and what is accepted, where a message says what types were expected."""
    members = re.search(r"Errors: - Expected a (.*?) Given value type", line)
    single = re.search(r"Expected a (typing\.Literal\[.*?\]|<class '\w+'>)\. ?(?:Got value|$)", line)
    if not (found := members or single):
        return None
    words: list[str] = []
    for each in found[1].split(" - Expected a "):
        choices = re.fullmatch(r"typing\.Literal\[(.*)\]", each)
        if choices:
            words += [word.strip().strip("'") for word in choices[1].split(",")]
        elif (name := re.fullmatch(r"<class '(\w+)'>", each)) and name[1] in TYPES:
            words += TYPES[name[1]]
        else:
            return None
    key, given = _key(line), re.search(r"(?:Given value|Got value): (.*?)$", line)
    start = f"--{key} {given[1]}: " if key and given and len(given[1]) < 100 else ""
    return f"{start}accepted: {', '.join(dict.fromkeys(words))}"


def _key(line: str) -> str | None:
    found = re.search(r"[Pp]arser key \"([\w.+]+)\"", line)
    return found[1] if found else None


def _unknown(option: str, known: Iterable[str], help_command: str) -> str:
    names = [name if option.startswith("-") else name.lstrip("-") for name in known]
    ending = f".{option.lstrip('-')}"
    longer = next((name for name in names if name.endswith(ending)), None)
    hint = f"; did you mean {longer!r}?" if longer else did_you_mean(option, names)
    return f"no option {option!r}{hint} (see: {help_command})"


def run_function(prog: str, functions: Functions, words: Sequence[str]) -> None:
    """Call the function that the first word names, with the rest as its arguments.

    Args:
        prog: The name of the command in its help.
        functions: Sub-command -> function; parameters without a default become positional.
        words: The command line after `prog`.

    Raises:
        ConfigError: There is no such sub-command, or an argument does not fit.
    """
    if not words or words[0] in ("-h", "--help"):
        print(_overview(prog, functions))
        return
    if words[0] not in functions:
        hint = did_you_mean(words[0], functions)
        raise ConfigError(f"no command '{prog} {words[0]}'{hint} (commands: {', '.join(functions)})")
    run_single(f"{prog} {words[0]}", functions[words[0]], words[1:])


def parse_options(prog: str, options: type[Options], words: Sequence[str]) -> Options:
    """The options of a command, which a dataclass describes; without any word, the help is printed.

    Args:
        prog: The name of the command in its help.
        options: The dataclass; fields without a default become positional.
        words: The command line after `prog`.

    Raises:
        ConfigError: An argument does not fit.
    """
    parser = OneLineParser(prog=prog, description=(options.__doc__ or "").split("Args:")[0].strip())
    parser.add_class_arguments(options, as_positional=True, as_group=False)
    parser.usage = _usage(parser)
    return options(**vars(parser.parse_args(list(words) or ["--help"])))


def _usage(parser: OneLineParser) -> str:
    """The form of the command in a line; the options follow it in the help."""
    places = [
        action.dest if action.required else f"[{action.dest}]"
        for action in parser._actions
        if not action.option_strings
    ]
    return " ".join(["%(prog)s [options]", *places])


def run_single(prog: str, function: Callable[..., None], words: Sequence[str]) -> None:
    """Call a function with a command line as its arguments.

    Args:
        prog: The name of the command in its help.
        function: Parameters without a default become positional.
        words: The command line after `prog`.

    Raises:
        ConfigError: An argument does not fit.
    """
    parser = OneLineParser(prog=prog, description=_text(function))
    takes_flags = FLAGS in inspect.signature(function).parameters
    parser.add_function_arguments(function, as_positional=True, as_group=False, skip={FLAGS})
    parser.usage = _usage(parser)
    flags, own = split_flags(words, (*RECIPE_FLAGS, PLUGINS)) if takes_flags else ([], list(words))
    settings: dict[str, Any] = vars(parser.parse_args(_switched(function, own)))
    function(**settings, **({FLAGS: flags} if takes_flags else {}))


def split_flags(words: Sequence[str], prefixes: Sequence[str] = RECIPE_FLAGS) -> tuple[list[str], list[str]]:
    """Separate the flags of the recipe, with their values, from the options of this command.

    Args:
        words: The command line.
        prefixes: How the flags of the recipe begin.

    Example:
        >>> split_flags(["tiny", "--data.root", "x", "--steps", "5", "--model.loss=dice"])
        (['--data.root', 'x', '--model.loss=dice'], ['tiny', '--steps', '5'])
    """
    recipe, own, left = [], [], list(words)
    while left:
        word = left.pop(0)
        if not word.startswith(tuple(prefixes)):
            own.append(word)
            continue
        recipe.append(word)
        if "=" not in word and left:
            recipe.append(left.pop(0))
    return recipe, own


def _switched(function: Callable[..., None], words: Sequence[str]) -> list[str]:
    """Words in which an option that is true or false may stand without a value."""
    parameters = inspect.signature(function).parameters.values()
    switches = {f"--{one.name}" for one in parameters if one.annotation in (bool, "bool")}
    following = [*words[1:], "--"]
    return [
        f"{word}=true" if word in switches and after.lower() not in ("true", "false") else word
        for word, after in zip(words, following, strict=False)
    ]


def _overview(prog: str, functions: Functions) -> str:
    lines = [f"usage: {prog} COMMAND [options]", ""]
    for name, function in functions.items():
        first, *rest = _text(function).splitlines()
        example = next((line.strip() for line in rest if line.strip().startswith("Example:")), "")
        lines += [f"  {name:<8}{first}", f"  {'':<8}  {example.removeprefix('Example: ')}"]
    return "\n".join([*lines, "", f"{prog} COMMAND --help tells more."])


def _text(function: Callable[..., None]) -> str:
    """The docstring of a function up to its arguments: purpose and example."""
    return (function.__doc__ or "").split("Args:")[0].strip()
