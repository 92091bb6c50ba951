"""The option --json of every command that reports: without a value it is standard output, else a file."""

from __future__ import annotations

from collections.abc import Sequence

JSON = "--json"
STDOUT = "-"


def is_json_target(word: str) -> bool:
    """Whether a word after --json says where to write, and is not something else of the command line.

    Args:
        word: The word.

    Example:
        >>> [is_json_target(word) for word in ("-", "scores.json", "runs/latest", "--seed")]
        [True, True, False, False]
    """
    return word == STDOUT or (word.endswith(".json") and not word.startswith("-"))


def take_json(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Where a command line asks for JSON, and the command line without it.

    Args:
        words: The command line.

    Returns:
        A file, `-` for standard output, or None; then the rest.

    Example:
        >>> take_json(["--json", "--x=1"]), take_json(["--json=s.txt"]), take_json(["--json", "s.json", "y"])
        (('-', ['--x=1']), ('s.txt', []), ('s.json', ['y']))
    """
    target, rest, left = None, [], list(words)
    while left:
        word = left.pop(0)
        option, _, given = word.partition("=")
        if option != JSON:
            rest.append(word)
        else:
            target = given or (left.pop(0) if left and is_json_target(left[0]) else STDOUT)
    return target, rest
