"""`foveate plugins`: the commands of the plugin system, and a check that knows data sets beside blocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foveate.pipeline.runs.data_sets import load_data_set
from foveate.plugins import commands
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import Offer, Plugins, installed_plugins
from foveate.plugins.records import Block, DataSet
from foveate.plugins.selection import split_names
from foveate.plugins.tables import create_console, create_table, plain

COLOURS = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


def check(
    name: str,
    options: dict[str, Any] | None = None,
    channels: int = 16,
    root: Path | None = None,
    plugins: str = "",
) -> None:
    """Test a block or a data set against the rules of its conformance kit; for each failure it says what to do.

    Example: foveate plugins check cbam --options '{kernel: 5}'

    Args:
        name: Name of the block or data set, or distribution:name.
        options: Its options as YAML, as in a recipe.
        channels: For a block: number of channels that most rules use; if it cannot be built, a larger one is tried.
        root: For a data set: its folder; without it, the rules that read data are skipped.
        plugins: Other plugins to load: modules, files, paths or packages, separated by commas.
    """
    offer = _data_set(installed_plugins(split_names(plugins)), name)
    if offer is None:
        commands.check(name, options, channels)
    else:
        _check_data_set(offer, options or {}, root)


def _data_set(manager: Plugins, name: str) -> Offer[DataSet] | None:
    """The data set of this name, unless a block has it too."""
    try:
        manager.find(name, Block)
    except PluginConfigError:
        pass
    else:
        return None
    try:
        return manager.find(name, DataSet)
    except PluginConfigError:
        return None


def _check_data_set(offer: Offer[DataSet], options: dict[str, Any], root: Path | None) -> None:
    kind = load_data_set(offer)
    from foveate.datasets.conformance import check_data_set

    results = check_data_set(kind, root=root, options=options)
    table = create_table("rule", "result", "detail", wide="detail")
    for result in results:
        detail = result.detail or (result.rule.promise if result.outcome == "passed" else "")
        colour = COLOURS[result.outcome]
        table.add_row(plain(result.rule.name), f"[{colour}]{result.outcome}", plain(detail))
    create_console().print(table)
    failures = [result.describe() for result in results if result.outcome == "failed"]
    if failures:
        heading = f"data set {offer.record.name!r} of {offer.provider} breaks {len(failures)} of {len(results)} rules"
        raise PluginError("\n".join([f"{heading}:", *(f"- {failure}" for failure in failures)]))


COMMANDS = {**commands.COMMANDS, "check": check}
