"""The option --json of every command that reports: without a value it is standard output, else a file."""

from __future__ import annotations

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
