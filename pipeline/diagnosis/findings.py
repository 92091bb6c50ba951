"""What was found: named values in sections, problems with what to do, as text and as JSON; nothing personal in it."""

from __future__ import annotations

import getpass
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WIDTH = 100  # characters of a line


@dataclass
class Section:
    """A part of what was found.

    Attributes:
        name: Its heading.
        values: Name -> value, in order.
        problems: What is wrong, each with what to do.
    """

    name: str
    values: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def add(self, name: str, value: object) -> None:
        """Note a value.

        Args:
            name: What it is.
            value: Anything that has a text.
        """
        self.values[name] = without_user(str(value))

    def problem(self, text: str) -> None:
        """Note a problem.

        Args:
            text: What is wrong, and what to do.
        """
        self.problems.append(without_user(text))


def without_user(text: str) -> str:
    """A text in which the home folder is `~` and the user's name in other paths is USER.

    Args:
        text: Any text with paths in it.
    """
    home = _home()
    if len(home) > 1:
        text = re.sub(rf"{re.escape(home)}(?=[/\\\s:,;')]|$)", "~", text)
    user = _user()
    return re.sub(rf"(?<=[/\\]){re.escape(user)}(?=[/\\\s:,;')]|$)", "USER", text) if user else text


def _home() -> str:
    try:
        return str(Path.home())
    except RuntimeError:  # a process without one
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a process without a user
        return ""


def as_text(sections: list[Section]) -> str:
    """Lines to paste into an issue.

    Args:
        sections: What was found.
    """
    lines: list[str] = []
    for section in sections:
        width = max(map(len, section.values), default=0) + 2
        lines += [section.name, *(f"  {name:<{width}}{value}".rstrip() for name, value in section.values.items()), ""]
    problems = [problem for section in sections for problem in section.problems]
    heading = f"{len(problems)} problem{'s' * (len(problems) != 1)}" if problems else "no problems found"
    return "\n".join([*lines, heading, *(f"  - {problem}" for problem in problems)])


def as_figures(sections: list[Section]) -> dict[str, Any]:
    """The same for a program.

    Args:
        sections: What was found.
    """
    return {
        **{section.name: dict(section.values) for section in sections},
        "problems": [problem for section in sections for problem in section.problems],
    }
