"""`foveate plugins`: what is installed, what is wrong with it, and how to make one."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import Offer, Plugins, installed_plugins
from foveate.plugins.records import Block, Decoder, Encoder, Loss, Metric, Record
from foveate.plugins.selection import ALLOWED, split_names
from foveate.plugins.tables import create_console, create_table, plain

What = Literal["blocks", "encoders", "decoders", "losses", "metrics", "all"]
KINDS: dict[str, type[Record]] = {
    "blocks": Block,
    "encoders": Encoder,
    "decoders": Decoder,
    "losses": Loss,
    "metrics": Metric,
}


def list_records(what: What = "blocks", plugins: str = "", disable: str = "") -> None:
    """List what plugins offer: name, paper, who provides it, and what it is.

    Example: foveate plugins list --what encoders

    Args:
        what: blocks, encoders, decoders, losses, metrics, or all.
        plugins: Modules or files of this folder to take beside the installed plugins, between commas.
        disable: Plugins not to import, between commas, by entry point or distribution.
    """
    manager = installed_plugins(split_names(plugins), split_names(disable))
    for name, kind in KINDS.items():
        if what in (name, "all"):
            _print_offers(manager.of_kind(kind))
    for fault in manager.faults:
        create_console(stderr=True).print(f"left out: {fault}", markup=False)
    if manager.disabled:
        create_console(stderr=True).print(f"not imported: {', '.join(manager.disabled)}", markup=False)


def _print_offers(offers: Sequence[Offer[Any]]) -> None:
    table = create_table("name", "is", "paper", "provided by", "what it does", wide="what it does")
    for offer in offers:
        record = offer.record
        name = f"{record.name}:..." if getattr(record, "prefix", False) else record.name
        table.add_row(
            name, getattr(record, "kind", record.noun), record.paper or "-", str(offer.provider), record.summary
        )
    create_console().print(table)


def show_record(name: str, plugins: str = "") -> None:
    """Show one record: what it says, who provides it, its options, and of a block what it costs.

    Example: foveate plugins info cbam

    Args:
        name: Of a block, encoder, decoder, loss or metric, or distribution:name.
        plugins: Modules or files of this folder to take beside the installed plugins, between commas.
    """
    from foveate.plugins.options import describe_options

    offer = _find_any(installed_plugins(split_names(plugins)), name)
    record, provider = offer.record, offer.provider
    table = create_table("", "", wide="", heading=False)
    for field in dataclasses.fields(record):
        table.add_row(field.name, plain(str(getattr(record, field.name) or "-")))
    table.add_row("is a", record.noun)
    table.add_row("provided by", f"{provider} ({provider.entry_point})")
    for number, option in enumerate(describe_options(offer) or ["none"]):
        table.add_row("options" if number == 0 else "", plain(option))
    create_console().print(table)
    if isinstance(record, Block):
        _print_costs(offer, {})


def _find_any(manager: Plugins, name: str) -> Offer[Any]:
    """The record of this name, of whatever kind; what is said of an unknown name speaks of blocks."""
    for kind in (*KINDS.values(), Block):
        try:
            return manager.find(name, kind)
        except PluginConfigError:
            continue
    return manager.find(name, Block)


def examine_plugins() -> None:
    """Import each plugin by itself: whether it loads, why not, how long it takes, and what clashes.

    Example: foveate plugins doctor
    """
    from foveate.plugins.doctor import examine, find_clashes, find_lightning_callbacks
    from foveate.plugins.records import API_VERSION

    findings, callbacks = examine(), find_lightning_callbacks()
    table = create_table("distribution", "entry point", "offers", "API", "import", "torch", "loads", wide="loads")
    for found in findings:
        row = [found.distribution, found.entry_point, str(len(found.records)), str(found.api or "-")]
        row += [f"{found.seconds:.2f} s", "imported" if found.torch else "no", found.fault or "yes"]
        table.add_row(*map(plain, row))
    create_console().print(table)
    print(f"plugin interface here: {API_VERSION}; {ALLOWED}: {os.environ.get(ALLOWED, 'not set: all are loaded')}")
    for point in callbacks:
        owner = point.dist.name if point.dist else "?"
        print(f"Lightning adds the callbacks of {point.value} ({owner}, {point.group}) to every Trainer by itself")
    clashes = find_clashes(findings)
    print("\n".join(clashes), end="\n" if clashes else "")
    broken = [found.entry_point for found in findings if found.fault and not found.fault.startswith("not imported")]
    if broken or clashes:
        parts = [f"left out: {', '.join(broken)}"] if broken else []
        raise PluginError("; ".join([*parts, *clashes]))


def new_plugin(name: str, out: Path = Path(".")) -> None:
    """Write a complete plugin package with a block, a test and a README, to start from.

    Example: foveate plugins new my-attention

    Args:
        name: Of the package and its block: small letters, digits and single '-'.
        out: Where its folder is made.
    """
    from foveate.plugins.scaffold import write_plugin

    folder = write_plugin(name, out)
    print(f"{folder} written; now: pip install -e {folder} && foveate plugins check {name}")


def check(name: str, options: dict[str, Any] | None = None, channels: int = 16, plugins: str = "") -> None:
    """Hold a block to what models ask of one: a table, and for each failure what to do.

    Example: foveate plugins check cbam --options '{kernel: 5}'

    Args:
        name: Of the block, or distribution:name.
        options: What a recipe would say beside the name, as YAML.
        channels: The width at which most rules try it.
        plugins: Modules or files of this folder to take beside the installed plugins, between commas.
    """
    offer = installed_plugins(split_names(plugins)).find(name, Block)
    from foveate.plugins.testing import check_block, describe

    results = check_block(offer, options=options, channels=channels)
    table = create_table("rule", "result", "detail", wide="detail")
    colours = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
    for result in results:
        detail = result.detail or (result.rule.promise if result.outcome == "passed" else "")
        table.add_row(plain(result.rule.name), f"[{colours[result.outcome]}]{result.outcome}", plain(detail))
    create_console().print(table)
    failures = [describe(result) for result in results if result.outcome == "failed"]
    if failures:
        heading = f"block {offer.record.name!r} of {offer.provider} breaks {len(failures)} of {len(results)} rules"
        raise PluginError("\n".join([f"{heading}:", *(f"- {failure}" for failure in failures)]))
    _print_costs(offer, options or {})


def _print_costs(offer: Offer[Block], options: dict[str, Any]) -> None:
    from foveate.plugins.conformance.costs import MAP
    from foveate.plugins.testing import measure_costs, subject_of

    table = create_table("channels", "parameters", f"multiply-adds at {MAP[0]} x {MAP[1]}")
    for cost in measure_costs(subject_of(offer, options)):
        table.add_row(str(cost.channels), f"{cost.parameters:,}", f"{cost.macs:,}")
    create_console().print(table)


COMMANDS = {"list": list_records, "info": show_record, "doctor": examine_plugins, "new": new_plugin, "check": check}
