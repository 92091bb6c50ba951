"""Types into a real shell through a pseudo-terminal, and reads the line that it completed."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

SHOW = "\x18\x10"  # Ctrl-X Ctrl-P prints the line that is being edited
ALL = "\x1b*"  # Esc * of readline inserts every completion
PATIENCE = 60.0  # seconds, for a machine that is busy


class Terminal:
    """A shell in a pseudo-terminal.

    Args:
        words: The shell and its arguments.
        cwd: Where it runs.
        environment: Its environment.
    """

    def __init__(self, words: list[str], cwd: Path, environment: Mapping[str, str]) -> None:
        self.child, self.terminal = pty.fork()
        if self.child == 0:
            os.chdir(cwd)
            os.execve(words[0], words, dict(environment))
        self.count = 0

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self.terminal)  # hangs up
        os.waitpid(self.child, 0)

    def send(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def read_until(self, pattern: str) -> str:
        """What the shell printed up to a pattern."""
        seen, end = "", time.monotonic() + PATIENCE
        while not re.search(pattern, seen):
            ready, _, _ = select.select([self.terminal], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"the shell printed no {pattern!r}: {seen!r}"
            seen += os.read(self.terminal, 65536).decode(errors="replace")
        return seen

    def run(self, line: str) -> None:
        """Run a command line, and wait until it has ended."""
        self.count += 1
        self.send(f"{line}; echo done''{self.count}.\r")
        self.read_until(rf"done{self.count}\.")

    def complete(self, text: str, keys: str = "\t") -> str:
        """The line that text becomes when keys are pressed after it."""
        self.send("\x15" + text)  # Ctrl-U empties the line
        self.send(keys)
        self.send(SHOW)
        line = re.search(r"LINE<(.*?)>", self.read_until(r"LINE<[^>]*>"), re.DOTALL)
        assert line is not None
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\n]", "", line[1])


def open_bash(script: Path, cwd: Path) -> Terminal:
    """A bash that has read a completion script and nothing of the user's, and finds no program to start."""
    environment = {"PATH": "/nowhere", "HOME": str(cwd), "TERM": "dumb", "PS1": "$ "}
    bash = Terminal([str(shutil.which("bash")), "--norc", "--noprofile", "-i"], cwd, environment)
    bash.run("bind 'set bell-style none'; bind 'set completion-query-items 0'; bind 'set page-completions off'")
    bash.run(r"""bind -x '"\C-x\C-p": printf "LINE<%s>\n" "$READLINE_LINE"'""")
    bash.run(f"source {script}")
    return bash


def open_zsh(script: Path, cwd: Path) -> Terminal:
    """A zsh that found a completion script in $fpath, read nothing of the user's, and finds no program to start."""
    functions = cwd / "zfunc"
    functions.mkdir()
    shutil.copy(script, functions / "_foveate")
    kept = {name: os.environ[name] for name in ("FPATH",) if name in os.environ}
    environment = {**kept, "PATH": "/nowhere", "HOME": str(cwd), "TERM": "dumb", "PS1": "$ "}
    zsh = Terminal([str(shutil.which("zsh")), "-f", "-i"], cwd, environment)
    zsh.run(f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep; setopt no_list_beep")
    zsh.run("show() { print -r -- \"LINE<$BUFFER>\" }; zle -N show; bindkey '^X^P' show")
    return zsh


def ask_fish(script: Path, cwd: Path, text: str) -> list[str]:
    """What a fish that read a completion script offers for a line, without descriptions."""
    code = f"source {script}; complete -C {shlex.quote(text)}"
    environment = {"PATH": "/nowhere", "HOME": str(cwd), "LANG": "C.UTF-8"}
    words = [str(shutil.which("fish")), "--no-config", "-c", code]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]
