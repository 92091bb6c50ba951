"""Progress bars of long work on a data set; they disappear at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int, int], None]  # done, in all; 0 in all where that is not known


@contextmanager
def bar(text: str) -> Iterator[Advance]:
    """One progress bar, on a terminal only.

    Args:
        text: What is being done.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(text, total=None)

        def advance(done: int, total: int) -> None:
            bars.update(task, completed=done, total=total or None)

        yield advance


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar for each split, or other part of the work; they disappear at the end."""
    from rich.console import Console
    from rich.progress import Progress, TaskID

    tasks: dict[str, TaskID] = {}
    console = Console(stderr=True)
    with Progress(transient=True, console=console, disable=not console.is_terminal) as shown:

        def advance(part: str, done: int, total: int) -> None:
            if part not in tasks:
                tasks[part] = shown.add_task(part, total=total)
            shown.update(tasks[part], completed=done)

        yield advance
