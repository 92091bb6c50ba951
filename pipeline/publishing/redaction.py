"""Removes from what is published what concerns its author alone: secrets, and where files lie on the machine."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

REMOVED = "(removed)"
LEAST = 8  # letters of a value in the environment that counts as a secret
SECRET_NAME = re.compile(
    r"(^|[_.-])(token|secret|passw(or)?d|api_?key|access_?key(_id)?|private_?key|credentials?|authorization)s?$",
    re.IGNORECASE,
)
SECRET_VALUES = re.compile(
    r"hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[A-Za-z0-9_-]{20,}"
    r"|wandb_v1_\w{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|xox[abpr]-[\w-]{10,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)|(?<=[?&])[\w-]*(?:token|key|signature|sig|secret)[\w-]*=[^&\s]+",
    re.IGNORECASE,
)
# A path from the root, the home folder or a drive; not the end of a word, an address or a relative path.
ABSOLUTE = re.compile(r"(?<![\w.:/\\~-])(?:~[\w.-]*|[A-Za-z]:)?[/\\]+(?=[^\s/\\])(?:[^\s'\",;()`]*[/\\])?")


def redact(value: Any) -> Any:
    """A plain value without secrets, and with absolute paths cut to their last part.

    Entries whose name is that of a secret, such as `api_key`, are removed if they hold a text.

    Args:
        value: Mappings, lists and scalars.

    Example:
        >>> redact({"root": "/home/jane/camvid", "lr": 0.1, "api_key": "0123"})
        {'root': 'camvid', 'lr': 0.1}
    """
    if isinstance(value, Mapping):
        return {
            redact_text(str(key)): redact(inner)
            for key, inner in value.items()
            if not (SECRET_NAME.search(str(key)) and isinstance(inner, str))
        }
    if isinstance(value, list | tuple):
        return [redact(inner) for inner in value]
    return redact_text(value) if isinstance(value, str | PurePath) else value


def redact_text(text: str | PurePath) -> str:
    """A text without secrets, and with absolute paths cut to their last part.

    Args:
        text: A path, an address, a command or prose.

    Example:
        >>> redact_text("trained on ~/data/camvid, see https://example.com/a/b")
        'trained on camvid, see https://example.com/a/b'
    """
    line = str(text)
    for secret in _secrets():
        line = line.replace(secret, REMOVED)
    line = SECRET_VALUES.sub(REMOVED, line)
    if "\n" not in line and _is_path(line):
        return PureWindowsPath(line).name if "\\" in line else PurePath(line).name
    home = str(Path.home())
    if len(home) > 1:
        line = line.replace(f"{home}/", "/")
    return ABSOLUTE.sub("", line)


def _is_path(line: str) -> bool:
    return line.startswith(("/", "~/")) or bool(re.match(r"[A-Za-z]:[\\/]", line))


def _secrets() -> list[str]:
    """Values of environment variables that are named as secrets are."""
    found = {value for name, value in os.environ.items() if SECRET_NAME.search(name) and len(value) >= LEAST}
    return sorted(found, key=len, reverse=True)
