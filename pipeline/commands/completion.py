"""`foveate completion`: prints a script with which a shell completes commands, options and names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from foveate.pipeline.command_line import TABLE


def bash() -> None:
    """Print the completion script for bash. Create the folder first if it is missing; new shells complete then.

    Example: foveate completion bash > ~/.local/share/bash-completion/completions/foveate
    """
    from foveate.pipeline.completion.bash import render

    _print(render)


def zsh() -> None:
    """Print the completion script for zsh. The folder has to be in $fpath before compinit; new shells complete then.

    Example: foveate completion zsh > ~/.zfunc/_foveate
    """
    from foveate.pipeline.completion.zsh import render

    _print(render)


def fish() -> None:
    """Print the completion script for fish; new shells complete then.

    Example: foveate completion fish > ~/.config/fish/completions/foveate.fish
    """
    from foveate.pipeline.completion.fish import render

    _print(render)


def _print(render: Callable[[Any], str]) -> None:
    from foveate.pipeline.completion.collecting import collect  # late: imports every command
    from foveate.plugins.output import diverted

    with diverted():
        script = render(collect(TABLE.get()))
    print(script, end="")


COMMANDS = {"bash": bash, "zsh": zsh, "fish": fish}
