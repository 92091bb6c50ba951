"""`foveate plugins`: lists, describes, diagnoses and creates plugins."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import Offer, Plugins, installed_plugins
from foveate.plugins.output import print_json
from foveate.plugins.records import Block, DataSet, Decoder, Encoder, Loss, Metric, Record
from foveate.plugins.selection import ALLOWED, split_names
from foveate.plugins.tables import create_console, create_table, plain

if TYPE_CHECKING:
    from foveate.plugins.doctor import Finding

What = Literal["blocks", "encoders", "decoders", "losses", "metrics", "data", "all"]
KINDS: dict[str, type[Record]] = {kind.what: kind for kind in (Block, Encoder, Decoder, Loss, Metric, DataSet)}


def list_records(what: What = "blocks", plugins: str = "", disable: str = "", json: bool = False) -> None:
    """List the records that plugins offer: name, kind, paper, provider and summary.

    Example: foveate plugins list --what encoders

    Args:
        what: Kind of record: blocks, encoders, decoders, losses, metrics, data, or all.
        plugins: Other plugins to load: modules, files, paths or packages, separated by commas.
        disable: Plugins not to import, by entry point or distribution, separated by commas.
        json: Print them as JSON.
    """
    manager = installed_plugins(split_names(plugins), split_names(disable))
    kinds = [kind for name, kind in KINDS.items() if what in (name, "all")]
    if json:
        print_json({kind.what: [_described(offer) for offer in manager.of_kind(kind)] for kind in kinds})
    for kind in kinds if not json else ():
        _print_offers(manager.of_kind(kind))
    for fault in manager.faults:
        create_console(stderr=True).print(f"left out: {fault}", markup=False)
    if manager.disabled:
        create_console(stderr=True).print(f"not imported: {', '.join(manager.disabled)}", markup=False)


def _described(offer: Offer[Any]) -> dict[str, str]:
    record = offer.record
    kind = getattr(record, "kind", record.noun)
    said = {"name": record.name, "kind": kind, "paper": record.paper, "summary": record.summary}
    return {**said, "provider": str(offer.provider), "entry_point": offer.provider.entry_point}


def _print_offers(offers: Sequence[Offer[Any]]) -> None:
    table = create_table("name", "kind", "paper", "provided by", "summary", wide="summary")
    for offer in offers:
        record = offer.record
        name = f"{record.name}:..." if getattr(record, "prefix", False) else record.name
        table.add_row(
            name, getattr(record, "kind", record.noun), record.paper or "-", str(offer.provider), record.summary
        )
    create_console().print(table)


def show_record(name: str, plugins: str = "", json: bool = False) -> None:
    """Show one record: its fields, provider and options; for a block also parameters and multiply-adds.

    Example: foveate plugins info cbam

    Args:
        name: Name of a block, encoder, decoder, loss, metric or data set, or distribution:name.
        plugins: Other plugins to load: modules, files, paths or packages, separated by commas.
        json: Print it as JSON; without parameters and multiply-adds.
    """
    from foveate.plugins.options import describe_options

    offer = _find_any(installed_plugins(split_names(plugins)), name)
    record, provider = offer.record, offer.provider
    if json:
        print_json({**_described(offer), "record": record.noun, "options": describe_options(offer)})
        return
    table = create_table("", "", wide="", heading=False)
    for field in dataclasses.fields(record):
        table.add_row(field.name, plain(str(getattr(record, field.name) or "-")))
    table.add_row("record type", record.noun)
    table.add_row("provided by", f"{provider} ({provider.entry_point})")
    options = describe_options(offer)
    for number, option in enumerate(options or ["none"]):
        table.add_row("options" if number == 0 else "", plain(option))
    if options:
        table.add_row("", plain(f"foveate options {record.noun.split()[0]}.{record.name} tells what each does"))
    create_console().print(table)
    if isinstance(record, Block):
        print_costs(offer, {})


def _find_any(manager: Plugins, name: str) -> Offer[Any]:
    """The record of this name, of any kind; the message about an unknown name lists blocks."""
    for kind in (*KINDS.values(), Block):
        try:
            return manager.find(name, kind)
        except PluginConfigError:
            continue
    return manager.find(name, Block)


def examine_plugins(json: bool = False) -> None:
    """Import each plugin in a child process; shows whether it loads, why not, how long it takes, and name clashes.

    Example: foveate plugins doctor

    Args:
        json: Print it as JSON.
    """
    from foveate.plugins.doctor import examine, find_clashes, find_lightning_callbacks

    findings = examine()
    callbacks = [
        {"distribution": point.dist.name if point.dist else "?", "callbacks": point.value, "group": point.group}
        for point in find_lightning_callbacks()
    ]
    clashes = find_clashes(findings)
    if json:
        print_json(_findings(findings, callbacks, clashes))
    else:
        _print_findings(findings, callbacks, clashes)
    broken = [found.entry_point for found in findings if found.fault and not found.fault.startswith("not imported")]
    if broken or clashes:
        parts = [f"left out: {', '.join(broken)}"] if broken else []
        raise PluginError("; ".join([*parts, *clashes]))


Callbacks = Sequence[dict[str, str]]  # what Lightning adds to every Trainer


def _findings(findings: Sequence[Finding], callbacks: Callbacks, clashes: Sequence[str]) -> dict[str, Any]:
    from foveate.plugins.records import API_VERSION

    plugins = [
        {
            "distribution": found.distribution,
            "entry_point": found.entry_point,
            "records": found.records,
            "api": found.api,
            "seconds": found.seconds,
            "imports_torch": found.torch,
            "fault": found.fault or None,
        }
        for found in findings
    ]
    return {"api": API_VERSION, "plugins": plugins, "lightning_callbacks": callbacks, "clashes": clashes}


def _print_findings(findings: Sequence[Finding], callbacks: Callbacks, clashes: Sequence[str]) -> None:
    from foveate.plugins.records import API_VERSION

    table = create_table("distribution", "entry point", "offers", "API", "import", "torch", "loads", wide="loads")
    for found in findings:
        row = [found.distribution, found.entry_point, str(len(found.records)), str(found.api or "-")]
        row += [f"{found.seconds:.2f} s", "imported" if found.torch else "no", found.fault or "yes"]
        table.add_row(*map(plain, row))
    create_console().print(table)
    print(f"plugin interface here: {API_VERSION}; {ALLOWED}: {os.environ.get(ALLOWED, 'not set: all are loaded')}")
    for one in callbacks:
        owner = f"{one['distribution']}, {one['group']}"
        print(f"Lightning adds the callbacks of {one['callbacks']} ({owner}) to every Trainer")
    print("\n".join(clashes), end="\n" if clashes else "")


def new_plugin(name: str, out: Path = Path("."), data: bool = False) -> None:
    """Write a complete plugin package with a block or a data set, tests and a README, as a starting point.

    Example: foveate plugins new my-attention; foveate plugins new --data my-set

    Args:
        name: Name of the package and of its block or data set: small letters, digits and single '-'.
        out: Where its folder is created.
        data: Whether it holds a data set instead of a block.
    """
    from foveate.plugins.scaffold import write_plugin

    folder = write_plugin(name, out, "data set" if data else "block")
    print(f"{folder} written; now: pip install -e {folder} && foveate plugins check {name}{' --root DIR' * data}")


def print_costs(offer: Offer[Block], options: dict[str, Any]) -> list[dict[str, int]]:
    """Print parameters and multiply-adds of a block at several widths; the same as figures.

    Args:
        offer: The block.
        options: Its options, as in a recipe.
    """
    from foveate.plugins.conformance.costs import MAP
    from foveate.plugins.testing import measure_costs, subject_of

    table = create_table("channels", "parameters", f"multiply-adds at {MAP[0]} x {MAP[1]}")
    costs = measure_costs(subject_of(offer, options))
    for cost in costs:
        table.add_row(str(cost.channels), f"{cost.parameters:,}", f"{cost.macs:,}")
    create_console().print(table)
    return [{"channels": cost.channels, "parameters": cost.parameters, "macs": cost.macs} for cost in costs]


COMMANDS = {"list": list_records, "info": show_record, "doctor": examine_plugins, "new": new_plugin}
