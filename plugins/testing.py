"""The conformance kit: what a block must keep to, for pytest and for `foveate plugins check`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from torch import nn

from foveate.plugins.blocks import create_block, find_offer, parse_spec
from foveate.plugins.conformance import behaviour, copies, device, features, graphs, learning
from foveate.plugins.conformance.costs import Cost, measure_costs
from foveate.plugins.conformance.rule import Result, Rule, try_rule
from foveate.plugins.conformance.subject import Subject
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import Offer, Plugins
from foveate.plugins.records import Block

__all__ = ["RULES", "Cost", "Result", "Rule", "assert_conforms", "check_block", "describe", "measure_costs"]

RULES: tuple[Rule, ...] = (
    features.build_and_run,
    features.keep_shape,
    features.keep_widths,
    features.take_one_sample,
    features.keep_dtype,
    features.keep_layout,
    device.follow_device,
    learning.stay_finite,
    learning.reach_weights,
    learning.use_parameters,
    learning.reach_input,
    behaviour.leave_input,
    behaviour.repeat,
    behaviour.forget,
    behaviour.keep_samples_apart,
    behaviour.differ_as_declared,
    copies.save_and_load,
    copies.copy_deeply,
    copies.pickle_and_back,
    graphs.compile_it,
    graphs.export_it,
    graphs.run_as_onnx,
)

Checked = str | Mapping[str, Any] | Offer[Block] | Callable[..., nn.Module]


def check_block(
    block: Checked,
    *,
    options: Mapping[str, Any] | None = None,
    channels: int = 16,
    multiple_of: int = 1,
    rules: Sequence[Rule] = RULES,
    skip: Collection[str] = (),
) -> list[Result]:
    """Hold a block to the rules.

    Args:
        block: Name of an installed block, an offer, or a class or function `build(channels, **options)`.
        options: What a recipe would say beside the name.
        channels: The width at which most rules try it; the next one that the block accepts is taken.
        multiple_of: What its widths divide by; an offer's record says so itself.
        rules: Those to try.
        skip: Names of rules to leave out.

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
    built = try_rule(features.build_and_run, subject)
    if built.outcome == "failed":
        return [built, *(Result(rule, "skipped", "it is not built") for rule in wanted if rule is not built.rule)]
    return [built if rule is built.rule else try_rule(rule, subject) for rule in wanted]


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


def _expect_options(spec: Mapping[str, Any], offer: Offer[Block], alone: Plugins) -> None:
    """Refuse an option that the block does not take; what else is wrong with it is for the rules to find."""
    try:
        create_block(spec, offer.record.multiple_of * 16, plugins=alone)
    except PluginConfigError as error:
        if error.__cause__ is None:
            raise
    except Exception:
        return


def subject_of(block: Checked, options: Mapping[str, Any], *, channels: int = 16, multiple_of: int = 1) -> Subject:
    """The block with its options, ready to be built at any width."""
    if isinstance(block, str | Mapping):
        name, given = parse_spec(block)
        return subject_of(find_offer(name), {**given, **options}, channels=channels)
    if isinstance(block, Offer):
        spec = {**options, "name": block.record.name}
        alone = Plugins(offers=[block])
        _expect_options(spec, block, alone)
        subject = Subject(
            block.record.name,
            lambda width: create_block(spec, width, plugins=alone),
            multiple_of=block.record.multiple_of,
        )
    else:
        build = block
        name = getattr(build, "__name__", type(build).__name__)
        subject = Subject(name, lambda width: build(width, **options), multiple_of=multiple_of)
    return Subject(subject.name, subject.build, subject.width(channels), subject.multiple_of)
