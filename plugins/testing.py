"""The conformance kit: what a block must keep to, for pytest and for `foveate plugins check`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from torch import nn

from foveate.plugins.blocks import find_offer, parse_spec
from foveate.plugins.building import check_options, load
from foveate.plugins.conformance import features
from foveate.plugins.conformance.costs import Cost, measure_costs
from foveate.plugins.conformance.isolation import ENDED, LATE, can_travel, try_apart
from foveate.plugins.conformance.rule import Result, Rule, try_rule
from foveate.plugins.conformance.rules import RULES
from foveate.plugins.conformance.subject import Builder, Subject
from foveate.plugins.errors import PluginError
from foveate.plugins.manager import Offer
from foveate.plugins.records import Block

__all__ = ["RULES", "Cost", "Result", "Rule", "assert_conforms", "check_block", "describe", "measure_costs"]

WIDER = (32, 64, 96, 128, 192, 256)  # tried where a block is not built at the width asked for
Checked = str | Mapping[str, Any] | Offer[Block] | Callable[..., nn.Module]


def check_block(
    block: Checked,
    *,
    options: Mapping[str, Any] | None = None,
    channels: int = 16,
    multiple_of: int = 1,
    rules: Sequence[Rule] = RULES,
    skip: Collection[str] = (),
    apart: bool = True,
) -> list[Result]:
    """Hold a block to the rules.

    They are tried in a process of their own, so that a block which ends the process, does not end or takes ever more
    memory breaks a rule and nothing else. A class inside a function, a lambda, or a class of a script or notebook is
    tried in the caller's process: another one cannot import it.

    Args:
        block: Name of an installed block, an offer, or a class or function `build(channels, **options)`.
        options: What a recipe would say beside the name.
        channels: The width at which most rules try it; where the block is not built at it, a wider one.
        multiple_of: What its widths divide by; an offer's record says so itself.
        rules: Those to try.
        skip: Names of rules to leave out.
        apart: Whether to try them in a process of their own; without, a debugger can look into a rule.

    Returns:
        One result a rule. Where the block cannot be built or run at all, the others are skipped.

    Raises:
        PluginConfigError: There is no such block, or no such option.

    Example:
        >>> {result.outcome for result in check_block("se", rules=RULES[:5])}
        {'passed'}
    """
    unknown = set(skip) - {rule.name for rule in RULES}
    if unknown:
        raise ValueError(f"no rule is called {', '.join(sorted(unknown))}; there are: {', '.join(map(str, RULES))}")
    subject = subject_of(block, options or {}, channels=channels, multiple_of=multiple_of)
    wanted = [rule for rule in rules if rule.name not in skip]
    hold = try_apart if apart and can_travel(subject) else _try_here
    subject, built = _build_wide_enough(subject, hold)
    rest = [rule for rule in wanted if rule is not built.rule]
    if built.outcome == "failed":
        return [built, *(Result(rule, "skipped", "it is not built") for rule in rest)]
    results = iter(hold(rest, subject))
    return [built if rule is built.rule else next(results) for rule in wanted]


def _try_here(rules: Sequence[Rule], subject: Subject) -> list[Result]:
    return [try_rule(rule, subject) for rule in rules]


def _build_wide_enough(
    subject: Subject, hold: Callable[[Sequence[Rule], Subject], list[Result]]
) -> tuple[Subject, Result]:
    """The subject at the first width at which it is built, and what came of building it."""
    (first,) = hold([features.build_and_run], subject)
    if first.outcome != "failed" or first.detail.startswith((LATE, ENDED)):
        return subject, first
    for channels in sorted({subject.width(width) for width in WIDER if width > subject.channels}):
        wider = dataclasses.replace(subject, channels=channels)
        (built,) = hold([features.build_and_run], wider)
        if built.outcome == "passed":
            return wider, dataclasses.replace(built, detail=f"{built.detail}; {subject.channels} are too few")
    return subject, first


def assert_conforms(
    block: Checked,
    *,
    channels: int = 16,
    multiple_of: int = 1,
    rules: Sequence[Rule] = RULES,
    skip: Collection[str] = (),
    **options: Any,
) -> None:
    """Fail with one line for each rule that a block breaks; for a test.

    Args:
        block: As `check_block` takes it.
        channels: The width at which most rules try it.
        multiple_of: What its widths divide by, where no record says so.
        rules: Those to try; parametrise a test over RULES to see each by itself.
        skip: Names of rules to leave out.
        **options: What a recipe would say beside the name.

    Example:
        >>> assert_conforms("cbam", kernel=3, rules=RULES[:5])
    """
    results = check_block(block, options=options, channels=channels, multiple_of=multiple_of, rules=rules, skip=skip)
    broken = [describe(result) for result in results if result.outcome == "failed"]
    assert not broken, "\n".join(broken)


def describe(result: Result) -> str:
    """A failure as one line: the rule, what was seen, what to do."""
    return f"{result.rule}: {result.detail}; {result.advice}"


def subject_of(block: Checked, options: Mapping[str, Any], *, channels: int = 16, multiple_of: int = 1) -> Subject:
    """The block with its options, ready to be built at any width.

    Args:
        block: As `check_block` takes it.
        options: What a recipe would say beside the name.
        channels: The width at which most rules try it, or the next that the block accepts.
        multiple_of: What its widths divide by; an offer's record says so itself.

    Raises:
        PluginConfigError: There is no such block, or no such option.
    """
    if isinstance(block, str | Mapping):
        name, given = parse_spec(block)
        return subject_of(find_offer(name), {**given, **options}, channels=channels)
    if isinstance(block, Offer):
        name, multiple_of = block.record.name, block.record.multiple_of
        _check_options_of(block, options)
    else:
        name = getattr(block, "__name__", type(block).__name__)
    subject = Subject(name, Builder(block, dict(options)), multiple_of=multiple_of)
    return dataclasses.replace(subject, channels=subject.width(channels))


def _check_options_of(offer: Offer[Block], options: Mapping[str, Any]) -> None:
    """Refuse an option that the block does not take; what else is wrong with it is for the rules to find."""
    try:
        build = load(offer)
    except PluginError:
        return
    check_options(f"block {offer.record.name!r}", build, options, offer.record.given)
