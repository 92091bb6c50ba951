"""`foveate plugins`: the commands of the plugin system, and a check that knows data sets beside blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveate.pipeline.answering import kept_free, write_figures
from foveate.pipeline.runs.data_sets import load_data_set
from foveate.plugins import commands
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import Offer, Plugins, installed_plugins
from foveate.plugins.records import Block, DataSet
from foveate.plugins.selection import split_names
from foveate.plugins.tables import create_console, create_table, plain

if TYPE_CHECKING:
    from foveate.datasets.conformance.rule import DataResult
    from foveate.plugins.conformance.rule import Result

COLOURS = {"passed": "green", "failed": "bold red", "skipped": "yellow"}


def check(
    name: str,
    options: dict[str, Any] | None = None,
    channels: int = 16,
    root: Path | None = None,
    plugins: str = "",
    json: str | None = None,
) -> None:
    """Test a block or a data set against the rules of its conformance kit; for each failure it says what to do.

    Example: foveate plugins check cbam --options '{kernel: 5}'

    Args:
        name: Name of the block or data set, or distribution:name.
        options: Its options as YAML, as in a recipe.
        channels: For a block: number of channels that most rules use; if it cannot be built, a larger one is tried.
        root: For a data set: its folder; without it, the rules that read data are skipped.
        plugins: Other plugins to load: modules, files, paths or packages, separated by commas.
        json: File for the result of each rule, or - for standard output, also without a value.
    """
    with kept_free(json):
        figures = _checked(installed_plugins(split_names(plugins)), name, options or {}, channels, root)
    if json is not None:
        write_figures(figures, json)
    broken = [one for one in figures["rules"] if one["result"] == "failed"]
    failures = [f"- {one['rule']}: {one['detail']}; {one['advice']}" for one in broken]
    if failures:
        heading = f"{figures['record']} {figures['name']!r} of {figures['provider']} breaks {len(failures)}"
        raise PluginError("\n".join([f"{heading} of {len(figures['rules'])} rules:", *failures]))


def _checked(manager: Plugins, name: str, options: dict[str, Any], channels: int, root: Path | None) -> dict[str, Any]:
    """What was checked, the result of each rule, and the costs of a block that breaks none; a table is printed."""
    data = _data_set(manager, name)
    offer: Offer[Any] = manager.find(name, Block) if data is None else data
    about = {"name": offer.record.name, "record": offer.record.noun, "provider": str(offer.provider)}
    if data is not None:
        return {**about, "rules": _shown(_check_data_set(data, options, root))}
    from foveate.plugins.testing import check_block

    rules = _shown(check_block(offer, options=options, channels=channels))
    broken = any(one["result"] == "failed" for one in rules)
    return {**about, "rules": rules, "costs": [] if broken else commands.print_costs(offer, options)}


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


def _check_data_set(offer: Offer[DataSet], options: dict[str, Any], root: Path | None) -> list[DataResult]:
    kind = load_data_set(offer)
    from foveate.datasets.conformance import check_data_set

    return check_data_set(kind, root=root, options=options)


def _shown(results: Sequence[Result] | Sequence[DataResult]) -> list[dict[str, str]]:
    """Print the results as a table; the same as figures, with what to do about failures."""
    table = create_table("rule", "result", "detail", wide="detail")
    figures = []
    for result in results:
        told = result.detail or (result.rule.promise if result.outcome == "passed" else "")
        table.add_row(plain(result.rule.name), f"[{COLOURS[result.outcome]}]{result.outcome}", plain(told))
        advice = result.rule.advice if result.outcome == "failed" else ""
        figures.append({"rule": result.rule.name, "result": result.outcome, "detail": result.detail, "advice": advice})
    create_console().print(table)
    return figures


COMMANDS = {**commands.COMMANDS, "check": check}
