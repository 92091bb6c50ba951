"""Pages of what there is to choose from: networks, recipes, exit codes."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from foveate.docs.site.text import block, heading, table
from foveate.pipeline import errors
from foveate.pipeline.commands.listing import print_models
from foveate.pipeline.runs.recipes import find_recipe, list_recipes
from foveate.plugins.errors import PluginError

OTHERS = {0: "done", 1: "a bug: please report it with the text above the last line"}


def write(reference: Path) -> None:
    """Write the pages.

    Args:
        reference: The folder of the reference.
    """
    reference.mkdir(exist_ok=True)
    for name, text in {"networks": networks(), "recipes": recipes(), "exit-codes": exit_codes()}.items():
        (reference / f"{name}.md").write_text(text, encoding="utf-8")


def printed(show: Callable[[], None]) -> str:
    """What a function prints."""
    text = io.StringIO()
    with redirect_stdout(text):
        show()
    return text.getvalue()


def networks() -> str:
    """What `foveate models list` prints."""
    said = "What `foveate models list` prints; `--model.network` takes these names.\n\n"
    return heading("Networks") + said + block(printed(print_models))


def recipes() -> str:
    """Every recipe, as it stands."""
    text = heading("Recipes")
    text += "`foveate fit --config NAME` trains one, `foveate recipes show NAME > mine.yaml` copies it to change.\n\n"
    for name in list_recipes():
        text += heading(name, 2) + block(find_recipe(name).read_text(encoding="utf-8"), "yaml")
    return text


def exit_codes() -> str:
    """Every exit code, read from the errors that end with it."""
    found = [*vars(errors).values(), PluginError]
    kinds = [one for one in found if isinstance(one, type) and getattr(one, "exit_code", 1) != 1]
    meanings = {kind.exit_code: (kind.__doc__ or "").split("\n")[0] for kind in kinds}
    for name, (_, said) in errors.SIGNALS.items():
        meanings.setdefault(errors.Stopped(getattr(signal, name)).exit_code, f"{said[0].upper()}{said[1:]}.")
    rows = [(str(code), text) for code, text in sorted({**meanings, **OTHERS}.items())]
    said = (
        "Every end other than 0 prints one last line to standard error: the kind of error, its cause, the last good "
        "checkpoint if there is one, and the command to go on.\n\n"
    )
    return heading("Exit codes") + said + table(("code", "meaning"), rows)
