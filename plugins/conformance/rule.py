"""A rule, and what came of it."""

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
    """The block breaks the rule; the message says where."""


class SkippedRuleError(Exception):
    """The rule cannot be tried here; the message says why."""


@dataclass(frozen=True)
class Rule:
    """One thing that a block must keep to.

    Attributes:
        name: What the table and the tests call it.
        promise: What holds of a block that passes.
        advice: What to do where it fails.
        check: Raises where the rule is broken; may return a remark.
    """

    name: str
    promise: str
    advice: str
    check: Check

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Result:
    """What came of a rule, with a remark or the reason."""

    rule: Rule
    outcome: Outcome
    detail: str

    @property
    def advice(self) -> str:
        """What to do, of a failure."""
        return self.rule.advice if self.outcome == "failed" else ""


def rule(name: str, *, advice: str) -> Callable[[Check], Rule]:
    """Make a rule of a function; the first line of its docstring is what it promises."""

    def make(check: Check) -> Rule:
        promise = (check.__doc__ or name).splitlines()[0].rstrip(".")
        return Rule(name=name, promise=promise, advice=advice, check=check)

    return make


def try_rule(rule: Rule, subject: Subject) -> Result:
    """Hold a block to a rule; whatever it raises is a failure. The caller's random numbers go on undisturbed."""
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
