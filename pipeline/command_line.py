"""Sub-commands from plain functions: parameters become options, docstrings the help; errors are one line."""

from __future__ import annotations

import inspect
import re
from argparse import Action
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, NoReturn, TypeVar

from jsonargparse import ArgumentParser

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.help_layout import columns, fold_command, terminal_width
from foveate.pipeline.json_option import JSON, STDOUT, is_json_target
from foveate.pipeline.runs.class_paths import refusal
from foveate.pipeline.usual_options import COMMON, OPTIONS
from foveate.plugins.hints import did_you_mean, nearest_options, suggest

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


TABLE: ContextVar[Mapping[str, Any]] = ContextVar("TABLE")  # every command, for those that describe commands
HELP: ContextVar[str] = ContextVar("HELP", default="")  # parsers of nested classes do not know the command


@contextmanager
def helped_by(command: str) -> Iterator[None]:
    """Let the messages of every parser name this command, also those of parsers for nested classes.

    Args:
        command: The command that describes the options.
    """
    token = HELP.set(command)
    try:
        yield
    finally:
        HELP.reset(token)


class OneLineErrors:
    """Mixin for a parser: raise ConfigError where jsonargparse would print its usage and exit."""

    prog: str
    _actions: list[Action]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # an abbreviated option is an error

    @property
    def help_command(self) -> str:
        """The command that shows every option."""
        return HELP.get() or f"{self.prog.split(' [')[0]} --help"

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Shorten a parser's message to one line and raise it.

        Raises:
            ConfigError: Always.
        """
        text = shorten(message, self.known_options(), self.help_command, self.known_classes)
        raise ConfigError(text) from ex

    def known_classes(self, option: str) -> list[str]:
        """Names of the classes that an option takes; none where that is not known.

        Args:
            option: Its name without hyphens, such as trainer.callbacks.
        """
        return []

    def known_options(self) -> list[str]:
        """Every option, as typed."""
        return [option for action in self._actions for option in action.option_strings]


class OneLineParser(OneLineErrors, ArgumentParser):
    """The parser of our own commands; its errors are one line with a hint."""


class FunctionParser(OneLineParser):
    """The parser of one command.

    Attributes:
        takes_recipe: Whether the flags of a recipe may stand among the options; they are taken out before.
        switches: Options that may stand without a value.
    """

    takes_recipe = False
    switches: frozenset[str] = frozenset()

    def parse_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parse a command line, or hand the parser to `parser_of`.

        Args:
            args: As of jsonargparse.
            kwargs: As of jsonargparse.
        """
        if DESCRIBING.get():
            raise _Described(self)
        return super().parse_args(*args, **kwargs)

    def known_options(self) -> list[str]:
        """Every option; where the flags of a recipe may stand among them, also the usual ones of these."""
        usual = (option.split()[0] for options in (COMMON, *OPTIONS.values()) for option, _ in options)
        recipe = [option for option in usual if option.startswith(RECIPE_FLAGS)] if self.takes_recipe else []
        return [*dict.fromkeys([*super().known_options(), *recipe])]


DESCRIBING: ContextVar[bool] = ContextVar("DESCRIBING", default=False)  # a command's parser is asked for


class _Described(BaseException):
    """Ends a command at its parser."""

    def __init__(self, parser: FunctionParser) -> None:
        super().__init__()
        self.parser = parser


def parser_of(run: Callable[[Sequence[str]], None]) -> FunctionParser:
    """The parser of a command, which is run up to there.

    Args:
        run: The function that takes the words after the command.

    Raises:
        TypeError: It ends before it parses anything.
    """

    def describe() -> FunctionParser:
        DESCRIBING.set(True)
        try:
            run(["--help"])
        except _Described as found:
            return found.parser
        raise TypeError(f"{run} has no parser")

    return copy_context().run(describe)


def shorten(
    message: str, known: Iterable[str], help_command: str, classes: Callable[[str], Iterable[str]] = lambda option: ()
) -> str:
    """The essential part of a parser's message, with the closest accepted name.

    Args:
        message: The message of jsonargparse.
        known: Every option, as typed.
        help_command: The command that describes them.
        classes: Gives the names of the classes that an option takes.
    """
    line = re.sub(r"\s+", " ", message).strip()
    if denied := re.search(r"(?:Importing|class_path) '([^']+)' is (?:not allowed|refused)", line):
        return refusal(denied[1])
    if "(see: " in line:  # the message of a nested class's parser
        return _nested(line)
    if unknown := re.search(r"unrecognized arguments: (\S+)", line, re.IGNORECASE):
        return _unknown(unknown[1].split("=")[0], known, help_command)
    if unknown := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", line):
        return _unknown(f"--{unknown[1]}.{unknown[2]}", known, help_command)
    if unknown := re.search(r"(?:[Oo]ption|[Kk]ey) '([\w.]+)'(?! is required)", line):
        return _unknown("--" + unknown[1].replace("init_args.", ""), known, help_command)
    if missing := re.search(r"Expected a dot import path string: (\w+)", line):
        key = (_key(line) or "").removesuffix(".class_path")
        hint = did_you_mean(missing[1], classes(key))
        return f"{f'--{key}: ' if key else ''}no class is called {missing[1]!r}{hint} (see: {help_command})"
    if accepted := _accepted(line):
        line = accepted
    elif inner := re.search(r"Errors: - (.*?)(?: - Expected a <class 'NoneType'>| Given value type)", line):
        line = inner[1]  # of a union type: the message for its first member
    line = line.partition(" - Not a valid subclass of ")[0]  # the messages for the other members help less
    line = line.replace("Parser key ", "").replace("<class '", "").replace("'>", "")
    return f"{line if len(line) < 500 else line[:250] + ' ... ' + line[-240:]} (see: {help_command})"


def _nested(line: str) -> str:
    """The message of a nested class's parser, with the whole name of the option that it is about."""
    inner = re.sub(r"^.*?Errors: - ", "", line).partition("(see: ")
    said, command = inner[0], inner[2].partition(")")[0]
    outer, given = _key(line), re.search(r"NestedArg\(key='(.*?)', val='(.*?)'\)", line)
    if unknown := re.search(r"no option .*", said):
        whole = re.sub(r"'--(?!(?:model|data|trainer)\.)", f"'--{outer}.", unknown[0]) if outer else unknown[0]
        return f"{whole}(see: {command})"
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
    choices: list[str] = []
    for each in found[1].split(" - Expected a "):
        literal = re.fullmatch(r"typing\.Literal\[(.*)\]", each)
        if literal:
            choices += [word.strip().strip("'") for word in literal[1].split(",")]
            words += choices
        elif (name := re.fullmatch(r"<class '(\w+)'>", each)) and name[1] in TYPES:
            words += TYPES[name[1]]
        else:
            return None
    key, given = _key(line), re.search(r"(?:Given value|Got value): (.*?)$", line)
    start = f"--{key} {given[1]}: " if key and given and len(given[1]) < 100 else ""
    hint = did_you_mean(given[1], choices) if given else ""
    return f"{start}accepted: {', '.join(dict.fromkeys(words))}{hint}"


def _key(line: str) -> str | None:
    found = re.search(r"[Pp]arser key \"([\w.+]+)\"", line)
    return found[1] if found else None


def _unknown(option: str, known: Iterable[str], help_command: str) -> str:
    if not option.startswith("-"):
        return f"one argument too many: {option!r}; what holds spaces needs quotes (see: {help_command})"
    return f"no option {option!r}{suggest(nearest_options(option, known))} (see: {help_command})"


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
        raise ConfigError(
            f"no command '{prog} {words[0]}'{hint} (commands: {', '.join(functions)}; see: {prog} --help)"
        )
    run_single(f"{prog} {words[0]}", functions[words[0]], words[1:])


def parse_options(prog: str, options: type[Options], words: Sequence[str], takes_recipe: bool = False) -> Options:
    """The options of a command, which a dataclass describes; without any word, the help is printed.

    Args:
        prog: The name of the command in its help.
        options: The dataclass; fields without a default become positional.
        words: The command line after `prog`.
        takes_recipe: Whether the flags of a recipe were taken out of the words, so that the help names them.

    Raises:
        ConfigError: An argument does not fit.
    """
    parser = FunctionParser(prog=prog, description=(options.__doc__ or "").split("Args:")[0].strip())
    parser.add_class_arguments(options, as_positional=True, as_group=False)
    parser.usage = _usage(parser)
    parser.takes_recipe = takes_recipe
    parser.switches = _switches(inspect.signature(options).parameters.values())
    return options(**vars(parser.parse_args(_switched(parser, list(words) or ["--help"]))))


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
    parser = function_parser(prog, function)
    takes_recipe = parser.takes_recipe
    flags, own = split_flags(words, (*RECIPE_FLAGS, PLUGINS)) if takes_recipe else ([], list(words))
    settings: dict[str, Any] = vars(parser.parse_args(_switched(parser, own)))
    function(**settings, **({FLAGS: flags} if takes_recipe else {}))


def function_parser(prog: str, function: Callable[..., None]) -> FunctionParser:
    """The parser of a command that is a function.

    Args:
        prog: The name of the command in its help.
        function: Parameters without a default become positional; `flags` takes those of a recipe.
    """
    parser = FunctionParser(prog=prog, description=_text(function))
    parser.add_function_arguments(function, as_positional=True, as_group=False, skip={FLAGS})
    parser.usage = _usage(parser)
    parameters = inspect.signature(function).parameters
    parser.takes_recipe = FLAGS in parameters
    parser.switches = _switches(parameters.values())
    return parser


def _switches(parameters: Iterable[inspect.Parameter]) -> frozenset[str]:
    """The options that are true or false."""
    return frozenset(f"--{one.name}" for one in parameters if one.annotation in (bool, "bool"))


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


def _switched(parser: FunctionParser, words: Sequence[str]) -> list[str]:
    """Words in which options that are true or false, and --json, may stand without a value."""
    following = [*words[1:], ""]
    writes = JSON in parser.known_options() and JSON not in parser.switches
    switched = []
    for word, after in zip(words, following, strict=False):
        if word in parser.switches and after.lower() not in ("true", "false"):
            switched.append(f"{word}=true")
        elif word == JSON and writes and not is_json_target(after):
            switched.append(f"{word}={STDOUT}")
        else:
            switched.append(word)
    return switched


def _overview(prog: str, functions: Functions) -> str:
    width = terminal_width()
    lines = [f"usage: {prog} COMMAND [options]", ""]
    for name, function in functions.items():
        first, *rest = _text(function).splitlines()
        example = next((line.strip() for line in rest if line.strip().startswith("Example:")), "")
        lines += columns([(name, first)], 8, width)
        lines += fold_command(example.removeprefix("Example: "), 12, width)
    return "\n".join([*lines, "", f"{prog} COMMAND --help tells more."])


def _text(function: Callable[..., None]) -> str:
    """The docstring of a function up to its arguments: purpose and example."""
    return (function.__doc__ or "").split("Args:")[0].strip()
