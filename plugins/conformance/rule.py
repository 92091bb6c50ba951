"""A rule and its result."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from foveate.plugins.conformance.subject import Subject

Outcome = Literal["passed", "failed", "skipped"]
Check = Callable[[Subject], str | None]


class BrokenRuleError(AssertionError):
    """The block breaks the rule; the message says how."""


class SkippedRuleError(Exception):
    """The rule cannot be tested here; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One requirement for blocks.

    Attributes:
        name: Its name in tables and tests.
        promise: What is true of a block that passes.
        advice: What to do if a block fails.
        check: Tests a block; raises if the block breaks the rule, and may return a remark.
    """

    name: str
    promise: str
    advice: str
    check: Check

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Result:
    """The result of one rule.

    Attributes:
        rule: The rule.
        outcome: `passed`, `failed` or `skipped`.
        detail: A remark, or the reason of a failure or skip.
    """

    rule: Rule
    outcome: Outcome
    detail: str

    @property
    def advice(self) -> str:
        """What to do about a failure; empty for other outcomes."""
        return self.rule.advice if self.outcome == "failed" else ""

    def describe(self) -> str:
        """A failure in one line: the rule, what was found and what to do."""
        return f"{self.rule}: {self.detail}; {self.advice}"


def rule(name: str, *, advice: str) -> Callable[[Check], Rule]:
    """Turn a function into a rule; the first line of its docstring becomes the promise.

    Args:
        name: Its name in tables and tests.
        advice: What to do if a block fails.
    """

    def make(check: Check) -> Rule:
        promise = (check.__doc__ or name).splitlines()[0].rstrip(".")
        return Rule(name=name, promise=promise, advice=advice, check=check)

    return make


def try_rule(rule: Rule, subject: Subject) -> Result:
    """Try a rule on a block; any exception is a failure. The caller's random state is left unchanged.

    Args:
        rule: The rule.
        subject: The block.
    """
    numbers = random.getstate()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Result(rule, "passed", rule.check(subject) or "")
    except SkippedRuleError as reason:
        return Result(rule, "skipped", str(reason))
    except BrokenRuleError as broken:
        return Result(rule, "failed", str(broken))
    except (Exception, SystemExit) as error:
        return Result(rule, "failed", textwrap.shorten(f"{type(error).__name__}: {error}", 300))
    finally:
        random.setstate(numbers)
