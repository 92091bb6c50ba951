"""The command `foveate pull`: fetches a published model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foveate.pipeline.answering import answer
from foveate.pipeline.command_line import run_single
from foveate.pipeline.errors import MachineError
from foveate.plugins.selection import split_names


def pull(
    source: str,
    folder: str | None = None,
    revision: str | None = None,
    plugins: str = "",
    json: str | None = None,
) -> None:
    """Fetch a published model into a folder, verify its files, and say which plugin is missing.

    The folder is then a model for `foveate predict`, `foveate explain`, `foveate.load` and
    `foveate fit --model.weights`.

    Example: foveate pull jane/segnext_t_camvid models/camvid

    Args:
        source: owner/name on the Hugging Face Hub, or a folder that `foveate push` wrote.
        folder: Where to put it, also without --folder as the second word; a folder of the model's name if not given.
        revision: Branch, tag or commit; the newest if not given.
        plugins: Comma-separated modules, or files of this folder, that the model needs besides installed plugins.
        json: File for what was fetched, or - for standard output, also without a value.

    Raises:
        MachineError: The files cannot be written.
    """
    from foveate.pipeline.publishing.fetch import fetch  # late: torch takes a second
    from foveate.plugins.manager import installed_plugins

    if modules := split_names(plugins):
        installed_plugins(modules)
    target = Path(folder or Path(source).expanduser().resolve().name).expanduser()

    def find() -> dict[str, Any]:
        try:
            config = fetch(source, target, revision=revision)
        except OSError as error:
            raise MachineError(f"{target}: cannot be written: {error}") from error
        classes = list(config.get("classes", ()))
        print(f"{target}: {config['network']}, {len(classes)} classes, files verified", flush=True)
        return {"folder": str(target), "network": config["network"], "classes": classes}

    answer(json, find)


def run(words: Sequence[str]) -> None:
    """Run `foveate pull`.

    Args:
        words: The command line after it.
    """
    given = list(words)
    if len(given) > 1 and not any(word.startswith("-") for word in given[:2]):
        given.insert(1, "--folder")  # which may follow without its name
    run_single("foveate pull", pull, given or ["--help"])
