"""The conformance kit: tests a block against rules, in pytest and in `foveate plugins check`."""

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

WIDER = (32, 64, 96, 128, 192, 256)  # numbers of channels to try if a block cannot be built with the given one
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
    """Test a block against the rules.

    The rules run in a child process, so that a block which ends the process, hangs or fills the memory breaks a rule
    and does not harm the caller. A lambda, a class inside a function or a class of a script or notebook is tested in
    the caller's process, since another process cannot import it.

    Args:
        block: Name of an installed block, an offer, or a class or function `build(channels, **options)`.
        options: The block's options, as in a recipe.
        channels: Number of channels that most rules use; if the block cannot be built with it, a larger one is tried.
        multiple_of: The number of channels must be a multiple of this; for an offer its record decides.
        rules: The rules to try.
        skip: Names of rules to leave out.
        apart: Whether to use a child process; False lets a debugger step into a rule.

    Returns:
        One result for each rule. If the block cannot be built or run at all, the other rules are skipped.

    Raises:
        PluginConfigError: The block or an option does not exist.

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
        return [built, *(Result(rule, "skipped", "the block cannot be built") for rule in rest)]
    results = iter(hold(rest, subject))
    return [built if rule is built.rule else next(results) for rule in wanted]


def _try_here(rules: Sequence[Rule], subject: Subject) -> list[Result]:
    return [try_rule(rule, subject) for rule in rules]


def _build_wide_enough(
    subject: Subject, hold: Callable[[Sequence[Rule], Subject], list[Result]]
) -> tuple[Subject, Result]:
    """The subject with the first number of channels for which it can be built, and the result of building it."""
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
    """Assert that a block keeps the rules; the message has a line for each broken rule. For use in tests.

    Args:
        block: As `check_block` takes it.
        channels: Number of channels that most rules use.
        multiple_of: The number of channels must be a multiple of this, if no record says so.
        rules: The rules to try; parametrise a test over RULES to see each of them separately.
        skip: Names of rules to leave out.
        **options: The block's options, as in a recipe.

    Example:
        >>> assert_conforms("cbam", kernel=3, rules=RULES[:5])
    """
    results = check_block(block, options=options, channels=channels, multiple_of=multiple_of, rules=rules, skip=skip)
    broken = [describe(result) for result in results if result.outcome == "failed"]
    assert not broken, "\n".join(broken)


def describe(result: Result) -> str:
    """A failure in one line: the rule, what was found and what to do.

    Args:
        result: The failed result.
    """
    return result.describe()


def subject_of(block: Checked, options: Mapping[str, Any], *, channels: int = 16, multiple_of: int = 1) -> Subject:
    """The block and its options, ready to be built with any number of channels.

    Args:
        block: As `check_block` takes it.
        options: The block's options, as in a recipe.
        channels: Number of channels that most rules use, rounded up to one that the block accepts.
        multiple_of: The number of channels must be a multiple of this; for an offer its record decides.

    Raises:
        PluginConfigError: The block or an option does not exist.
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
    """Refuse an option that the block does not accept; the rules find all other faults."""
    try:
        build = load(offer)
    except PluginError:
        return
    check_options(f"block {offer.record.name!r}", build, options, offer.record.given)
