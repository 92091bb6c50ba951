"""A rule for data sets, and its result."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from foveate.datasets.conformance.subject import SkippedRuleError, Subject

Outcome = Literal["passed", "failed", "skipped"]
Check = Callable[[Subject], str]


class BrokenRuleError(AssertionError):
    """The data set breaks the rule; the message says how."""


@dataclass(frozen=True)
class DataRule:
    """One requirement for data sets.

    Attributes:
        name: Its name in tables and tests.
        promise: What is true of a data set that passes.
        advice: What to do if one fails.
        check: Tries it; raises if it is broken, and may return a remark.
    """

    name: str
    promise: str
    advice: str
    check: Check

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class DataResult:
    """The result of one rule.

    Attributes:
        rule: The rule.
        outcome: `passed`, `failed` or `skipped`.
        detail: A remark, or the reason of a failure or skip.
    """

    rule: DataRule
    outcome: Outcome
    detail: str

    @property
    def advice(self) -> str:
        """What to do about a failure; empty for other outcomes."""
        return self.rule.advice if self.outcome == "failed" else ""

    def describe(self) -> str:
        """A failure in one line: the rule, what was found and what to do."""
        return f"{self.rule}: {self.detail}; {self.advice}"


def rule(name: str, advice: str) -> Callable[[Check], DataRule]:
    """Turn a function into a rule; the first line of its docstring becomes the promise.

    Args:
        name: Its name in tables and tests.
        advice: What to do if a data set fails.
    """

    def make(check: Check) -> DataRule:
        promise = (check.__doc__ or name).splitlines()[0].rstrip(".")
        return DataRule(name=name, promise=promise, advice=advice, check=check)

    return make


def expect(holds: bool, message: str) -> None:
    """Break the rule unless something holds.

    Args:
        holds: Whether it does.
        message: What was found instead.

    Raises:
        BrokenRuleError: It does not.
    """
    if not holds:
        raise BrokenRuleError(message)


def try_rule(rule: DataRule, subject: Subject) -> DataResult:
    """Try a rule on a data set; any exception is a failure. The caller's random state is left unchanged.

    Args:
        rule: The rule.
        subject: The data set.
    """
    try:
        with torch.random.fork_rng(devices=[]):
            return DataResult(rule, "passed", rule.check(subject))
    except SkippedRuleError as reason:
        return DataResult(rule, "skipped", str(reason))
    except BrokenRuleError as broken:
        return DataResult(rule, "failed", textwrap.shorten(str(broken), 300))
    except (Exception, SystemExit) as error:
        return DataResult(rule, "failed", textwrap.shorten(f"{type(error).__name__}: {error}", 300))
