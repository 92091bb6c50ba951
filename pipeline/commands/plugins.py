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

    Results = Sequence[Result] | Sequence[DataResult]

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
    given = options or {}
    with kept_free(json):
        manager = installed_plugins(split_names(plugins))
        data = _data_set(manager, name)
        offer: Offer[Any] = manager.find(name, Block) if data is None else data
        results = _check_block(offer, given, channels) if data is None else _check_data(data, given, root)
        _show(results)
        failures = [result.describe() for result in results if result.outcome == "failed"]
        costs = commands.print_costs(offer, given) if data is None and not failures else []
    if json is not None:
        write_figures({**_about(offer), "rules": [_figures(result) for result in results], "costs": costs}, json)
    if failures:
        heading = f"{offer.record.noun} {offer.record.name!r} of {offer.provider} breaks {len(failures)}"
        told = [f"{heading} of {len(results)} rules:", *(f"- {failure}" for failure in failures)]
        raise PluginError("\n".join(told))


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


def _check_block(offer: Offer[Block], options: dict[str, Any], channels: int) -> list[Result]:
    from foveate.plugins.testing import check_block

    return check_block(offer, options=options, channels=channels)


def _check_data(offer: Offer[DataSet], options: dict[str, Any], root: Path | None) -> list[DataResult]:
    kind = load_data_set(offer)
    from foveate.datasets.conformance import check_data_set

    return check_data_set(kind, root=root, options=options)


def _show(results: Results) -> None:
    table = create_table("rule", "result", "detail", wide="detail")
    for result in results:
        told = result.detail or (result.rule.promise if result.outcome == "passed" else "")
        table.add_row(plain(result.rule.name), f"[{COLOURS[result.outcome]}]{result.outcome}", plain(told))
    create_console().print(table)


def _about(offer: Offer[Any]) -> dict[str, str]:
    return {"name": offer.record.name, "record": offer.record.noun, "provider": str(offer.provider)}


def _figures(result: Result | DataResult) -> dict[str, str]:
    found = {"rule": result.rule.name, "result": result.outcome}
    return {**found, "detail": result.detail, "advice": result.advice}


COMMANDS = {**commands.COMMANDS, "check": check}
