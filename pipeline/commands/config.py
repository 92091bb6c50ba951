"""`foveate config`: recipes resolved, to start from, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from foveate.pipeline.command_line import PLUGINS
from foveate.pipeline.errors import ConfigError

Flags = Sequence[str]


def show(recipe: str, json: bool = False, flags: Flags = ()) -> None:
    """Print a recipe with every default and flag filled in, as a training would take it. Nothing is read or built.

    Example: foveate config show camvid_segnext_t --model.optimizer.lr 2e-3

    Args:
        recipe: A shipped recipe, a file, a run directory, or a checkpoint in one.
        json: Print it as JSON.
        flags: Flags of the recipe, as in a training.
    """
    from foveate.pipeline.answering import STDOUT, write_figures
    from foveate.pipeline.runs.recipes import dump_recipe
    from foveate.pipeline.settings.resolving import open_source, resolve

    _prepare()
    found = resolve(open_source(recipe, _modules(flags)), flags)
    if json:
        write_figures({"recipe": found}, STDOUT)
    else:
        print(dump_recipe(found), end="")


def init(recipe: str, out: str | None = None, flags: Flags = ()) -> None:
    """Write a recipe to start from: every option of its classes explained, those left at their default as comments.

    Example: foveate config init camvid_segnext_t --out mine.yaml

    Args:
        recipe: The recipe that it means the same as: a shipped one, a file, or a run directory.
        out: File to write, which may not exist yet; printed if not given.
        flags: Not for this command, since a template holds what is written in the recipe.
    """
    from foveate.pipeline.files import write_text
    from foveate.pipeline.settings.resolving import open_source
    from foveate.pipeline.settings.template import write_template

    rest = [flag for flag in flags if not flag.startswith(PLUGINS)]
    if any(flag.startswith("--") for flag in rest):
        raise ConfigError(f"config init takes no {rest[0]}: write the file, and edit it")
    _prepare()
    source = open_source(recipe, _modules(flags))
    name = out or "mine.yaml"
    heading = (
        f"Begun from {recipe}. Where a name follows # at once, it has the default shown; remove the # to change it.",
    )
    text = write_template(source.recipe, [*heading, f"foveate fit --config {name}"])
    if out is None:
        print(text, end="")
        return
    path = Path(out).expanduser()
    if path.exists():
        raise ConfigError(f"{path} exists; remove it first, or give another --out")
    write_text(path, text)
    print(f"{path} written; now: foveate fit --config {path}")


def diff(first: str, second: str, json: bool = False, flags: Flags = ()) -> None:
    """Tell what differs between two recipes or runs, defaults filled in; of runs also code, libraries and machine.

    Example: foveate config diff runs/camvid_segnext_t/0001 runs/camvid_segnext_t/0002

    Args:
        first: A shipped recipe, a file, a run directory, or a checkpoint in one.
        second: Another one.
        json: Print it as JSON.
        flags: Flags that both are read with; only --plugins is of use.
    """
    from foveate.pipeline.answering import STDOUT, write_figures
    from foveate.pipeline.settings.comparing import as_lines, circumstances_of, compare
    from foveate.pipeline.settings.resolving import flattened, open_source, resolve

    _prepare()
    sources = [open_source(name, _modules(flags)) for name in (first, second)]
    found = compare(*(flattened(resolve(source, flags)) for source in sources))
    around = [circumstances_of(source) for source in sources]
    if all(around):
        found += compare(*around)
    if json:
        write_figures({"first": first, "second": second, "differences": [asdict(one) for one in found]}, STDOUT)
    else:
        print("\n".join(as_lines(found, first, second)))


def _modules(flags: Flags) -> list[str]:
    from foveate.pipeline.training.flags import take_option

    return take_option(flags, PLUGINS)[0]


def _prepare() -> None:
    """Import the classes that recipes name without a module."""
    from foveate.pipeline.startup import import_named
    from foveate.plugins.output import diverted

    with diverted():
        import_named()


COMMANDS = {"show": show, "init": init, "diff": diff}
